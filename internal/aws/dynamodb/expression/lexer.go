package expression

import "unicode/utf8"

type tokenKind byte

const (
	tokenEnd    tokenKind = iota
	tokenWord             // an attribute's or function's name, or a keyword
	tokenName             // #name
	tokenValue            // :value
	tokenNumber           // digits
	tokenSymbol           // punctuation and comparators
	tokenBad              // anything else
)

// token is one word of an expression; start and end are its place in the
// source.
type token struct {
	kind       tokenKind
	text       string
	start, end int
}

// lex cuts source into tokens; the last is tokenEnd.
func lex(source string) []token {
	tokens := make([]token, 0, len(source)/4+2)
	for i := 0; ; {
		for i < len(source) && isSpace(source[i]) {
			i++
		}
		kind, length := scan(source[i:])
		tokens = append(tokens, token{kind, source[i : i+length], i, i + length})
		if kind == tokenEnd {
			return tokens
		}
		i += length
	}
}

// scan finds the token at the beginning of s.
func scan(s string) (kind tokenKind, length int) {
	if s == "" {
		return tokenEnd, 0
	}
	switch c := s[0]; {
	case isDigit(c):
		return tokenNumber, run(s, isDigit)
	case isNameByte(c):
		return tokenWord, run(s, isNameByte)
	case c == '#' || c == ':':
		return scanPlaceholder(s)
	case c == '<' && len(s) > 1 && (s[1] == '=' || s[1] == '>'), c == '>' && len(s) > 1 && s[1] == '=':
		return tokenSymbol, 2
	}
	switch s[0] {
	case '(', ')', '[', ']', ',', '.', '=', '<', '>', '+', '-':
		return tokenSymbol, 1
	}
	_, size := utf8.DecodeRuneInString(s)
	return tokenBad, size
}

func scanPlaceholder(s string) (kind tokenKind, length int) {
	length = 1 + run(s[1:], isNameByte)
	switch {
	case length == 1:
		return tokenBad, 1
	case s[0] == '#':
		return tokenName, length
	}
	return tokenValue, length
}

// run returns how many bytes at the beginning of s are in the class.
func run(s string, in func(byte) bool) int {
	for i := range len(s) {
		if !in(s[i]) {
			return i
		}
	}
	return len(s)
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || isDigit(c)
}
