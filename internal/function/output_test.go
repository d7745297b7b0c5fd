package function

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/gatepost-dev/gatepost/internal/telemetry"
)

func TestLogs(t *testing.T) {
	var out lockedBuffer
	h := newTestHost(t, func(h *Host) {
		<-h.output.close()
		h.output = newOutput(&out)
	}, acting("f", "logs", nil))
	for i := range 50 {
		text := fmt.Sprint("line ", i)
		h.invoke("f", `{"text":"`+text+`"}`)
		var got [3]telemetry.Event
		for i := range got {
			got[i] = <-h.events
		}
		invoked := <-h.events
		for i, want := range []string{"out: ", "err: ", "no end: "} {
			e := got[i]
			if e.Kind != telemetry.LogLine || e.Text != want+text || e.RequestID != invoked.RequestID || e.Function != "f" {
				t.Fatalf("line %d is %+v", i, e)
			}
		}
		if invoked.Kind != telemetry.Invoked {
			t.Fatalf("%+v after three lines", invoked)
		}
	}
	if err := h.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	if len(lines) != 151 || !strings.HasPrefix(lines[0], "f ") || !strings.HasSuffix(lines[0], " | out: line 0") {
		t.Errorf("%d lines, the first is %q", len(lines), lines[0])
	}
}

// Lines of the init phase belong to no invocation.
func TestInitLogs(t *testing.T) {
	h := newTestHost(t, nil, acting("f", "exit", nil))
	h.invokeError("f", "{}")
	if e := h.awaitLine(); e.Text != "giving up" || e.RequestID != "" {
		t.Errorf("%+v", e)
	}
}

// A function that writes without end is not held up by an output that stands still.
func TestFlood(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	h := newTestHost(t, func(h *Host) {
		<-h.output.close()
		h.output = newOutput(w)
	}, acting("f", "flood", nil))
	h.invoke("f", `{"bytes":20000000}`)
	h.output.mu.Lock()
	pending, dropped := len(h.output.pending), h.output.dropped
	h.output.mu.Unlock()
	if pending > maxPending || dropped == 0 {
		t.Errorf("%d bytes wait, %d lines were dropped", pending, dropped)
	}
	r.Close()
}

type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
