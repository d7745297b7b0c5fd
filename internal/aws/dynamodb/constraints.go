package dynamodb

import (
	"fmt"
	"slices"
	"strings"
)

// constraints gathers what is wrong with the members of a request by
// themselves; AWS reports it all in one error, before it looks any further.
type constraints struct{ found []string }

// maxConstraints is how many AWS reports.
const maxConstraints = 10

const notNull = "Member must not be null"

// add reports the value at a place. A nil value is shown as null.
func (c *constraints) add(value any, at, rule string) {
	if len(c.found) >= maxConstraints {
		return
	}
	shown := "null"
	if value != nil {
		shown = "'" + clip(fmt.Sprint(value)) + "'"
	}
	c.found = append(c.found, fmt.Sprintf("Value %s at '%s' failed to satisfy constraint: %s", shown, at, rule))
}

// clip keeps hostile input from filling an error message.
func clip(s string) string {
	if len(s) > 1000 {
		return strings.ToValidUTF8(s[:1000], "") + "…"
	}
	return s
}

func (c *constraints) err() error {
	switch n := len(c.found); n {
	case 0:
		return nil
	case 1:
		return invalid("1 validation error detected: %s", c.found[0])
	default:
		return invalid("%d validation errors detected: %s", n, strings.Join(c.found, "; "))
	}
}

// oneOf checks an enumeration; values stand in the order of AWS's message.
func (c *constraints) oneOf(value *string, at string, values ...string) {
	if value != nil && !slices.Contains(values, *value) {
		c.add(*value, at, "Member must satisfy enum value set: ["+strings.Join(values, ", ")+"]")
	}
}

// atLeast checks a number.
func (c *constraints) atLeast(value *int64, at string, least int64) {
	if value != nil && *value < least {
		c.add(*value, at, fmt.Sprintf("Member must have value greater than or equal to %d", least))
	}
}

// between checks a number that may be absent.
func (c *constraints) between(value *int64, at string, least, most int64) {
	c.atLeast(value, at, least)
	if value != nil && *value > most {
		c.add(*value, at, fmt.Sprintf("Member must have value less than or equal to %d", most))
	}
}

// optionalLength checks a text that may be absent.
func (c *constraints) optionalLength(value *string, at string, least, most int) {
	if value != nil {
		c.length(value, at, least, most)
	}
}

// length checks a text that must be there.
func (c *constraints) length(value *string, at string, least, most int) {
	switch {
	case value == nil:
		c.add(nil, at, notNull)
	case len(*value) < least:
		c.add(*value, at, fmt.Sprintf("Member must have length greater than or equal to %d", least))
	case len(*value) > most:
		c.add(*value, at, fmt.Sprintf("Member must have length less than or equal to %d", most))
	}
}

// count checks the length of a list or map that must be there; brackets are
// what it is shown in.
func (c *constraints) count(n int, there bool, brackets, at string, least, most int) {
	switch {
	case !there:
		c.add(nil, at, notNull)
	case n < least:
		c.add(brackets, at, fmt.Sprintf("Member must have length greater than or equal to %d", least))
	case n > most:
		c.add(brackets[:1]+"..."+brackets[1:], at, fmt.Sprintf("Member must have length less than or equal to %d", most))
	}
}

const namePattern = "[a-zA-Z0-9_.-]+"

// isName reports whether s matches namePattern.
func isName(s string) bool {
	for _, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.' || c == '-') {
			return false
		}
	}
	return s != ""
}

// name checks the name of a table or index.
func (c *constraints) name(value *string, at string) {
	if value != nil && !isName(nameOf(*value)) {
		c.add(*value, at, "Member must satisfy regular expression pattern: "+namePattern)
	}
	if value == nil {
		c.add(nil, at, notNull)
		return
	}
	short := nameOf(*value)
	c.length(&short, at, 3, 255)
}

// tableName checks the name of the table that a call is about.
func (c *constraints) tableName(value *string) { c.name(value, "tableName") }

// optionalName checks a name that may be absent.
func (c *constraints) optionalName(value *string, at string) {
	if value != nil {
		c.name(value, at)
	}
}

// nameOf returns the table's name: calls may give its ARN instead.
func nameOf(nameOrARN string) string {
	if strings.HasPrefix(nameOrARN, "arn:") {
		if _, name, ok := strings.Cut(nameOrARN, ":table/"); ok {
			return name
		}
	}
	return nameOrARN
}

// requiredTableName checks the name in calls on tables themselves, which
// report it otherwise than calls on items do.
func requiredTableName(value *string) error {
	if value == nil {
		return invalid("The parameter 'TableName' is required but was not present in the request")
	}
	if n := len(nameOf(*value)); n < 3 || n > 255 {
		return invalid("TableName must be at least 3 characters long and at most 255 characters long")
	}
	return nil
}

// The enumerations that several calls share.

func (c *constraints) returnConsumedCapacity(value *string) {
	c.oneOf(value, "returnConsumedCapacity", "INDEXES", "TOTAL", "NONE")
}

func (c *constraints) returnItemCollectionMetrics(value *string) {
	c.oneOf(value, "returnItemCollectionMetrics", "SIZE", "NONE")
}

func (c *constraints) returnValues(value *string) {
	c.oneOf(value, "returnValues", "ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW")
}

func (c *constraints) returnOnCheckFailure(value *string) {
	c.oneOf(value, "returnValuesOnConditionCheckFailure", "ALL_OLD", "NONE")
}
