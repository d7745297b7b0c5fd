package attribute

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxDepth is how deep maps and lists may be nested in an item.
const MaxDepth = 32

// FormError tells that JSON has another form than an attribute value has: an
// S that is a number, for example. The service answers it as
// a SerializationException.
type FormError struct{ Message string }

// Error returns the message.
func (e *FormError) Error() string { return e.Message }

// Input is a map of attribute values as a request brings it: an item, a key,
// or the values of an expression. A wrong value does not fail the decoding of
// the request, because AWS checks other members first; Check tells of it.
type Input struct {
	// Map holds what was read; nil when the request has no such member.
	Map Map
	// err is the first *ValueError, under the name of its attribute.
	err  error
	name string
}

// UnmarshalJSON reads a JSON object of attribute values. Its errors are
// *FormError.
func (in *Input) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		return nil
	}
	r := reader{text: text}
	fields, err := r.fields()
	if err != nil {
		return err
	}
	in.Map, in.err, in.name = NewMap(fields), r.invalid, r.invalidIn
	return nil
}

// Check returns the first wrong value's *ValueError and its attribute's name.
func (in *Input) Check() (name string, err error) { return in.name, in.err }

// InputValue is one attribute value as a request brings it; see Input.
type InputValue struct {
	Value Value
	err   error
}

// UnmarshalJSON reads an attribute value. Its errors are *FormError.
func (in *InputValue) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		return nil
	}
	r := reader{text: text}
	v, err := r.value()
	in.Value, in.err = v, r.invalid
	return err
}

// Check returns the *ValueError of a wrong value.
func (in *InputValue) Check() error { return in.err }

// reader reads attribute values out of JSON that encoding/json has found to be
// well formed.
type reader struct {
	text  []byte
	at    int
	depth int
	// invalid is the first error about a value, invalidIn its attribute.
	invalid   error
	invalidIn string
	top       string
}

const className = "com.amazonaws.dynamodb.v20120810.AttributeValue"

// fields reads an object of attribute values.
func (r *reader) fields() ([]Field, error) {
	switch r.peek() {
	case '{':
	case '[':
		return nil, &FormError{"Unrecognized collection type java.util.Map<java.lang.String, " + className + ">"}
	default:
		return nil, &FormError{"Unexpected field type"}
	}
	fields := []Field{}
	err := r.members('}', func() error {
		name := r.key()
		if r.depth == 0 {
			r.top = name
		}
		v, err := r.value()
		if v != nil {
			fields = append(fields, Field{name, v})
		}
		return err
	})
	return fields, err
}

// value reads {"S": "..."} and the like. It returns nil for a wrong value.
func (r *reader) value() (Value, error) {
	switch r.peek() {
	case '{':
	case '[':
		return nil, &FormError{"Unrecognized collection type class " + className}
	case 'n':
		r.skip()
		r.fail(errEmpty)
		return nil, nil
	default:
		return nil, &FormError{"Unexpected value type in payload"}
	}
	var v Value
	types := 0
	err := r.members('}', func() error {
		name := r.key()
		if r.peek() == 'n' {
			r.skip()
			return nil
		}
		member, known, err := r.typed(Type(name))
		if known {
			v = member
			types++
		}
		return err
	})
	switch {
	case types == 0:
		r.fail(errEmpty)
	case types > 1:
		r.fail(errSeveral)
	}
	return v, err
}

var (
	errEmpty   = errorf("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
	errSeveral = errorf("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
	errDepth   = errorf("One or more parameter values were invalid: Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit")
)

// fail keeps the first error about a value.
func (r *reader) fail(err error) {
	if r.invalid == nil {
		r.invalid, r.invalidIn = err, r.top
	}
}

// typed reads what stands behind a type's name; known is false for a name that
// is no type's, which is passed over.
func (r *reader) typed(t Type) (v Value, known bool, err error) {
	switch t {
	case S:
		s, err := r.string("String")
		return String(s), true, err
	case N:
		s, err := r.string("String")
		return r.number(s), true, err
	case B:
		s, err := r.blob()
		return Binary(s), true, err
	case BOOL:
		b, err := r.bool()
		return Bool(b), true, err
	case NULL:
		b, err := r.bool()
		if err == nil && !b {
			r.fail(errorf("One or more parameter values were invalid: Null attribute value types must have the value of true"))
		}
		return Null{}, true, err
	case SS, NS, BS:
		v, err := r.set(t)
		return v, true, err
	case L, M:
		v, err := r.container(t)
		return v, true, err
	}
	r.skip()
	return nil, false, nil
}

func (r *reader) number(text string) Value {
	n, err := ParseNumber(text)
	if err != nil {
		r.fail(err)
	}
	return n
}

func (r *reader) container(t Type) (Value, error) {
	if r.depth >= MaxDepth {
		r.skip()
		r.fail(errDepth)
		return Null{}, nil
	}
	r.depth++
	defer func() { r.depth-- }()
	if t == M {
		fields, err := r.fields()
		return NewMap(fields), err
	}
	list := List{}
	err := r.list(func() error {
		v, err := r.value()
		if v != nil {
			list = append(list, v)
		}
		return err
	})
	return list, err
}

func (r *reader) set(t Type) (Value, error) {
	members := []string{}
	err := r.list(func() error {
		read := r.blob
		if t != BS {
			read = func() (string, error) { return r.string("String") }
		}
		s, err := read()
		members = append(members, s)
		return err
	})
	if err != nil {
		return nil, err
	}
	switch t {
	case SS:
		return r.stringSet(members), nil
	case NS:
		return r.numberSet(members), nil
	}
	return r.binarySet(members), nil
}

const invalidValues = "One or more parameter values were invalid: "

func (r *reader) stringSet(members []string) Value {
	switch {
	case len(members) == 0:
		r.fail(errorf(invalidValues + "An string set  may not be empty"))
	case hasDuplicates(members):
		r.fail(errorf(invalidValues+"Input collection [%s] contains duplicates.", clip(strings.Join(members, ", "))))
	}
	return StringSet(members)
}

func (r *reader) numberSet(members []string) Value {
	if len(members) == 0 {
		r.fail(errorf(invalidValues + "An number set  may not be empty"))
	}
	set := make(NumberSet, len(members))
	for i, text := range members {
		n, err := ParseNumber(text)
		if err != nil {
			r.fail(err)
			return set
		}
		set[i] = n
	}
	if hasDuplicates(set) {
		r.fail(errorf("Input collection contains duplicates"))
	}
	return set
}

func (r *reader) binarySet(members []string) Value {
	switch {
	case len(members) == 0:
		r.fail(errorf(invalidValues + "Binary sets should not be empty"))
	case hasDuplicates(members):
		shown := make([]string, len(members))
		for i, m := range members {
			shown[i] = base64.StdEncoding.EncodeToString([]byte(m))
		}
		r.fail(errorf(invalidValues+"Input collection [%s]of type BS contains duplicates.", clip(strings.Join(shown, ", "))))
	}
	return BinarySet(members)
}

func (r *reader) list(each func() error) error {
	switch r.peek() {
	case '[':
		return r.members(']', each)
	case '{':
		return &FormError{"Start of structure or map found where not expected"}
	}
	return &FormError{"Unexpected field type"}
}

func (r *reader) blob() (string, error) {
	if c := r.peek(); c == 't' || c == 'f' || c == '-' || c >= '0' && c <= '9' {
		return "", &FormError{"only base-64-encoded strings are convertible to bytes"}
	}
	text, err := r.string("ByteBuffer")
	if err != nil {
		return "", err
	}
	if len(text)%4 != 0 {
		return "", &FormError{fmt.Sprintf("Base64 encoded length is expected a multiple of 4 bytes but found: %d", len(text))}
	}
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return "", &FormError{"Invalid last non-pad Base64 character dectected"}
	}
	return string(b), nil
}

func (r *reader) bool() (bool, error) {
	switch c := r.peek(); c {
	case 't', 'f':
		r.skip()
		return c == 't', nil
	case '"':
		return r.boolText()
	}
	return false, r.wrongScalar("Boolean")
}

// boolText reads a boolean written as a string, which AWS accepts.
func (r *reader) boolText() (bool, error) {
	text, err := r.string("Boolean")
	switch strings.ToUpper(text) {
	case "TRUE", "YES", "1":
		return true, err
	case "FALSE", "NO", "0":
		return false, err
	}
	return false, &FormError{"Unexpected token received from parser"}
}

// wrongScalar is AWS's word for a value that is not of the wanted class.
func (r *reader) wrongScalar(class string) error {
	switch r.peek() {
	case '{':
		return &FormError{"Start of structure or map found where not expected"}
	case '[':
		return &FormError{"Unrecognized collection type class java.lang." + class}
	case 't':
		return &FormError{"TRUE_VALUE cannot be converted to " + class}
	case 'f':
		return &FormError{"FALSE_VALUE cannot be converted to " + class}
	}
	return &FormError{"NUMBER_VALUE cannot be converted to " + class}
}

// The lexical part.

// peek returns the next character that is not space, 0 at the end.
func (r *reader) peek() byte {
	for ; r.at < len(r.text); r.at++ {
		switch c := r.text[r.at]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

// members reads a bracketed list of things with commas between them.
func (r *reader) members(end byte, each func() error) error {
	r.at++ // the opening bracket
	for r.peek() != end {
		if r.at >= len(r.text) {
			return &FormError{"Unexpected end of input"}
		}
		if err := each(); err != nil {
			return err
		}
		if r.peek() == ',' {
			r.at++
		}
	}
	r.at++
	return nil
}

// key reads a member's name and the colon.
func (r *reader) key() string {
	r.peek()
	name, _ := r.string("String")
	if r.peek() == ':' {
		r.at++
	}
	return name
}

func (r *reader) string(class string) (string, error) {
	if r.peek() != '"' {
		err := r.wrongScalar(class)
		r.skip()
		return "", err
	}
	raw, plain := r.token()
	if plain && utf8.Valid(raw) {
		return string(raw[1 : len(raw)-1]), nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", &FormError{"Unexpected end of input"}
	}
	return s, nil
}

// token passes over a string and returns it with its quotes; plain is true
// when it has no escapes.
func (r *reader) token() (raw []byte, plain bool) {
	start := r.at
	plain = true
	for r.at++; r.at < len(r.text); r.at++ {
		switch r.text[r.at] {
		case '"':
			r.at++
			return r.text[start:r.at], plain
		case '\\':
			plain = false
			r.at++
		}
	}
	return r.text[start:], false
}

// skip passes over one JSON value.
func (r *reader) skip() {
	for depth := 0; r.peek() != 0; {
		switch c := r.text[r.at]; c {
		case '"':
			r.token()
		case '{', '[':
			depth++
			r.at++
		case '}', ']':
			depth--
			r.at++
		case ',', ':':
			r.at++
		default:
			r.scalar()
		}
		if depth <= 0 {
			return
		}
	}
}

// scalar passes over a number, true, false or null.
func (r *reader) scalar() {
	for r.at++; r.at < len(r.text); r.at++ {
		if strings.IndexByte(" \t\r\n,:]}", r.text[r.at]) >= 0 {
			return
		}
	}
}
