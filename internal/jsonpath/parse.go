package jsonpath

import (
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxDepth is how deep arrays and objects may nest in a document.
const MaxDepth = 512

// SyntaxError says where a document is not JSON.
type SyntaxError struct {
	// Offset is the number of bytes before the fault.
	Offset int
	// What is wrong there.
	What string
}

// Error gives the place, counted from 1, and the fault.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("no JSON at byte %d: %s", e.Offset+1, e.What)
}

// Parse reads one JSON document (RFC 8259), with white space around it and
// nothing else. Of two members with the same name the last one's value counts,
// at the first one's place. Bytes that are no UTF-8, and halves of surrogate
// pairs, become U+FFFD. Its error is a *SyntaxError.
func Parse(data []byte) (Value, error) {
	// One copy: strings without escapes and numbers are parts of it.
	p := parser{scanner{string(data), 0}}
	p.space()
	v, err := p.value(0)
	if err != nil {
		return Value{}, err
	}
	if err := p.end(); err != nil {
		return Value{}, err
	}
	return v, nil
}

// Valid reports whether data is one JSON document that Parse would take.
func Valid(data []byte) bool {
	s := scanner{text: string(data)}
	s.space()
	return s.skip(0) == nil && s.end() == nil
}

type parser struct{ scanner }

// value reads the value that begins here and leaves the position behind it.
func (p *parser) value(depth int) (Value, error) {
	if p.at >= len(p.text) {
		return Value{}, p.fault("the document ends where a value should stand")
	}
	switch c := p.text[p.at]; c {
	case '{':
		return p.object(depth + 1)
	case '[':
		return p.array(depth + 1)
	case '"':
		s, err := p.str()
		return Value{kind: String, text: s}, err
	case 't', 'f', 'n':
		return p.word()
	default:
		from := p.at
		if err := p.number(); err != nil {
			return Value{}, err
		}
		return Value{kind: Number, text: p.text[from:p.at]}, nil
	}
}

func (p *parser) word() (Value, error) {
	from := p.at
	if err := p.skipWord(); err != nil {
		return Value{}, err
	}
	if p.text[from] == 'n' {
		return Value{}, nil
	}
	return Value{kind: Bool, text: p.text[from:p.at]}, nil
}

func (p *parser) str() (string, error) {
	from := p.at + 1
	plain, err := p.skipString()
	if err != nil {
		return "", err
	}
	return unquote(p.text[from:p.at-1], plain), nil
}

func (p *parser) array(depth int) (Value, error) {
	more, err := p.open(depth, ']')
	if err != nil || !more {
		return Value{kind: Array}, err
	}
	c := &children{}
	for more {
		item, err := p.value(depth)
		if err != nil {
			return Value{}, err
		}
		c.values = append(c.values, item)
		if more, err = p.next(']'); err != nil {
			return Value{}, err
		}
	}
	return Value{kind: Array, children: c}, nil
}

func (p *parser) object(depth int) (Value, error) {
	more, err := p.open(depth, '}')
	if err != nil || !more {
		return Value{kind: Object}, err
	}
	c := &children{}
	for more {
		key, err := p.key()
		if err != nil {
			return Value{}, err
		}
		member, err := p.value(depth)
		if err != nil {
			return Value{}, err
		}
		c.set(key, member)
		if more, err = p.next('}'); err != nil {
			return Value{}, err
		}
	}
	return Value{kind: Object, children: c}, nil
}

func (p *parser) key() (string, error) {
	if err := p.wantKey(); err != nil {
		return "", err
	}
	key, err := p.str()
	if err != nil {
		return "", err
	}
	return key, p.colon()
}

// unquote returns the content of a JSON string that is known to be well
// formed. plain says that it stands for itself: it has no escape, and no bytes
// that are no UTF-8.
func unquote(s string, plain bool) string {
	if plain {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '\\' && s[i+1] == 'u':
			r, size := unescape(s[i:])
			b = utf8.AppendRune(b, r)
			i += size
		case c == '\\':
			b = append(b, longForm(s[i+1]))
			i += 2
		case c < utf8.RuneSelf:
			b = append(b, c)
			i++
		default:
			r, size := utf8.DecodeRuneInString(s[i:])
			b = utf8.AppendRune(b, r)
			i += size
		}
	}
	return string(b)
}

// unescape reads the \uXXXX that s begins with, and its second half if it is
// the first of a surrogate pair. A half without its other is U+FFFD.
func unescape(s string) (r rune, size int) {
	r = hex4(s[2:])
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if len(s) >= 12 && s[6] == '\\' && s[7] == 'u' {
		if pair := utf16.DecodeRune(r, hex4(s[8:])); pair != utf8.RuneError {
			return pair, 12
		}
	}
	return utf8.RuneError, 6
}

func hex4(s string) rune {
	var r rune
	for i := range 4 {
		r = r<<4 | rune(hexDigit(s[i]))
	}
	return r
}

// hexDigit returns the value of a hexadecimal digit, or 16 for anything else.
func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 16
}

// longForm returns the byte that a letter after a backslash stands for, or 0
// if there is no such escape.
func longForm(c byte) byte {
	switch c {
	case '"', '\\', '/':
		return c
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return 0
}
