package pattern

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gatepost-dev/gatepost/internal/jsonpath"
)

// Matcher says whether a value, which is never an array or an object, is one
// that a pattern asks for. Any number of goroutines may call it.
type Matcher func(v jsonpath.Value) bool

// Equal compares strings, booleans and null as they are, and numbers by value:
// 300 is 3.0e2. A string is never equal to a number.
func Equal(want jsonpath.Value) Matcher {
	number, isNumber := NumberOf(want)
	return func(v jsonpath.Value) bool {
		if v.Kind() != want.Kind() {
			return false
		}
		if v.Str() == want.Str() && v.Bool() == want.Bool() {
			return true
		}
		n, ok := NumberOf(v)
		return ok && isNumber && n == number
	}
}

// NumberOf is the value of a number. ok is false for anything else, and for what
// no float64 can hold.
func NumberOf(v jsonpath.Value) (n float64, ok bool) {
	if v.Kind() != jsonpath.Number {
		return 0, false
	}
	n, err := strconv.ParseFloat(v.Str(), 64)
	return n, err == nil
}

// None matches what none of the matchers does.
func None(not []Matcher) Matcher {
	return func(v jsonpath.Value) bool {
		for _, m := range not {
			if m(v) {
				return false
			}
		}
		return true
	}
}

// OnString matches the strings that pass a test.
func OnString(test func(string) bool) Matcher {
	return func(v jsonpath.Value) bool { return v.Kind() == jsonpath.String && test(v.Str()) }
}

// HasPrefix matches the strings that begin with p.
func HasPrefix(p string) Matcher {
	return OnString(func(s string) bool { return strings.HasPrefix(s, p) })
}

// HasSuffix matches the strings that end with p.
func HasSuffix(p string) Matcher {
	return OnString(func(s string) bool { return strings.HasSuffix(s, p) })
}

// EqualFold matches the strings that are p in any case.
func EqualFold(p string) Matcher {
	return OnString(func(s string) bool { return strings.EqualFold(s, p) })
}

// hasPrefixFold compares as many characters as p has: in another case they may
// have another number of bytes.
func hasPrefixFold(p string) Matcher {
	n := utf8.RuneCountInString(p)
	return OnString(func(s string) bool {
		end := 0
		for range n {
			if end == len(s) {
				return false
			}
			_, size := utf8.DecodeRuneInString(s[end:])
			end += size
		}
		return strings.EqualFold(s[:end], p)
	})
}

func hasSuffixFold(p string) Matcher {
	n := utf8.RuneCountInString(p)
	return OnString(func(s string) bool {
		start := len(s)
		for range n {
			if start == 0 {
				return false
			}
			_, size := utf8.DecodeLastRuneInString(s[:start])
			start -= size
		}
		return strings.EqualFold(s[start:], p)
	})
}

// maxNumber bounds the numbers of numeric operators, both ways (EventBridge user
// guide, "Numeric matching").
const maxNumber = 5e9

// parseNumeric reads ["=", n], [op, n] or [">", low, "<", high], with >= and <=
// too.
func parseNumeric(v jsonpath.Value, path string) (Matcher, error) {
	if v.Kind() != jsonpath.Array || v.Len() != 2 && v.Len() != 4 {
		return nil, at(path, `it takes a list such as [">", 0, "<=", 100]`)
	}
	first, low, err := comparison(v, 0, path)
	if err != nil || v.Len() == 2 {
		return Compare(first, low), err
	}
	second, high, err := comparison(v, 2, path)
	switch {
	case err != nil:
		return nil, err
	case first != ">" && first != ">=" || second != "<" && second != "<=":
		return nil, at(path, `a range is written from below: [">", 0, "<=", 100]`)
	case low >= high:
		return nil, at(path, "the range is empty: its lower end must be below its upper end")
	}
	above, below := Compare(first, low), Compare(second, high)
	return func(v jsonpath.Value) bool { return above(v) && below(v) }, nil
}

// comparison reads an operator and its number at i.
func comparison(list jsonpath.Value, i int, path string) (operator string, n float64, err error) {
	op, operand := list.Index(i), list.Index(i+1)
	switch op.Str() {
	case "=", "<", "<=", ">", ">=":
	default:
		return "", 0, at(path, "%s is not one of \"=\", \"<\", \"<=\", \">\" and \">=\"", clip(string(op.JSON())))
	}
	n, ok := NumberOf(operand)
	if !ok || n < -maxNumber || n > maxNumber {
		return "", 0, at(path, "%s must be a number from -5.0e9 to 5.0e9", clip(string(operand.JSON())))
	}
	return op.Str(), n, nil
}

// Compare matches the numbers that stand so to the bound: the operator is "<",
// "<=", ">" or ">="; any other is "=".
func Compare(operator string, bound float64) Matcher {
	return func(v jsonpath.Value) bool {
		n, ok := NumberOf(v)
		if !ok {
			return false
		}
		switch operator {
		case "<":
			return n < bound
		case "<=":
			return n <= bound
		case ">":
			return n > bound
		case ">=":
			return n >= bound
		}
		return n == bound
	}
}
