package function

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/stack"
)

// answerTwice answers each event twice, and logs what it is told the second time.
func answerTwice() {
	for {
		id, event := ask()
		tell("invocation/"+id+"/response", string(event))
		fmt.Println("the second answer:", tell("invocation/"+id+"/response", `"other"`))
	}
}

// The first answer counts; the second is refused and does no harm.
func TestAnswersTwice(t *testing.T) {
	h := newTestHost(t, nil, acting("f", "answers twice", nil))
	for i := range 3 {
		event := fmt.Sprint(i)
		if got := h.invoke("f", event); got != event {
			t.Errorf("got %s for %s", got, event)
		}
		if line := h.awaitLine(); line.Text != "the second answer: 403" {
			t.Error(line.Text)
		}
	}
	if n := h.Functions()[0].Sandboxes; n != 1 {
		t.Errorf("%d sandboxes", n)
	}
}

// An answer that comes after the time limit is not taken, and is not mixed up
// with the next event's.
func TestAnswersLate(t *testing.T) {
	f := acting("f", "puppet", nil)
	f.Timeout = 500 * time.Millisecond
	p := newPuppetOf(t, f, nil)
	l := p.dial()
	id := l.next()
	if r := p.result(); r.err == nil || !strings.Contains(r.err.Error(), "Task timed out after 0.50 seconds") {
		t.Fatalf("got %q, %v", r.response, r.err)
	}
	// The connection may have ended with the process already.
	fmt.Fprintf(l.conn, "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nContent-Length: 6\r\n\r\n\"late\"", id)
	if res, err := http.ReadResponse(l.in, nil); err == nil && res.StatusCode != http.StatusBadRequest {
		t.Errorf("the late answer got %s", res.Status)
	}
	p.invoke(`{"n":2}`)
	p.address = p.host.awaitLine().Text
	l = p.dial()
	next := l.next()
	l.send("POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\nContent-Length: 6\n\n\"late\"", id)
	l.expect(400, "InvalidRequestID")
	l.send("POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\nContent-Length: 2\n\n42", next)
	l.expect(202, "OK")
	if r := p.result(); string(r.response) != "42" {
		t.Errorf("got %q, %v", r.response, r.err)
	}
}

// A flood of lines holds up nobody and grows nothing: lines that nobody takes in
// time are left out.
func TestWritesWithoutEnd(t *testing.T) {
	h := newTestHost(t, nil, acting("flood", "flood", nil), acting("echo", "echo", nil))
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	flooded := make(chan error, 1)
	go func() {
		_, err := h.Invoke(context.Background(), "flood", []byte(`{"bytes":104857600}`))
		flooded <- err
	}()
	h.invoke("echo", "1")
	if err := <-flooded; err != nil {
		t.Fatal(err)
	}
	h.invoke("flood", "{}")
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grew := int64(after.HeapAlloc) - int64(before.HeapAlloc); grew > 20<<20 {
		t.Errorf("the heap grew by %d bytes", grew)
	}
}

// A function that ignores SIGTERM has its time and is killed then, frozen or not.
func TestIgnoresSIGTERM(t *testing.T) {
	h := newTestHost(t, func(h *Host) { h.limits.stop = 50 * time.Millisecond }, acting("f", "deaf", nil))
	first := h.invoke("f", "{}")
	h.functions["f"].pool.renew()
	if second := h.invoke("f", "{}"); second == first {
		t.Errorf("process %s of the old program answered", second)
	}
	eventually(t, "the old process ends", func() bool { return len(h.processes("f")) == 1 })
}

// An init that fails again and again is told with its reason and the pause, and
// is tried again after that.
func TestFailedStartIsTold(t *testing.T) {
	var log syncBuffer
	h := newTestHost(t, func(h *Host) { h.log = slog.New(slog.NewTextHandler(&log, nil)) }, acting("f", "refuse", nil))
	h.invokeError("f", "{}")
	eventually(t, "the log tells", func() bool {
		return strings.Contains(log.String(), `the function did not start; for a while its events fail at once" function=f reason="no table" while=100ms`)
	})
	starts := h.functions["f"].pool.failuresSoFar()
	eventually(t, "another start is tried", func() bool {
		h.invokeError("f", "{}")
		return h.functions["f"].pool.failuresSoFar() > starts
	})
}

// syncBuffer is a log that may be read while it is written.
type syncBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (p *pool) failuresSoFar() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failures
}

// Ten functions of the worst kinds, all at once, and in between others that
// answer every event.
func TestTenFaultyAtOnce(t *testing.T) {
	const events = 150
	order := `{"sleep":3600000000000,"bytes":7000000,"text":"no luck"}`
	faults := []string{"panic", "die", "kill", "sleep", "exit", "mute", "flood", "answers twice", "fork", "large"}
	good := []string{"one", "two", "three"}
	var functions []stack.Function
	for _, name := range faults {
		f := acting(name, name, nil)
		f.Timeout = time.Second
		functions = append(functions, f)
	}
	for _, name := range good {
		f := acting(name, "echo", nil)
		f.Timeout = time.Minute
		functions = append(functions, f)
	}
	h := newTestHost(t, func(h *Host) { h.limits.init = time.Minute; h.limits.linger = time.Minute }, functions...)
	stop := make(chan struct{})
	var bad, well sync.WaitGroup
	for _, name := range faults {
		bad.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
					h.Invoke(ctx, name, []byte(order))
					cancel()
				}
			}
		})
	}
	for _, name := range good {
		well.Go(func() {
			for i := range events {
				event := fmt.Sprintf(`{"event":%d}`, i)
				response, err := h.Invoke(context.Background(), name, []byte(event))
				if err != nil || string(response) != event {
					t.Errorf("%s: got %s, %v", name, response, err)
					return
				}
			}
		})
	}
	well.Wait()
	close(stop)
	bad.Wait()
	for _, s := range h.Functions() {
		if s.Invocations == 0 || strings.Contains("one two three", s.Name) && s.Errors > 0 {
			t.Errorf("%+v", s)
		}
	}
}
