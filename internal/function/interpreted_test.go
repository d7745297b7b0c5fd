package function

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/internal/telemetry"
	"github.com/gatepost-dev/gatepost/stack"
)

// needs skips a test on a machine that lacks a program, but not in CI.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err == nil {
			return
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("there is no %s, and CI must have it", programs[0])
	}
	t.Skipf("there is no %s to run functions with; install it (Debian has packages nodejs, python3, make and curl)", programs[0])
}

// interpretedTest is one function of an interpreted runtime and what it does
// with an event.
type interpretedTest struct {
	name  string
	files map[string]string
	// handler and runtime have defaults; event is {} by default.
	handler, runtime, event string
	// response is the whole response; typ and message are of an error, message
	// a part of it.
	response, typ, message string
	// line is part of a log line that belongs to the invocation, initLine part
	// of one that belongs to none.
	line, initLine string
	environment    map[string]string
}

// runInterpreted runs the tests on one host.
func runInterpreted(t *testing.T, runtime, handler string, tests []interpretedTest) {
	t.Helper()
	h := newTestHost(t, nil)
	for _, tt := range tests {
		f := stack.Function{
			Name: strings.ReplaceAll(tt.name, " ", "-"), Runtime: or(tt.runtime, runtime), Handler: or(tt.handler, handler),
			Code: files(t, t.TempDir(), tt.files), Environment: tt.environment, Timeout: 20 * time.Second, MemoryMB: 128,
		}
		if err := h.Add(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Build(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.run(&testHost{h.Host, t, h.events}) })
	}
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func (tt interpretedTest) run(h *testHost) {
	h.t.Helper()
	name := strings.ReplaceAll(tt.name, " ", "-")
	if tt.typ == "" {
		if got := h.invoke(name, or(tt.event, "{}")); got != tt.response {
			h.t.Errorf("got %s, want %s", got, tt.response)
		}
	} else {
		e := h.invokeError(name, or(tt.event, "{}"))
		if e.Type != tt.typ || !strings.Contains(e.Message, tt.message) {
			h.t.Errorf("got %s: %q, want %s: %q", e.Type, e.Message, tt.typ, tt.message)
		}
		if tt.response != "" && string(e.Payload) != tt.response {
			h.t.Errorf("the payload is %s, want %s", e.Payload, tt.response)
		}
	}
	for _, want := range []string{tt.line, tt.initLine} {
		if want == "" {
			continue
		}
		e := h.await(func(e telemetry.Event) bool {
			return e.Kind == telemetry.LogLine && e.Function == name && strings.Contains(e.Text, want)
		})
		if (e.RequestID == "") == (want == tt.line) {
			h.t.Errorf("the line %q has the request id %q", e.Text, e.RequestID)
		}
	}
}

// keys returns the names of a payload's members and the first elements of its
// stack trace.
func payloadOf(t *testing.T, e *Error) (typ, message string, trace []string) {
	t.Helper()
	var p struct {
		ErrorType, ErrorMessage string
		Trace, StackTrace       []string
	}
	if err := json.Unmarshal(e.Payload, &p); err != nil {
		t.Fatalf("payload %s: %v", e.Payload, err)
	}
	return p.ErrorType, p.ErrorMessage, append(p.Trace, p.StackTrace...)
}
