package function

import (
	"container/list"
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/stack"
)

// Handler is a function of a stack that runs in this process and not in a
// sandbox. aws-lambda-go's lambda.Handler is one.
type Handler interface {
	// Invoke answers an event, which it must not change. It is called from many
	// goroutines at once. ctx ends with the function's time limit and when the
	// host is closed; it carries aws-lambda-go's lambdacontext.
	Invoke(ctx context.Context, event []byte) ([]byte, error)
}

// maxHandlers is how many events a handler without a reserved concurrency may
// have at one time: Lambda's default for all functions of an account.
const maxHandlers = 1000

// howInProcess is Status.How of a function that runs in this process.
const howInProcess = "in process"

// AddHandler makes a function known that runs in this process. It can be invoked
// at once; of the stack's function only names, time limit and concurrency count.
// A second function of the same name is an error.
//
// What a caller sees is what it sees of a function behind a sandbox: errors and
// panics come as aws-lambda-go reports them, and past the time limit the
// invocation has failed. But no handler can be ended from outside: one that
// does not heed its context runs on, and keeps its place until it returns.
func (h *Host) AddHandler(spec stack.Function, handler Handler) error {
	f, err := h.newHandler(spec, handler)
	if err != nil {
		return err
	}
	return h.insert(f)
}

// newHandler makes a function that runs in this process.
func (h *Host) newHandler(spec stack.Function, handler Handler) (*function, error) {
	if handler == nil {
		return nil, fmt.Errorf("the handler of function %s is nil", spec.Name)
	}
	if err := checkName(spec); err != nil {
		return nil, err
	}
	f := newFunction(h, spec)
	most := spec.MaxConcurrency
	if most <= 0 {
		most = maxHandlers
	}
	if sharesResponses(handler) {
		h.log.Warn("the function gets one event at a time, because its handler comes from lambda.NewHandler; use gatepost.NewHandler",
			"function", spec.Name)
		most = 1
	}
	f.local = &inProcess{function: f, handler: handler, most: most, waiting: h.limits.waiting}
	f.state, f.program.how = Ready, howInProcess
	return f, nil
}

// sharesResponses reports whether a handler is one that aws-lambda-go has made.
// Its Invoke returns bytes of a buffer that it has given back already, and that
// the next event's response is written to: never two at a time.
func sharesResponses(handler Handler) bool {
	t := reflect.TypeOf(handler)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.PkgPath() == "github.com/aws/aws-lambda-go/lambda"
}

// inProcess hands the events of one function to its handler. It is to such a
// function what the pool is to others.
type inProcess struct {
	function *function
	handler  Handler
	most     int // handlers at one time
	waiting  int // invocations that wait for one to return

	mu sync.Mutex
	// running are the calls whose handlers have not returned, past their time
	// limit too; the oldest, whose limit passes first, is the first.
	running list.List
	limit   *time.Timer   // calls expire; nil before the first call
	armed   bool          // limit will fire, at the oldest call's deadline or before
	queue   []*invocation // first come, first served
	closed  bool
	idle    chan struct{} // made by close, closed when nothing runs any more
}

// call is a handler with an event, and the context that the handler gets.
type call struct {
	context.Context
	cancel   context.CancelFunc
	function *function
	inv      *invocation

	// Guarded by the mutex of inProcess.
	place *list.Element // in running
	ended bool          // its outcome has been published

	// What Value gives out, made when somebody asks.
	once   sync.Once
	lambda context.Context
	trace  string
}

// submit starts an invocation, has it wait, or fails it.
func (p *inProcess) submit(inv *invocation) {
	c, why := p.admit(inv)
	switch {
	case why != nil:
		p.function.finish(nil, inv, nil, why)
	case c != nil:
		go p.run(c)
	}
}

// admit returns what is to be run now, or why nothing will be; neither when the
// invocation waits.
func (p *inProcess) admit(inv *invocation) (*call, *failure) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return nil, &hostClosed
	case p.running.Len() < p.most:
		return p.beginLocked(inv), nil
	case len(p.queue) >= p.waiting:
		return nil, &failure{refusal: fmt.Errorf("%w: %d handlers are busy and %d invocations wait",
			apigw.ErrThrottled, p.running.Len(), len(p.queue))}
	}
	p.queue = append(p.queue, inv)
	return nil, nil
}

func (p *inProcess) beginLocked(inv *invocation) *call {
	limit := p.function.spec.Timeout
	inv.begun = time.Now()
	inv.deadline = inv.begun.Add(limit)
	c := &call{function: p.function, inv: inv}
	c.Context, c.cancel = context.WithDeadline(context.Background(), inv.deadline)
	c.place = p.running.PushBack(c)
	p.armLocked(limit)
	return c
}

// armLocked has expire called after a time, unless it will be called anyway. All
// calls have the same limit, so one timer for all is enough: it is set when it
// has fired, and not for every event.
func (p *inProcess) armLocked(after time.Duration) {
	if p.armed {
		return
	}
	p.armed = true
	if p.limit == nil {
		p.limit = time.AfterFunc(after, p.expire)
	} else {
		p.limit.Reset(after)
	}
}

// expire fails the calls whose time is over.
func (p *inProcess) expire() {
	var late []*call
	p.mu.Lock()
	p.armed = false
	for e := p.running.Front(); e != nil; e = e.Next() {
		c := e.Value.(*call)
		if left := time.Until(c.inv.deadline); left > 0 {
			p.armLocked(left)
			break
		}
		if !c.ended {
			c.ended = true
			late = append(late, c)
		}
	}
	p.mu.Unlock()
	for _, c := range late {
		why := timedOut(p.function.spec.Timeout)
		p.function.finish(nil, c.inv, nil, &why)
	}
}

// run lives the life of one call, however the handler ends.
func (p *inProcess) run(c *call) {
	// What holds when the handler ends its goroutine.
	response, why := []byte(nil), &failure{typ: typeExit, text: "the handler has ended its goroutine (runtime.Goexit)"}
	defer func() {
		if value := recover(); value != nil {
			why = panicked(value)
		}
		p.returned(c, response, why)
	}()
	response, why = p.invoke(c)
}

func (p *inProcess) invoke(c *call) ([]byte, *failure) {
	if err := c.check(); err != nil {
		return nil, handlerFailure(err)
	}
	response, err := p.handler.Invoke(c, c.inv.event)
	switch {
	case err != nil:
		return nil, handlerFailure(err)
	case len(response) > maxResponse:
		why := responseTooLarge()
		return nil, &why
	}
	// The response becomes the caller's; the handler may use its bytes again.
	return slices.Clone(response), nil
}

// returned gives the place of a handler that has returned to the next who waits,
// and publishes the outcome unless that has happened.
func (p *inProcess) returned(c *call, response []byte, why *failure) {
	c.cancel()
	if !time.Now().Before(c.inv.deadline) {
		// The handler has seen its context end: whoever of the two is first, it
		// has run out of time.
		late := timedOut(p.function.spec.Timeout)
		response, why = nil, &late
	}
	p.mu.Lock()
	p.running.Remove(c.place)
	first := !c.ended
	c.ended = true
	if next := p.nextLocked(); next != nil {
		go p.run(next)
	}
	if p.idle != nil && p.running.Len() == 0 {
		close(p.idle)
		p.idle = nil
	}
	p.mu.Unlock()
	if first {
		p.function.end(nil, c.inv, response, why)
		c.inv.tell()
	}
}

// nextLocked begins the first invocation that waits.
func (p *inProcess) nextLocked() *call {
	if len(p.queue) == 0 || p.running.Len() >= p.most {
		return nil
	}
	inv := p.queue[0]
	p.queue = slices.Delete(p.queue, 0, 1)
	return p.beginLocked(inv)
}

// fail publishes the failure of a call whose handler has not returned.
func (p *inProcess) fail(c *call, why failure) {
	p.mu.Lock()
	first := !c.ended
	c.ended = true
	p.mu.Unlock()
	if first {
		p.function.finish(nil, c.inv, nil, &why)
	}
}

// abandon takes back an invocation that still waits, and reports whether it did.
func (p *inProcess) abandon(inv *invocation) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.queue, inv)
	if i < 0 {
		return false
	}
	p.queue = slices.Delete(p.queue, i, i+1)
	return true
}

// busy returns the number of handlers that have not returned.
func (p *inProcess) busy() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.running.Len()
}

// close refuses what comes, fails what waits and ends the contexts of what runs.
// The channel is closed when all handlers have returned.
func (p *inProcess) close() <-chan struct{} {
	p.mu.Lock()
	p.closed = true
	queue := p.queue
	p.queue = nil
	idle := make(chan struct{})
	if p.running.Len() == 0 {
		close(idle)
	} else {
		p.idle = idle
	}
	for e := p.running.Front(); e != nil; e = e.Next() {
		e.Value.(*call).cancel()
	}
	p.mu.Unlock()
	for _, inv := range queue {
		p.function.finish(nil, inv, nil, &hostClosed)
	}
	return idle
}

// left returns the calls whose handlers have not returned.
func (p *inProcess) left() []*call {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []*call
	for e := p.running.Front(); e != nil; e = e.Next() {
		all = append(all, e.Value.(*call))
	}
	return all
}

// closeHandlers ends the functions of this process: each handler gets as long
// to return as a sandbox gets after SIGTERM. Those that do not are left behind.
func (h *Host) closeHandlers() {
	h.mu.RLock()
	order := h.allLocked()
	h.mu.RUnlock()
	grace := time.NewTimer(h.limits.stop)
	defer grace.Stop()
	idle := make(map[*inProcess]<-chan struct{})
	for _, f := range order {
		if f.local != nil {
			idle[f.local] = f.local.close()
		}
	}
	over := false
	for p, ended := range idle {
		if !over {
			select {
			case <-ended:
				continue
			case <-grace.C:
				over = true
			}
		}
		for _, c := range p.left() {
			h.log.Warn("a handler has not returned and is left behind", "function", p.function.spec.Name, "request", c.inv.id)
			p.fail(c, hostClosed)
		}
	}
}

// checkName refuses names that no function may have.
func checkName(spec stack.Function) error {
	return check(stack.Function{Name: spec.Name, ARN: spec.ARN, Command: []string{howInProcess}})
}
