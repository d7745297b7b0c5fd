package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// run is what one Run has under way. Its fields belong to Run's goroutine; the
// others hand over what they have, and end before it does.
type run struct {
	*Client
	ctx    context.Context // ends the goroutines at once
	cancel context.CancelFunc
	others sync.WaitGroup
	over   chan struct{} // closed when nobody is told anything any more

	dialed chan dialed
	heard  chan heard

	current  *link // that is open, or nil
	retired  map[*link]bool
	dialing  bool
	failures int  // attempts and short connections in a row
	lasting  bool // current has lasted for Backoff.StableAfter

	retry, renew, keepAlive, answer, stable *time.Timer
}

// dialed is the outcome of one attempt.
type dialed struct {
	ws  *websocket.Conn
	err error
}

func newRun(ctx context.Context, c *Client) *run {
	r := &run{
		Client: c, over: make(chan struct{}), dialed: make(chan dialed, 1), heard: make(chan heard), retired: make(map[*link]bool),
		retry: stopped(), renew: stopped(), keepAlive: stopped(), answer: stopped(), stable: stopped(),
	}
	r.ctx, r.cancel = context.WithCancel(ctx)
	return r
}

// stopped is a timer that is not running.
func stopped() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

// loop runs until the end, and returns when everything that it began has ended.
func (r *run) loop() error {
	r.dial()
	for {
		err := r.step()
		if err == nil {
			continue
		}
		r.end(err)
		if err == ErrClosed {
			return nil
		}
		return err
	}
}

// step waits for whatever happens next. Its error ends Run; it is ErrClosed
// after Close.
func (r *run) step() error {
	select {
	case <-r.ctx.Done():
		return r.ctx.Err()
	case <-r.closing:
		return ErrClosed
	default:
	}
	select {
	case <-r.ctx.Done():
		return r.ctx.Err()
	case <-r.closing:
		return ErrClosed
	case d := <-r.dialed:
		r.dialing = false
		if d.err != nil {
			return r.retryLater(d.err)
		}
		r.opened(newLink(d.ws))
	case h := <-r.heard:
		if h.err != nil {
			return r.lost(h.link, h.err)
		}
		r.received(h)
	case <-r.retry.C:
		if r.current == nil {
			r.enter(Connecting)
		}
		r.dial()
	case <-r.renew.C:
		r.dial()
	case <-r.keepAlive.C:
		r.stayAlive()
	case <-r.answer.C:
		r.unanswered()
	case <-r.stable.C:
		r.lasting, r.failures = true, 0
	}
	return nil
}

// dial begins an attempt, unless one is under way.
func (r *run) dial() {
	if r.dialing {
		return
	}
	r.dialing = true
	r.others.Go(func() {
		ws, err := r.attempt()
		r.dialed <- dialed{ws, err}
	})
}

func (r *run) attempt() (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeout(r.ctx, r.options.ConnectTimeout)
	defer cancel()
	target, err := r.address(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the address: %w", err)
	}
	ws, response, err := websocket.Dial(ctx, target.URL, &websocket.DialOptions{
		HTTPClient: r.options.HTTPClient, HTTPHeader: target.Header, Subprotocols: target.Subprotocols,
	})
	if err != nil {
		if response != nil && response.StatusCode != http.StatusSwitchingProtocols {
			err = &Refusal{Status: response.StatusCode, Err: err}
		}
		return nil, err
	}
	ws.SetReadLimit(int64(r.options.MaxMessage))
	return ws, nil
}

// opened makes a new connection the current one.
func (r *run) opened(l *link) {
	before := r.current
	r.current, r.lasting = l, false
	r.queue.take(l)
	r.others.Go(func() { l.read(r.ctx, r.heard, r.over) })
	r.others.Go(func() { l.write(r.ctx, r.queue) })
	r.answer.Stop()
	r.stable.Reset(r.options.Backoff.StableAfter)
	if every := r.options.KeepAlive.Every; every > 0 {
		r.keepAlive.Reset(every)
	}
	if after := r.options.Renew.After; after > 0 {
		// Clients that came together do not renew together.
		r.renew.Reset(after - time.Duration(r.random()*float64(after)/10))
	}
	if before != nil {
		r.retired[before] = true
		r.others.Go(func() { before.retire(r.options.Renew.Overlap, r.over) })
	}
	r.enter(Open)
	if told := r.options.Handlers.Open; told != nil {
		told(before != nil)
	}
}

func (r *run) received(h heard) {
	if h.link == r.current {
		r.answer.Stop()
	}
	if told := r.options.Handlers.Message; told != nil {
		told(h.data)
	}
}

// stayAlive sends the keep-alive if nothing has passed for long enough.
func (r *run) stayAlive() {
	if r.current == nil {
		return
	}
	k := r.options.KeepAlive
	if left := k.Every - r.current.idle(); left > 0 {
		r.keepAlive.Reset(left)
		return
	}
	r.keepAlive.Reset(k.Every)
	// A full queue is traffic, too.
	if err := r.queue.put(k.Message); err == nil && k.AnswerWithin > 0 {
		r.answer.Reset(k.AnswerWithin)
	}
}

// unanswered gives up a connection on which nothing comes back.
func (r *run) unanswered() {
	if l := r.current; l != nil {
		l.silent.Store(true)
		r.others.Go(func() { l.ws.CloseNow() }) // the reader tells
	}
}

// lost takes note of the end of a connection.
func (r *run) lost(l *link, err error) error {
	if r.retired[l] {
		delete(r.retired, l)
		return nil
	}
	r.current = nil
	r.queue.take(nil)
	r.others.Go(func() { l.ws.CloseNow() })
	for _, t := range []*time.Timer{r.renew, r.keepAlive, r.answer, r.stable} {
		t.Stop()
	}
	if r.lasting {
		r.failures = 0 // of a renewal
	}
	if r.dialing {
		r.enter(Connecting)
	}
	loss := lossOf(l, err)
	if told := r.options.Handlers.Lost; told != nil {
		told(loss)
	}
	if r.dialing {
		return nil // a renewal that goes on as the next attempt
	}
	return r.retryLater(fmt.Errorf("the connection ended with %d: %w", loss.Code, err))
}

func lossOf(l *link, err error) Loss {
	if l.silent.Load() {
		return Loss{Code: int(websocket.StatusAbnormalClosure), Reason: "no answer to the keep-alive", Err: err}
	}
	var said websocket.CloseError
	if errors.As(err, &said) {
		return Loss{Code: int(said.Code), Reason: said.Reason, Err: err}
	}
	return Loss{Code: int(websocket.StatusAbnormalClosure), Err: err}
}

// retryLater waits before the next attempt, or gives up.
func (r *run) retryLater(err error) error {
	b := r.options.Backoff
	r.failures++
	if r.current == nil && b.Attempts > 0 && r.failures >= b.Attempts {
		return fmt.Errorf("%w after %d attempts: %w", ErrGaveUp, r.failures, err)
	}
	most := b.Max
	if n := min(r.failures-1, 30); b.Base <= b.Max>>n {
		most = b.Base << n
	}
	delay := time.Duration(r.random() * float64(most))
	r.retry.Reset(delay)
	if r.current == nil {
		r.enter(Waiting)
	}
	if told := r.options.Handlers.Wait; told != nil {
		told(Pause{Delay: delay, Attempt: r.failures, Err: err, Renewing: r.current != nil})
	}
	return nil
}

func (r *run) enter(s State) {
	before := State(r.state.Swap(int32(s)))
	if told := r.options.Handlers.State; told != nil && before != s {
		told(s, before)
	}
}

// end closes what is open, with goodbyes after Close, and waits for everybody.
func (r *run) end(err error) {
	r.Close()
	close(r.over)
	var goodbyes sync.WaitGroup
	for l := range r.links() {
		if err == ErrClosed {
			goodbyes.Go(l.close)
		}
	}
	goodbyes.Wait()
	r.cancel()
	r.queue.take(nil)
	for l := range r.links() {
		l.ws.CloseNow()
	}
	r.others.Wait()
	select {
	case d := <-r.dialed:
		if d.err == nil {
			d.ws.CloseNow()
		}
	default:
	}
	r.enter(Closed)
}

// links are all connections that are open.
func (r *run) links() map[*link]bool {
	all := maps.Clone(r.retired)
	if r.current != nil {
		all[r.current] = true
	}
	return all
}
