package sweep

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/gatepost-dev/gatepost/push"
)

// dusty is a roster with so many expired rows, which fails when it has pruned
// all but some.
type dusty struct {
	*push.Memory
	rows, fails int
	asked       []int
	during      func()
}

func (d *dusty) Prune(ctx context.Context, limit int) (int, error) {
	d.asked = append(d.asked, limit)
	if d.during != nil {
		d.during()
	}
	if d.fails > 0 && d.rows <= d.fails {
		return 0, errors.New("throttled")
	}
	n := min(limit, d.rows)
	d.rows -= n
	return n, ctx.Err()
}

func TestHandle(t *testing.T) {
	for _, tt := range []struct {
		name               string
		rows, fails, limit int
		want               Result
		calls              int
		err                bool
	}{
		{name: "nothing to do", limit: 1000, want: Result{0, true}, calls: 1},
		{name: "some", rows: 700, limit: 10_000, want: Result{700, true}, calls: 2},
		{name: "a full page is followed by another", rows: 500, limit: 10_000, want: Result{500, true}, calls: 2},
		{name: "more than the limit", rows: 5000, limit: 700, want: Result{700, false}, calls: 2},
		{name: "the table fails", rows: 1500, fails: 600, limit: 10_000, want: Result{1000, false}, calls: 3, err: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := &dusty{rows: tt.rows, fails: tt.fails}
			got, err := New(d, tt.limit, slog.New(slog.DiscardHandler)).Handle(t.Context(), nil)
			if got != tt.want || (err != nil) != tt.err || len(d.asked) != tt.calls {
				t.Errorf("%+v, %v after %v; want %+v", got, err, d.asked, tt.want)
			}
		})
	}
}

// Time that runs out is no error.
func TestHandleDeadline(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	d := &dusty{rows: 5000}
	d.during = func() {
		if len(d.asked) == 2 {
			cancel()
		}
	}
	got, err := New(d, 10_000, slog.New(slog.DiscardHandler)).Handle(ctx, nil)
	if err != nil || got != (Result{1000, false}) {
		t.Errorf("%+v, %v; want 1000 rows and no error", got, err)
	}
}
