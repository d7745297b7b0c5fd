package push_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/gatepost-dev/gatepost/push"
)

// posterFunc is a Poster of one function.
type posterFunc func(ctx context.Context, id string, data []byte) error

func (f posterFunc) Post(ctx context.Context, id string, data []byte) error { return f(ctx, id, data) }

func ids(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("id-%04d=", i)
	}
	return out
}

// roster holds connections that have been open for a minute.
func roster(t testing.TB, names ...string) *push.Memory {
	t.Helper()
	m := push.NewMemory(push.MemoryOptions{})
	for _, id := range names {
		if err := m.Add(t.Context(), push.Connection{ID: id, ConnectedAt: time.Now().Add(-time.Minute)}); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func left(t testing.TB, r push.Roster) []string {
	t.Helper()
	var out []string
	for c, err := range r.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, c.ID)
	}
	slices.Sort(out)
	return out
}

// inbox is what clients got, in order.
type inbox struct {
	mu  sync.Mutex
	got map[string][]string
}

func (b *inbox) put(id string, data []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.got == nil {
		b.got = map[string][]string{}
	}
	b.got[id] = append(b.got[id], string(data))
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// The whole path over HTTP: every live connection gets every byte once, the
// dead one goes from the roster, the one that fails is named, and neither
// harms another.
func TestPublishOverHTTP(t *testing.T) {
	payload := []byte("\"quoted\" {\"n\":1} \u00e9\n")
	var clients inbox
	p := poster(t, func(w http.ResponseWriter, r *http.Request) {
		id := path.Base(r.URL.Path)
		switch id {
		case "id-0003=":
			answer(410, "GoneException", "")(w, r)
		case "id-0005=":
			answer(400, "BadRequestException", `{"message":"Invalid connectionId: x"}`)(w, r)
		default:
			data, _ := io.ReadAll(r.Body)
			clients.put(id, data)
		}
	}, push.PosterOptions{})
	rows := roster(t, ids(200)...)
	publisher := &push.Publisher{Roster: rows, Poster: p}
	report, err := publisher.Publish(t.Context(), push.Everyone, payload)
	if err != nil || report.Sent != 198 || report.Gone != 1 || len(report.Failed) != 1 || len(report.Remaining) != 0 || report.Complete() {
		t.Fatalf("report %+v, error %v", report, err)
	}
	if f := report.Failed[0]; f.ConnectionID != "id-0005=" || !strings.Contains(f.Err.Error(), "Invalid connectionId") {
		t.Errorf("failed: %+v", f)
	}
	for id, got := range clients.got {
		if len(got) != 1 || got[0] != string(payload) {
			t.Errorf("%s got %q", id, got)
		}
	}
	if rest := left(t, rows); len(rest) != 199 || slices.Contains(rest, "id-0003=") {
		t.Errorf("%d rows are left", len(rest))
	}
}

func TestTargets(t *testing.T) {
	rows := push.NewMemory(push.MemoryOptions{})
	for id, age := range map[string]time.Duration{"new": time.Minute, "old": time.Hour} {
		if err := rows.Add(t.Context(), push.Connection{ID: id, User: "ann", ConnectedAt: time.Now().Add(-age)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := rows.Join(t.Context(), "new", "g"); err != nil {
		t.Fatal(err)
	}
	var own push.Target = func(ctx context.Context, r push.Roster) iter.Seq2[push.Connection, error] {
		return push.Only("chosen")(ctx, r)
	}
	for _, tt := range []struct {
		name   string
		target push.Target
		want   []string
	}{
		{"Everyone", push.Everyone, []string{"new", "old"}},
		{"RecentWithin", push.RecentWithin(10 * time.Minute), []string{"new"}},
		{"Only", push.Only("old"), []string{"old"}},
		{"Only two", push.Only("old", "not in the roster"), []string{"not in the roster", "old"}},
		{"Only, one twice", push.Only("old", "new", "old"), []string{"old", "new"}},
		{"ToUser", push.ToUser("ann"), []string{"new", "old"}},
		{"ToUser nobody", push.ToUser(""), nil},
		{"ToGroup", push.ToGroup("g"), []string{"new"}},
		{"ToGroup unknown", push.ToGroup("h"), nil},
		{"AnyOf", push.AnyOf(push.ToUser("ann"), push.ToGroup("g"), push.Only("other")), []string{"new", "old", "other"}},
		{"Known", push.Known("old", "not in the roster", "old", ""), []string{"old"}},
		{"Except", push.Except(push.ToUser("ann"), "old", "nobody"), []string{"new"}},
		{"Except nobody", push.Except(push.Everyone), []string{"new", "old"}},
		{"Only nobody", push.Only(), nil},
		{"own", own, []string{"chosen"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var clients inbox
			p := &push.Publisher{Roster: rows, Poster: posterFunc(func(_ context.Context, id string, data []byte) error {
				clients.put(id, data)
				return nil
			})}
			report, err := p.Publish(t.Context(), tt.target, []byte("m"))
			if err != nil || !report.Complete() || report.Sent != len(tt.want) {
				t.Fatalf("report %+v, error %v", report, err)
			}
			for _, id := range tt.want {
				if len(clients.got[id]) != 1 {
					t.Errorf("%s got %q", id, clients.got[id])
				}
			}
			if len(clients.got) != len(tt.want) {
				t.Errorf("%d connections got something, want %d", len(clients.got), len(tt.want))
			}
		})
	}
}

func TestPublishRefuses(t *testing.T) {
	never := posterFunc(func(context.Context, string, []byte) error { t.Error("posted"); return nil })
	rows := roster(t, "a")
	unread := func(context.Context, push.Roster) iter.Seq2[push.Connection, error] {
		t.Error("the target was read")
		return push.Only()(t.Context(), nil)
	}
	for _, tt := range []struct {
		name   string
		p      *push.Publisher
		target push.Target
		size   int
		want   string
	}{
		{"too large", &push.Publisher{Roster: rows, Poster: never}, unread, push.MaxMessage + 1, "131073 bytes"},
		{"no roster", &push.Publisher{Poster: never}, unread, 1, "no Roster"},
		{"no poster", &push.Publisher{Roster: rows}, unread, 1, "no Poster"},
		{"no target", &push.Publisher{Roster: rows, Poster: never}, nil, 1, "no target"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			report, err := tt.p.Publish(t.Context(), tt.target, make([]byte, tt.size))
			if err == nil || !strings.Contains(err.Error(), tt.want) || report.Complete() {
				t.Errorf("report %+v, error %v", report, err)
			}
			if errors.Is(err, push.ErrTooLarge) != (tt.size > 1) {
				t.Errorf("errors.Is(%v, ErrTooLarge) is %v", err, errors.Is(err, push.ErrTooLarge))
			}
		})
	}
}

func TestPublishSizes(t *testing.T) {
	for size, warned := range map[int]bool{push.MaxFrame: false, push.MaxFrame + 1: true, push.MaxMessage: true} {
		var log bytes.Buffer
		p := &push.Publisher{Roster: roster(t, "a", "b"), Log: slog.New(slog.NewTextHandler(&log, nil)),
			Poster: posterFunc(func(context.Context, string, []byte) error { return nil })}
		report, err := p.Publish(t.Context(), push.Everyone, make([]byte, size))
		if err != nil || report.Sent != 2 {
			t.Errorf("%d bytes: report %+v, error %v", size, report, err)
		}
		if got := strings.Count(log.String(), "32 KB"); got > 1 || (got == 1) != warned {
			t.Errorf("%d bytes: warned %d times, want %v", size, got, warned)
		}
	}
}

// One batch reads the roster once, keeps the order for each connection, and
// drops the large message alone.
func TestPublishBatch(t *testing.T) {
	var clients inbox
	rows := roster(t, ids(50)...)
	reads := 0
	target := func(ctx context.Context, r push.Roster) iter.Seq2[push.Connection, error] {
		reads++
		return r.All(ctx)
	}
	p := &push.Publisher{Roster: rows, Log: quiet(), Poster: posterFunc(func(_ context.Context, id string, data []byte) error {
		switch {
		case id == "id-0001=" && string(data) == "2":
			return push.ErrGone
		case id == "id-0002=" && string(data) == "2":
			return push.ErrNoAnswer
		}
		clients.put(id, data)
		return nil
	})}
	large := make([]byte, push.MaxMessage+1)
	reports := p.PublishBatch(t.Context(), target, [][]byte{[]byte("1"), large, []byte("2"), []byte("3")})
	if reads != 1 {
		t.Errorf("the roster was read %d times", reads)
	}
	for i, want := range []struct{ sent, gone, failed int }{{50, 0, 0}, {0, 0, 0}, {48, 1, 1}, {48, 1, 1}} {
		r := reports[i]
		if r.Sent != want.sent || r.Gone != want.gone || len(r.Failed) != want.failed || r.Unread {
			t.Errorf("report %d is %+v, want %+v", i, r, want)
		}
		if errors.Is(r.Err, push.ErrTooLarge) != (i == 1) || (r.Err != nil) != (i == 1) {
			t.Errorf("report %d has the error %v", i, r.Err)
		}
	}
	for id, got := range clients.got {
		want := []string{"1", "2", "3"}
		if id == "id-0001=" || id == "id-0002=" {
			want = want[:1]
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s got %q, want %q", id, got, want)
		}
	}
	if rest := left(t, rows); len(rest) != 49 {
		t.Errorf("%d rows are left, want 49", len(rest))
	}
}

func TestPublishPrunesOnce(t *testing.T) {
	rows := &countingRoster{Memory: roster(t, ids(100)...)}
	p := &push.Publisher{Roster: rows, Poster: posterFunc(func(context.Context, string, []byte) error { return push.ErrGone })}
	for _, r := range p.PublishBatch(t.Context(), push.Everyone, [][]byte{[]byte("1"), []byte("2")}) {
		if r.Gone != 100 || !r.Complete() {
			t.Errorf("report %+v", r)
		}
	}
	if rows.removed != 100 || len(left(t, rows)) != 0 {
		t.Errorf("%d removals, %d rows left", rows.removed, len(left(t, rows)))
	}
}

// A roster that fails to prune does not fail the publish.
func TestPublishPruneFails(t *testing.T) {
	var log bytes.Buffer
	rows := &countingRoster{Memory: roster(t, "a", "b"), err: errors.New("table throttled")}
	p := &push.Publisher{Roster: rows, Log: slog.New(slog.NewTextHandler(&log, nil)),
		Poster: posterFunc(func(_ context.Context, id string, _ []byte) error {
			if id == "a" {
				return push.ErrGone
			}
			return nil
		})}
	report, err := p.Publish(t.Context(), push.Everyone, []byte("secret"))
	if err != nil || report.Sent != 1 || report.Gone != 1 || !report.Complete() {
		t.Errorf("report %+v, error %v", report, err)
	}
	if text := log.String(); !strings.Contains(text, "table throttled") || !strings.Contains(text, "connectionId=a") || strings.Contains(text, "secret") {
		t.Errorf("logged %q", text)
	}
}

type countingRoster struct {
	*push.Memory
	err     error
	mu      sync.Mutex
	removed int
}

func (r *countingRoster) Remove(ctx context.Context, id string) error {
	r.mu.Lock()
	r.removed++
	r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	return r.Memory.Remove(ctx, id)
}

func TestPublishRosterFails(t *testing.T) {
	broken := errors.New("throughput exceeded")
	target := func(ctx context.Context, r push.Roster) iter.Seq2[push.Connection, error] {
		return func(yield func(push.Connection, error) bool) {
			if yield(push.Connection{ID: "a"}, nil) {
				yield(push.Connection{}, broken)
			}
		}
	}
	p := &push.Publisher{Roster: roster(t), Poster: posterFunc(func(context.Context, string, []byte) error { return nil })}
	report, err := p.Publish(t.Context(), target, []byte("m"))
	if !errors.Is(err, broken) || report.Sent != 1 || !report.Unread || report.Complete() {
		t.Errorf("report %+v, error %v", report, err)
	}
}

// A 410 for a row that was just written may come from a handshake that is not
// answered yet. Pruning it would lose a live client.
func TestPublishToAnOpeningConnection(t *testing.T) {
	for _, tt := range []struct {
		name     string
		opening  time.Duration
		opensIn  time.Duration
		age      time.Duration
		byID     bool
		wantSent int
		within   time.Duration
	}{
		{name: "opens after 300 ms", opensIn: 300 * time.Millisecond, wantSent: 1, within: 800 * time.Millisecond},
		{name: "opens after 300 ms, by id", opensIn: 300 * time.Millisecond, byID: true, wantSent: 1, within: 800 * time.Millisecond},
		{name: "entered by a clock ahead of ours", age: -time.Hour, opensIn: 300 * time.Millisecond, wantSent: 1, within: 800 * time.Millisecond},
		{name: "never opens", opensIn: time.Hour, within: time.Second},
		{name: "never opens, a clock ahead", age: -time.Hour, opensIn: time.Hour, within: time.Second},
		{name: "has been open", age: 2 * time.Second, opensIn: time.Hour, within: 0},
		{name: "is believed at once", opening: -1, opensIn: time.Hour, within: 0},
		{name: "longer opening", opening: 3 * time.Second, opensIn: 2500 * time.Millisecond, wantSent: 1, within: 3 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				rows := push.NewMemory(push.MemoryOptions{})
				if err := rows.Add(t.Context(), push.Connection{ID: "a", ConnectedAt: start.Add(-tt.age)}); err != nil {
					t.Fatal(err)
				}
				p := &push.Publisher{Roster: rows, Opening: tt.opening, Poster: posterFunc(func(context.Context, string, []byte) error {
					if time.Since(start) < tt.opensIn {
						return push.ErrGone
					}
					return nil
				})}
				target := push.Everyone
				if tt.byID {
					target = push.Only("a")
				}
				report, err := p.Publish(t.Context(), target, []byte("m"))
				if err != nil || report.Sent != tt.wantSent || report.Gone != 1-tt.wantSent {
					t.Errorf("report %+v, error %v", report, err)
				}
				if rest := left(t, rows); len(rest) != tt.wantSent {
					t.Errorf("%d rows are left, want %d", len(rest), tt.wantSent)
				}
				if took := time.Since(start); took > tt.within {
					t.Errorf("took %v, want at most %v", took, tt.within)
				}
			})
		})
	}
}

func TestPublishRetries(t *testing.T) {
	for _, tt := range []struct {
		name     string
		err      error
		failures int
		attempts int
		posts    int
		sent     bool
		atLeast  time.Duration
		atMost   time.Duration
	}{
		{name: "429 twice", err: push.ErrLimited, failures: 2, posts: 3, sent: true, atMost: 150 * time.Millisecond},
		{name: "429 five times", err: push.ErrLimited, failures: 5, posts: 6, sent: true, atMost: 1550 * time.Millisecond},
		{name: "429 for ever", err: push.ErrLimited, failures: 99, posts: 6, atMost: 1550 * time.Millisecond},
		{name: "429 for ever, two attempts", err: push.ErrLimited, failures: 99, attempts: 2, posts: 2, atMost: 50 * time.Millisecond},
		{name: "429 for ever, many attempts", err: push.ErrLimited, failures: 999, attempts: 100, posts: 100, atMost: 200 * time.Second},
		{name: "429 with Retry-After", err: &push.LimitedError{RetryAfter: 3 * time.Second}, failures: 1, posts: 2, sent: true, atLeast: 3 * time.Second, atMost: 3 * time.Second},
		{name: "429 with a long Retry-After", err: &push.LimitedError{RetryAfter: time.Minute}, failures: 1, posts: 1},
		{name: "503 once", err: push.ErrUnavailable, failures: 1, posts: 2, sent: true, atMost: 50 * time.Millisecond},
		{name: "no answer", err: push.ErrNoAnswer, failures: 1, posts: 1},
		{name: "refused", err: errors.New("403"), failures: 1, posts: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				posts, start := 0, time.Now()
				p := &push.Publisher{Roster: roster(t, "a"), Attempts: tt.attempts, Poster: posterFunc(func(context.Context, string, []byte) error {
					if posts++; posts <= tt.failures {
						return tt.err
					}
					return nil
				})}
				report, err := p.Publish(t.Context(), push.Everyone, []byte("m"))
				if err != nil || report.Complete() != tt.sent || posts != tt.posts {
					t.Errorf("report %+v after %d posts, error %v; want sent %v after %d", report, posts, err, tt.sent, tt.posts)
				}
				if !tt.sent && (len(report.Failed) != 1 || !errors.Is(report.Failed[0].Err, tt.err)) {
					t.Errorf("failed: %+v, want %v", report.Failed, tt.err)
				}
				if took := time.Since(start); took < tt.atLeast || took > tt.atMost {
					t.Errorf("took %v, want %v to %v", took, tt.atLeast, tt.atMost)
				}
			})
		})
	}
}

// The context's end leaves nothing running and names who is left.
func TestPublishDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &push.Publisher{Roster: roster(t, ids(100)...), Parallelism: 4, Poster: posterFunc(func(ctx context.Context, id string, _ []byte) error {
			select {
			case <-time.After(400 * time.Millisecond):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		report, err := p.Publish(ctx, push.Everyone, []byte("m"))
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("error %v after %v", err, time.Since(start))
		}
		// Two rounds of four; four are under way, twelve wait, one was read.
		if report.Sent != 8 || len(report.Remaining) != 17 || !report.Unread || len(report.Failed) != 0 || report.Complete() {
			t.Errorf("sent %d, remaining %d, unread %v, failed %v", report.Sent, len(report.Remaining), report.Unread, report.Failed)
		}
	})
}

// The last connections are left, but the roster was read: Remaining is all.
func TestPublishDeadlineAfterReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &push.Publisher{Roster: roster(t, "a", "b"), Poster: posterFunc(func(ctx context.Context, id string, _ []byte) error {
			if id == "b" {
				return push.ErrLimited
			}
			return nil
		}), Attempts: 1000}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		report, err := p.Publish(ctx, push.Everyone, []byte("m"))
		if !errors.Is(err, context.DeadlineExceeded) || report.Sent != 1 || report.Unread || !slices.Equal(report.Undelivered(), []string{"b"}) {
			t.Errorf("report %+v, error %v", report, err)
		}
	})
}

// Parallelism bounds all publishes of a Publisher together, stuck connections
// hold up nobody else, and a rate limit lowers the bound.
func TestPublishParallelism(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		now, most := 0, 0
		p := &push.Publisher{Roster: roster(t, ids(200)...), Parallelism: 8, Poster: posterFunc(func(ctx context.Context, id string, _ []byte) error {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			time.Sleep(10 * time.Millisecond)
			mu.Lock()
			now--
			mu.Unlock()
			return nil
		})}
		start := time.Now()
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				if r, err := p.Publish(t.Context(), push.Everyone, []byte("m")); err != nil || r.Sent != 200 {
					t.Errorf("report %+v, error %v", r, err)
				}
			})
		}
		wg.Wait()
		if most != 8 || time.Since(start) != 400/8*10*time.Millisecond {
			t.Errorf("%d posts at once, want 8; took %v, want 500ms", most, time.Since(start))
		}
	})
}

// Connections that are never answered cost the others nothing but their turn.
func TestPublishToStuckConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := func(id string) bool { return id < "id-0008=" }
		p := &push.Publisher{Roster: roster(t, ids(800)...), Parallelism: 8, Poster: posterFunc(func(ctx context.Context, id string, _ []byte) error {
			if stuck(id) {
				time.Sleep(push.DefaultPostTimeout)
				return push.ErrNoAnswer
			}
			time.Sleep(10 * time.Millisecond)
			return nil
		})}
		target := func(ctx context.Context, r push.Roster) iter.Seq2[push.Connection, error] {
			return push.Only(ids(800)...)(ctx, r) // the stuck ones first
		}
		start := time.Now()
		report, err := p.Publish(t.Context(), target, []byte("m"))
		if err != nil || report.Sent != 792 || len(report.Failed) != 8 {
			t.Errorf("sent %d, failed %d, error %v", report.Sent, len(report.Failed), err)
		}
		if took := time.Since(start); took > push.DefaultPostTimeout+500*time.Millisecond {
			t.Errorf("took %v, want little more than the stuck ones: %v", took, push.DefaultPostTimeout)
		}
	})
}

// A few clients that read too slowly are answered 429 whatever the rate: they
// fail, and the rest goes out at full speed.
func TestPublishToSlowClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &push.Publisher{Roster: roster(t, ids(1000)...), Parallelism: 10, Poster: posterFunc(func(ctx context.Context, id string, _ []byte) error {
			time.Sleep(10 * time.Millisecond)
			if strings.HasSuffix(id, "00=") {
				return push.ErrLimited
			}
			return nil
		})}
		for range 2 {
			start := time.Now()
			report, err := p.Publish(t.Context(), push.Everyone, []byte("m"))
			if err != nil || report.Sent != 990 || len(report.Failed) != 10 {
				t.Errorf("sent %d, failed %d, error %v", report.Sent, len(report.Failed), err)
			}
			// 1050 posts at ten in 10 ms, and up to 1.55 s for a slow one that was read last.
			if took := time.Since(start); took > 1050*time.Millisecond+1550*time.Millisecond+200*time.Millisecond {
				t.Errorf("took %v", took)
			}
		}
	})
}

// An account that allows fewer posts than are tried gets what it allows, and
// every connection its message, without its attempts being spent on refusals.
func TestPublishAdaptsToARateLimit(t *testing.T) {
	for _, rate := range []int{20, 200, 2000} {
		t.Run(fmt.Sprint(rate, " a second"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bucket, refused := rate/10, 0
				tokens, last := float64(bucket), time.Now()
				var mu sync.Mutex
				p := &push.Publisher{Roster: roster(t, ids(1000)...), Attempts: 12, Poster: posterFunc(func(ctx context.Context, id string, _ []byte) error {
					time.Sleep(5 * time.Millisecond)
					mu.Lock()
					defer mu.Unlock()
					tokens = min(float64(bucket), tokens+time.Since(last).Seconds()*float64(rate))
					last = time.Now()
					if tokens < 1 {
						refused++
						return push.ErrLimited
					}
					tokens--
					return nil
				})}
				start := time.Now()
				report, err := p.Publish(t.Context(), push.Everyone, []byte("m"))
				if err != nil || report.Sent != 1000 {
					t.Errorf("sent %d, failed %d, error %v", report.Sent, len(report.Failed), err)
				}
				if ideal, took := time.Second*1000/time.Duration(rate), time.Since(start); took > ideal*13/10+time.Second {
					t.Errorf("took %v, the rate allows %v", took, ideal)
				}
				if refused > 500 {
					t.Errorf("%d refusals of 1000 posts, want at most half as many", refused)
				}
				t.Logf("1000 posts at %d/s: %v, %d refusals", rate, time.Since(start), refused)
			})
		})
	}
}

// Whatever the endpoint does, every connection ends up in the report exactly
// once for each message, and exactly the dead ones are pruned.
func TestPublishAccountsForEveryone(t *testing.T) {
	behaviours := []error{nil, push.ErrGone, push.ErrLimited, push.ErrUnavailable, push.ErrNoAnswer, errors.New("403"), push.ErrTooLarge}
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(0, 40).Draw(rt, "connections")
		messages := make([][]byte, rapid.IntRange(1, 3).Draw(rt, "messages"))
		script := map[string][]error{}
		for _, id := range ids(n) {
			script[id] = rapid.SliceOfN(rapid.SampledFrom(behaviours), 1, 4).Draw(rt, id)
		}
		parallelism := rapid.IntRange(1, 8).Draw(rt, "parallelism")
		synctest.Test(t, func(t *testing.T) {
			rows := roster(t, ids(n)...)
			var mu sync.Mutex
			calls := map[string]int{}
			p := &push.Publisher{Roster: rows, Parallelism: parallelism, Attempts: 3, Log: quiet(), Poster: posterFunc(func(ctx context.Context, id string, _ []byte) error {
				time.Sleep(time.Millisecond)
				mu.Lock()
				defer mu.Unlock()
				calls[id]++
				return script[id][(calls[id]-1)%len(script[id])]
			})}
			reports := p.PublishBatch(t.Context(), push.Everyone, messages)
			for i, r := range reports {
				if got := r.Sent + r.Gone + len(r.Failed); got != n || len(r.Remaining) != 0 || r.Err != nil {
					t.Errorf("message %d accounts for %d of %d connections: %+v", i, got, n, r)
				}
			}
			if rest := left(t, rows); len(rest) != n-reports[len(reports)-1].Gone {
				t.Errorf("%d rows are left of %d, %d are gone", len(rest), n, reports[len(reports)-1].Gone)
			}
		})
	})
}
