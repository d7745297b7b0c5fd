package gatepost

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/stack"
)

// What cannot change while the system runs: an API has its port, and its address
// is in every function's environment; a debugger has its function.
var (
	errPort     = errors.New("it gets its port at the next start")
	errPortKept = errors.New("it is served until the next start")
	errAddress  = errors.New("its id, its stage's name, its domains and its execute-api endpoint change at the next start")
	errDebugger = errors.New("it runs under a debugger, and changes at the next start")
)

// holdBack takes back what needs a new start, and notes it.
func (a *application) holdBack() {
	for _, c := range stack.Difference(a.from, a.to) {
		switch c.Part {
		case stack.PartAPI:
			a.holdAPI(c)
		case stack.PartFunction:
			a.holdFunction(c)
		}
	}
}

func (a *application) holdAPI(c stack.Change) {
	before, now := apiNamed(a.from, c.Name), apiNamed(a.to, c.Name)
	switch c.Kind {
	case stack.Added:
		a.to.APIs = slices.DeleteFunc(a.to.APIs, func(api apigw.API) bool { return api.Name == c.Name })
		a.note(c, errPort)
	case stack.Removed:
		a.to.APIs = append(a.to.APIs, *before)
		a.note(c, errPortKept)
	case stack.Changed:
		wanted := *now
		now.ID, now.Stage.Name, now.Domains, now.DisableExecuteAPIEndpoint = before.ID, before.Stage.Name, before.Domains, before.DisableExecuteAPIEndpoint
		if slices.ContainsFunc(stack.Difference(&stack.Stack{APIs: []apigw.API{wanted}}, &stack.Stack{APIs: []apigw.API{*now}}),
			func(c stack.Change) bool { return c.Part == stack.PartAPI }) {
			a.note(stack.Change{Kind: stack.Changed, Part: stack.PartAPI, Name: c.Name}, errAddress)
		}
	}
}

func (a *application) holdFunction(c stack.Change) {
	if _, debugged := a.house.cfg.Debug[c.Name]; !debugged || c.Kind == stack.Added {
		return
	}
	before := *a.from.Function(c.Name)
	if now := a.to.Function(c.Name); now != nil {
		*now = before
	} else {
		a.to.Functions = append(a.to.Functions, before)
	}
	a.note(c, errDebugger)
}

// heldBack says what was held back, as one error, or nil.
func (a *application) heldBack() error {
	var errs []error
	for _, c := range a.applied {
		errs = append(errs, fmt.Errorf("%s %s: %w", c.Part, c.Name, c.Err))
	}
	return errors.Join(errs...)
}
