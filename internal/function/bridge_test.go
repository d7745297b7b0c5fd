package function

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/internal/function/runtimes"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
	"github.com/gatepost-dev/gatepost/stack"
)

// oldProgram is a function as it was written for aws-lambda-go 1.17, which
// knows nothing of the Runtime API.
const oldProgram = `package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type order struct {
	Do    string
	Bytes int
}

func handle(ctx context.Context, o order) (interface{}, error) {
	lc, _ := lambdacontext.FromContext(ctx)
	deadline, _ := ctx.Deadline()
	switch o.Do {
	case "fail":
		return nil, errors.New("failed")
	case "panic":
		panic("out of cheese")
	case "exit":
		os.Exit(3)
	case "sleep":
		time.Sleep(time.Hour)
	case "large":
		return strings.Repeat("x", o.Bytes-2), nil
	case "log":
		fmt.Println("a line")
	}
	return map[string]interface{}{"id": lc.AwsRequestID, "arn": lc.InvokedFunctionArn, "trace": os.Getenv("_X_AMZN_TRACE_ID"),
		"left": time.Until(deadline).Milliseconds(), "pid": os.Getpid()}, nil
}

func main() { lambda.Start(handle) }
`

// oldSource is the folder of the old program, a module of its own.
func oldSource(t *testing.T) string {
	t.Helper()
	folder := files(t, t.TempDir(), map[string]string{
		"go.mod": "module example.com/old\n\ngo 1.21\n\nrequire github.com/aws/aws-lambda-go v1.17.0\n",
		"go.sum": "github.com/aws/aws-lambda-go v1.17.0 h1:Ogihmi8BnpmCNktKAGpNwSiILNNING1MiosnKUfU8m0=\n" +
			"github.com/aws/aws-lambda-go v1.17.0/go.mod h1:FEwgPLE6+8wcGBTe5cJN3JWurd1Ztm9zN4jsXsjzKKw=\n",
		"main.go": oldProgram,
	})
	cmd := exec.Command("go", "list", "-deps", ".")
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("the module github.com/aws/aws-lambda-go v1.17.0 cannot be had: go needs its module proxy, or the module in its cache (go mod download github.com/aws/aws-lambda-go@v1.17.0): %v\n%s", err, out)
	}
	return folder
}

// A program with the old library runs, whatever runtime the template names.
func TestOldLibrary(t *testing.T) {
	source := oldSource(t)
	h := newTestHost(t, nil,
		stack.Function{Name: "old", Runtime: runtimes.IDGo1x, Handler: "main", Code: source, Timeout: 5 * time.Minute, MemoryMB: 1024},
		stack.Function{Name: "provided", Runtime: "provided.al2", Handler: "bootstrap", Code: source, Timeout: 20 * time.Second},
		stack.Function{Name: "slow", Runtime: runtimes.IDGo1x, Handler: "main", Code: source, Timeout: 100 * time.Millisecond})
	if err := h.Build(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	t.Run("context", func(t *testing.T) { oldContext(t, h) })
	t.Run("provided", func(t *testing.T) { h.invoke("provided", `{}`) })
	t.Run("errors", func(t *testing.T) { oldErrors(t, h) })
	t.Run("log", func(t *testing.T) {
		h.invoke("old", `{"do":"log"}`)
		line := h.await(func(e telemetry.Event) bool { return e.Kind == telemetry.LogLine && e.Text == "a line" })
		if line.RequestID == "" || line.RequestID != h.awaitInvoked().RequestID {
			t.Errorf("%+v", line)
		}
	})
	t.Run("timeout", func(t *testing.T) {
		if e := h.invokeError("slow", `{"do":"sleep"}`); e.Type != typeTimeout || !strings.Contains(e.Message, "Task timed out after 0.10 seconds") {
			t.Error(e)
		}
	})
}

func oldContext(t *testing.T, h *testHost) {
	var got, again struct {
		ID, ARN, Trace string
		Left           int64
		PID            int
	}
	for _, into := range []any{&got, &again} {
		if err := json.Unmarshal([]byte(h.invoke("old", `{}`)), into); err != nil {
			t.Fatal(err)
		}
	}
	if len(got.ID) != 36 || got.ARN != "arn:aws:lambda:eu-west-1:111122223333:function:old" || !strings.HasPrefix(got.Trace, "Root=1-") || got.Left <= 0 || got.Left > 300_000 {
		t.Errorf("%+v", got)
	}
	if again.PID != got.PID || again.ID == got.ID {
		t.Errorf("the second event: %+v after %+v", again, got)
	}
}

func oldErrors(t *testing.T, h *testHost) {
	tests := []struct {
		event, typ, message string
		ends                bool // the process
	}{
		{`{"do":"fail"}`, "errorString", "failed", false},
		{`{"do":"panic"}`, "string", "out of cheese", true},
		{`{"do":"exit"}`, typeExit, "Runtime exited with error: exit status 3", true},
		{`{"do":"large","bytes":6291557}`, typeTooLarge, "(6291556 bytes)", false},
		{`{"do":"large","bytes":40000000}`, typeTooLarge, "(6291556 bytes)", true},
		{`[`, "SyntaxError", "unexpected end of JSON input", false},
	}
	pid := func() string {
		_, pid, _ := strings.Cut(h.invoke("old", `{}`), `"pid":`)
		pid, _, _ = strings.Cut(pid, ",")
		return pid
	}
	for _, tt := range tests {
		before := pid()
		e := h.invokeError("old", tt.event)
		if e.Type != tt.typ || !strings.Contains(e.Message, tt.message) {
			t.Errorf("%s: got %s: %s", tt.event, e.Type, e.Message)
		}
		if tt.typ == "string" && !strings.Contains(string(e.Payload), `"stackTrace":[{"path":`) {
			t.Errorf("the payload of a panic is %s", e.Payload)
		}
		if after := pid(); (after != before) != tt.ends {
			t.Errorf("%s: process %s followed %s", tt.event, after, before)
		}
		if tt.ends {
			awaitEnd(t, before)
		}
	}
	if got := h.invoke("old", `{"do":"large","bytes":6291556}`); len(got) != 6291556 {
		t.Errorf("the largest response came as %d bytes", len(got))
	}
}

// awaitEnd waits for the end of a process.
func awaitEnd(t *testing.T, pid string) {
	t.Helper()
	id, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); syscall.Kill(id, 0) == nil; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("process %s still lives", pid)
		}
	}
}

// The newest library takes RPC as well when its variable is set, as it is for
// go1.x and for no other runtime.
func TestNewLibraryInGo1x(t *testing.T) {
	legacy := acting("legacy", "environ", nil)
	legacy.Runtime = runtimes.IDGo1x
	plain := acting("plain", "environ", nil)
	plain.Runtime = "provided.al2"
	h := newTestHost(t, nil, legacy, plain)
	if got := h.invoke("legacy", "{}"); !strings.Contains(got, `"_LAMBDA_SERVER_PORT=`) || !strings.Contains(got, `"AWS_EXECUTION_ENV=AWS_Lambda_go1.x"`) {
		t.Errorf("the environment is %s", got)
	}
	if got := h.invoke("plain", "{}"); strings.Contains(got, "_LAMBDA_SERVER_PORT") || strings.Contains(got, "AWS_EXECUTION_ENV") {
		t.Errorf("the environment is %s", got)
	}
	pool := h.functions["legacy"].pool
	pool.mu.Lock()
	defer pool.mu.Unlock()
	for s := range pool.sandboxes {
		s.api.mu.Lock()
		if len(s.api.conns) != 0 {
			t.Error("the function speaks to the Runtime API")
		}
		s.api.mu.Unlock()
	}
}

// A function of go1.x that asks the Runtime API all the same is left to it.
func TestRuntimeAPIInGo1x(t *testing.T) {
	f := acting("f", "once", nil)
	f.Runtime = runtimes.IDGo1x
	h := newTestHost(t, nil, f)
	if got := h.invoke("f", "{}"); got != "42" {
		t.Errorf("got %s", got)
	}
}

// The bridge of a function that asks the Runtime API gives up pinging.
func TestBridgeGivesWay(t *testing.T) {
	f := acting("f", "puppet", nil)
	f.Runtime = runtimes.IDGo1x
	p := newPuppetOf(t, f, nil)
	l := p.dial()
	id := l.next()
	pool := p.host.functions["f"].pool
	for s := range pool.sandboxes {
		select {
		case <-s.bridge.done:
		case <-time.After(20 * time.Second):
			t.Error("the bridge still pings")
		}
	}
	l.send("POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\nContent-Length: 2\n\n42", id)
	l.expect(202, "OK")
	if r := p.result(); string(r.response) != "42" {
		t.Errorf("got %q, %v", r.response, r.err)
	}
}

func TestBridgeFaults(t *testing.T) {
	for _, tt := range []struct {
		behaviour, typ, message string
		init                    time.Duration
	}{
		{"exit", typeExit, "exit status 1", 10 * time.Second},
		{"mute", typeTimeout, "Init timed out after 0.20 seconds", 200 * time.Millisecond},
	} {
		f := acting("f", tt.behaviour, nil)
		f.Runtime, f.Timeout = runtimes.IDGo1x, tt.init // the time of a second init
		h := newTestHost(t, func(h *Host) { h.limits.init = tt.init }, f)
		if e := h.invokeError("f", "{}"); e.Type != tt.typ || !strings.Contains(e.Message, tt.message) {
			t.Errorf("%s: %v", tt.behaviour, e)
		}
	}
}

// A bridge ends with its host, and gives its port back.
func TestBridgeClose(t *testing.T) {
	before := goroutines()
	f := acting("f", "sleep", nil)
	f.Runtime = runtimes.IDGo1x
	h := newTestHost(t, nil, f)
	h.invoke("f", "{}")
	busy := make(chan error, 1)
	go func() {
		_, err := h.Invoke(context.Background(), "f", []byte(`{"sleep":3600000000000}`))
		busy <- err
	}()
	for h.Functions()[0].Busy == 0 {
		runtime.Gosched()
	}
	if err := h.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-busy; err == nil {
		t.Error("the running invocation succeeded")
	}
	if len(h.ports.taken) != 0 {
		t.Errorf("ports %v are still taken", h.ports.taken)
	}
	for deadline := time.Now().Add(20 * time.Second); goroutines() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines before, %d after:\n%s", before, goroutines(), stacks())
		}
	}
}

func TestOnlyRPC(t *testing.T) {
	if runtimes.OnlyRPC(os.Args[0]) {
		t.Error("the newest library speaks to the Runtime API")
	}
	source := oldSource(t)
	binary := filepath.Join(t.TempDir(), "old")
	if err := runGo(t.Context(), source, nil, "build", "-ldflags=-s -w", "-o", binary, "."); err != nil {
		t.Fatal(err)
	}
	if !runtimes.OnlyRPC(binary) {
		t.Error("version 1.17 knows nothing but RPC")
	}
	if runtimes.OnlyRPC(source) || runtimes.OnlyRPC("/bin/sh") {
		t.Error("what is no Go program was taken for one")
	}
}
