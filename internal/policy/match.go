package policy

import "strings"

// maskedStar and maskedMark stand for a "*" and a "?" that a pattern means
// literally. They are no characters, so no subject has them.
const (
	maskedStar = '\uFDD0'
	maskedMark = '\uFDD1'
)

// Match reports whether a pattern matches the whole subject: "*" stands for any
// text, also across slashes and colons, and "?" for one character. It takes
// time in the product of the two lengths at most.
func Match(pattern, subject string) bool {
	p, s := []rune(pattern), []rune(subject)
	star, retry := -1, 0
	i, j := 0, 0
	for j < len(s) {
		switch {
		case i < len(p) && p[i] == '*':
			star, retry = i, j
			i++
		case i < len(p) && (p[i] == '?' || literal(p[i]) == s[j]):
			i++
			j++
		case star >= 0:
			// The last star takes one character more.
			retry++
			i, j = star+1, retry
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}

func literal(r rune) rune {
	switch r {
	case maskedStar:
		return '*'
	case maskedMark:
		return '?'
	}
	return r
}

// plainVariables replaces the variables that stand for a character, "${*}",
// "${?}" and "${$}". known is false when the pattern has another variable.
func plainVariables(pattern string) (plain string, known bool) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(pattern, "${")
		b.WriteString(before)
		if !found {
			return b.String(), true
		}
		name, after, _ := strings.Cut(rest, "}")
		switch name {
		case "*":
			b.WriteRune(maskedStar)
		case "?":
			b.WriteRune(maskedMark)
		case "$":
			b.WriteByte('$')
		default:
			return b.String(), false
		}
		pattern = after
	}
}

func lower(s string) string { return strings.ToLower(s) }
func same(s string) string  { return s }
