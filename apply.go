package gatepost

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/aws/sns"
	"github.com/gatepost-dev/gatepost/stack"
)

// current is what a house runs. Apply replaces it.
type current struct{ stack atomic.Pointer[stack.Stack] }

func newCurrent(s *stack.Stack) *current {
	c := new(current)
	c.stack.Store(s)
	return c
}

// stack is what runs now; it is not changed.
func (h *house) stack() *stack.Stack { return h.current.stack.Load() }

// declared is an API as it is declared now.
func (h *house) declared(a *api) *apigw.API {
	if now := apiNamed(h.stack(), a.declared.Name); now != nil {
		return now
	}
	return a.declared
}

func apiNamed(s *stack.Stack, name string) *apigw.API {
	for i := range s.APIs {
		if s.APIs[i].Name == name {
			return &s.APIs[i]
		}
	}
	return nil
}

// Applied is a change of the stack and what became of it.
type Applied struct {
	stack.Change
	// Err says why the part stays as it was; nil when the change is in effect.
	Err error
	// Kept is set for a table, queue, topic or data stream that the stack does not
	// declare any more: it stays with its data, until somebody deletes it, as it
	// does over a restart, or until Reset, which does not make it again.
	Kept bool
}

// String is the change in one line, with what became of it.
func (a Applied) String() string {
	switch {
	case a.Err != nil:
		return fmt.Sprintf("! %s: %v", a.Change, a.Err)
	case a.Kept:
		return a.Change.String() + ": kept with what is in it"
	}
	return a.Change.String()
}

// Apply makes the running system that of another stack, which LoadStack has read
// from the changed template, say. Only what differs is touched: connections stay
// open and follow the new routes from their next message; events that a function
// has end in the program that they have begun in; tables and queues keep what is
// in them, also those that the stack does not declare any more. Throttles and
// quotas of an API that changes begin anew.
//
// It returns what differs, each with what became of it: an API that comes, goes,
// or changes its id, its stage's name or its domains needs a new start, as does a
// function under a debugger, and a table does not change its key. After an error
// without any changes everything is as it was.
//
// It may be called after Ready, together with anything; it and Reset take turns.
// When ctx ends, builds are given up. The stack must not be changed any more.
func (s *Server) Apply(ctx context.Context, next *stack.Stack) ([]Applied, error) {
	h := s.house
	ctx, done, err := h.takeTurn(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	cfg := s.cfg
	cfg.Stack = next
	if now := s.override.Load(); now != nil {
		cfg.Override = *now
	}
	if cfg, err = cfg.ofStack(); err != nil {
		return nil, err
	}
	a := &application{house: h, from: h.stack(), to: cfg.Stack, built: s.cfg.Built}
	if a.to.Region != a.from.Region || a.to.Account != a.from.Account {
		return nil, fmt.Errorf("the system runs as that of account %s in %s, and the stack is for account %s in %s; start it anew", a.from.Account, a.from.Region, a.to.Account, a.to.Region)
	}
	a.to.Tables, a.to.Queues, a.to.Topics, a.to.Streams = slices.Clone(a.to.Tables), slices.Clone(a.to.Queues), slices.Clone(a.to.Topics), slices.Clone(a.to.Streams)
	for i := range a.to.APIs {
		fillKeys(&a.to.APIs[i], h.secrets.HandleKey)
	}
	a.holdBack()
	if err := a.to.Validate(); err != nil {
		return nil, errors.Join(fmt.Errorf("this change needs a new start: %w", err), a.heldBack())
	}
	a.changes = stack.Difference(a.from, a.to)
	err = a.run(ctx)
	return a.applied, err
}

// Override replaces Config.Override, from the next Apply on. It may be called
// together with anything; the map must not be changed any more.
func (s *Server) Override(by map[string]map[string]string) { s.override.Store(&by) }

// application is one run of Apply.
type application struct {
	house    *house
	from, to *stack.Stack
	built    func(Build)
	changes  []stack.Change
	applied  []Applied
}

// run makes the changes: first what others need, and at last what they needed.
func (a *application) run(ctx context.Context) error {
	h := a.house
	a.stores(ctx)
	a.functions(ctx)
	errs := []error{h.lambda.SetEventConfigs(eventConfigs(a.to.Functions))}
	a.subscriptions(ctx)
	a.apis()
	h.current.stack.Store(a.to)
	a.sources()
	a.removeFunctions()
	return errors.Join(append(errs, h.dir.Announce(h.run()))...)
}

// note says what became of a change.
func (a *application) note(c stack.Change, err error) {
	kept := err == nil && c.Kind == stack.Removed && slices.Contains([]string{stack.PartTable, stack.PartQueue, stack.PartTopic, stack.PartStream}, c.Part)
	a.applied = append(a.applied, Applied{Change: c, Err: err, Kept: kept})
}

// of are the changes of one part.
func (a *application) of(part string) (all []stack.Change) {
	for _, c := range a.changes {
		if c.Part == part {
			all = append(all, c)
		}
	}
	return all
}

// has reports whether a part of this name is new or changed.
func (a *application) has(part, name string) bool {
	return slices.ContainsFunc(a.of(part), func(c stack.Change) bool { return c.Name == name && c.Kind != stack.Removed })
}

// stores makes and changes tables, queues, data streams and topics. One that cannot be changed
// stays as it was.
func (a *application) stores(ctx context.Context) {
	h := a.house
	for _, c := range a.of(stack.PartTable) {
		if c.Kind == stack.Removed {
			h.tables.Undeclare(c.Name)
		}
		a.note(c, change(c, &a.to.Tables, a.from.Tables, nameOfTable, func(t stack.Table) error { return h.ensureTable(ctx, t) }))
	}
	queues := a.of(stack.PartQueue)
	for _, q := range deadLettersFirst(a.to.Queues) { // in their order, whatever the template's
		for _, c := range queues {
			if c.Name == q.Name {
				a.note(c, change(c, &a.to.Queues, a.from.Queues, nameOfQueue, func(q stack.Queue) error { return h.ensureQueue(ctx, q) }))
			}
		}
	}
	for _, c := range queues {
		if c.Kind == stack.Removed {
			h.queues.Undeclare(c.Name)
			a.note(c, nil)
		}
	}
	for _, c := range a.of(stack.PartStream) {
		if c.Kind == stack.Removed {
			h.kinesis.Undeclare(c.Name)
		}
		a.note(c, change(c, &a.to.Streams, a.from.Streams, nameOfStream, func(d stack.DataStream) error { return h.ensureStream(ctx, d) }))
	}
	for _, c := range a.of(stack.PartTopic) {
		a.note(c, change(c, &a.to.Topics, a.from.Topics, nameOfTopic, func(t stack.Topic) error {
			return h.topics.EnsureTopic(ctx, sns.TopicSpec{Name: t.Name, ARN: t.ARN, Attributes: t.Attributes, Tags: t.Tags})
		}))
	}
}

func nameOfTable(t stack.Table) string       { return t.Name }
func nameOfQueue(q stack.Queue) string       { return q.Name }
func nameOfTopic(t stack.Topic) string       { return t.Name }
func nameOfStream(d stack.DataStream) string { return d.Name }

// change makes one part what a change says. After an error the list has the part
// that was there before, or none.
func change[T any](c stack.Change, to *[]T, from []T, name func(T) string, ensure func(T) error) error {
	named := func(t T) bool { return name(t) == c.Name }
	i := slices.IndexFunc(*to, named)
	if c.Kind == stack.Removed || i < 0 {
		return nil
	}
	err := ensure((*to)[i])
	if err == nil {
		return nil
	}
	if j := slices.IndexFunc(from, named); j >= 0 {
		(*to)[i] = from[j]
	} else {
		*to = slices.Delete(*to, i, i+1)
	}
	return err
}

// ensureTable makes a table, or brings it to what is declared, here or elsewhere.
func (h *house) ensureTable(ctx context.Context, t stack.Table) error {
	if target, ok := h.elsewhere["dynamodb"]; !ok {
		return h.tables.EnsureTable(t)
	} else if target.IsAWS() {
		return nil
	} else {
		return target.CreateTable(ctx, t)
	}
}

// ensureQueue makes a queue, or brings it to what is declared, here or elsewhere.
func (h *house) ensureQueue(ctx context.Context, q stack.Queue) error {
	if target, ok := h.elsewhere["sqs"]; !ok {
		return h.queues.EnsureQueue(q)
	} else if target.IsAWS() {
		return nil
	} else {
		return target.CreateQueue(ctx, q)
	}
}

// ensureStream makes a data stream, or brings it to what is declared, here or
// elsewhere.
func (h *house) ensureStream(ctx context.Context, d stack.DataStream) error {
	if target, ok := h.elsewhere["kinesis"]; !ok {
		return h.kinesis.EnsureStream(ctx, d)
	} else if target.IsAWS() {
		return nil
	} else {
		return target.CreateStream(ctx, d)
	}
}

// functions adds and changes functions. What has to be built is built before
// anything leads to it.
func (a *application) functions(ctx context.Context) {
	h := a.house
	var added []string
	for _, c := range a.of(stack.PartFunction) {
		f := a.to.Function(c.Name)
		switch c.Kind {
		case stack.Added:
			err := h.addFunction(*f)
			if err == nil {
				added = append(added, f.Name)
			}
			a.note(c, err)
		case stack.Changed:
			a.note(c, h.changeFunction(ctx, *f, a.built))
		}
	}
	if len(added) > 0 {
		// built has told of failures, and each invocation tells of its own.
		_ = h.functions.Rebuild(ctx, a.built, added...)
	}
}

// changeFunction gives a function other settings or other code.
func (h *house) changeFunction(ctx context.Context, f stack.Function, built func(Build)) error {
	if handler := h.cfg.Handlers[f.Name]; handler != nil {
		return h.functions.ReplaceHandler(f, handler)
	}
	f.Environment = h.environment(f)
	if h.functions.Replace(ctx, f, built) != nil {
		return errors.New("it goes on as it was until it can be built")
	}
	return nil
}

// removeFunctions ends functions that nothing leads to any more.
func (a *application) removeFunctions() {
	for _, c := range a.of(stack.PartFunction) {
		if c.Kind == stack.Removed {
			a.note(c, a.house.functions.Remove(c.Name))
		}
	}
}

// subscriptions brings the subscriptions of topics to what is declared.
func (a *application) subscriptions(ctx context.Context) {
	changed := a.of(stack.PartSubscription)
	if len(changed) == 0 {
		return
	}
	err := a.house.topics.EnsureSubscriptions(ctx, subscriptionSpecs(a.to))
	for _, c := range changed {
		a.note(c, err)
	}
}

// apis has the gateways serve what is declared. Open connections stay.
func (a *application) apis() {
	for _, served := range a.house.apis {
		var changed []stack.Change
		for _, c := range a.changes {
			if c.Part == stack.PartAPI && c.Name == served.declared.Name || c.Part == stack.PartRoute && c.API == served.declared.Name {
				changed = append(changed, c)
			}
		}
		now := apiNamed(a.to, served.declared.Name)
		if len(changed) == 0 || now == nil {
			continue
		}
		if now.Stage.Variables == nil { // none, and not those of the start
			now.Stage.Variables = make(map[string]string)
		}
		err := served.gateway.Deploy(now)
		if err != nil {
			*now = *apiNamed(a.from, now.Name)
		}
		for _, c := range changed {
			a.note(c, err)
		}
	}
}

// sources starts and ends mappings and schedules. A mapping begins anew too when
// its function or its queue has changed, whose limits it heeds.
func (a *application) sources() {
	h := a.house
	for _, m := range a.from.Mappings {
		if !slices.ContainsFunc(a.to.Mappings, func(n stack.EventSourceMapping) bool { return mappingTask(n) == mappingTask(m) }) {
			h.tasks.stop(mappingTask(m))
		}
	}
	triggers := a.of(stack.PartTrigger)
	for _, m := range a.to.Mappings {
		q := a.to.QueueByARN(m.SourceARN)
		if !isKnown(a.from.Mappings, m) || slices.ContainsFunc(triggers, func(c stack.Change) bool { return c.Leads == m.Function }) ||
			a.has(stack.PartFunction, m.Function) || q != nil && a.has(stack.PartQueue, q.Name) {
			h.startMapping(m, a.to)
		}
	}
	for _, c := range triggers {
		a.note(c, nil)
	}
	a.schedules()
}

func isKnown(all []stack.EventSourceMapping, m stack.EventSourceMapping) bool {
	return slices.ContainsFunc(all, func(n stack.EventSourceMapping) bool { return mappingTask(n) == mappingTask(m) })
}

func (a *application) schedules() {
	for _, c := range a.of(stack.PartSchedule) {
		for i := range a.from.Schedules {
			if s := &a.from.Schedules[i]; s.Name == c.Name {
				a.house.tasks.stop(scheduleTask(s))
			}
		}
		for i := range a.to.Schedules {
			if s := &a.to.Schedules[i]; s.Name == c.Name {
				a.house.startSchedule(s)
			}
		}
		a.note(c, nil)
	}
}
