package jsonpath

import (
	"strings"
	"unicode/utf8"
	"unsafe"
)

// SelectBytes is Parse and Select in one. A path of plain names and indexes,
// such as $.action, builds no tree: the document is checked once from end to
// end, and only the value found is made. The error is Parse's or ErrSteps.
// data must not change during the call; the result keeps nothing of it.
func (p *Path) SelectBytes(data []byte) (found Value, ok bool, err error) {
	if !p.plain {
		v, err := Parse(data)
		if err != nil {
			return Value{}, false, err
		}
		steps := MaxSteps
		return p.SelectWithin(v, &steps)
	}
	// The scanner reads text. This string shares data's bytes and does not
	// outlive the call: what is found is copied out of it.
	t := tracer{scanner: scanner{text: unsafe.String(unsafe.SliceData(data), len(data))}}
	t.space()
	if err := t.trace(p.steps, 0); err != nil {
		return Value{}, false, err
	}
	if err := t.end(); err != nil {
		return Value{}, false, err
	}
	if !t.hit {
		return Value{}, false, nil
	}
	found, err = t.made()
	return found, err == nil, err
}

// tracer checks a document and notes where the value of a plain path stands.
type tracer struct {
	scanner
	hit      bool
	from, to int
	depth    int
}

// trace passes the value that begins here and follows the steps into it.
func (t *tracer) trace(steps []step, depth int) error {
	if len(steps) == 0 {
		return t.note(depth)
	}
	if t.at < len(t.text) {
		switch step := steps[0].(type) {
		case nameStep:
			if t.text[t.at] == '{' {
				return t.traceObject(step.names[0], steps[1:], depth+1)
			}
		case indexStep:
			if t.text[t.at] == '[' {
				return t.traceArray(step.indexes[0], steps[1:], depth+1)
			}
		}
	}
	return t.skip(depth)
}

func (t *tracer) note(depth int) error {
	t.hit, t.from, t.depth = true, t.at, depth
	err := t.skip(depth)
	t.to = t.at
	return err
}

func (t *tracer) traceObject(name string, rest []step, depth int) error {
	more, err := t.open(depth, '}')
	for err == nil && more {
		raw, plain, err := t.skipKey()
		if err != nil {
			return err
		}
		if raw == name && plain || !plain && unquote(raw, false) == name {
			// Of two members with the same name the last one counts.
			t.hit = false
			err = t.trace(rest, depth)
		} else {
			err = t.skip(depth)
		}
		if err != nil {
			return err
		}
		if more, err = t.next('}'); err != nil {
			return err
		}
	}
	return err
}

func (t *tracer) traceArray(index int, rest []step, depth int) error {
	more, err := t.open(depth, ']')
	for i := 0; err == nil && more; i++ {
		if i == index {
			err = t.trace(rest, depth)
		} else {
			err = t.skip(depth)
		}
		if err == nil {
			more, err = t.next(']')
		}
	}
	return err
}

// made returns the value found, in memory of its own.
func (t *tracer) made() (Value, error) {
	raw := strings.Clone(t.text[t.from:t.to])
	if raw[0] == '"' {
		content := raw[1 : len(raw)-1]
		whole := strings.IndexByte(content, '\\') < 0 && utf8.ValidString(content)
		return StringOf(unquote(content, whole)), nil
	}
	p := parser{scanner{text: raw}}
	return p.value(t.depth)
}
