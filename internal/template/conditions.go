package template

// callIf returns the branch that the named condition chooses; the other one is
// not evaluated.
func (e *evaluator) callIf(n, argument *node) (*node, error) {
	args, err := e.arguments(n, argument, 3, 3, "a list of a condition's name and two values")
	if err != nil {
		return nil, err
	}
	if !args[0].isScalar() {
		return nil, e.errorf(n, "Fn::If takes the name of a condition first, not %s", args[0].kind)
	}
	holds, err := e.condition(args[0])
	if err != nil {
		return nil, err
	}
	if holds {
		return e.resolve(args[1])
	}
	return e.resolve(args[2])
}

// condition evaluates the entry of the Conditions section that name names.
func (e *evaluator) condition(name *node) (bool, error) {
	expression := e.conditions.field(name.text)
	if expression == nil {
		return false, e.errorf(name, "there is no condition %s in the Conditions section", quote(name.text))
	}
	return e.test(expression)
}

// test evaluates a condition's expression.
func (e *evaluator) test(n *node) (bool, error) {
	if o, found := e.known[n]; found {
		return o.value != nil && o.value.text == "true", o.err
	}
	if err := e.enter(n); err != nil {
		return false, err
	}
	defer e.leave(n)
	holds, err := e.testCall(n)
	text := "false"
	if holds {
		text = "true"
	}
	e.known[n] = outcome{madeText(n, text), err}
	return holds, err
}

func (e *evaluator) testCall(n *node) (bool, error) {
	if n.kind != kindObject || len(n.fields) != 1 {
		return false, e.errorf(n, "a condition is one of Fn::Equals, Fn::And, Fn::Or, Fn::Not and Condition")
	}
	argument := n.fields[0].value
	switch name := n.fields[0].name; name {
	case "Condition":
		if !argument.isScalar() {
			return false, e.errorf(n, "Condition takes a condition's name, not %s", argument.kind)
		}
		return e.condition(argument)
	case "Fn::Equals":
		return e.testEquals(n, argument)
	case "Fn::Not":
		args, err := e.arguments(n, argument, 1, 1, "a list of one condition")
		if err != nil {
			return false, err
		}
		holds, err := e.test(args[0])
		return !holds && err == nil, err
	case "Fn::And":
		return e.testAll(n, argument, true)
	case "Fn::Or":
		return e.testAll(n, argument, false)
	default:
		return false, e.unsupported(n, "Gatepost cannot evaluate the condition %s; use Fn::Equals, Fn::And, Fn::Or, Fn::Not or Condition", quote(name))
	}
}

func (e *evaluator) testEquals(n, argument *node) (bool, error) {
	args, err := e.arguments(n, argument, 2, 2, "a list of two values")
	if err != nil {
		return false, err
	}
	left, err := e.text(args[0])
	if err != nil {
		return false, err
	}
	right, err := e.text(args[1])
	return left == right && err == nil, err
}

// testAll is Fn::And when each must hold, else Fn::Or. All are evaluated, so
// that a mistake in one shows whatever the others are.
func (e *evaluator) testAll(n, argument *node, each bool) (bool, error) {
	args, err := e.arguments(n, argument, 2, 10, "a list of 2 to 10 conditions")
	if err != nil {
		return false, err
	}
	holds := each
	for _, arg := range args {
		one, err := e.test(arg)
		if err != nil {
			return false, err
		}
		if one != each {
			holds = !each
		}
	}
	return holds, nil
}

// exists reports whether the resource's Condition holds, or it has none.
func (e *evaluator) exists(r *resource) (bool, error) {
	if r.condition == nil {
		return true, nil
	}
	return e.condition(r.condition)
}
