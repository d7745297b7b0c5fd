package push

import (
	"context"
	"sync"
	"time"
)

// outcome is what an answer says about the rate that the account allows.
type outcome int

const (
	// answered: the endpoint took the post up, whatever became of it.
	answered outcome = iota
	// limited: answer 429.
	limited
)

const (
	// weight is that of one answer in the share of refused posts, and of one
	// gap in the mean gap between two posts.
	weight = 1.0 / 16
	// maxShare is the share of refused posts at which the pace is cut, beyond
	// those that come at any pace. Below it, trying again costs less than sending
	// less.
	maxShare = 0.15
	// trial is after how many answers a cut is judged by the share of refusals
	// among them. Up to helped it has helped. Up to overload the share before it
	// tells what it should be now, and unchanged times that share, or more, says
	// that the pace was not the reason.
	trial     = 32
	helped    = 0.1
	unchanged = 0.7
	overload  = 0.6
	// hopeless refusals in a row, and nothing else, end a trial at once.
	hopeless = 4
	// slower is what a cut multiplies the pace with, and faster what every
	// answer that is not a refusal adds to it as a part of it. Both go by posts,
	// not by time, so that an account that allows a hundred posts a second and
	// one that allows ten thousand see the same share of refusals. An answer
	// also adds leastFaster posts a second, which brings a low pace up again.
	slower      = 0.5
	faster      = 1.0 / 128
	leastFaster = 1.0 / 8
	// minPace and maxPace bound the pace, in posts a second; above maxPace
	// there is none.
	minPace, maxPace = 1.0, 100_000.0
	// window is the time over which taken posts are counted, and leastKept the
	// part of their rate that no cut goes below: it was allowed a moment ago.
	window    = 500 * time.Millisecond
	leastKept = 0.8
	// idle is the gap between two posts from which on it says nothing of the
	// pace: the publisher had nothing to do.
	idle = 100 * time.Millisecond
	// maxSlow bounds the connections that the gate remembers as slow.
	maxSlow = 4096
)

// gate bounds the posts that are under way at once and, after the endpoint
// refused some, how many start a second. There is no pace until a good part of
// the answers is 429; then it is what was posted before, halved again and
// again until the answers change or the pace is near the rate of the posts that
// are taken. Every answer without a 429 adds a little, so that a publisher finds
// the rate that an account allows and stays near it. A cut that leaves the share
// of refusals as it was is taken back: an endpoint that refuses a part of the
// posts at any pace is not helped by a slower one.
//
// API Gateway answers a client that reads too slowly in the same way as an
// account that posts too fast. What tells them apart is whom else it happens
// to, and whether it passes: a connection's first 429 counts, those after it
// only if the connection takes a post soon after. So a few slow clients, asked
// as often as may be, are no reason to slow down, and many connections that
// are refused now and then are.
type gate struct {
	// places has room for the posts that may be under way.
	places chan struct{}
	// turn has room for the one post that waits for its time.
	turn chan struct{}

	mu sync.Mutex
	// pace is how many posts may start a second; zero means no bound.
	pace float64
	// started is when the newest post may start.
	started time.Time
	// gap is the mean time between the starts of two posts, in seconds.
	gap float64
	// taken are the posts of the present window that were not refused, and of
	// the window before.
	taken      [2]int
	windowFrom time.Time
	// round counts the cuts. Posts that began before the last cut are the
	// reason for that cut, and must not cause another.
	round int
	// share is the moving share of refused posts since the last cut.
	share float64
	// counted are the answers of the present round, and refused its refusals.
	counted, refused int
	// trying is whether the last cut is still to be judged, before the pace to
	// return to if it is in vain, and last the share of refusals in the trial
	// before, zero when there was none.
	trying       bool
	before, last float64
	// blind is the share of refusals that cuts did not change.
	blind float64
	// slow are the connections whose last answer was 429.
	slow map[string]refusals
}

// refusals are those of one connection, one after the other.
type refusals struct {
	// round is that of the newest, n how many of them began in it and have not
	// been counted.
	round, n int
}

func newGate(n int) *gate {
	return &gate{places: make(chan struct{}, n), turn: make(chan struct{}, 1), slow: map[string]refusals{}}
}

// enter waits for a post's place and time, and returns the round to hand to
// judge. A post that entered must leave.
func (g *gate) enter(ctx context.Context) (round int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	select {
	case g.places <- struct{}{}:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	if round, err = g.start(ctx); err != nil {
		g.leave()
	}
	return round, err
}

// leave gives back the place of an enter.
func (g *gate) leave() { <-g.places }

// start waits for a post's time. Only one post waits at a time, so that a cut
// holds for all that come after it.
func (g *gate) start(ctx context.Context) (round int, err error) {
	g.mu.Lock()
	if g.pace == 0 {
		defer g.mu.Unlock()
		return g.startLocked(time.Now()), nil
	}
	g.mu.Unlock()
	select {
	case g.turn <- struct{}{}:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	defer func() { <-g.turn }()
	if !sleep(ctx, time.Until(g.next())) {
		return 0, ctx.Err()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.startLocked(time.Now()), nil
}

// next is when the next post may start.
func (g *gate) next() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.pace == 0 {
		return g.started
	}
	return g.started.Add(time.Duration(float64(time.Second) / g.pace))
}

// startLocked notes a post's start and returns its round.
func (g *gate) startLocked(now time.Time) int {
	if gap := now.Sub(g.started); gap < idle {
		g.gap += (gap.Seconds() - g.gap) * weight
	}
	g.started = now
	return g.round
}

// judge adapts the pace to the answer to a connection's post.
func (g *gate) judge(round int, id string, o outcome) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for n := g.countedLocked(round, id, o); n > 0 && !g.refusedLocked(); n-- {
	}
	if o == answered {
		g.answeredLocked(round)
	}
	if g.trying && g.counted >= trial {
		g.judgeCutLocked()
	}
}

// countedLocked keeps the slow connections, and returns how many refusals are
// known, by this answer, to be the account's.
func (g *gate) countedLocked(round int, id string, o outcome) int {
	before, known := g.slow[id]
	if o == answered {
		delete(g.slow, id)
		if before.round == g.round {
			return before.n
		}
		return 0
	}
	switch {
	case known && before.round == round:
		before.n++
	case known:
		before = refusals{round: round, n: 1}
	case round != g.round: // the last cut was for this one too
		return 0
	default:
		before = refusals{round: round}
		if len(g.slow) >= maxSlow { // they are gone, or it is the account after all
			clear(g.slow)
		}
	}
	g.slow[id] = before
	if known {
		return 0
	}
	return 1
}

// refusedLocked counts a refusal of the present round, and cuts the pace when
// there are too many, which it reports.
func (g *gate) refusedLocked() bool {
	g.counted++
	g.refused++
	g.share += (1 - g.share) * weight
	if !g.tooManyLocked() {
		return false
	}
	if g.pace == 0 {
		g.pace = 1 / max(g.gap, 1/maxPace)
	}
	g.before, g.last = g.pace, 0
	g.cutLocked()
	return true
}

// tooManyLocked reports whether the pace must be cut now. During a trial that
// takes a share that is beyond all doubt, or nothing but refusals.
func (g *gate) tooManyLocked() bool {
	if g.trying {
		return g.share >= overload || g.refused == g.counted && g.counted >= hopeless
	}
	return g.share >= g.blind+maxShare
}

// cutLocked slows down, and begins a new round, which tells whether it helps.
func (g *gate) cutLocked() {
	g.windowLocked(time.Now())
	kept := leastKept * float64(max(g.taken[0], g.taken[1])) / window.Seconds()
	g.pace = min(g.pace, max(minPace, g.pace*slower, kept))
	g.share, g.counted, g.refused, g.trying = 0, 0, 0, true
	g.round++
}

// judgeCutLocked ends the trial of a cut.
func (g *gate) judgeCutLocked() {
	share := float64(g.refused) / float64(g.counted)
	switch {
	case share <= helped:
		g.trying, g.blind = false, 0
	case g.last > 0 && g.last <= overload && share >= unchanged*g.last:
		g.trying, g.blind, g.pace = false, share, g.before
	default:
		if share > overload {
			g.before = g.pace
		}
		g.last = share
		g.cutLocked()
	}
}

// answeredLocked counts a post that was not refused.
func (g *gate) answeredLocked(round int) {
	g.share -= g.share * weight
	g.windowLocked(time.Now())
	g.taken[0]++
	if round == g.round {
		g.counted++
	}
	if g.pace > 0 && !g.trying {
		if g.pace += g.pace*faster + leastFaster; g.pace > maxPace {
			g.pace = 0
		}
	}
}

// windowLocked begins a new window when the present one is over.
func (g *gate) windowLocked(now time.Time) {
	switch over := now.Sub(g.windowFrom); {
	case over < window:
		return
	case over < 2*window:
		g.taken, g.windowFrom = [2]int{0, g.taken[0]}, g.windowFrom.Add(window)
	default:
		g.taken, g.windowFrom = [2]int{}, now
	}
}
