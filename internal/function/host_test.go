package function

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
	"github.com/gatepost-dev/gatepost/stack"
)

// acting declares a function that is this test binary with a behaviour.
func acting(name, behaviour string, environment map[string]string) stack.Function {
	all := map[string]string{behaviourVariable: behaviour}
	maps.Copy(all, environment)
	return stack.Function{Name: name, Command: []string{os.Args[0]}, Environment: all, Timeout: 10 * time.Second, MemoryMB: 256}
}

// testHost is a host whose feed is watched.
type testHost struct {
	*Host
	t      testing.TB
	events <-chan telemetry.Event
}

// newTestHost makes a host and closes it after the test. change may be nil.
func newTestHost(t testing.TB, change func(*Host), functions ...stack.Function) *testHost {
	t.Helper()
	feed := telemetry.NewFeed()
	events, cancel := feed.Subscribe()
	h := NewHost(Config{Feed: feed, Region: "eu-west-1", Account: "111122223333", CacheDir: t.TempDir(), Freeze: true})
	h.limits.linger = 5 * time.Second // a busy machine must not change how many sandboxes there are
	h.limits.close = 20 * time.Second // nor whether they end in time
	if change != nil {
		change(h)
	}
	for _, f := range functions {
		if err := h.Add(f); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		cancel()
		if err := h.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return &testHost{h, t, events}
}

// await returns the first event that pleases.
func (h *testHost) await(pleases func(telemetry.Event) bool) telemetry.Event {
	h.t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		select {
		case e := <-h.events:
			if pleases(e) {
				return e
			}
		case <-timeout:
			h.t.Fatal("the awaited event did not come within 20 s")
		}
	}
}

func (h *testHost) awaitLine() telemetry.Event {
	h.t.Helper()
	return h.await(func(e telemetry.Event) bool { return e.Kind == telemetry.LogLine })
}

func (h *testHost) awaitInvoked() telemetry.Event {
	h.t.Helper()
	return h.await(func(e telemetry.Event) bool { return e.Kind == telemetry.Invoked })
}

// invoke invokes and fails the test on an error.
func (h *testHost) invoke(function, event string) string {
	h.t.Helper()
	response, err := h.Invoke(context.Background(), function, []byte(event))
	if err != nil {
		h.t.Fatal(err)
	}
	return string(response)
}

// invokeError invokes and expects an Error.
func (h *testHost) invokeError(function, event string) *Error {
	h.t.Helper()
	response, err := h.Invoke(context.Background(), function, []byte(event))
	e, ok := errors.AsType[*Error](err)
	if !ok {
		h.t.Fatalf("got %q, %v; want an Error", response, err)
	}
	if !errors.Is(err, apigw.ErrFunction) {
		h.t.Errorf("%v is not apigw.ErrFunction", err)
	}
	if !json.Valid(e.Payload) {
		h.t.Errorf("the payload %q is no JSON", e.Payload)
	}
	return e
}

func TestInvoke(t *testing.T) {
	h := newTestHost(t, nil, acting("echo", "echo", nil))
	for _, event := range []string{`{"a":1}`, `"ü"`, `[` + strings.Repeat(`"0123456789",`, 200_000) + `1]`} {
		if got := h.invoke("echo", event); got != event {
			t.Errorf("%d bytes came back as %d", len(event), len(got))
		}
	}
	first, second := h.awaitInvoked(), h.awaitInvoked()
	if !strings.HasPrefix(first.Text, "cold start ") || second.Text != "" {
		t.Errorf("cold start: first %q, second %q", first.Text, second.Text)
	}
	if first.Function != "echo" || first.Failed || first.Bytes != 7 || first.Duration <= 0 || len(first.RequestID) != 36 {
		t.Errorf("event %+v", first)
	}
	want := Status{Name: "echo", State: Ready, How: "command", Sandboxes: 1, Invocations: 3}
	got := h.Functions()[0]
	got.Busy, got.Frozen = 0, 0 // it may not have asked again yet
	if got != want {
		t.Errorf("status %+v, want %+v", got, want)
	}
}

func TestInvokeContext(t *testing.T) {
	h := newTestHost(t, nil, acting("f", "context", nil))
	var got struct {
		ID, ARN, Trace string
		Left           int64
	}
	if err := json.Unmarshal([]byte(h.invoke("f", "{}")), &got); err != nil {
		t.Fatal(err)
	}
	if e := h.awaitInvoked(); got.ID != e.RequestID {
		t.Errorf("request id %q, in the feed %q", got.ID, e.RequestID)
	}
	if got.ARN != "arn:aws:lambda:eu-west-1:111122223333:function:f" {
		t.Errorf("ARN %q", got.ARN)
	}
	if !regexp.MustCompile(`^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0$`).MatchString(got.Trace) {
		t.Errorf("trace id %q", got.Trace)
	}
	if got.Left < 5000 || got.Left > 10000 {
		t.Errorf("%d ms are left of 10 s", got.Left)
	}
}

func TestEnvironment(t *testing.T) {
	f := acting("f", "environ", map[string]string{"OWN": "1", "BOTH": "function", "AWS_LAMBDA_MAX_CONCURRENCY": "1", "AWS_REGION": "mars-1", "TZ": "Europe/Berlin"})
	f.Handler, f.Runtime = "bootstrap", "provided.al2023"
	other := acting("other", "environ", map[string]string{"GOMAXPROCS": "2"})
	t.Setenv("GATEPOST_SECRET", "not for functions")
	h := newTestHost(t, func(h *Host) {
		h.config.Environment = map[string]string{"BOTH": "host", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
	}, f, other)
	environ := func(name string) map[string]string {
		var list []string
		if err := json.Unmarshal([]byte(h.invoke(name, "{}")), &list); err != nil {
			t.Fatal(err)
		}
		all := make(map[string]string)
		for _, line := range list {
			name, value, _ := strings.Cut(line, "=")
			all[name] = value
		}
		return all
	}
	got := environ("f")
	for name, want := range map[string]string{
		"OWN": "1", "BOTH": "function", "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "TZ": "Europe/Berlin", "GOMAXPROCS": "1",
		"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1", "_HANDLER": "bootstrap", "LANG": "en_US.UTF-8",
		"AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
		"AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand", "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f",
		"AWS_LAMBDA_LOG_FORMAT": "Text", "HOME": got["TMPDIR"], "LAMBDA_TASK_ROOT": got["TMPDIR"],
		"PATH": os.Getenv("PATH"), "LD_LIBRARY_PATH": "/lib64:/usr/lib64:" + got["TMPDIR"] + ":" + got["TMPDIR"] + "/lib",
		"AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR", "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000", "LAMBDA_RUNTIME_DIR": got["TMPDIR"],
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	if !strings.Contains(got["AWS_LAMBDA_LOG_STREAM_NAME"], "/[$LATEST]") || !strings.HasPrefix(got["AWS_LAMBDA_RUNTIME_API"], "127.0.0.1:") {
		t.Errorf("log stream %q, runtime API %q", got["AWS_LAMBDA_LOG_STREAM_NAME"], got["AWS_LAMBDA_RUNTIME_API"])
	}
	for _, name := range []string{"GATEPOST_SECRET", "AWS_EXECUTION_ENV", "AWS_LAMBDA_MAX_CONCURRENCY"} {
		if value, ok := got[name]; ok {
			t.Errorf("%s=%s is set", name, value)
		}
	}
	if got := environ("other"); got["GOMAXPROCS"] != "2" || got["TZ"] != ":UTC" {
		t.Errorf("GOMAXPROCS %q, TZ %q", got["GOMAXPROCS"], got["TZ"])
	}
}

func TestFailures(t *testing.T) {
	const short = 300 * time.Millisecond
	tests := []struct {
		behaviour, event, typ, message string
		survives                       bool // the process takes the next event as well
	}{
		{"error", `{"text":"no luck"}`, "oddError", "no luck", true},
		// aws-lambda-go repeats the message in a header.
		{"error", `{"text":"` + strings.Repeat("long ", 100_000) + `"}`, "oddError", "long long", true},
		{"panic", `{}`, "string", "out of cheese", false},
		{"die", `{}`, "Runtime.ExitError", "RequestId: ID Error: Runtime exited with error: exit status 3", false},
		{"kill", `{}`, "Runtime.ExitError", "RequestId: ID Error: Runtime exited with error: signal: killed", false},
		{"sleep", `{"sleep":3600000000000}`, "Sandbox.Timedout", "ID Task timed out after 0.30 seconds", false},
		{"large", `{"bytes":6291557}`, "Function.ResponseSizeTooLarge",
			"Response payload size exceeded maximum allowed payload size (6291556 bytes).", false},
		{"stream", `{}`, "oddError", "the stream broke", true},
		{"exit", `{}`, "Runtime.ExitError", "RequestId: ID Error: Runtime exited with error: exit status 1", false},
		{"done", `{}`, "Runtime.ExitError", "RequestId: ID Error: Runtime exited without providing a reason", false},
		{"refuse", `{}`, "Config.Missing", "no table", false},
		{"mute", `{}`, "Sandbox.Timedout", "ID Init timed out after 0.50 seconds: ", false},
	}
	for _, tt := range tests {
		t.Run(tt.behaviour, func(t *testing.T) {
			t.Parallel()
			f := acting("f", tt.behaviour, nil)
			if tt.behaviour == "sleep" || tt.behaviour == "mute" {
				f.Timeout = short
			}
			h := newTestHost(t, func(h *Host) {
				if tt.behaviour == "mute" {
					h.limits.init = 500 * time.Millisecond
				}
			}, f)
			e := h.invokeError("f", tt.event)
			message := strings.ReplaceAll(e.Message, e.RequestID, "ID")
			if tt.typ == "Sandbox.Timedout" {
				at, rest, _ := strings.Cut(message, " ")
				if _, err := time.Parse(time.RFC3339, at); err != nil {
					t.Error(err)
				}
				message = rest
			}
			if e.Type != tt.typ || !strings.HasPrefix(message, tt.message) || e.Function != "f" {
				t.Errorf("got %s %.200q", e.Type, message)
			}
			event := h.awaitInvoked()
			if !event.Failed || event.RequestID != e.RequestID || !strings.Contains(event.Text, tt.typ) {
				t.Errorf("event %.300v", event)
			}
			if strings.Contains(string(e.Payload), "stackTrace") != (tt.behaviour == "panic") {
				t.Errorf("payload %.300s", e.Payload)
			}
			if s := h.Functions()[0]; s.Errors != 1 || tt.survives && s.Sandboxes != 1 {
				t.Errorf("status %+v", s)
			}
		})
	}
}

// A function that has failed takes the next event, in a new process if need be.
func TestReplacement(t *testing.T) {
	for behaviour, same := range map[string]bool{"panic": false, "die": false, "error": true} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			h := newTestHost(t, nil, acting("f", behaviour, nil))
			first := h.invokeError("f", `{"text":"x"}`)
			second := h.invokeError("f", `{"text":"x"}`)
			if first.Type != second.Type || first.RequestID == second.RequestID {
				t.Errorf("first %v, second %v", first, second)
			}
			h.awaitInvoked()
			if cold := strings.Contains(h.awaitInvoked().Text, "cold start"); cold == same {
				t.Errorf("the second event was a cold start: %v", cold)
			}
		})
	}
}

// An answer counts even when the process does not wait for ours.
func TestAnswerThenExit(t *testing.T) {
	h := newTestHost(t, nil, acting("f", "once", nil))
	for range 3 {
		if got := h.invoke("f", "{}"); got != "42" {
			t.Errorf("got %q", got)
		}
	}
}

func TestUnableToRun(t *testing.T) {
	missing := stack.Function{Name: "missing", Command: []string{"/nonexistent/program"}}
	unbuilt := stack.Function{Name: "unbuilt", Runtime: "provided", Code: "/nonexistent"}
	h := newTestHost(t, nil, missing, unbuilt, acting("echo", "echo", nil))
	tests := []struct{ function, event, typ, message string }{
		{"missing", "{}", "Runtime.InvalidEntrypoint", "/nonexistent/program: no such file or directory"},
		{"unbuilt", "{}", "Gatepost.NotBuilt", "the function has not been built yet"},
		{"nobody", "{}", "Gatepost.UnknownFunction", "there is no such function"},
		{"echo", strings.Repeat("x", maxPayload+1), "RequestTooLargeException",
			"6291457 byte payload is too large for the RequestResponse invocation type (limit 6291456 bytes)"},
	}
	for _, tt := range tests {
		e := h.invokeError(tt.function, tt.event)
		if e.Type != tt.typ || !strings.Contains(e.Message, tt.message) {
			t.Errorf("%s: %v", tt.function, e)
		}
	}
}

func TestAdd(t *testing.T) {
	h := newTestHost(t, nil, acting("taken", "echo", nil))
	tests := []struct {
		spec stack.Function
		want string
	}{
		{acting("taken", "echo", nil), `two functions named "taken"`},
		{stack.Function{Name: "n", Runtime: "java21", Code: "/x"}, `"java21" is not supported; supported are provided.al2023`},
		{stack.Function{Name: "n", Runtime: "provided"}, "neither code nor a command"},
		{stack.Function{Runtime: "provided"}, "has no name"},
		{stack.Function{Name: "n", ARN: "a\r\nb", Runtime: "provided"}, "control characters"},
	}
	for _, tt := range tests {
		if err := h.Add(tt.spec); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
}

// A failing start is tried again after a pause, not at every event.
func TestBackoff(t *testing.T) {
	h := newTestHost(t, nil, acting("f", "exit", nil))
	for range 20 {
		if e := h.invokeError("f", "{}"); !strings.Contains(e.Message, "exit status 1") {
			t.Fatal(e)
		}
	}
	starts := 0
	for range 20 {
		h.await(func(e telemetry.Event) bool {
			if e.Kind == telemetry.LogLine {
				starts++
			}
			return e.Kind == telemetry.Invoked
		})
	}
	if starts == 0 || starts > 5 {
		t.Errorf("20 invocations started %d processes", starts)
	}
}

// The caller's patience does not end the function.
func TestContextEnds(t *testing.T) {
	f := acting("f", "sleep", nil)
	h := newTestHost(t, func(h *Host) { h.config.MaxSandboxes = 1 }, f)
	pid := h.invoke("f", `{}`)
	h.awaitInvoked()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := h.Invoke(ctx, "f", []byte(`{"sleep":300000000}`)); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, apigw.ErrFunction) {
		t.Fatal(err)
	}
	if got := h.invoke("f", `{}`); got != pid {
		t.Errorf("process %s took the next event, want %s", got, pid)
	}
	if e := h.awaitInvoked(); e.Failed || e.Duration < 300*time.Millisecond {
		t.Errorf("the abandoned invocation: %+v", e)
	}
	cancel()
	if _, err := h.Invoke(ctx, "f", []byte(`{}`)); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

// With as many events as its reserved concurrency, a function is throttled; others
// wait for one of the host's sandboxes.
func TestConcurrency(t *testing.T) {
	tests := map[string]struct {
		sandboxes, reserved, waiting int
	}{"reserved": {sandboxes: 10, reserved: 2}, "the host's limit": {sandboxes: 2, waiting: 3}}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gate := newGate(t)
			f := acting("f", "gate", map[string]string{"GATE": gate.path})
			f.MaxConcurrency = tt.reserved
			h := newTestHost(t, func(h *Host) { h.limits.waiting, h.config.MaxSandboxes = 3, tt.sandboxes }, f)
			pids := make(chan string, 2+tt.waiting)
			var all sync.WaitGroup
			start := func() { all.Go(func() { pids <- h.invoke("f", "{}") }) }
			start()
			start()
			gate.arrived(2)
			for range tt.waiting {
				start()
			}
			h.functions["f"].pool.awaitQueue(t, tt.waiting)
			_, err := h.Invoke(t.Context(), "f", []byte(`{}`))
			if !errors.Is(err, apigw.ErrThrottled) || errors.Is(err, apigw.ErrFunction) {
				t.Errorf("got %v, want ErrThrottled", err)
			}
			gate.open()
			all.Wait()
			close(pids)
			seen := make(map[string]bool)
			for pid := range pids {
				seen[pid] = true
			}
			if len(seen) != 2 {
				t.Errorf("processes %v, want two", seen)
			}
			if h.invoke("f", "{}"); h.Functions()[0].Sandboxes != 2 {
				t.Errorf("%+v", h.Functions()[0])
			}
		})
	}
}

// A reserved concurrency of 0 throttles every event and starts nothing.
func TestThrottledFunction(t *testing.T) {
	f := acting("f", "pid", nil)
	f.Throttled = true
	h := newTestHost(t, nil, f)
	if _, err := h.Invoke(t.Context(), "f", []byte(`{}`)); !errors.Is(err, apigw.ErrThrottled) || errors.Is(err, apigw.ErrFunction) {
		t.Errorf("got %v, want ErrThrottled", err)
	}
	if s := h.Functions()[0]; s.Sandboxes != 0 || s.Errors != 1 {
		t.Errorf("%+v", s)
	}
}

// Events one after the other go to the same process.
func TestSequenceStaysWarm(t *testing.T) {
	h := newTestHost(t, nil, acting("f", "pid", nil))
	pid := h.invoke("f", "{}")
	for range 200 {
		if got := h.invoke("f", "{}"); got != pid {
			t.Fatalf("process %s after %s", got, pid)
		}
	}
}

// TestSandboxDirIsEmptiedFirst holds that what a killed host has left goes, and
// that a sandbox's own folder lies there and goes with it.
func TestSandboxDirIsEmptiedFirst(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "sandboxes")
	left := filepath.Join(dir, "gatepost-sandbox-of-a-killed-host")
	if err := os.MkdirAll(left, 0o700); err != nil {
		t.Fatal(err)
	}
	h := NewHost(Config{SandboxDir: dir})
	t.Cleanup(func() { h.Close(context.Background()) })
	if err := h.Add(acting("echo", "echo", nil)); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Invoke(t.Context(), "echo", []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() == filepath.Base(left) {
		t.Errorf("while a sandbox runs: %v, %v; want its folder only", entries, err)
	}
	if err := h.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("after the end: %v, %v; want nothing", entries, err)
	}
}
