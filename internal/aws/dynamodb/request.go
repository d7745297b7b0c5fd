package dynamodb

import (
	"slices"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/attribute"
	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/expression"
)

// The members that several requests share.

// The names of expressions, as requests and errors have them.
const (
	conditionExpression    = expression.ConditionExpression
	filterExpression       = expression.FilterExpression
	projectionExpression   = "ProjectionExpression"
	updateExpression       = "UpdateExpression"
	keyConditionExpression = "KeyConditionExpression"
)

// bindings are the names and values of a request's expressions.
type bindings struct {
	ExpressionAttributeNames  map[string]string
	ExpressionAttributeValues attribute.Input
}

// parameter is an optional member of a request.
type parameter struct {
	name  string
	given bool
}

// checkUse refuses expressions beside the older parameters that they replace,
// and names and values that no expression of the request can use.
func (b *bindings) checkUse(expressions []parameter, older ...parameter) error {
	given, others := givenNames(expressions), givenNames(older)
	if len(given) > 0 && len(others) > 0 {
		return invalid("Can not use both expression and non-expression parameters in the same request: Non-expression parameters: {%s} Expression parameters: {%s}",
			strings.Join(others, ", "), strings.Join(given, ", "))
	}
	if b.ExpressionAttributeNames != nil && len(given) == 0 {
		return invalid("ExpressionAttributeNames can only be specified when using expressions")
	}
	var takers []string // the expressions that can use values
	for _, e := range expressions {
		if e.name != projectionExpression {
			takers = append(takers, e.name)
		}
	}
	given = slices.DeleteFunc(given, func(name string) bool { return name == projectionExpression })
	if b.ExpressionAttributeValues.Map != nil && len(given) == 0 && len(takers) > 0 {
		verb := "is"
		if len(takers) > 1 {
			verb = "are"
		}
		return invalid("ExpressionAttributeValues can only be specified when using expressions: %s %s null", strings.Join(takers, " and "), verb)
	}
	return nil
}

func givenNames(parameters []parameter) []string {
	var names []string
	for _, p := range parameters {
		if p.given {
			names = append(names, p.name)
		}
	}
	return names
}

func (b *bindings) bind() (*expression.Bindings, error) {
	return expression.Bind(b.ExpressionAttributeNames, &b.ExpressionAttributeValues)
}

// conditionInput is the condition of a write.
type conditionInput struct {
	ConditionExpression                 *string
	ReturnValuesOnConditionCheckFailure *string
	Expected                            legacyConditions `aws:"ExpectedAttributeValue"`
	ConditionalOperator                 *string
}

// parameters returns the two ways to give a condition.
func (in *conditionInput) parameters() (expression, older parameter) {
	return parameter{conditionExpression, in.ConditionExpression != nil}, parameter{"Expected", in.Expected != nil}
}

// older returns what Expected compares.
func (in *conditionInput) older() (*expression.Condition, error) {
	comparisons, err := in.Expected.expected()
	return expression.CompareAll(comparisons, is(in.ConditionalOperator, "OR")), err
}

// parse returns the condition, nil when there is none. The older form has been
// turned into one before.
func (in *conditionInput) parse(b *expression.Bindings, older *expression.Condition) (*expression.Condition, error) {
	if in.ConditionExpression == nil {
		return older, nil
	}
	return expression.ParseCondition(conditionExpression, *in.ConditionExpression, b)
}

// projectionInput says what parts of items to return.
type projectionInput struct {
	ProjectionExpression *string
	AttributesToGet      []string
}

// parse returns the projection, nil when there is none.
func (in *projectionInput) parse(b *expression.Bindings) (*expression.Projection, error) {
	switch {
	case in.ProjectionExpression != nil:
		return expression.ParseProjection(*in.ProjectionExpression, b)
	case in.AttributesToGet != nil:
		return expression.ProjectAttributes(in.AttributesToGet...), nil
	}
	return nil, nil
}

// prepare checks and parses the projection of a request that has no other
// expression. AWS looks at the keys in between.
func (in *projectionInput) prepare(names *bindings, checkKeys func() error) (*expression.Projection, error) {
	expression, older := in.parameters()
	if err := names.checkUse([]parameter{expression}, older); err != nil {
		return nil, err
	}
	if err := checkKeys(); err != nil {
		return nil, err
	}
	if err := in.checkNames(); err != nil {
		return nil, err
	}
	b, err := names.bind()
	if err != nil {
		return nil, err
	}
	project, err := in.parse(b)
	if err != nil {
		return nil, err
	}
	return project, b.CheckUsed()
}

// parameters returns the two ways to give a projection.
func (in *projectionInput) parameters() (expression, older parameter) {
	return parameter{projectionExpression, in.ProjectionExpression != nil}, parameter{"AttributesToGet", in.AttributesToGet != nil}
}

// checkNames refuses attributes given twice.
func (in *projectionInput) checkNames() error {
	seen := make(map[string]bool)
	for _, name := range in.AttributesToGet {
		if seen[name] {
			return invalid(invalidValues+"Duplicate value in attribute name: %s", name)
		}
		seen[name] = true
	}
	return nil
}

func (c *constraints) attributesToGet(names []string, at string) {
	if names != nil {
		c.count(len(names), true, "[]", at, 1, 255)
	}
}

// is reports whether an optional text is one of the values.
func is(value *string, values ...string) bool {
	for _, v := range values {
		if value != nil && *value == v {
			return true
		}
	}
	return false
}
