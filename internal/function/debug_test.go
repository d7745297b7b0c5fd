package function

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/gatepost-dev/gatepost/internal/telemetry"
	"github.com/gatepost-dev/gatepost/stack"
)

// needsDelve puts the Delve that "make test" builds on the PATH, unless there is
// one.
func needsDelve(t *testing.T) {
	t.Helper()
	bin, err := filepath.Abs("../../bin")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", os.Getenv("PATH")+string(filepath.ListSeparator)+bin)
	if _, err := findDelve(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skipf("%v; \"make test\" does so", err)
	}
}

// debugged is a function in Go that a test can stop in answer.
const debugged = `package main

import (
	"fmt"
	"os"
	"os/exec"
)

//go:noinline
func answer(id string) string { return fmt.Sprintf("\"%s %d\"", id, os.Getpid()) }

func init() {
	if os.Getenv("FORK") != "" {
		exec.Command("sleep", "600").Start()
	}
}
`

func debuggedFunction(t *testing.T) string {
	serve := strings.ReplaceAll(source, "len(text), text))", "len(answer(id)), answer(id)))")
	return files(t, t.TempDir(), map[string]string{"go.mod": "module f\n\ngo 1.24\n", "main.go": serve, "answer.go": debugged})
}

// newDebugHost is a host with functions under debuggers, built.
func newDebugHost(t *testing.T, debug map[string]Debug, functions ...stack.Function) *testHost {
	t.Helper()
	h := newTestHost(t, func(h *Host) { h.config.Debug = debug }, functions...)
	if err := h.Build(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return h
}

// delve speaks JSON-RPC with a Delve server.
type delve struct {
	t    *testing.T
	call func(method string, args, reply any) error
}

func dialDelve(t *testing.T, address string) delve {
	t.Helper()
	var conn net.Conn
	eventually(t, "Delve listens at "+address, func() (listens bool) {
		var err error
		conn, err = net.Dial("tcp", address)
		return err == nil
	})
	client := jsonrpc.NewClient(conn)
	t.Cleanup(func() { client.Close() })
	return delve{t, func(method string, args, reply any) error {
		select {
		case c := <-client.Go(method, args, reply, make(chan *rpc.Call, 1)).Done:
			return c.Error
		case <-time.After(2 * time.Minute):
			return fmt.Errorf("Delve does not answer %s", method)
		}
	}}
}

// delveState is what Delve tells of a stopped program.
type delveState struct {
	State struct {
		CurrentThread struct {
			Function struct{ Name string }
		} `json:"currentThread"`
		Running bool
	}
}

func (d delve) command(name string) (s delveState) {
	d.t.Helper()
	if err := d.call("RPCServer.Command", map[string]string{"name": name}, &s); err != nil {
		d.t.Fatalf("%s: %v", name, err)
	}
	return s
}

func (d delve) breakAt(function string) {
	d.t.Helper()
	args := map[string]any{"Breakpoint": map[string]string{"functionName": function}}
	if err := d.call("RPCServer.CreateBreakpoint", args, new(any)); err != nil {
		d.t.Fatal(err)
	}
}

// A breakpoint stops the handler, past the time limit too; then it goes on, and
// the answer arrives.
func TestDebugUnderDelve(t *testing.T) {
	needsDelve(t)
	f := fromCode("f", debuggedFunction(t))
	f.Timeout = time.Second
	h := newDebugHost(t, map[string]Debug{"f": {Address: "0"}}, f)
	st := h.Functions()[0]
	if st.How != "go build, under Delve" || !strings.HasPrefix(st.Debugger, "127.0.0.1:") || strings.HasSuffix(st.Debugger, ":0") {
		t.Fatalf("the status is %+v", st)
	}
	d := dialDelve(t, st.Debugger)
	// Delve takes calls before it has the program run, and a halt that comes
	// sooner stops nothing. A program that has answered runs.
	h.invoke("f", "{}")
	d.command("halt")
	d.breakAt("main.answer")
	stopped := make(chan delveState, 1)
	go func() { stopped <- d.command("continue") }()
	answers := make(chan string, 1)
	go func() {
		response, err := h.Invoke(context.Background(), "f", []byte("{}"))
		if err != nil {
			t.Error(err)
		}
		answers <- string(response)
	}()
	select {
	case s := <-stopped:
		if s.State.CurrentThread.Function.Name != "main.answer" {
			t.Fatalf("stopped at %+v", s)
		}
	case <-time.After(60 * time.Second):
		t.Fatal("the program did not stop")
	}
	select {
	case got := <-answers:
		t.Fatalf("a stopped function answered %s", got)
	case <-time.After(2 * time.Second): // twice the time limit
	}
	if s := h.Functions()[0]; s.Busy != 1 || s.Sandboxes != 1 {
		t.Errorf("the status is %+v", s)
	}
	d.clear()
	go d.call("RPCServer.Command", map[string]string{"name": "continue"}, new(any))
	select {
	case got := <-answers:
		if !strings.HasPrefix(got, `"`) || len(got) < 30 {
			t.Errorf("the answer is %s", got)
		}
	case <-time.After(60 * time.Second):
		t.Fatal("the function did not answer")
	}
}

// clear removes all breakpoints of the user's.
func (d delve) clear() {
	d.t.Helper()
	var list struct {
		Breakpoints []struct{ ID int }
	}
	if err := d.call("RPCServer.ListBreakpoints", map[string]bool{}, &list); err != nil {
		d.t.Fatal(err)
	}
	for _, b := range list.Breakpoints {
		if b.ID > 0 {
			if err := d.call("RPCServer.ClearBreakpoint", map[string]int{"Id": b.ID}, new(any)); err != nil {
				d.t.Fatal(err)
			}
		}
	}
}

// With Wait nothing of the program runs before a debugger says so.
func TestDebugWait(t *testing.T) {
	needsDelve(t)
	h := newDebugHost(t, map[string]Debug{"f": {Address: "0", Wait: true}}, fromCode("f", debuggedFunction(t)))
	d := dialDelve(t, h.Functions()[0].Debugger)
	d.breakAt("main.main")
	if s := d.command("continue"); s.State.CurrentThread.Function.Name != "main.main" {
		t.Errorf("stopped at %+v", s)
	}
	go d.call("RPCServer.Command", map[string]string{"name": "continue"}, new(any))
	if got := h.invoke("f", "{}"); len(got) < 30 {
		t.Errorf("the answer is %s", got)
	}
}

// However the sandbox ends, Delve's program and its children end too: it has a
// process group of its own, and Delve leaves it behind.
func TestDebuggedProgramsEnd(t *testing.T) {
	needsDelve(t)
	for name, end := range map[string]func(h *testHost, delve int){
		"the host is closed":   func(h *testHost, _ int) { h.Close(context.Background()) },
		"Delve is killed":      func(_ *testHost, delve int) { syscall.Kill(delve, syscall.SIGKILL) },
		"Delve is told to end": func(_ *testHost, delve int) { syscall.Kill(delve, syscall.SIGTERM) },
		"the host cannot wait": func(h *testHost, _ int) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			h.Close(ctx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := fromCode("f", debuggedFunction(t))
			f.Environment = map[string]string{"FORK": "1"}
			h := newDebugHost(t, map[string]Debug{"f": {Address: "0"}}, f)
			program := pidIn(t, h.invoke("f", "{}"))
			end(h, parentOf(t, program))
			eventually(t, "the program and its child have ended", func() bool { return groupEnded(program) })
		})
	}
}

// A program that ends takes its Delve with it, and the event in it fails: the next
// one finds a new program.
func TestDebuggedProgramExits(t *testing.T) {
	needsDelve(t)
	h := newDebugHost(t, map[string]Debug{"f": {Address: "0"}}, fromCode("f", debuggedFunction(t)))
	first := pidIn(t, h.invoke("f", "{}"))
	syscall.Kill(first, syscall.SIGKILL)
	eventually(t, "Delve has ended", func() bool { return h.Functions()[0].Sandboxes == 0 })
	if second := pidIn(t, h.invoke("f", "{}")); second == first {
		t.Error("the killed program answered")
	}
}

func pidIn(t *testing.T, response string) int {
	t.Helper()
	fields := strings.Fields(strings.Trim(response, `"`))
	pid, err := strconv.Atoi(fields[len(fields)-1])
	if err != nil {
		t.Fatalf("the response is %s", response)
	}
	return pid
}

func parentOf(t *testing.T, pid int) int {
	t.Helper()
	out, err := exec.Command("ps", "-o", "ppid=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		t.Fatal(err)
	}
	parent, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	return parent
}

// groupEnded reports whether no process of a group lives; zombies do not.
func groupEnded(group int) bool {
	out, _ := exec.Command("ps", "-axo", "pgid=,stat=").Output()
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == strconv.Itoa(group) && !strings.HasPrefix(f[1], "Z") {
			return false
		}
	}
	return true
}

// Node.js brings its own debugger: the inspector says what it debugs.
func TestDebugNode(t *testing.T) {
	needs(t, "node")
	root := files(t, t.TempDir(), map[string]string{"index.mjs": "export const handler = async () => {\n  debugger\n  return process.execArgv\n}\n"})
	h := newDebugHost(t, map[string]Debug{"f": {Address: "0"}},
		stack.Function{Name: "f", Runtime: "nodejs20.x", Handler: "index.handler", Code: root, Timeout: time.Second})
	address := h.Functions()[0].Debugger
	h.await(func(e telemetry.Event) bool {
		return e.Kind == telemetry.LogLine && strings.Contains(e.Text, "Debugger listening")
	})
	if got := h.invoke("f", "{}"); got != `["--inspect=`+address+`"]` {
		t.Errorf("the function was started with %s", got)
	}
	var targets []struct{ WebSocketDebuggerUrl string }
	resp, err := http.Get("http://" + address + "/json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&targets); err != nil || len(targets) != 1 {
		t.Fatalf("targets %+v, %v", targets, err)
	}
	ws, _, err := websocket.Dial(t.Context(), targets[0].WebSocketDebuggerUrl, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	inspector{t, ws}.stopAndGoOn(h)
}

// inspector speaks the Chrome DevTools protocol.
type inspector struct {
	t  *testing.T
	ws *websocket.Conn
}

func (i inspector) say(id int, method string) {
	i.t.Helper()
	text, _ := json.Marshal(map[string]any{"id": id, "method": method})
	if err := i.ws.Write(i.t.Context(), websocket.MessageText, text); err != nil {
		i.t.Fatal(err)
	}
}

func (i inspector) await(what string) {
	i.t.Helper()
	ctx, cancel := context.WithTimeout(i.t.Context(), 20*time.Second)
	defer cancel()
	i.ws.SetReadLimit(1 << 24)
	for {
		_, text, err := i.ws.Read(ctx)
		if err != nil {
			i.t.Fatalf("waiting for %s: %v", what, err)
		}
		if strings.Contains(string(text), what) {
			return
		}
	}
}

// stopAndGoOn holds that an event stops at the "debugger" statement, and that its
// answer comes after that.
func (i inspector) stopAndGoOn(h *testHost) {
	i.t.Helper()
	i.say(1, "Debugger.enable")
	i.await(`"id":1`)
	answers := make(chan string, 1)
	go func() {
		response, err := h.Invoke(context.Background(), "f", []byte("{}"))
		if err != nil {
			i.t.Error(err)
		}
		answers <- string(response)
	}()
	i.await("Debugger.paused")
	select {
	case got := <-answers:
		i.t.Fatalf("a stopped function answered %s", got)
	default:
	}
	i.say(2, "Debugger.resume")
	select {
	case <-answers:
	case <-time.After(20 * time.Second):
		i.t.Fatal("the function did not answer")
	}
}

func TestCheckDebug(t *testing.T) {
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	t.Setenv("HOME", bin)
	t.Setenv("GOPATH", bin)
	t.Setenv("GOBIN", "")
	golang := stack.Function{Name: "f", Runtime: "provided.al2023"}
	without := CheckDebug(golang, Debug{})
	if without == nil || !strings.Contains(without.Error(), "there is no Delve (dlv) on the PATH; install it with: go install github.com/go-delve/delve/cmd/dlv@latest") {
		t.Errorf("without Delve: %v", without)
	}
	files(t, bin, map[string]string{"bin/dlv": "#!/bin/sh\n"}) // where "go install" puts it
	tests := []struct{ runtime, address, want string }{
		{"provided.al2023", "", ""}, {"go1.x", "127.0.0.1:0", ""}, {"nodejs22.x", "localhost:9229", ""}, {"provided", "[::1]:1", ""}, {"provided", "4000", ""},
		{"python3.13", "", "function f is Python, which cannot be debugged here"},
		{"provided", "0.0.0.0:2345", "must be on loopback"}, {"provided", ":2345", "must be on loopback"}, {"nodejs22.x", "192.0.2.1:1", "use an SSH tunnel"},
		{"provided", "127.0.0.1:port", "it is not HOST:PORT or a port"}, {"provided", "x", "it is not HOST:PORT or a port"},
	}
	for _, tt := range tests {
		err := CheckDebug(stack.Function{Name: "f", Runtime: tt.runtime}, Debug{Address: tt.address})
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s at %q: got %v, want %q", tt.runtime, tt.address, err, tt.want)
		}
	}
}

// What Delve cannot show is told by the build, and an address in use at once.
func TestDebugRefuses(t *testing.T) {
	needsDelve(t)
	stripped, script := t.TempDir(), files(t, t.TempDir(), map[string]string{"bootstrap": bootstrap})
	err := runTool(t.Context(), tool{folder: debuggedFunction(t)}, "go", "build", "-ldflags=-s -w", "-o", filepath.Join(stripped, "bootstrap"), ".")
	if err != nil {
		t.Fatal(err)
	}
	h := newTestHost(t, func(h *Host) { h.config.Debug = map[string]Debug{"stripped": {Address: "0"}, "script": {Address: "0"}} },
		fromCode("stripped", stripped), fromCode("script", script))
	err = h.Build(t.Context(), nil)
	for _, want := range []string{"because it has no debug information; build it without -ldflags=-s", "because it is not a Go program"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	h.config.Debug = map[string]Debug{"f": {Address: taken.Addr().String()}}
	if err := h.Add(fromCode("f", script)); err == nil || !strings.Contains(err.Error(), "choose another address") {
		t.Errorf("got %v", err)
	}
}
