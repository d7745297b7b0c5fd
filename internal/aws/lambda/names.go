package lambda

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// ErrNoFunction: there is no function of that name here.
var ErrNoFunction = errors.New("no such function")

// latest is the version that runs: there is no other, so every alias and every
// version leads to it.
const latest = "$LATEST"

// functionPattern is NamespacedFunctionName of the API: a name, a partial ARN or
// a whole one, with a qualifier or without. It is what callers are told; Go reads
// 0-9-_ in another way.
const functionPattern = `(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?`

const qualifierPattern = `\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+`

var (
	functionForm = regexp.MustCompile(`^(?:arn:(?:aws[a-zA-Z-]*)?:lambda:)?(?:([a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d):)?(?:(\d{12}):)?(?:function:)?` +
		`([a-zA-Z0-9_.-]+)(?::(\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9_-]+))?$`)
	qualifierForm = regexp.MustCompile(`^(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9_$-]+)$`)
)

// Lengths of the API's names.
const (
	maxFunctionName = 256
	maxQualifier    = 128
)

// reference is what a caller wrote to name a function; parts that are not
// there are "".
type reference struct{ region, account, name, qualifier string }

// parseReference reads a name, a partial ARN or a whole one.
func parseReference(text string) (reference, error) {
	if len(text) > maxFunctionName {
		return reference{}, invalidMember(text, "functionName", fmt.Sprintf("Member must have length less than or equal to %d", maxFunctionName))
	}
	m := functionForm.FindStringSubmatch(text)
	if m == nil {
		return reference{}, invalidMember(text, "functionName", "Member must satisfy regular expression pattern: "+functionPattern)
	}
	return reference{region: m[1], account: m[2], name: m[3], qualifier: m[4]}, nil
}

// qualify adds the qualifier of a call to that of its name; both may be there if
// they are the same.
func (r *reference) qualify(qualifier string, given bool) error {
	switch {
	case !given:
		return nil
	case len(qualifier) > maxQualifier:
		return invalidMember(qualifier, "qualifier", fmt.Sprintf("Member must have length less than or equal to %d", maxQualifier))
	case !qualifierForm.MatchString(qualifier):
		return invalidMember(qualifier, "qualifier", "Member must satisfy regular expression pattern: "+qualifierPattern)
	case r.qualifier != "" && r.qualifier != qualifier:
		return invalidParameter("The derived qualifier from the function name does not match the specified qualifier.")
	}
	r.qualifier = qualifier
	return nil
}

// arn is the ARN of what the reference names, seen from a region and an account.
func (r reference) arn(region, account string) string {
	arn := functionARN(region, account, r.name)
	if r.qualifier != "" {
		arn += ":" + r.qualifier
	}
	return arn
}

func functionARN(region, account, name string) string {
	return "arn:" + partition(region) + ":lambda:" + region + ":" + account + ":function:" + name
}

// partition is the part of AWS that a region is in.
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// resolve finds the function that a reference names, seen from a region of an
// account, or says in Lambda's words why there is none. action is the IAM action
// that is wanted of it.
func (s *Service) resolve(r reference, region, account, action string) (Function, error) {
	if r.region != "" && r.region != region {
		return Function{}, notFound("Functions from '%s' are not reachable in this region ('%s')", r.region, region)
	}
	if r.account != "" && r.account != account {
		return Function{}, denied(action, r.arn(region, r.account))
	}
	if region == s.config.Region && account == s.config.Account {
		for _, f := range s.config.Functions.List() {
			if f.Name == r.name {
				return f, nil
			}
		}
	}
	return Function{}, notFound("Function not found: %s", r.arn(region, account))
}

// arnOf is a function's ARN.
func (s *Service) arnOf(f Function) string {
	if f.ARN != "" {
		return f.ARN
	}
	return functionARN(s.config.Region, s.config.Account, f.Name)
}
