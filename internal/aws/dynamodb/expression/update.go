package expression

import (
	"cmp"
	"slices"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/attribute"
)

// clause is a section of an update expression.
type clause string

const (
	clauseSet    clause = "SET"
	clauseRemove clause = "REMOVE"
	clauseAdd    clause = "ADD"
	clauseDelete clause = "DELETE"
)

// action is one change that an update makes.
type action struct {
	clause  clause
	target  *node
	operand *node // nil for clauseRemove
}

// Update is a parsed update expression. It serves one request, one call at
// a time.
type Update struct {
	actions []action
	paths   []Path
	// mismatch is the error when an attribute is not of the type that ADD or
	// DELETE needs.
	mismatch error
}

// ParseUpdate parses an UpdateExpression. The error is an *Error.
func ParseUpdate(source string, b *Bindings) (*Update, error) {
	u, err := parseUpdate(source, b)
	if err != nil {
		return nil, errorf("Invalid UpdateExpression: %v", err)
	}
	return u, nil
}

func parseUpdate(source string, b *Bindings) (*Update, error) {
	p := newParser(source, updateGrammar)
	u := &Update{mismatch: errOperandType}
	seen := make(map[clause]bool)
	var twice error
	for p.err == nil && (len(seen) == 0 || p.token().kind != tokenEnd) {
		c := clause(strings.ToUpper(p.token().text))
		if seen[c] && twice == nil {
			twice = errorf("The %q section can only be used once in an update expression;", string(c))
		}
		seen[c] = true
		u.section(p, c)
	}
	if p.err != nil {
		return nil, p.err
	}
	if err := u.check(b, twice); err != nil {
		return nil, err
	}
	if err := checkOperatorCount(p); err != nil {
		return nil, err
	}
	u.sort()
	return u, nil
}

// section reads a keyword and the list of actions behind it.
func (u *Update) section(p *parser, c clause) {
	parse := map[clause]func(*parser) action{clauseSet: parseSet, clauseRemove: parseRemove, clauseAdd: parseChange, clauseDelete: parseChange}[c]
	if parse == nil || p.token().kind != tokenWord {
		p.unexpected()
		return
	}
	p.advance()
	for {
		a := parse(p)
		a.clause = c
		u.actions = append(u.actions, a)
		if !p.accept(",") {
			return
		}
	}
}

func parseSet(p *parser) action {
	target := p.path()
	p.expect("=")
	operand := p.expression(powerLowest)
	if p.err == nil && !operand.isArithmetic() {
		p.operand(operand)
	}
	return action{target: target, operand: operand}
}

func parseRemove(p *parser) action { return action{target: p.path()} }

// parseChange reads what ADD and DELETE do: only values may stand there.
func parseChange(p *parser) action {
	target := p.path()
	if p.token().kind != tokenValue {
		return action{target: target, operand: p.unexpected()}
	}
	return action{target: target, operand: p.prefix()}
}

// check binds the actions and finds what is wrong with them, in the order in
// which AWS reports it.
func (u *Update) check(b *Bindings, twice error) error {
	for _, check := range []func(*node) error{checkReserved, checkFunctionName} {
		if err := u.firstError(check); err != nil {
			return err
		}
	}
	if twice != nil {
		return twice
	}
	for _, check := range []func(*node) error{bindNames(b), bindValues(b)} {
		if err := u.firstError(check); err != nil {
			return err
		}
	}
	var set pathSet
	for _, a := range u.actions {
		set.add(a.target.path)
	}
	u.paths = set.paths
	if err := set.err(); err != nil {
		return err
	}
	for _, a := range u.actions {
		if err := a.checkType(); err != nil {
			return err
		}
	}
	return u.firstError(checkUpdateFunction)
}

// firstError returns the first error that check finds in the actions.
func (u *Update) firstError(check func(*node) error) error {
	for _, a := range u.actions {
		if err := a.target.firstError(check); err != nil {
			return err
		}
		if a.operand == nil {
			continue
		}
		if err := a.operand.firstError(check); err != nil {
			return err
		}
	}
	return nil
}

var typeNames = map[attribute.Type]string{
	attribute.S: "STRING", attribute.N: "NUMBER", attribute.B: "BINARY", attribute.NULL: "NULL",
	attribute.BOOL: "BOOLEAN", attribute.L: "LIST", attribute.M: "MAP",
}

// checkType refuses a value that ADD or DELETE cannot work with: ADD takes
// numbers and sets, DELETE sets.
func (a action) checkType() error {
	if a.clause != clauseAdd && a.clause != clauseDelete {
		return nil
	}
	t := a.operand.typ()
	name, wrong := typeNames[t]
	if !wrong || a.clause == clauseAdd && t == attribute.N {
		return nil
	}
	return errorf("Incorrect operand type for operator or function; operator: %s, operand type: %s", a.clause, name)
}

func checkUpdateFunction(n *node) error {
	if err := checkArity(updateFunctions)(n); err != nil {
		return err
	}
	want := attribute.N
	switch n.op {
	case opIfNotExists:
		if n.args[0].op != opPath {
			return errorf("Operator or function requires a document path; operator or function: %s", n.name)
		}
		return nil
	case opListAppend:
		want = attribute.L
	case opPlus, opMinus:
	default:
		return nil
	}
	for _, arg := range n.args {
		if arg.op == opValue && arg.value.Type() != want {
			return wrongType(n, string(arg.value.Type()))
		}
	}
	return nil
}

// sort brings the actions into the order in which apply needs them: elements
// of lists come last, by their index, so that those past a list's end are
// appended in the order of their indexes.
func (u *Update) sort() {
	slices.SortStableFunc(u.actions, func(a, b action) int { return cmp.Compare(a.place(), b.place()) })
}

func (a action) place() int {
	last := a.target.path[len(a.target.path)-1]
	if last.IsIndex {
		return last.Index
	}
	return -1
}

// Paths returns the document paths that the update changes.
func (u *Update) Paths() []Path { return u.paths }

// AllPaths returns the document paths that the update changes or reads.
func (u *Update) AllPaths() []Path {
	paths := slices.Clone(u.paths)
	for _, a := range u.actions {
		if a.operand == nil {
			continue
		}
		a.operand.each(func(n *node) {
			if n.op == opPath {
				paths = append(paths, n.path)
			}
		})
	}
	return paths
}

// Projection picks what the update changes: what UPDATED_OLD and UPDATED_NEW
// return of the old and the new item.
func (u *Update) Projection() *Projection { return newProjection(u.paths) }

// Creates reports whether the update brings an item into being that does not
// exist. One that only takes away does not.
func (u *Update) Creates() bool {
	return slices.ContainsFunc(u.actions, func(a action) bool { return a.clause == clauseSet || a.clause == clauseAdd })
}

// ValueTypes calls visit for each top-level attribute that the update sets,
// with the type of its new value where that does not depend on the item.
func (u *Update) ValueTypes(visit func(name string, t attribute.Type)) {
	for _, a := range u.actions {
		if len(a.target.path) == 1 && a.operand != nil {
			if t := a.operand.typ(); t != "" {
				visit(a.target.path[0].Name, t)
			}
		}
	}
}
