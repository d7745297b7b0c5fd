package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// condition is one operator of a Condition with one key and its values. All of
// a statement's conditions must hold.
type condition struct {
	operator operator
	// negated operators hold when no value matches.
	negated bool
	key     string
	values  []string
}

// operator compares what the request has with one value of the policy. known is
// false when one of the two cannot be read.
type operator func(have, want string) (match, known bool)

// operators are those of "IAM JSON policy elements: Condition operators" that
// compare one value, by name. The others cannot be evaluated.
var operators = map[string]struct {
	compare operator
	negated bool
}{
	"StringEquals":              {stringEquals, false},
	"StringNotEquals":           {stringEquals, true},
	"StringEqualsIgnoreCase":    {stringEqualsFold, false},
	"StringNotEqualsIgnoreCase": {stringEqualsFold, true},
	"StringLike":                {stringLike, false},
	"StringNotLike":             {stringLike, true},
	"ArnEquals":                 {stringLike, false},
	"ArnLike":                   {stringLike, false},
	"ArnNotEquals":              {stringLike, true},
	"ArnNotLike":                {stringLike, true},
	"Bool":                      {stringEqualsFold, false},
	"IpAddress":                 {ipAddress, false},
	"NotIpAddress":              {ipAddress, true},
	"NumericEquals":             {numeric(func(c int) bool { return c == 0 }), false},
	"NumericNotEquals":          {numeric(func(c int) bool { return c == 0 }), true},
	"NumericLessThan":           {numeric(func(c int) bool { return c < 0 }), false},
	"NumericLessThanEquals":     {numeric(func(c int) bool { return c <= 0 }), false},
	"NumericGreaterThan":        {numeric(func(c int) bool { return c > 0 }), false},
	"NumericGreaterThanEquals":  {numeric(func(c int) bool { return c >= 0 }), false},
	"DateEquals":                {date(func(c int) bool { return c == 0 }), false},
	"DateNotEquals":             {date(func(c int) bool { return c == 0 }), true},
	"DateLessThan":              {date(func(c int) bool { return c < 0 }), false},
	"DateLessThanEquals":        {date(func(c int) bool { return c <= 0 }), false},
	"DateGreaterThan":           {date(func(c int) bool { return c > 0 }), false},
	"DateGreaterThanEquals":     {date(func(c int) bool { return c >= 0 }), false},
}

// parseConditions reads a Condition: {operator: {key: value or values}}. An
// operator that is not known stays without a comparison, and is unknown when it
// is evaluated.
func parseConditions(raw json.RawMessage) ([]condition, error) {
	byOperator, err := members(raw)
	if err != nil {
		return nil, err
	}
	var all []condition
	for _, o := range byOperator {
		known := operators[o.name]
		keys, err := members(o.value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", clip(o.name), err)
		}
		for _, k := range keys {
			values, err := scalars(k.value)
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", clip(o.name), clip(k.name), err)
			}
			all = append(all, condition{known.compare, known.negated, lower(k.name), values})
		}
	}
	return all, nil
}

// scalars reads one or several strings, numbers or booleans as texts.
func scalars(raw json.RawMessage) ([]string, error) {
	list := oneOrMany(raw)
	if len(list) == 0 {
		return nil, errors.New("the list is empty")
	}
	out := make([]string, len(list))
	for i, v := range list {
		s := strings.TrimSpace(string(v))
		switch {
		case s == "" || s == "null" || s[0] == '{' || s[0] == '[':
			return nil, errors.New("it must be a text, a number, a boolean or a list of them")
		case s[0] == '"':
			var err error
			if s, err = text(v); err != nil {
				return nil, err
			}
		}
		out[i] = s
	}
	return out, nil
}

func (c *condition) evaluate(context map[string]string) answer {
	have, there := context[c.key]
	if c.operator == nil || !there {
		return unknown
	}
	matched := no
	for _, want := range c.values {
		if strings.Contains(want, "${") {
			return unknown
		}
		match, known := c.operator(have, want)
		if !known {
			return unknown
		}
		if match {
			matched = yes
		}
	}
	if c.negated {
		return matched.not()
	}
	return matched
}

func stringEquals(have, want string) (match, known bool) { return have == want, true }
func stringEqualsFold(have, want string) (match, known bool) {
	return strings.EqualFold(have, want), true
}
func stringLike(have, want string) (match, known bool) { return Match(want, have), true }

func ipAddress(have, want string) (match, known bool) {
	address, err := netip.ParseAddr(have)
	if err != nil {
		return false, false
	}
	if !strings.Contains(want, "/") {
		one, err := netip.ParseAddr(want)
		return err == nil && one.Unmap() == address.Unmap(), err == nil
	}
	prefix, err := netip.ParsePrefix(want)
	return err == nil && prefix.Contains(address.Unmap()), err == nil
}

func numeric(holds func(c int) bool) operator {
	return func(have, want string) (match, known bool) {
		a, err := strconv.ParseFloat(have, 64)
		b, err2 := strconv.ParseFloat(want, 64)
		if err != nil || err2 != nil || a != a || b != b {
			return false, false
		}
		switch {
		case a < b:
			return holds(-1), true
		case a > b:
			return holds(1), true
		}
		return holds(0), true
	}
}

func date(holds func(c int) bool) operator {
	return func(have, want string) (match, known bool) {
		a, err := parseDate(have)
		b, err2 := parseDate(want)
		if err != nil || err2 != nil {
			return false, false
		}
		return holds(a.Compare(b)), true
	}
}

// parseDate reads the forms of ISO 8601 that the W3C names, or seconds since
// 1970.
func parseDate(s string) (time.Time, error) {
	if seconds, err := strconv.ParseInt(s, 10, 64); err == nil && len(s) > 4 {
		return time.Unix(seconds, 0), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no date", clip(s))
}
