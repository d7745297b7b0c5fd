package bus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func open(t testing.TB, cfg Config) *Bus {
	t.Helper()
	cfg.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	b, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return b
}

var workConfig = QueueConfig{Name: "jobs", Retention: time.Hour, MaxMessageSize: 1 << 20,
	Duplicates: time.Minute, AckWait: 30 * time.Second}

func ensure(t testing.TB, b *Bus, cfg QueueConfig) *WorkQueue {
	t.Helper()
	q, err := b.EnsureQueue(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func publish(t testing.TB, q *WorkQueue, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		if err := q.Publish(t.Context(), Message{Data: []byte(body)}); err != nil {
			t.Fatal(err)
		}
	}
}

func fetch(t testing.TB, q *WorkQueue, max int, wait time.Duration) []Delivery {
	t.Helper()
	got, err := q.Fetch(t.Context(), max, wait)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func bodies(ds []Delivery) []string {
	var all []string
	for _, d := range ds {
		all = append(all, fmt.Sprintf("%s/%d", d.Data, d.Count))
	}
	return all
}

func wantBodies(t testing.TB, ds []Delivery, want ...string) {
	t.Helper()
	if got := bodies(ds); !slices.Equal(got, want) {
		t.Fatalf("fetched %v, want %v", got, want)
	}
}

func TestPublishFetchAck(t *testing.T) {
	for name, dir := range map[string]string{"file": t.TempDir(), "memory": ""} {
		t.Run(name, func(t *testing.T) {
			q := ensure(t, open(t, Config{Dir: dir}), workConfig)
			wantBodies(t, fetch(t, q, 10, 0))
			publish(t, q, "a", "b", "c")
			first := fetch(t, q, 2, 0)
			wantBodies(t, first, "a/1", "b/1")
			wantCounts(t, q, Counts{Ready: 1, Hidden: 2})
			if err := q.Ack(t.Context(), first[0].Receipt, first[1].Receipt); err != nil {
				t.Fatal(err)
			}
			wantCounts(t, q, Counts{Ready: 1})
			if err := q.Ack(t.Context(), first[0].Receipt); err != nil {
				t.Errorf("second Ack: %v", err)
			}
			wantBodies(t, fetch(t, q, 10, 0), "c/1")
		})
	}
}

func wantCounts(t testing.TB, q *WorkQueue, want Counts) {
	t.Helper()
	got, err := q.Counts(t.Context())
	if err != nil || got != want {
		t.Fatalf("Counts = %+v, %v, want %+v", got, err, want)
	}
}

func TestHide(t *testing.T) {
	q := ensure(t, open(t, Config{}), workConfig)
	publish(t, q, "a")
	d := fetch(t, q, 1, 0)
	hide := func(delay time.Duration) {
		t.Helper()
		if err := q.Hide(t.Context(), delay, d[0].Receipt); err != nil {
			t.Fatal(err)
		}
	}
	hide(time.Hour)
	wantBodies(t, fetch(t, q, 1, 50*time.Millisecond))
	hide(0)
	wantBodies(t, fetch(t, q, 1, 0), "a/2")
	hide(100 * time.Millisecond)
	start := time.Now()
	wantBodies(t, fetch(t, q, 1, 5*time.Second), "a/3")
	if took := time.Since(start); took < 90*time.Millisecond || took > 2*time.Second {
		t.Errorf("came back after %v, want 100 ms", took)
	}
	// The first receipt still deletes, after two redeliveries and hidden again.
	hide(time.Hour)
	if err := q.Ack(t.Context(), d[0].Receipt); err != nil {
		t.Fatal(err)
	}
	wantCounts(t, q, Counts{})
}

func TestAckWaitBringsBack(t *testing.T) {
	cfg := workConfig
	cfg.AckWait = 200 * time.Millisecond
	q := ensure(t, open(t, Config{}), cfg)
	publish(t, q, "a")
	wantBodies(t, fetch(t, q, 1, 0), "a/1")
	wantBodies(t, fetch(t, q, 1, 0))
	wantBodies(t, fetch(t, q, 1, 5*time.Second), "a/2")
}

// TestWaitingFetchWakes: a long fetch of ten returns with the first message.
func TestWaitingFetchWakes(t *testing.T) {
	q := ensure(t, open(t, Config{}), workConfig)
	got := make(chan []Delivery, 1)
	go func() {
		ds, _ := q.Fetch(t.Context(), 10, 20*time.Second)
		got <- ds
	}()
	waitForWaiting(t, q, 1)
	start := time.Now()
	publish(t, q, "a")
	wantBodies(t, <-got, "a/1")
	if took := time.Since(start); took > time.Second {
		t.Errorf("woke after %v", took)
	}
}

// waitForWaiting returns once n fetches wait at the server.
func waitForWaiting(t testing.TB, q *WorkQueue, n int) {
	t.Helper()
	for range 1000 {
		c, err := q.bus.js.Consumer(t.Context(), q.name, consumer)
		if err != nil {
			t.Fatal(err)
		}
		if c.CachedInfo().NumWaiting == n {
			return
		}
	}
	t.Fatalf("never saw %d waiting fetches", n)
}

// TestCancelledFetch: a fetch that its caller left takes no message with it,
// and none is counted as delivered, whenever the message comes.
func TestCancelledFetch(t *testing.T) {
	q := ensure(t, open(t, Config{}), workConfig)
	for i := range 50 {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan []Delivery)
		go func() {
			ds, err := q.Fetch(ctx, 10, 20*time.Second)
			if (err == nil) == (len(ds) == 0) {
				t.Errorf("fetch: %d messages, %v", len(ds), err)
			}
			ended <- ds
		}()
		waitForWaiting(t, q, 1)
		if i%2 == 0 {
			go cancel()
			publish(t, q, "x")
		} else {
			go func() {
				if err := q.Publish(t.Context(), Message{Data: []byte("x")}); err != nil {
					t.Error(err)
				}
			}()
			cancel()
		}
		ds := <-ended
		if len(ds) == 0 {
			ds = fetch(t, q, 10, 5*time.Second)
		}
		wantBodies(t, ds, "x/1")
		if err := q.Ack(t.Context(), ds[0].Receipt); err != nil {
			t.Fatal(err)
		}
		cancel()
	}
	waitForWaiting(t, q, 0)
}

// TestCancelledFetchGivesBackLater: what a cancelled fetch had is not handed at
// once to the next, which may be about to end too; nobody counts it.
func TestCancelledFetchGivesBackLater(t *testing.T) {
	q := ensure(t, open(t, Config{}), workConfig)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error)
	go func() {
		_, err := q.pull(ctx, pullRequest{Batch: 2, Expires: 20 * time.Second})
		ended <- err
	}()
	waitForWaiting(t, q, 1)
	publish(t, q, "x")
	for counts := (Counts{}); counts.Hidden == 0; {
		var err error
		if counts, err = q.Counts(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	next := make(chan []Delivery)
	go func() {
		ds, err := q.Fetch(t.Context(), 1, 20*time.Second)
		if err != nil {
			t.Error(err)
		}
		next <- ds
	}()
	waitForWaiting(t, q, 2)
	cancelled := time.Now()
	cancel()
	wantBodies(t, <-next, "x/1")
	if took := time.Since(cancelled); took < afterCancel {
		t.Errorf("the next fetch had it %v after the cancel, want %v or more", took, afterCancel)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the cancelled fetch ended with %v", err)
	}
}

// TestCompetingFetches: a fetch that comes while others wait for more than is
// there waits too, and each message reaches one.
func TestCompetingFetches(t *testing.T) {
	q := ensure(t, open(t, Config{}), workConfig)
	const fetchers = 20
	got := make(chan string, fetchers)
	for range fetchers {
		go func() {
			for range 5 {
				ds, err := q.Fetch(t.Context(), 10, 10*time.Second)
				if err != nil {
					return // the test has ended
				}
				for _, d := range ds {
					q.Ack(t.Context(), d.Receipt)
					got <- string(d.Data)
				}
			}
		}()
	}
	seen := make(map[string]bool)
	for i := range fetchers {
		publish(t, q, fmt.Sprint(i))
		body := <-got
		if seen[body] {
			t.Fatalf("message %s came twice", body)
		}
		seen[body] = true
	}
}

func TestTooManyWaiting(t *testing.T) {
	q := ensure(t, open(t, Config{}), workConfig)
	inbox := q.bus.conn.NewInbox()
	if _, err := q.bus.conn.SubscribeSync(inbox + ".*"); err != nil {
		t.Fatal(err)
	}
	body := fmt.Appendf(nil, `{"batch":1,"expires":%d}`, time.Minute)
	for i := range MaxWaiting {
		if err := q.bus.conn.PublishRequest("$JS.API.CONSUMER.MSG.NEXT."+q.name+"."+consumer, fmt.Sprint(inbox, ".", i), body); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := q.Fetch(t.Context(), 1, time.Second); !errors.Is(err, ErrBusy) {
		t.Errorf("fetch number %d: %v, want ErrBusy", MaxWaiting+1, err)
	}
}

func TestDelayed(t *testing.T) {
	q := ensure(t, open(t, Config{}), workConfig)
	at := time.Now().Add(1100 * time.Millisecond)
	if err := q.Publish(t.Context(), Message{Data: []byte("later"), At: at, Delayed: "one"}); err != nil {
		t.Fatal(err)
	}
	publish(t, q, "now")
	wantCounts(t, q, Counts{Ready: 1, Delayed: 1})
	wantBodies(t, fetch(t, q, 10, 0), "now/1")
	wantBodies(t, fetch(t, q, 10, 5*time.Second), "later/1")
	if late := time.Since(at); late < 0 || late > time.Second {
		t.Errorf("came %v after its time", late)
	}
	wantCounts(t, q, Counts{Hidden: 2})
}

func TestPublishAll(t *testing.T) {
	cfg := workConfig
	cfg.MaxMessageSize = 100
	q := ensure(t, open(t, Config{}), cfg)
	big := bytes.Repeat([]byte("x"), 101)
	errs := q.PublishAll(t.Context(), []Message{{Data: []byte("a")}, {Data: big}, {Data: []byte("b"), ID: "1"}, {Data: []byte("b"), ID: "1"}})
	if errs[0] != nil || !errors.Is(errs[1], ErrTooLarge) || errs[2] != nil || errs[3] != nil {
		t.Fatalf("PublishAll = %v", errs)
	}
	wantBodies(t, fetch(t, q, 10, 0), "a/1", "b/1")
}

func TestPurge(t *testing.T) {
	q := ensure(t, open(t, Config{}), workConfig)
	publish(t, q, "a", "b")
	d := fetch(t, q, 1, 0)
	if err := q.Publish(t.Context(), Message{At: time.Now().Add(time.Hour), Delayed: "x"}); err != nil {
		t.Fatal(err)
	}
	if err := q.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantCounts(t, q, Counts{})
	if err := errors.Join(q.Ack(t.Context(), d[0].Receipt), q.Hide(t.Context(), time.Second, d[0].Receipt)); err != nil {
		t.Errorf("after the purge: %v", err)
	}
	if held, err := q.Holds(t.Context(), d[0].Sequence); held || err != nil {
		t.Errorf("Holds = %v, %v", held, err)
	}
	publish(t, q, "c")
	wantBodies(t, fetch(t, q, 10, 0), "c/1")
}

func TestDelete(t *testing.T) {
	b := open(t, Config{})
	q := ensure(t, b, workConfig)
	ended := make(chan error)
	go func() {
		_, err := q.Fetch(t.Context(), 1, 20*time.Second)
		ended <- err
	}()
	waitForWaiting(t, q, 1)
	if err := errors.Join(q.Delete(t.Context()), q.Delete(t.Context())); err != nil {
		t.Fatal(err)
	}
	_, countErr := q.Counts(t.Context())
	_, fetchErr := q.Fetch(t.Context(), 1, 0)
	for what, err := range map[string]error{
		"waiting fetch": <-ended, "fetch": fetchErr, "count": countErr,
		"publish":     q.Publish(t.Context(), Message{Data: []byte("x")}),
		"publish all": q.PublishAll(t.Context(), make([]Message, 2))[1],
		"purge":       q.Purge(t.Context()),
	} {
		if !errors.Is(err, ErrNoQueue) {
			t.Errorf("%s: %v, want ErrNoQueue", what, err)
		}
	}
	if queues, err := b.Queues(t.Context()); err != nil || len(queues) != 0 {
		t.Errorf("Queues = %v, %v", queues, err)
	}
}

// TestAckOfUnknownDelivery: the server says nothing to the acknowledgement of a
// delivery that it has forgotten. The message goes all the same.
func TestAckOfUnknownDelivery(t *testing.T) {
	q := ensure(t, open(t, Config{}), workConfig)
	publish(t, q, "a", "b")
	a := fetch(t, q, 1, 0)[0]
	forgotten := Receipt{2, strings.Replace(a.AckSubject, ".1.1.1.", ".1.2.2.", 1)}
	if forgotten.AckSubject == a.AckSubject {
		t.Fatalf("unexpected form of %s", a.AckSubject)
	}
	if err := q.Ack(t.Context(), a.Receipt, forgotten); err != nil {
		t.Fatal(err)
	}
	wantCounts(t, q, Counts{})
}

func TestReopen(t *testing.T) {
	dir := t.TempDir()
	b := open(t, Config{Dir: dir})
	cfg := workConfig
	cfg.Metadata = map[string]string{"owner": "me"}
	cfg.AckWait = 1500 * time.Millisecond // kept by the second
	q := ensure(t, b, cfg)
	publish(t, q, "out", "hidden", "in")
	out := fetch(t, q, 2, 0)
	if err := q.Hide(t.Context(), time.Hour, out[1].Receipt); err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(600 * time.Millisecond)
	if err := q.Publish(t.Context(), Message{Data: []byte("later"), At: at, Delayed: "1"}); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}

	queues, err := open(t, Config{Dir: dir}).Queues(t.Context())
	if err != nil || len(queues) != 1 {
		t.Fatalf("Queues = %v, %v", queues, err)
	}
	q = queues[0]
	got := q.Config()
	if got.Name != cfg.Name || got.Retention != cfg.Retention || got.MaxMessageSize != cfg.MaxMessageSize ||
		got.AckWait != cfg.AckWait || len(got.Metadata) != 1 || got.Metadata["owner"] != "me" {
		t.Errorf("config after reopening: %+v, want %+v", got, cfg)
	}
	wantBodies(t, fetch(t, q, 1, 5*time.Second), "in/1")
	more := append(fetch(t, q, 1, 5*time.Second), fetch(t, q, 1, 5*time.Second)...)
	slices.SortFunc(more, func(a, b Delivery) int { return bytes.Compare(a.Data, b.Data) })
	wantBodies(t, more, "later/1", "out/1") // the end of the process is no failure
	if err := q.Ack(t.Context(), out[0].Receipt, out[1].Receipt); err != nil {
		t.Errorf("receipts of before: %v", err)
	}
	wantCounts(t, q, Counts{Hidden: 2})
}

// TestLeaseCount: which delivery counts for how much.
func TestLeaseCount(t *testing.T) {
	l := newLeases(10)
	for _, step := range []struct {
		sequence uint64
		server   int // the server's count
		want     int
	}{
		{5, 1, 1}, {5, 2, 2}, // from before, never fetched then
		{6, 2, 1}, {6, 3, 2}, // fetched once before: forgiven
		{7, 3, 2}, {7, 4, 3}, // twice: one is forgiven
		{11, 1, 1}, {11, 2, 2}, // since
		{12, 2, 1}, // the server sent it to somebody who had just left
	} {
		if got := l.take(step.sequence, step.server, time.Now()); got.Count != step.want {
			t.Errorf("message %d, delivery %d of the server: count %d, want %d", step.sequence, step.server, got.Count, step.want)
		}
	}
	l.undo(11)
	if got := l.take(11, 3, time.Now()); got.Count != 2 || got.First.After(got.Last) {
		t.Errorf("after an undone delivery: %+v, want count 2", got)
	}
	l.prune(11)
	if _, ok := l.get(7); ok || len(l.out) != 2 {
		t.Errorf("after pruning %d are left", len(l.out))
	}
}

func TestClosed(t *testing.T) {
	b, err := Open(Config{})
	if err != nil {
		t.Fatal(err)
	}
	q := ensure(t, b, workConfig)
	ended := make(chan error)
	go func() {
		_, err := q.Fetch(context.Background(), 1, 20*time.Second)
		ended <- err
	}()
	waitForWaiting(t, q, 1)
	if err := errors.Join(b.Close(), b.Close()); err != nil {
		t.Fatal(err)
	}
	_, fetchErr := q.Fetch(t.Context(), 1, 0)
	for what, err := range map[string]error{"waiting fetch": <-ended, "fetch": fetchErr, "publish": q.Publish(t.Context(), Message{})} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v, want ErrClosed", what, err)
		}
	}
	if _, err := os.Stat(b.scratch); !os.IsNotExist(err) {
		t.Errorf("the folder of a memory bus is still there: %v", err)
	}
}

func TestStoreFull(t *testing.T) {
	q := ensure(t, open(t, Config{Dir: t.TempDir(), MaxStore: 64 << 10}), workConfig)
	var err error
	for range 100 {
		if err = q.Publish(t.Context(), Message{Data: make([]byte, 4<<10)}); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrFull) {
		t.Fatalf("publishing past the limit: %v, want ErrFull", err)
	}
	if got := fetch(t, q, 1, 0); len(got) != 1 {
		t.Errorf("a full store holds back what it has")
	}
}

func TestOpenErrors(t *testing.T) {
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: file, Log: slog.New(slog.DiscardHandler)}); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("Open of a file: %v", err)
	}
	b := open(t, Config{})
	for _, name := range []string{"", "a.b", "a b", "ü", strings.Repeat("x", 201)} {
		if _, err := b.EnsureQueue(t.Context(), QueueConfig{Name: name}); err == nil {
			t.Errorf("name %q was accepted", name)
		}
	}
}

// TestNoPort: nothing outside the process can reach the server.
func TestNoPort(t *testing.T) {
	if addr := open(t, Config{}).server.Addr(); addr != nil {
		t.Errorf("the server listens on %v", addr)
	}
}

// TestMadeAnew: the only queue of a bus can be deleted and made anew at once,
// while the server still tidies its folders up.
func TestMadeAnew(t *testing.T) {
	b := open(t, Config{Dir: t.TempDir()})
	for range 300 {
		if err := ensure(t, b, workConfig).Delete(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
