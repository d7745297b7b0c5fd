package push

import (
	"context"
	"sync"
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
	// shareStep is the weight of one answer in the share of refused posts.
	shareStep = 1.0 / 16
	// maxShare is the share of refused posts at which the bound is halved.
	// Below it, trying again costs less than sending less.
	maxShare = 0.25
	// maxSlow bounds the connections that the gate remembers as slow.
	maxSlow = 4096
)

// gate bounds the posts that are under way at once. The bound adapts: it is
// halved when a good part of the answers is 429, and every answer without adds
// a little, so that a publisher finds the rate that an account allows and
// stays near it.
//
// API Gateway answers a client that reads too slowly in the same way as an
// account that posts too fast. What tells them apart is whom else it happens
// to: a connection's 429 counts only once until the connection takes a post
// again, so that a few slow clients, asked as often as may be, are no reason to
// slow down, and many connections refused for the first time are.
type gate struct {
	// tokens holds one token per post that may start now.
	tokens chan struct{}

	mu sync.Mutex
	// limit is the present bound, between 1 and cap(tokens). Its fraction
	// collects the small steps up.
	limit float64
	// withheld counts the tokens that are kept back to make the bound.
	withheld int
	// round counts the cuts. Posts that began before the last cut are the
	// reason for that cut, and must not cause another.
	round int
	// share is the moving share of refused posts since the last cut.
	share float64
	// slow are the connections whose last answer was 429.
	slow map[string]struct{}
}

func newGate(n int) *gate {
	g := &gate{tokens: make(chan struct{}, n), limit: float64(n), slow: map[string]struct{}{}}
	for range n {
		g.tokens <- struct{}{}
	}
	return g
}

// enter waits for a post's turn and returns the round to hand to judge.
func (g *gate) enter(ctx context.Context) (round int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	select {
	case <-g.tokens:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.round, nil
}

// leave gives back the token of an enter.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.withheld++ // this post's token
	g.balanceLocked()
}

// judge adapts the bound to the answer to a connection's post.
func (g *gate) judge(round int, id string, o outcome) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.slowLocked(id, o) {
		return
	}
	g.adaptLocked(round, o)
	g.balanceLocked()
}

// slowLocked keeps the slow connections, and reports whether this answer is
// one more to a connection that is known to be slow.
func (g *gate) slowLocked(id string, o outcome) bool {
	_, known := g.slow[id]
	switch {
	case o == answered:
		delete(g.slow, id)
		return false
	case !known && len(g.slow) < maxSlow:
		g.slow[id] = struct{}{}
	case !known: // they are gone, or it is the account after all
		clear(g.slow)
	}
	return known
}

func (g *gate) adaptLocked(round int, o outcome) {
	if o == answered {
		g.share -= g.share * shareStep
		g.limit = min(float64(cap(g.tokens)), g.limit+1/g.limit)
		return
	}
	if round != g.round {
		return
	}
	if g.share += (1 - g.share) * shareStep; g.share >= maxShare {
		g.limit = max(1, g.limit/2)
		g.share = 0
		g.round++
	}
}

// balanceLocked gives tokens out, or takes idle ones back, until as many are
// withheld as the bound says. Tokens in use are taken back as their posts end.
// Neither send nor receive waits: there are never more than cap(g.tokens)
// tokens.
func (g *gate) balanceLocked() {
	want := cap(g.tokens) - int(g.limit)
	for ; g.withheld > want; g.withheld-- {
		g.tokens <- struct{}{}
	}
	for ; g.withheld < want; g.withheld++ {
		select {
		case <-g.tokens:
		default:
			return
		}
	}
}
