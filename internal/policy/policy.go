// Package policy owns IAM policy documents as Lambda authorizers return them:
// it reads one and decides whether it lets an action happen on a resource.
//
// The rules are those of the IAM user guide ("IAM JSON policy elements
// reference" and "Policy evaluation logic"). What cannot be read is an error,
// and what cannot be evaluated lets nothing in.
package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Document is a policy that was read. It is never changed and may be used by
// many goroutines.
type Document struct{ statements []statement }

// Decision is what a policy says of a request.
type Decision int

// The decisions. The zero value refuses.
const (
	// ImplicitDeny: no statement allows the request.
	ImplicitDeny Decision = iota
	// Allowed: a statement allows it and none denies it.
	Allowed
	// ExplicitDeny: a statement denies it.
	ExplicitDeny
)

// Request is what a policy is asked about.
type Request struct {
	// Action is "execute-api:Invoke". Actions are compared without case.
	Action string
	// Resource is an ARN. Resources are compared with case.
	Resource string
	// Context holds the values of condition keys by their lower-case names, such
	// as "aws:sourceip". A key that is not here cannot be evaluated.
	Context map[string]string
}

// statement is one Statement.
type statement struct {
	deny       bool
	actions    patterns
	resources  patterns
	conditions []condition
}

// patterns are the values of Action, NotAction, Resource or NotResource.
type patterns struct {
	not  bool
	list []string
	// unknown: a pattern has a policy variable, which nothing here can fill in.
	unknown bool
}

// The versions of the policy language. A document without a version has the
// older one, which knows no variables.
const (
	version2008 = "2008-10-17"
	version2012 = "2012-10-17"
)

// Parse reads a policy document. The error says what is wrong and in which
// statement. Elements that it does not know are errors, because they might
// restrict what the others allow.
func Parse(raw []byte) (*Document, error) {
	elements, err := members(raw)
	if err != nil {
		return nil, fmt.Errorf("not a policy document: %w", err)
	}
	var d Document
	version := version2008
	var statements json.RawMessage
	for _, e := range elements {
		switch e.name {
		case "Version":
			version, err = text(e.value)
		case "Id":
			_, err = text(e.value)
		case "Statement":
			statements = e.value
		default:
			err = errors.New("an element that a policy does not have")
		}
		if err != nil {
			return nil, fmt.Errorf("policy element %q: %w", clip(e.name), err)
		}
	}
	if version != version2008 && version != version2012 {
		return nil, fmt.Errorf("policy version %q is neither %s nor %s", clip(version), version2012, version2008)
	}
	if statements == nil {
		return nil, errors.New("the policy has no Statement")
	}
	for i, raw := range oneOrMany(statements) {
		s, err := parseStatement(raw, version == version2012)
		if err != nil {
			return nil, fmt.Errorf("policy statement %d: %w", i+1, err)
		}
		d.statements = append(d.statements, s)
	}
	return &d, nil
}

func parseStatement(raw json.RawMessage, variables bool) (s statement, err error) {
	elements, err := members(raw)
	if err != nil {
		return s, err
	}
	var effect string
	var actions, resources *patterns
	for _, e := range elements {
		switch e.name {
		case "Sid":
			_, err = text(e.value)
		case "Effect":
			effect, err = text(e.value)
		case "Action", "NotAction":
			actions, err = parsePatterns(actions, e, false)
		case "Resource", "NotResource":
			resources, err = parsePatterns(resources, e, variables)
		case "Condition":
			s.conditions, err = parseConditions(e.value)
		default:
			err = errors.New("an element that a statement of an authorizer does not have")
		}
		if err != nil {
			return s, fmt.Errorf("%s: %w", clip(e.name), err)
		}
	}
	switch {
	case effect != "Allow" && effect != "Deny":
		return s, fmt.Errorf("the Effect is %q, not Allow or Deny", clip(effect))
	case actions == nil:
		return s, errors.New("there is no Action")
	case resources == nil:
		return s, errors.New("there is no Resource")
	}
	s.deny, s.actions, s.resources = effect == "Deny", *actions, *resources
	return s, nil
}

func parsePatterns(have *patterns, e member, variables bool) (*patterns, error) {
	if have != nil {
		return nil, errors.New("it is there twice, or with its Not form")
	}
	list, err := texts(e.value)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, errors.New("the list is empty")
	}
	p := &patterns{not: e.name[:3] == "Not", list: list}
	if variables {
		for i := range list {
			var known bool
			list[i], known = plainVariables(list[i])
			p.unknown = p.unknown || !known
		}
	}
	return p, nil
}

// Decide evaluates the document. A Deny that matches wins over every Allow,
// wherever they stand. A statement with something that cannot be evaluated
// allows nothing, and denies if it is a Deny that otherwise matches.
func (d *Document) Decide(r Request) Decision {
	decision := ImplicitDeny
	for i := range d.statements {
		s := &d.statements[i]
		switch matches := s.matches(r); {
		case s.deny && matches != no:
			return ExplicitDeny
		case !s.deny && matches == yes:
			decision = Allowed
		}
	}
	return decision
}

// answer is yes, no, or that nobody can say.
type answer int

const (
	no answer = iota
	yes
	unknown
)

// and is no where one of the two is, and unknown where one is not known.
func (a answer) and(b answer) answer {
	switch {
	case a == no || b == no:
		return no
	case a == unknown || b == unknown:
		return unknown
	}
	return yes
}

func (a answer) not() answer {
	switch a {
	case yes:
		return no
	case no:
		return yes
	}
	return unknown
}

func is(b bool) answer {
	if b {
		return yes
	}
	return no
}

func (s *statement) matches(r Request) answer {
	a := s.actions.match(lower(r.Action), lower).and(s.resources.match(r.Resource, same))
	for i := range s.conditions {
		a = a.and(s.conditions[i].evaluate(r.Context))
	}
	return a
}

func (p *patterns) match(subject string, fold func(string) string) answer {
	if p.unknown {
		return unknown
	}
	matched := slices.ContainsFunc(p.list, func(pattern string) bool { return Match(fold(pattern), subject) })
	return is(matched != p.not)
}
