package push

import (
	"context"
	"sync"
)

// gate bounds the posts that are under way at once. The bound adapts: an
// answer 429 halves it, every answer without adds a little, so that a
// publisher finds the rate that an account allows and stays near it.
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
}

func newGate(n int) *gate {
	g := &gate{tokens: make(chan struct{}, n), limit: float64(n)}
	for range n {
		g.tokens <- struct{}{}
	}
	return g
}

// enter waits for a post's turn and returns the round to hand to leave.
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

// leave ends a post. Every enter without an error is followed by one leave.
func (g *gate) leave(round int, limited bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.adaptLocked(round, limited)
	g.withheld++ // this post's token
	g.balanceLocked(cap(g.tokens) - int(g.limit))
}

// balanceLocked gives tokens out, or takes idle ones back, until want are
// withheld. Tokens in use are taken back as their posts end. Neither send nor
// receive waits: there are never more than cap(g.tokens) tokens.
func (g *gate) balanceLocked(want int) {
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

func (g *gate) adaptLocked(round int, limited bool) {
	switch {
	case !limited:
		g.limit = min(float64(cap(g.tokens)), g.limit+1/g.limit)
	case round == g.round:
		g.limit = max(1, g.limit/2)
		g.round++
	}
}
