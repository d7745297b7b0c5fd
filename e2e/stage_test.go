package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gatepost-dev/gatepost/internal/instance"
)

// stage is what one script has running.
type stage struct {
	process *exec.Cmd
	ended   chan error
	run     instance.Run
	secrets instance.Credentials
	clients map[string]*client
}

type stageKey struct{}

func onStage(ts *testscript.TestScript) *stage { return ts.Value(stageKey{}).(*stage) }

// close ends what a failed script left running.
func (s *stage) close() {
	for _, c := range s.clients {
		c.ws.CloseNow()
	}
	if s.process != nil {
		s.process.Process.Kill()
		<-s.ended
	}
}

// readyWithin bounds a start, function builds included.
const readyWithin = 120 * time.Second

// start runs `gatepost ARGS` on free ports with the data folder $DATA, waits
// until it is ready, and sets $AWS, $CONSOLE, and $WS, $CALLBACK, $GATEWAY of the
// API, or $WS_NAME, $CALLBACK_NAME, $ID_NAME of each. Its output goes to the file
// gatepost.out. An argument KEY=VALUE before the command sets its environment.
//
//	start demo
//	start dev $REPO/push/deploy/sam --parameter MaxReceiveCount=1
func start(ts *testscript.TestScript, neg bool, args []string) {
	s := onStage(ts)
	if neg || len(args) == 0 || s.process != nil {
		ts.Fatalf("usage: start COMMAND [ARG...], once until interrupt or crash")
	}
	data := ts.Getenv("DATA")
	log, err := os.OpenFile(ts.MkAbs("gatepost.out"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	ts.Check(err)
	defer log.Close()
	before, err := log.Stat()
	ts.Check(err)
	args = append(args, "--gateway", "127.0.0.1:0", "--aws", "127.0.0.1:0", "--console", "127.0.0.1:0", "--data", data)
	cmd := exec.Command(binary, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = ts.MkAbs("."), log, log
	cmd.Env = environment(ts)
	ts.Check(cmd.Start())
	s.process, s.ended = cmd, make(chan error, 1)
	go func() { s.ended <- cmd.Wait() }()
	wait := exec.Command(binary, "wait", "--data", data, "--timeout", readyWithin.String())
	wait.Env = cmd.Env
	waited := make(chan error, 1)
	ts.Check(wait.Start())
	go func() { waited <- wait.Wait() }()
	select {
	case err := <-s.ended:
		wait.Process.Kill()
		s.process = nil
		ts.Fatalf("gatepost ended before it was ready: %v\n%s", err, ts.ReadFile("gatepost.out"))
	case err := <-waited:
		if err != nil {
			ts.Fatalf("gatepost wait: %v\n%s", err, ts.ReadFile("gatepost.out"))
		}
	}
	s.find(ts, data)
	s.reported(ts, before.Size())
}

// reported waits for the end of the start-up report in gatepost.out, which a
// process of before wrote up to an offset: it is printed when all is ready.
func (s *stage) reported(ts *testscript.TestScript, offset int64) {
	eventually(ts, readyWithin, func() error {
		text, err := os.ReadFile(ts.MkAbs("gatepost.out"))
		if err == nil && !bytes.Contains(text[offset:], []byte("Ctrl-C ends everything.")) {
			err = fmt.Errorf("no report of the start in gatepost.out:\n%s", text)
		}
		return err
	})
}

func environment(ts *testscript.TestScript) []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "XDG_RUNTIME_DIR", "GOCACHE", "GOMODCACHE", "GOPROXY", "GOFLAGS", "GOTOOLCHAIN", "TMPDIR"} {
		env = append(env, name+"="+ts.Getenv(name))
	}
	return env
}

// find reads run.json and the credentials.
func (s *stage) find(ts *testscript.TestScript, data string) {
	text, err := os.ReadFile(filepath.Join(data, "run.json"))
	ts.Check(err)
	s.run = instance.Run{}
	ts.Check(json.Unmarshal(text, &s.run))
	s.secrets, err = instance.ReadCredentials(data)
	ts.Check(err)
	ts.Setenv("AWS", s.run.AWS)
	ts.Setenv("CONSOLE", s.run.Console)
	for name, a := range s.run.APIs {
		ts.Setenv("WS", a.URL)
		ts.Setenv("WS_"+name, a.URL)
		ts.Setenv("CALLBACK_"+name, a.Callback)
		ts.Setenv("ID_"+name, a.ID)
		ts.Setenv("CALLBACK", a.Callback)
		u, err := url.Parse(a.URL)
		ts.Check(err)
		ts.Setenv("GATEWAY", u.Host)
	}
}

// The promises that scripts hold gatepost to. With the race detector, beside
// the tests of all other packages, everything may take patience times as long.
var (
	// endWithin is how long Ctrl-C may take, children included.
	endWithin = 2 * time.Second
	// deliverWithin is how long a queued message may take to its clients.
	deliverWithin = time.Second
)

// interrupt sends Ctrl-C and holds that gatepost ends with exit code 0 within two
// seconds and that no process of its functions is left.
func interrupt(ts *testscript.TestScript, neg bool, args []string) {
	s := onStage(ts)
	begun := time.Now()
	ts.Check(s.process.Process.Signal(os.Interrupt))
	select {
	case err := <-s.ended:
		s.process = nil
		if err != nil {
			ts.Fatalf("gatepost ended with %v\n%s", err, ts.ReadFile("gatepost.out"))
		}
	case <-time.After(4 * endWithin):
		ts.Fatalf("gatepost still runs %s after Ctrl-C\n%s", 4*endWithin, ts.ReadFile("gatepost.out"))
	}
	if took := time.Since(begun); took > endWithin {
		ts.Fatalf("gatepost took %s to end, more than %s", took, endWithin)
	}
	if left := s.functionProcesses(); len(left) > 0 {
		ts.Fatalf("function processes are left after the end: %v", left)
	}
}

// crash kills gatepost with -9 and holds that its functions end too.
func crash(ts *testscript.TestScript, neg bool, args []string) {
	s := onStage(ts)
	ts.Check(s.process.Process.Kill())
	<-s.ended
	s.process = nil
	end := time.Now().Add(endWithin)
	for len(s.functionProcesses()) > 0 {
		if time.Now().After(end) {
			ts.Fatalf("function processes live on after kill -9: %v", s.functionProcesses())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// functionProcesses finds the processes that carry this instance's own
// credentials in their environment.
func (s *stage) functionProcesses() []int {
	var found []int
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	mark := []byte("AWS_ACCESS_KEY_ID=" + s.secrets.AccessKeyID)
	for _, f := range files {
		if env, err := os.ReadFile(f); err == nil && bytes.Contains(env, mark) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(f)))
			if syscall.Kill(pid, 0) == nil {
				found = append(found, pid)
			}
		}
	}
	return found
}

// await FILE TEXT [WITHIN] waits, 10s unless told, until a file that is being written holds a text.
func await(ts *testscript.TestScript, neg bool, args []string) {
	after := ""
	if len(args) > 0 && strings.HasPrefix(args[0], "-after=") {
		after, args = strings.TrimPrefix(args[0], "-after="), args[1:]
	}
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: await [-after=TEXT] FILE TEXT [WITHIN]")
	}
	within := 10 * time.Second
	if len(args) == 3 {
		var err error
		within, err = time.ParseDuration(args[2])
		ts.Check(err)
	}
	eventually(ts, within, func() error {
		text, err := os.ReadFile(ts.MkAbs(args[0]))
		if err != nil {
			return err
		}
		_, rest, found := strings.Cut(string(text), after)
		if !found || !strings.Contains(rest, args[1]) {
			return fmt.Errorf("%s has no %q after %q:\n%s", args[0], args[1], after, text)
		}
		return nil
	})
}

// eventually tries until there is no error or the time is over.
func eventually(ts *testscript.TestScript, within time.Duration, try func() error) {
	end := time.Now().Add(within)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("after %s: %v", within, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// raw FILE [HALF] sends a file's bytes to $GATEWAY (or to the host given as
// ADDRESS), ends its sending side if HALF is "half", and prints what comes back
// until the other side closes. In the file, \r\n, \xNN and \0 escapes count.
func raw(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: raw ADDRESS FILE [half]")
	}
	c, err := net.DialTimeout("tcp", strings.TrimPrefix(args[0], "http://"), 5*time.Second)
	ts.Check(err)
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	text, err := strconv.Unquote(`"` + strings.ReplaceAll(strings.TrimSuffix(ts.ReadFile(args[1]), "\n"), "\n", "") + `"`)
	ts.Check(err)
	_, err = c.Write([]byte(text))
	ts.Check(err)
	if len(args) > 2 && args[2] == "half" {
		ts.Check(c.(*net.TCPConn).CloseWrite())
	}
	var out bytes.Buffer
	out.ReadFrom(c)
	fmt.Fprintf(ts.Stdout(), "%q\n", out.String())
}
