package jsonpath

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// scanner checks JSON and finds where values end; it builds nothing.
type scanner struct {
	text string
	at   int
}

func (s *scanner) fault(what string) error { return &SyntaxError{s.at, what} }

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// end accepts white space up to the end of the document and nothing else.
func (s *scanner) end() error {
	s.space()
	if s.at < len(s.text) {
		return s.fault("there is more after the document")
	}
	return nil
}

// skip passes over the value that begins here.
func (s *scanner) skip(depth int) error {
	if s.at >= len(s.text) {
		return s.fault("the document ends where a value should stand")
	}
	switch s.text[s.at] {
	case '{':
		return s.skipObject(depth + 1)
	case '[':
		return s.skipArray(depth + 1)
	case '"':
		_, err := s.skipString()
		return err
	case 't', 'f', 'n':
		return s.skipWord()
	}
	return s.number()
}

func (s *scanner) skipArray(depth int) error {
	more, err := s.open(depth, ']')
	for err == nil && more {
		if err = s.skip(depth); err == nil {
			more, err = s.next(']')
		}
	}
	return err
}

func (s *scanner) skipObject(depth int) error {
	more, err := s.open(depth, '}')
	for err == nil && more {
		if _, _, err = s.skipKey(); err != nil {
			return err
		}
		if err = s.skip(depth); err == nil {
			more, err = s.next('}')
		}
	}
	return err
}

// skipKey passes over a member's name and its colon and returns the name as
// it stands between the quotes; plain is as skipString has it.
func (s *scanner) skipKey() (raw string, plain bool, err error) {
	if err := s.wantKey(); err != nil {
		return "", false, err
	}
	from := s.at + 1
	if plain, err = s.skipString(); err != nil {
		return "", false, err
	}
	raw = s.text[from : s.at-1]
	return raw, plain, s.colon()
}

// open passes the bracket that the position is at; more is false when the
// closing one follows at once, which it passes too.
func (s *scanner) open(depth int, closing byte) (more bool, err error) {
	if depth > MaxDepth {
		return false, s.fault(fmt.Sprintf("arrays and objects nest deeper than %d", MaxDepth))
	}
	s.at++
	s.space()
	if s.at < len(s.text) && s.text[s.at] == closing {
		s.at++
		return false, nil
	}
	return true, nil
}

// next passes the comma before another item, or the closing bracket.
func (s *scanner) next(closing byte) (more bool, err error) {
	s.space()
	if s.at < len(s.text) {
		switch s.text[s.at] {
		case ',':
			s.at++
			s.space()
			return true, nil
		case closing:
			s.at++
			return false, nil
		}
	}
	return false, s.fault(fmt.Sprintf("a comma or %q should stand here", closing))
}

func (s *scanner) wantKey() error {
	if s.at >= len(s.text) || s.text[s.at] != '"' {
		return s.fault("a name in double quotes should stand here")
	}
	return nil
}

func (s *scanner) colon() error {
	s.space()
	if s.at >= len(s.text) || s.text[s.at] != ':' {
		return s.fault("a colon should stand here")
	}
	s.at++
	s.space()
	return nil
}

// skipString passes the string that begins here. plain says that what stands
// between the quotes has neither escapes nor bytes beyond ASCII.
func (s *scanner) skipString() (plain bool, err error) {
	plain = true
	for i := s.at + 1; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == '"':
			s.at = i + 1
			return plain, nil
		case c == '\\':
			plain = false
			size := escapeSize(s.text[i:])
			if size == 0 {
				s.at = i
				return false, s.fault("this is no escape that JSON knows")
			}
			i += size - 1
		case c < ' ':
			s.at = i
			return false, s.fault("a control character within a string must be escaped")
		case c >= utf8.RuneSelf:
			plain = false
		}
	}
	s.at = len(s.text)
	return false, s.fault("the string is not closed")
}

// escapeSize returns the length of the escape that s begins with, or 0 if it
// is none.
func escapeSize(s string) int {
	if len(s) < 2 {
		return 0
	}
	if s[1] != 'u' {
		if longForm(s[1]) == 0 {
			return 0
		}
		return 2
	}
	if len(s) < 6 {
		return 0
	}
	for i := 2; i < 6; i++ {
		if hexDigit(s[i]) > 15 {
			return 0
		}
	}
	return 6
}

func (s *scanner) skipWord() error {
	for _, word := range [...]string{"true", "false", "null"} {
		if strings.HasPrefix(s.text[s.at:], word) {
			s.at += len(word)
			return nil
		}
	}
	return s.fault("a value should stand here")
}

// number passes a number: -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func (s *scanner) number() error {
	from := s.at
	s.pass("-")
	switch {
	case s.pass("0"):
	case !s.digits():
		if s.at == from {
			return s.fault("a value should stand here")
		}
		return s.fault("a digit should stand here")
	}
	if s.pass(".") && !s.digits() {
		return s.fault("a digit should stand after the decimal point")
	}
	if s.pass("eE") {
		s.pass("+-")
		if !s.digits() {
			return s.fault("a digit should stand in the exponent")
		}
	}
	return nil
}

// pass passes one of the bytes, if one is here.
func (s *scanner) pass(oneOf string) bool {
	if s.at < len(s.text) && strings.IndexByte(oneOf, s.text[s.at]) >= 0 {
		s.at++
		return true
	}
	return false
}

func (s *scanner) digits() bool {
	from := s.at
	for s.at < len(s.text) && '0' <= s.text[s.at] && s.text[s.at] <= '9' {
		s.at++
	}
	return s.at > from
}
