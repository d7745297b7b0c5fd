package stack

import (
	"fmt"
	"regexp"
	"regexp/syntax"
)

// A regular expression of a few characters, such as (a{1000}b{1000}), becomes a
// large program. These bound one expression, and all of a schema, in the steps
// that they are made of.
const (
	maxPattern  = 2_000
	maxPatterns = 5_000
)

// checkPattern compiles a regular expression that is not too large, and returns
// how many steps it has.
func checkPattern(expression string) (steps int, err error) {
	parsed, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return 0, err
	}
	if steps = stepsOf(parsed); steps > maxPattern {
		return steps, fmt.Errorf("the regular expression %s comes to more than %d steps; repeat less", clip(expression), maxPattern)
	}
	_, err = regexp.Compile(expression)
	return steps, err
}

// stepsOf counts what a parsed expression comes to once its repetitions are
// written out; past the bound it is not exact.
func stepsOf(re *syntax.Regexp) int {
	steps := 1
	if re.Op == syntax.OpLiteral {
		steps = len(re.Rune)
	}
	for _, sub := range re.Sub {
		if steps += stepsOf(sub); steps > maxPattern {
			return steps
		}
	}
	if re.Op == syntax.OpRepeat {
		return (steps - 1) * max(re.Min, re.Max, 1)
	}
	return steps
}

// checkPatterns checks the regular expressions of a schema, before anything
// compiles them: what stands under pattern and as names under
// patternProperties.
func checkPatterns(schema any) error {
	total := 0
	return eachPattern(schema, func(expression string) error {
		steps, err := checkPattern(expression)
		if total += steps; err == nil && total > maxPatterns {
			return fmt.Errorf("the regular expressions of the schema come to more than %d steps", maxPatterns)
		}
		if _, isSyntax := err.(*syntax.Error); isSyntax {
			return nil // the compiler of schemas says where it stands
		}
		return err
	})
}

func eachPattern(value any, visit func(string) error) error {
	switch value := value.(type) {
	case []any:
		for _, item := range value {
			if err := eachPattern(item, visit); err != nil {
				return err
			}
		}
	case map[string]any:
		if expression, ok := value["pattern"].(string); ok {
			if err := visit(expression); err != nil {
				return err
			}
		}
		named, _ := value["patternProperties"].(map[string]any)
		for expression := range named {
			if err := visit(expression); err != nil {
				return err
			}
		}
		for _, member := range value {
			if err := eachPattern(member, visit); err != nil {
				return err
			}
		}
	}
	return nil
}
