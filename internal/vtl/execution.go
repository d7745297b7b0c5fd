package vtl

import (
	"context"
	"errors"
	"fmt"
	"regexp"
)

// textPerStep is how many bytes of text cost one step.
const textPerStep = 64

// execution is one run of a template.
type execution struct {
	ctx      context.Context
	template *Template
	data     *Data
	limits   Limits
	out      []byte
	steps    int
	// untilLook counts the steps to the next look at ctx.
	untilLook int
	variables map[string]value
	input     *inputObject
	patterns  map[string]*regexp.Regexp
}

func newExecution(ctx context.Context, t *Template, d *Data, l Limits) *execution {
	e := &execution{ctx: ctx, template: t, data: d, limits: l, steps: l.Steps, variables: map[string]value{}}
	e.input = &inputObject{execution: e}
	return e
}

// What ends a block early.
var (
	errBreak = errors.New("#break")
	errStop  = errors.New("#stop")
)

// run writes the whole template. #stop, and #break outside of any #foreach,
// end it without an error.
func (e *execution) run(body block) error {
	err := e.ctx.Err()
	if err == nil {
		err = e.block(body)
	}
	if errors.Is(err, errStop) || errors.Is(err, errBreak) {
		return nil
	}
	return err
}

// spend pays for work, and looks at ctx now and then.
func (e *execution) spend(steps int) error {
	if e.steps -= steps; e.steps < 0 {
		return fmt.Errorf("the template does more work than the %d steps it may", e.limits.Steps)
	}
	if e.untilLook -= steps; e.untilLook < 0 {
		e.untilLook = 1000
		return e.ctx.Err()
	}
	return nil
}

// descend pays for one element at that depth.
func (e *execution) descend(depth int) error {
	if depth > e.limits.Depth {
		return fmt.Errorf("lists and maps lie deeper in one another than %d", e.limits.Depth)
	}
	return e.spend(1)
}

// checkText refuses a text of more bytes than the output may have.
func (e *execution) checkText(size int) error {
	if size > e.limits.Output {
		return fmt.Errorf("a text would have %d bytes; %d are allowed", size, e.limits.Output)
	}
	return nil
}

// fault gives an error its place, unless it has one or is not the template's.
func (e *execution) fault(place at, err error) error {
	var located *Error
	if err == nil || errors.As(err, &located) || errors.Is(err, errBreak) || errors.Is(err, errStop) || e.ctx.Err() != nil && errors.Is(err, e.ctx.Err()) {
		return err
	}
	located = locate(e.template.source, int(place))
	located.What = err.Error()
	return located
}

func (e *execution) write(s string) error {
	if len(e.out)+len(s) > e.limits.Output {
		return fmt.Errorf("the output has more than %d bytes", e.limits.Output)
	}
	e.out = append(e.out, s...)
	return e.spend(len(s) / textPerStep)
}

func (e *execution) block(body block) error {
	for _, n := range body {
		if err := e.node(n); err != nil {
			return err
		}
	}
	return nil
}

func (e *execution) node(n node) error {
	if err := e.spend(1); err != nil {
		return e.fault(nodePlace(n), err)
	}
	switch n := n.(type) {
	case text:
		return e.fault(n.at, e.write(n.content))
	case *reference:
		return e.fault(n.at, e.writeReference(n))
	case setNode:
		return e.fault(n.at, e.set(n))
	case ifNode:
		return e.ifElse(n)
	case foreachNode:
		return e.fault(n.at, e.foreach(n))
	case breakNode:
		return errBreak
	}
	return errStop
}

// nodePlace is where a node stands; #break and #stop cannot fail.
func nodePlace(n node) at {
	switch n := n.(type) {
	case text:
		return n.at
	case *reference:
		return n.at
	case setNode:
		return n.at
	case foreachNode:
		return n.at
	case ifNode:
		return at(n.branches[0].condition.place())
	}
	return 0
}

// writeReference writes what a reference leads to. An unknown variable is
// written as it stands, unless it is quiet.
func (e *execution) writeReference(r *reference) error {
	if !e.knows(r.name) {
		if r.quiet {
			return nil
		}
		return e.write(r.source)
	}
	v, err := e.reference(r)
	if err != nil {
		return err
	}
	s, err := e.textOf(v)
	if err != nil {
		return err
	}
	return e.write(s)
}

// set assigns; as in Velocity, what has no value changes nothing.
func (e *execution) set(n setNode) error {
	v, err := e.value(n.value)
	if err != nil || v == nil {
		return err
	}
	if len(n.target.parts) == 0 {
		e.variables[n.target.name] = v
		return nil
	}
	last := n.target.parts[len(n.target.parts)-1]
	holder, err := e.follow(n.target.name, n.target.parts[:len(n.target.parts)-1])
	if err != nil {
		return err
	}
	if last.kind == property {
		return e.assign(holder, last.name, v)
	}
	i, err := e.value(last.arguments[0])
	if err != nil {
		return err
	}
	return e.assign(holder, i, v)
}

// assign sets a member of a map or an element of a list. Anything else has
// none, and as in Velocity nothing happens.
func (e *execution) assign(holder, key, v value) error {
	switch holder := holder.(type) {
	case *dict:
		name, err := e.textOf(key)
		if err != nil {
			return err
		}
		holder.set(name, v)
		e.input.changed = true
	case *list:
		n, ok := key.(number)
		if !ok {
			return nil
		}
		i, err := holder.place(n.asInt())
		if err != nil {
			return err
		}
		holder.items[i] = v
		e.input.changed = true
	}
	return nil
}

func (e *execution) ifElse(n ifNode) error {
	for _, br := range n.branches {
		holds, err := e.truth(br.condition)
		if err != nil {
			return e.fault(at(br.condition.place()), err)
		}
		if holds {
			return e.block(br.body)
		}
	}
	return e.block(n.otherwise)
}

// loop is $foreach, the state of the innermost #foreach.
type loop struct {
	index, count int
	parent       value
}

// foreach runs its body for each element of a list and each value of a map; of
// anything else there are none.
func (e *execution) foreach(n foreachNode) error {
	v, err := e.value(n.list)
	if err != nil {
		return err
	}
	items := elements(v)
	if err := e.spend(len(items)); err != nil {
		return err
	}
	restore := e.keep(n.name, "foreach", "velocityCount", "velocityHasNext")
	defer restore()
	state := &loop{count: len(items), parent: e.variables["foreach"]}
	for i := range min(len(items), e.limits.Iterations) {
		state.index = i
		e.variables["foreach"] = state
		e.variables["velocityCount"] = intOf(int64(i + 1))
		e.variables["velocityHasNext"] = i+1 < len(items)
		e.variables[n.name] = items[i]
		if err := e.block(n.body); errors.Is(err, errBreak) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

// elements are what #foreach walks, as they are when it begins.
func elements(v value) []value {
	switch v := v.(type) {
	case *list:
		return append([]value(nil), v.items...)
	case *dict:
		return v.list()
	}
	return nil
}

func (d *dict) list() []value {
	items := make([]value, len(d.keys))
	for i, key := range d.keys {
		items[i] = d.values[key]
	}
	return items
}

// keep remembers variables and returns what puts them back.
func (e *execution) keep(names ...string) func() {
	before := make([]value, len(names))
	for i, name := range names {
		before[i] = e.variables[name]
	}
	return func() {
		for i, name := range names {
			if before[i] == nil {
				delete(e.variables, name)
			} else {
				e.variables[name] = before[i]
			}
		}
	}
}
