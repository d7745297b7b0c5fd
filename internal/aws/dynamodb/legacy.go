package dynamodb

import (
	"maps"
	"slices"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/attribute"
	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/expression"
)

// The parameters that expressions have replaced, which older applications
// still send.

// legacyCondition is one entry of Expected, KeyConditions, QueryFilter or
// ScanFilter. Value and Exists stand in Expected only.
type legacyCondition struct {
	ComparisonOperator *string
	AttributeValueList []attribute.InputValue
	Value              *attribute.InputValue
	Exists             *bool
}

type legacyConditions map[string]*legacyCondition

// comparisonTypes are the types that an operator's values may have; absent
// operators have none, or take any.
var comparisonTypes = map[string][]attribute.Type{
	"EQ": allButDocuments, "NE": allButDocuments,
	"LE": scalars, "LT": scalars, "GE": scalars, "GT": scalars, "CONTAINS": scalars, "NOT_CONTAINS": scalars, "IN": scalars, "BETWEEN": scalars,
	"BEGINS_WITH": {attribute.S, attribute.B},
}

var (
	scalars         = []attribute.Type{attribute.S, attribute.N, attribute.B}
	allButDocuments = []attribute.Type{attribute.S, attribute.N, attribute.B, attribute.SS, attribute.NS, attribute.BS}
)

// constrain checks the operators of conditions.
func (l legacyConditions) constrain(c *constraints, at string, required bool) {
	for _, name := range slices.Sorted(maps.Keys(l)) {
		place := at + "." + name + ".member.comparisonOperator"
		switch operator := l[name].operator(); {
		case operator != nil:
			c.oneOf(operator, place, "IN", "NULL", "BETWEEN", "LT", "NOT_CONTAINS", "EQ", "GT", "NOT_NULL", "NE", "LE", "BEGINS_WITH", "GE", "CONTAINS")
		case required:
			c.add(nil, place, notNull)
		}
	}
}

func (l *legacyCondition) operator() *string {
	if l == nil {
		return nil
	}
	return l.ComparisonOperator
}

// comparisons checks conditions other than Expected and returns them in the
// order of their names.
func (l legacyConditions) comparisons() ([]expression.Comparison, error) {
	var out []expression.Comparison
	for _, name := range slices.Sorted(maps.Keys(l)) {
		c := expression.Comparison{Attribute: name, Operator: *l[name].ComparisonOperator}
		for _, v := range l[name].AttributeValueList {
			if err := v.Check(); err != nil {
				return nil, err
			}
			c.Values = append(c.Values, v.Value)
		}
		if err := checkValues(c); err != nil {
			return nil, err
		}
		for _, v := range c.Values {
			if types, ok := comparisonTypes[c.Operator]; ok && !slices.Contains(types, v.Type()) {
				return nil, invalid(invalidValues+"ComparisonOperator %s is not valid for %s AttributeValue type", c.Operator, v.Type())
			}
		}
		if err := checkOrder(c); err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// checkValues checks how many values there are and that they are of one type.
func checkValues(c expression.Comparison) error {
	fits := len(c.Values) == 1
	switch c.Operator {
	case "NULL", "NOT_NULL":
		fits = len(c.Values) == 0
	case "IN":
		fits = len(c.Values) > 0
	case "BETWEEN":
		fits = len(c.Values) == 2
	}
	if !fits {
		return invalid(invalidValues+"Invalid number of argument(s) for the %s ComparisonOperator", c.Operator)
	}
	for _, v := range c.Values {
		if v.Type() != c.Values[0].Type() {
			return invalid(invalidValues + "AttributeValues inside AttributeValueList must be of same type")
		}
	}
	return nil
}

func checkOrder(c expression.Comparison) error {
	if c.Operator != "BETWEEN" {
		return nil
	}
	if order, ok := attribute.Compare(c.Values[0], c.Values[1]); ok && order > 0 {
		return invalid("The BETWEEN condition was provided a range where the lower bound is greater than the upper bound")
	}
	return nil
}

// expected checks the conditions of Expected and returns what they compare.
func (l legacyConditions) expected() ([]expression.Comparison, error) {
	var out []expression.Comparison
	for _, name := range slices.Sorted(maps.Keys(l)) {
		c, err := l[name].expected(name)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

func (l *legacyCondition) expected(name string) (expression.Comparison, error) {
	c := expression.Comparison{Attribute: name, Operator: "EQ"}
	if l == nil {
		l = &legacyCondition{}
	}
	if err := l.checkForm(name); err != nil {
		return c, err
	}
	values := l.AttributeValueList
	if l.Value != nil {
		values = []attribute.InputValue{*l.Value}
	}
	for _, v := range values {
		if err := v.Check(); err != nil {
			return c, err
		}
		c.Values = append(c.Values, v.Value)
	}
	switch {
	case l.ComparisonOperator != nil:
		c.Operator = *l.ComparisonOperator
	case l.Exists != nil && !*l.Exists:
		c.Operator = "NULL"
		return c, nil
	}
	if err := checkValues(c); err != nil {
		return c, err
	}
	return c, checkOrder(c)
}

// checkForm refuses members of an Expected entry that contradict each other.
func (l *legacyCondition) checkForm(name string) error {
	switch {
	case l.AttributeValueList != nil && l.Value != nil:
		return invalid(invalidValues+"Value and AttributeValueList cannot be used together for Attribute: %s", name)
	case l.ComparisonOperator != nil && l.Exists != nil:
		return invalid(invalidValues+"Exists and ComparisonOperator cannot be used together for Attribute: %s", name)
	case l.ComparisonOperator != nil && !is(l.ComparisonOperator, "NULL", "NOT_NULL") && l.AttributeValueList == nil && l.Value == nil:
		return invalid(invalidValues+"Value or AttributeValueList must be used with ComparisonOperator: %s for Attribute: %s", *l.ComparisonOperator, name)
	case l.ComparisonOperator != nil:
		return nil
	case l.AttributeValueList != nil:
		return invalid(invalidValues+"AttributeValueList can only be used with a ComparisonOperator for Attribute: %s", name)
	case l.Exists == nil && l.Value == nil:
		return invalid(invalidValues+"Value must be provided when Exists is null for Attribute: %s", name)
	case l.Exists != nil && *l.Exists && l.Value == nil:
		return invalid(invalidValues+"Value must be provided when Exists is true for Attribute: %s", name)
	case l.Exists != nil && !*l.Exists && l.Value != nil:
		return invalid(invalidValues+"Value cannot be used when Exists is false for Attribute: %s", name)
	}
	return nil
}

// legacyUpdate is one entry of AttributeUpdates.
type legacyUpdate struct {
	Action *string
	Value  *attribute.InputValue
}

type legacyUpdates map[string]*legacyUpdate

// changes checks the updates and returns them in the order of their names.
func (l legacyUpdates) changes() ([]expression.Change, error) {
	var out []expression.Change
	for _, name := range slices.Sorted(maps.Keys(l)) {
		u := l[name]
		if u == nil {
			u = &legacyUpdate{}
		}
		c := expression.Change{Attribute: name, Action: "PUT"}
		if u.Action != nil {
			c.Action = *u.Action
		}
		if u.Value != nil {
			if err := u.Value.Check(); err != nil {
				return nil, err
			}
			c.Value = u.Value.Value
		}
		if err := checkAction(c); err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

func checkAction(c expression.Change) error {
	if c.Value == nil {
		if c.Action != "DELETE" {
			return invalid(invalidValues + "Only DELETE action is allowed when no attribute value is specified")
		}
		return nil
	}
	sets := []attribute.Type{attribute.SS, attribute.NS, attribute.BS}
	switch t := c.Value.Type(); {
	case c.Action == "DELETE" && !slices.Contains(sets, t):
		return invalid(invalidValues+"DELETE action with value is not supported for the type %s", t)
	case c.Action == "ADD" && t != attribute.N && t != attribute.L && !slices.Contains(sets, t):
		return invalid(invalidValues+"ADD action is not supported for the type %s", t)
	}
	return nil
}
