package function

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// The test binary is its own function: with behaviourVariable set it does not
// test but lives as a function of that behaviour.
const behaviourVariable = "GATEPOST_TEST_FUNCTION"

func TestMain(m *testing.M) {
	name := os.Getenv(behaviourVariable)
	if name == "" {
		os.Exit(m.Run())
	}
	behave, ok := behaviours[name]
	if !ok {
		fmt.Fprintf(os.Stderr, "no behaviour is named %q\n", name)
		os.Exit(2)
	}
	behave()
}

// order is the event of most behaviours.
type order struct {
	Sleep  time.Duration `json:"sleep,omitempty"`
	Bytes  int           `json:"bytes,omitempty"`
	Socket string        `json:"socket,omitempty"`
	Text   string        `json:"text,omitempty"`
	Away   bool          `json:"away,omitempty"`
}

type oddError struct{ detail string }

func (e *oddError) Error() string { return e.detail }

var behaviours = map[string]func(){
	"echo":          handle(func(event json.RawMessage) (json.RawMessage, error) { return event, nil }),
	"pid":           handle(func() (int, error) { return os.Getpid(), nil }),
	"environ":       handle(func() ([]string, error) { return os.Environ(), nil }),
	"context":       handle(describeContext),
	"folder":        handle(os.Getwd),
	"error":         handle(func(o order) error { return &oddError{o.Text} }),
	"panic":         handle(func() error { panic("out of cheese") }),
	"sink":          handle(func() error { return sink(100) }),
	"die":           handle(func() { os.Exit(3) }),
	"kill":          handle(func() error { return syscall.Kill(os.Getpid(), syscall.SIGKILL) }),
	"sleep":         handle(func(o order) (int, error) { time.Sleep(o.Sleep); return os.Getpid(), nil }),
	"large":         handle(func(o order) (string, error) { return strings.Repeat("x", o.Bytes-2), nil }),
	"logs":          handle(writeLogs),
	"flood":         handle(func(o order) { flood(o.Bytes) }),
	"fork":          handle(fork),
	"stream":        handle(func() (io.Reader, error) { return &failingReader{}, nil }),
	"temp":          handle(func() (string, error) { return os.TempDir(), os.WriteFile(os.TempDir()+"/kept", nil, 0o600) }),
	"meet":          handle(meet),
	"gate":          func() { stray(); handle(passGate)() },
	"holds":         handle(func(o order) { hold(o.Socket) }),
	"lost":          handle(lost),
	"stray":         func() { passGate() },
	"once":          once,
	"asks once":     asksOnce,
	"answers twice": answerTwice,
	"deaf":          deaf,
	"exit":          func() { fmt.Println("giving up"); os.Exit(1) },
	"done":          func() {},
	"mute":          mute,
	"puppet":        puppetTells,
	"refuse":        refuse,
	"deaf puppet": func() {
		signal.Ignore(syscall.SIGTERM)
		puppetTells()
	},
	"sigterm": sigterm,
	"hold":    func() { hold(os.Args[1]); time.Sleep(time.Hour) },
	"host":    liveAsHost,
}

func sink(left int) error {
	if left == 0 {
		panic("at the bottom")
	}
	return sink(left - 1)
}

func handle(handler any) func() { return func() { lambda.Start(handler) } }

// mute never asks for an event.
func mute() {
	if path := os.Getenv("HOLD"); path != "" {
		hold(path)
	}
	time.Sleep(time.Hour)
}

func describeContext(ctx context.Context) (map[string]any, error) {
	deadline, _ := ctx.Deadline()
	lc, _ := lambdacontext.FromContext(ctx)
	return map[string]any{
		"id": lc.AwsRequestID, "arn": lc.InvokedFunctionArn, "trace": os.Getenv("_X_AMZN_TRACE_ID"),
		"left": time.Until(deadline).Milliseconds(),
	}, nil
}

func writeLogs(o order) {
	fmt.Println("out: " + o.Text)
	fmt.Fprintln(os.Stderr, "err: "+o.Text)
	fmt.Print("no end: " + o.Text)
}

// puppetTells says where the test can speak for the function.
func puppetTells() {
	fmt.Println(os.Getenv("AWS_LAMBDA_RUNTIME_API"))
	time.Sleep(time.Hour)
}

// meeting counts those who have come to it.
var meeting struct {
	mu   sync.Mutex
	here int
	all  chan struct{}
}

// meet returns when as many events as it says are being handled at one time.
func meet(n int) (int, error) {
	meeting.mu.Lock()
	if meeting.all == nil {
		meeting.all = make(chan struct{})
	}
	if meeting.here++; meeting.here == n {
		close(meeting.all)
	}
	meeting.mu.Unlock()
	<-meeting.all
	fmt.Println("met")
	return os.Getpid(), nil
}

func flood(n int) {
	line := bytes.Repeat([]byte("y"), 1023)
	line = append(line, '\n')
	for range n / len(line) {
		os.Stdout.Write(line)
	}
}

// fork leaves a child behind that holds the socket open and ignores SIGTERM,
// and sleeps.
func fork(o order) error {
	time.Sleep(o.Sleep)
	if o.Socket == "" {
		return nil
	}
	cmd := exec.Command(os.Args[0], o.Socket)
	cmd.Env = []string{behaviourVariable + "=hold"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: o.Away}
	ready, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	// Without this the child might be frozen before it is where it should be.
	_, err = ready.Read(make([]byte, 1))
	return err
}

// hold keeps a connection open for as long as the process lives.
func hold(path string) {
	signal.Ignore(syscall.SIGTERM)
	conn, err := net.Dial("unix", path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Fprintln(conn, os.Getpid())
	fmt.Println("holding")
	held = conn
}

// held keeps the collector from closing what hold has opened.
var held net.Conn

type failingReader struct{ given bool }

func (r *failingReader) Read(p []byte) (int, error) {
	if r.given {
		return 0, &oddError{"the stream broke"}
	}
	r.given = true
	return copy(p, "beginning"), nil
}

// once answers one event without waiting for the end of the answer's answer.
func once() {
	id, _ := ask()
	conn, err := net.Dial("tcp", os.Getenv("AWS_LAMBDA_RUNTIME_API"))
	if err != nil {
		os.Exit(1)
	}
	fmt.Fprintf(conn, "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nContent-Length: 2\r\n\r\n42", id)
}

// asksOnce has one event at a time, though it may have more.
func asksOnce() {
	for {
		id, event := ask()
		tell("invocation/"+id+"/response", string(event))
	}
}

func deaf() {
	signal.Ignore(syscall.SIGTERM)
	lambda.Start(func() (int, error) { return os.Getpid(), nil })
}

func refuse() {
	tell("init/error", `{"errorMessage":"no table","errorType":"Config.Missing"}`)
	os.Exit(1)
}

func sigterm() {
	path := os.Getenv("GATEPOST_TEST_FILE")
	lambda.StartWithOptions(func() {}, lambda.WithEnableSIGTERM(func() {
		os.WriteFile(path, []byte("terminated"), 0o600)
		os.Exit(0)
	}))
}

func runtimeURL(path string) string {
	return "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/" + path
}

func ask() (id string, event []byte) {
	res, err := http.Get(runtimeURL("invocation/next"))
	if err != nil {
		os.Exit(1)
	}
	event, _ = io.ReadAll(res.Body)
	return res.Header.Get("Lambda-Runtime-Aws-Request-Id"), event
}

func tell(path, body string) int {
	res, err := http.Post(runtimeURL(path), "application/json", strings.NewReader(body))
	if err != nil {
		os.Exit(1)
	}
	return res.StatusCode
}

// liveAsHost runs a function that holds the socket, or whose child does, and
// waits to be killed. A function that talks to the Runtime API ends by itself
// then, unless it is frozen; a mute one does not talk.
func liveAsHost() {
	h := NewHost(Config{Freeze: os.Args[3] == "true"})
	err := h.Add(acting("held", os.Args[2], map[string]string{"HOLD": os.Args[1]}))
	if err == nil {
		_, err = h.Invoke(context.Background(), "held", []byte(`{"socket":"`+os.Args[1]+`"}`))
	}
	if err == nil {
		time.Sleep(time.Hour)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
