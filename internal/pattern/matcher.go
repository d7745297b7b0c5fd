package pattern

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gatepost-dev/gatepost/internal/jsonpath"
)

// matcher says whether a value, which is never an array or an object, is one
// that the pattern asks for.
type matcher func(v jsonpath.Value) bool

// equal compares strings, booleans and null as they are, and numbers by value:
// 300 is 3.0e2. A string is never equal to a number.
func equal(want jsonpath.Value) matcher {
	number, isNumber := numberOf(want)
	return func(v jsonpath.Value) bool {
		if v.Kind() != want.Kind() {
			return false
		}
		if v.Str() == want.Str() && v.Bool() == want.Bool() {
			return true
		}
		n, ok := numberOf(v)
		return ok && isNumber && n == number
	}
}

func numberOf(v jsonpath.Value) (float64, bool) {
	if v.Kind() != jsonpath.Number {
		return 0, false
	}
	n, err := strconv.ParseFloat(v.Str(), 64)
	return n, err == nil
}

func none(not []matcher) matcher {
	return func(v jsonpath.Value) bool {
		for _, m := range not {
			if m(v) {
				return false
			}
		}
		return true
	}
}

func onString(test func(string) bool) matcher {
	return func(v jsonpath.Value) bool { return v.Kind() == jsonpath.String && test(v.Str()) }
}

func hasPrefix(p string) matcher {
	return onString(func(s string) bool { return strings.HasPrefix(s, p) })
}

func hasSuffix(p string) matcher {
	return onString(func(s string) bool { return strings.HasSuffix(s, p) })
}

func equalFold(p string) matcher {
	return onString(func(s string) bool { return strings.EqualFold(s, p) })
}

// hasPrefixFold compares as many characters as p has: in another case they may
// have another number of bytes.
func hasPrefixFold(p string) matcher {
	n := utf8.RuneCountInString(p)
	return onString(func(s string) bool {
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

func hasSuffixFold(p string) matcher {
	n := utf8.RuneCountInString(p)
	return onString(func(s string) bool {
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
func parseNumeric(v jsonpath.Value, path string) (matcher, error) {
	if v.Kind() != jsonpath.Array || v.Len() != 2 && v.Len() != 4 {
		return nil, at(path, `it takes a list such as [">", 0, "<=", 100]`)
	}
	first, low, err := comparison(v, 0, path)
	if err != nil || v.Len() == 2 {
		return compare(first, low), err
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
	above, below := compare(first, low), compare(second, high)
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
	n, ok := numberOf(operand)
	if !ok || n < -maxNumber || n > maxNumber {
		return "", 0, at(path, "%s must be a number from -5.0e9 to 5.0e9", clip(string(operand.JSON())))
	}
	return op.Str(), n, nil
}

func compare(operator string, bound float64) matcher {
	return func(v jsonpath.Value) bool {
		n, ok := numberOf(v)
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
