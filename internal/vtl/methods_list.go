package vtl

import (
	"fmt"
	"slices"
	"strconv"
)

// listMethod is a method of a Java list, set or array.
func (e *execution) listMethod(l *list, name string, args []value) (value, error) {
	switch name {
	case "add", "addAll", "set", "remove", "clear":
		e.input.changed = true
		return e.changeList(l, name, args)
	}
	switch {
	case name == "size" && len(args) == 0:
		return intOf(int64(len(l.items))), nil
	case name == "isEmpty" && len(args) == 0:
		return len(l.items) == 0, nil
	case name == "get" && signature(args, "i"):
		i, err := l.javaIndex(intArg(args, 0), len(l.items))
		if err != nil {
			return nil, err
		}
		return l.items[i], nil
	case name == "contains" && len(args) == 1:
		i, err := e.indexOf(l, args[0], false)
		return i >= 0, err
	case name == "containsAll" && signature(args, "l"):
		return e.containsAll(l, args[0].(*list))
	case name == "indexOf" && len(args) == 1:
		i, err := e.indexOf(l, args[0], false)
		return intOf(int64(i)), err
	case name == "lastIndexOf" && len(args) == 1:
		i, err := e.indexOf(l, args[0], true)
		return intOf(int64(i)), err
	case name == "subList" && signature(args, "ii"):
		from, to := intArg(args, 0), intArg(args, 1)
		if from < 0 || to < from || to > len(l.items) {
			return nil, fmt.Errorf("subList(%d, %d) of a list of %d elements", from, to, len(l.items))
		}
		return &list{slices.Clone(l.items[from:to]), l.document}, e.spend(to - from)
	case (name == "toArray" || name == "iterator") && len(args) == 0:
		return &list{items: slices.Clone(l.items)}, e.spend(len(l.items))
	}
	return nil, nil
}

// javaIndex checks an index of a method, for which Java knows no counting from
// the end.
func (l *list) javaIndex(i, end int) (int, error) {
	if i < 0 || i >= end {
		return 0, fmt.Errorf("the list has %d elements and no index %d; ask its size() first", len(l.items), i)
	}
	return i, nil
}

func (e *execution) changeList(l *list, name string, args []value) (value, error) {
	switch {
	case name == "add" && len(args) == 1:
		l.items = append(l.items, args[0])
		return true, nil
	case name == "add" && signature(args, "i*"):
		i, err := l.javaIndex(intArg(args, 0), len(l.items)+1)
		if err != nil {
			return nil, err
		}
		l.items = slices.Insert(l.items, i, args[1])
		return "", e.spend(len(l.items) / 16)
	case name == "addAll" && signature(args, "l"):
		more := args[0].(*list).items
		if err := e.spend(len(more)); err != nil {
			return nil, err
		}
		l.items = append(l.items, more...)
		return len(more) > 0, nil
	case name == "set" && signature(args, "i*"):
		i, err := l.javaIndex(intArg(args, 0), len(l.items))
		if err != nil {
			return nil, err
		}
		before := l.items[i]
		l.items[i] = args[1]
		return before, nil
	case name == "remove" && signature(args, "i"):
		i, err := l.javaIndex(intArg(args, 0), len(l.items))
		if err != nil {
			return nil, err
		}
		before := l.items[i]
		l.items = slices.Delete(l.items, i, i+1)
		return before, e.spend(len(l.items) / 16)
	case name == "remove" && len(args) == 1:
		i, err := e.indexOf(l, args[0], false)
		if i >= 0 {
			l.items = slices.Delete(l.items, i, i+1)
		}
		return i >= 0, err
	case name == "clear" && len(args) == 0:
		l.items = nil
		return "", nil
	}
	return nil, nil
}

func (e *execution) indexOf(l *list, v value, last bool) (int, error) {
	found := -1
	for i, item := range l.items {
		same, err := e.same(item, v, 0)
		if err != nil {
			return -1, err
		}
		if same {
			found = i
			if !last {
				break
			}
		}
	}
	return found, nil
}

func (e *execution) containsAll(l, all *list) (value, error) {
	for _, item := range all.items {
		if i, err := e.indexOf(l, item, false); i < 0 || err != nil {
			return false, err
		}
	}
	return true, nil
}

// dictMethod is a method of a Java map.
func (e *execution) dictMethod(d *dict, name string, args []value) (value, error) {
	switch name {
	case "put", "putAll", "putIfAbsent", "remove", "clear":
		e.input.changed = true
		return e.changeDict(d, name, args)
	case "keySet", "entrySet", "values":
		if len(args) > 0 {
			return nil, nil
		}
		return d.view(name), e.spend(len(d.keys))
	}
	switch {
	case name == "size" && len(args) == 0:
		return intOf(int64(len(d.keys))), nil
	case name == "isEmpty" && len(args) == 0:
		return len(d.keys) == 0, nil
	case name == "containsValue" && len(args) == 1:
		i, err := e.indexOf(&list{items: d.list()}, args[0], false)
		return i >= 0, err
	}
	if len(args) == 0 {
		return nil, nil
	}
	key, err := e.textOf(args[0])
	if err != nil {
		return nil, err
	}
	v, ok := d.values[key]
	switch {
	case name == "get" && len(args) == 1:
		return v, nil
	case name == "containsKey" && len(args) == 1:
		return ok, nil
	case name == "getOrDefault" && len(args) == 2:
		if !ok {
			return args[1], nil
		}
		return v, nil
	}
	return nil, nil
}

// view is the list of a map's keys, values or entries as they are now.
func (d *dict) view(name string) *list {
	l := &list{items: make([]value, len(d.keys))}
	for i, key := range d.keys {
		switch name {
		case "keySet":
			l.items[i] = key
		case "values":
			l.items[i] = d.values[key]
		default:
			l.items[i] = &entry{key, d.values[key]}
		}
	}
	return l
}

func (e *execution) changeDict(d *dict, name string, args []value) (value, error) {
	switch {
	case name == "clear" && len(args) == 0:
		*d = *newDict(0)
		return "", nil
	case name == "putAll" && signature(args, "m"):
		more := args[0].(*dict)
		for _, key := range more.keys {
			d.set(key, more.values[key])
		}
		return "", e.spend(len(more.keys))
	case len(args) == 0:
		return nil, nil
	}
	key, err := e.textOf(args[0])
	if err != nil {
		return nil, err
	}
	before, ok := d.values[key]
	switch {
	case name == "put" && len(args) == 2:
		d.set(key, args[1])
	case name == "putIfAbsent" && len(args) == 2:
		if !ok {
			d.set(key, args[1])
		}
	case name == "remove" && len(args) == 1:
		d.remove(key)
		return before, e.spend(len(d.keys) / 16)
	}
	return before, nil
}

// numberMethod is a method of a Java number. parseInt and valueOf are static
// ones, which templates call on any number: $n.parseInt("12").
func (e *execution) numberMethod(n number, name string, args []value) (value, error) {
	switch {
	case (name == "intValue" || name == "longValue") && len(args) == 0:
		if n.kind == double {
			return intOf(int64(n.asInt())), nil
		}
		return n, nil
	case name == "doubleValue" && len(args) == 0:
		return doubleOf(n.asFloat()), nil
	case name == "compareTo" && len(args) == 1:
		other, ok := args[0].(number)
		if !ok {
			return nil, nil
		}
		order, _ := compareNumbers(n, other)
		return intOf(int64(order)), nil
	case (name == "parseInt" || name == "parseLong" || name == "valueOf") && signature(args, "s"):
		i, err := strconv.ParseInt(textArg(args, 0), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %q is no whole number", name, shorten(textArg(args, 0)))
		}
		return intOf(i), nil
	case name == "parseDouble" && signature(args, "s"):
		f, err := strconv.ParseFloat(textArg(args, 0), 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %q is no number", name, shorten(textArg(args, 0)))
		}
		return doubleOf(f), nil
	}
	return nil, nil
}

// shorten keeps the front of a text for a message.
func shorten(s string) string {
	if len(s) <= 40 {
		return s
	}
	return s[:40] + "..."
}
