package function

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/internal/telemetry"
	"github.com/gatepost-dev/gatepost/stack"
)

func init() {
	behaviours["use"] = handle(func(mb int) { keep(mb); kept = nil; debug.FreeOSMemory() })
	behaviours["json"] = handle(func() (map[string]string, error) {
		fmt.Println(jsonLine)
		env := map[string]string{}
		for _, name := range []string{"AWS_LAMBDA_LOG_FORMAT", "AWS_LAMBDA_LOG_LEVEL", "AWS_LAMBDA_LOG_GROUP_NAME"} {
			env[name] = os.Getenv(name)
		}
		return env, nil
	})
}

// jsonLine has all that a careless hand would change.
const jsonLine = `{"level":"INFO", "message":"<ü> \u00e4\t",  "n":1.0}`

// kept is memory that a function does not give back.
var kept [][]byte

// keep takes so much memory and touches every page of it.
func keep(mb int) {
	for range mb {
		page := make([]byte, 1<<20)
		for i := 0; i < len(page); i += 512 {
			page[i] = 1
		}
		kept = append(kept, page)
	}
}

// invokedEvent invokes and returns the event in the feed.
func invokedEvent(h *testHost, function, event string) telemetry.Event {
	h.t.Helper()
	if _, err := h.Invoke(h.t.Context(), function, []byte(event)); err != nil {
		h.t.Log(err)
	}
	return h.awaitInvoked()
}

func TestReport(t *testing.T) {
	short := acting("slow", "sleep", nil)
	short.Timeout = 100 * time.Millisecond
	h := newTestHost(t, nil, acting("echo", "echo", nil), acting("error", "error", nil), acting("die", "die", nil), short)

	cold, warm := invokedEvent(h, "echo", "1"), invokedEvent(h, "echo", "2")
	if r := cold.Report; r == nil || !r.Cold() || r.Billed != telemetry.Billed(cold.Duration, r.Init) || r.Billed < r.Init ||
		r.MemoryMB != 256 || r.Status != telemetry.Success || r.ErrorType+r.Message != "" {
		t.Errorf("cold: %+v of %+v", r, cold)
	}
	if r := warm.Report; r == nil || r.Cold() || r.Billed != telemetry.Billed(warm.Duration, 0) {
		t.Errorf("warm: %+v of %+v", r, warm)
	}
	if r := invokedEvent(h, "error", `{"text":"no"}`).Report; r == nil || r.Status != telemetry.Errored || r.ErrorType != "oddError" || r.Message != "" {
		t.Errorf("an error that the function posted: %+v", r)
	}
	e := invokedEvent(h, "die", "{}")
	if r, want := e.Report, "RequestId: "+e.RequestID+" Error: Runtime exited with error: exit status 3\nRuntime.ExitError"; r == nil ||
		r.Status != telemetry.Errored || r.ErrorType != "Runtime.ExitError" || r.Message != want {
		t.Errorf("a crash: %+v", r)
	}
	e = invokedEvent(h, "slow", fmt.Sprintf(`{"sleep":%d}`, time.Hour))
	if r := e.Report; r == nil || r.Status != telemetry.TimedOut || e.Duration != short.Timeout || !strings.HasSuffix(r.Message, e.RequestID+" Task timed out after 0.10 seconds") {
		t.Errorf("a time limit: %v, %+v", e.Duration, r)
	}
}

// What never got to a process has no report.
func TestNoReport(t *testing.T) {
	h := newTestHost(t, nil, stack.Function{Name: "f", Runtime: "provided.al2023", Code: t.TempDir()})
	if e := invokedEvent(h, "f", "{}"); e.Report != nil || !e.Failed || e.Text == "" {
		t.Errorf("%+v", e)
	}
}

// The figure is the peak of the sandbox so far, as on Lambda, and that of a long
// invocation is in its own report.
func TestMemoryUsed(t *testing.T) {
	onlyLinux(t)
	f := acting("f", "use", nil)
	f.MemoryMB = 2048 // with the race detector all takes a multiple
	h := newTestHost(t, nil, f)
	first := invokedEvent(h, "f", "0").Report.MaxMemoryMB
	if first < 2 || first > 200 {
		t.Errorf("a Go function uses %d MB", first)
	}
	for _, event := range []string{"100", "0"} {
		if got := invokedEvent(h, "f", event).Report.MaxMemoryMB; got < 100 || got > 1500 {
			t.Errorf("event %s: %d MB, after 100", event, got)
		}
	}
}

// A function's log reads as CloudWatch has it.
func TestTranscriptOfAFunction(t *testing.T) {
	h := newTestHost(t, nil, acting("f", "logs", nil))
	h.invoke("f", `{"text":"x"}`)
	e := h.awaitInvoked()
	var log telemetry.Transcript
	var got []string
	for _, l := range log.All(h.config.Feed.Logs(telemetry.Query{Function: "f"})) {
		got = append(got, l.Message)
	}
	want := []string{"START RequestId: " + e.RequestID + " Version: $LATEST", "out: x", "err: x", "no end: x", "END RequestId: " + e.RequestID}
	if len(got) != 6 || !slices.Equal(got[:5], want) || !strings.HasPrefix(got[5], "REPORT RequestId: "+e.RequestID+"\tDuration: ") ||
		!strings.Contains(got[5], "\tInit Duration: ") {
		t.Errorf("%q", got)
	}
}

func TestLoggingAsJSON(t *testing.T) {
	plain := acting("plain", "json", nil)
	plain.Logging = stack.Logging{Format: "Text", ApplicationLevel: "DEBUG"}
	own := acting("own", "json", nil)
	own.Logging = stack.Logging{Format: "JSON", ApplicationLevel: "DEBUG", SystemLevel: "WARN", Group: "group"}
	silent := acting("default", "json", nil)
	silent.Logging = stack.Logging{Format: "JSON"}
	h := newTestHost(t, nil, plain, own, silent)
	for _, tt := range []struct {
		function, format, level, group string
		logging                        *telemetry.Logging
	}{
		{"plain", "Text", "", "/aws/lambda/plain", nil},
		{"own", "JSON", "DEBUG", "group", &telemetry.Logging{JSON: true, WarnOnly: true}},
		{"default", "JSON", "INFO", "/aws/lambda/default", &telemetry.Logging{JSON: true}},
	} {
		var env map[string]string
		if err := json.Unmarshal([]byte(h.invoke(tt.function, "{}")), &env); err != nil {
			t.Fatal(err)
		}
		if env["AWS_LAMBDA_LOG_FORMAT"] != tt.format || env["AWS_LAMBDA_LOG_LEVEL"] != tt.level || env["AWS_LAMBDA_LOG_GROUP_NAME"] != tt.group {
			t.Errorf("%s: %v", tt.function, env)
		}
		for _, e := range []telemetry.Event{h.awaitLine(), h.awaitInvoked()} {
			if (e.Logging == nil) != (tt.logging == nil) || tt.logging != nil && *e.Logging != *tt.logging {
				t.Errorf("%s: %s as %+v", tt.function, e.Kind, e.Logging)
			}
			if e.Kind == telemetry.LogLine && e.Text != jsonLine {
				t.Errorf("%s: the line came as %s", tt.function, e.Text)
			}
		}
	}
}
