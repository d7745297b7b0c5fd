package vtl

// call is v.name(arguments) for the methods of Java's types that templates
// use. As in Velocity a method that a type has not leads nowhere; one that
// Java would throw an exception from is an error.
func (e *execution) call(v value, name string, arguments []value) (value, error) {
	switch v := v.(type) {
	case *inputObject:
		return v.call(name, arguments)
	case *utilObject:
		return e.utility(name, arguments)
	}
	if err := e.spend(1); err != nil {
		return nil, err
	}
	if result, ok, err := e.common(v, name, arguments); ok || err != nil {
		return result, err
	}
	switch v := v.(type) {
	case string:
		return e.textMethod(v, name, arguments)
	case *list:
		return e.listMethod(v, name, arguments)
	case *dict:
		return e.dictMethod(v, name, arguments)
	case number:
		return e.numberMethod(v, name, arguments)
	case *entry:
		switch name {
		case "getKey":
			return v.key, nil
		case "getValue":
			return v.value, nil
		}
	case *loop:
		switch name {
		case "getIndex", "getCount":
			return v.property(map[string]string{"getIndex": "index", "getCount": "count"}[name]), nil
		case "hasNext", "isFirst", "isLast":
			return v.property(map[string]string{"hasNext": "hasNext", "isFirst": "first", "isLast": "last"}[name]), nil
		}
	}
	return nil, nil
}

// common are the methods that every Java object has.
func (e *execution) common(v value, name string, arguments []value) (result value, ok bool, err error) {
	switch {
	case name == "toString" && len(arguments) == 0:
		s, err := e.textOf(v)
		if err == nil {
			err = e.checkText(len(s))
		}
		return s, true, err
	case name == "equals" && len(arguments) == 1:
		same, err := e.same(v, arguments[0], 0)
		return same, true, err
	}
	return nil, false, nil
}

// signature reports whether the arguments are of those kinds: s for a text, i
// for a whole number, l for a list, m for a map, any other letter for anything.
func signature(arguments []value, kinds string) bool {
	if len(arguments) != len(kinds) {
		return false
	}
	for i, a := range arguments {
		ok := true
		switch kinds[i] {
		case 's':
			_, ok = a.(string)
		case 'i':
			n, isNumber := a.(number)
			ok = isNumber && n.kind == whole
		case 'l':
			_, ok = a.(*list)
		case 'm':
			_, ok = a.(*dict)
		}
		if !ok {
			return false
		}
	}
	return true
}

func textArg(arguments []value, i int) string { return arguments[i].(string) }
func intArg(arguments []value, i int) int     { return arguments[i].(number).asInt() }
