package stack

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// MaxEnvironment is how many bytes the variables of one function may have in
// all, counted as Lambda counts them: as a JSON object ("Lambda quotas" in the
// developer guide: 4 KB).
const MaxEnvironment = 4096

// ConcurrencyVariable is how many events at a time a function's process asks
// for. Lambda sets it on its managed instances and keeps the name for itself;
// here a function may have a value of its own.
const ConcurrencyVariable = "AWS_LAMBDA_MAX_CONCURRENCY"

// reserved are the variables that Lambda sets itself and refuses to take
// ("Defined runtime environment variables" in the developer guide).
var reserved = []string{
	"_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME",
	"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME",
	"AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
	"AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_METADATA_API", "AWS_LAMBDA_METADATA_TOKEN", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
}

// variableName is the form that Lambda asks of a name.
var variableName = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_]+$`)

// CheckVariable returns what Lambda would refuse in the name and value of
// a function's variable, in AWS's own words where it has some, or nil.
func CheckVariable(name, value string) error {
	switch {
	case slices.Contains(reserved, name):
		return fmt.Errorf("refused on AWS: Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys "+
			"that are currently not supported for modification. Reserved keys used in this request: %s (remove it: Lambda sets it itself, and so does Gatepost)", name)
	case !variableName.MatchString(name):
		return errors.New("the name of a variable is a letter, then letters, digits and underscores, at least two characters")
	case strings.ContainsRune(value, 0):
		return errors.New("the value contains a NUL character, which no environment can hold")
	}
	return nil
}

// CheckEnvironmentSize returns an error if the variables of one function are
// more than Lambda takes. No value is in it.
func CheckEnvironmentSize(variables map[string]string) error {
	if size := environmentSize(variables); size > MaxEnvironment {
		return fmt.Errorf("refused on AWS: Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit: "+
			"names and values have %d bytes as JSON, and may have %d", size, MaxEnvironment)
	}
	return nil
}

func environmentSize(variables map[string]string) int {
	if len(variables) == 0 {
		return 0
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.Encode(variables) // a map of texts is always encoded
	return text.Len() - len("\n")
}

func (v *validation) environment(f *Function) {
	for _, name := range slices.Sorted(maps.Keys(f.Environment)) {
		if err := CheckVariable(name, f.Environment[name]); err != nil {
			v.addf("function %s, variable %q: %w", f.Name, name, err)
		}
	}
	if err := CheckEnvironmentSize(f.Environment); err != nil {
		v.addf("function %s: %w", f.Name, err)
	}
}

// FindFunction returns the function with this name or else with this logical
// id, or nil.
func (s *Stack) FindFunction(nameOrID string) *Function {
	if f := s.Function(nameOrID); f != nil || nameOrID == "" {
		return f
	}
	for i := range s.Functions {
		if s.Functions[i].LogicalID == nameOrID {
			return &s.Functions[i]
		}
	}
	return nil
}

// hidden stands for a value that is not shown.
const hidden = "(not shown)"

// WithoutSecrets returns the stack for people to read: values of variables that
// look like secrets are left out. It shares all else with the original.
func (s *Stack) WithoutSecrets() *Stack {
	shown := *s
	shown.Functions = slices.Clone(s.Functions)
	for i := range shown.Functions {
		f := &shown.Functions[i]
		f.Environment = maps.Clone(f.Environment)
		for name := range f.Environment {
			if f.secret(name) {
				f.Environment[name] = hidden
			}
		}
	}
	return &shown
}

// Placeholders returns a sentence for each variable whose value looks as if
// somebody was to put another one in its place, with the function, the place in
// the template and the way to set it. The value of a name that looks like a
// secret's is not in it.
func (s *Stack) Placeholders() []string {
	var all []string
	for i := range s.Functions {
		f := &s.Functions[i]
		for _, name := range slices.Sorted(maps.Keys(f.Environment)) {
			if value := f.Environment[name]; isPlaceholder(value) {
				all = append(all, f.placeholder(name, value))
			}
		}
	}
	return all
}

func (f *Function) placeholder(name, value string) string {
	const most = 100
	switch {
	case f.secret(name):
		value = "a value " + hidden
	case len(value) > most:
		value = fmt.Sprintf("%q", strings.ToValidUTF8(value[:most], "")+"…")
	default:
		value = fmt.Sprintf("%q", value)
	}
	place := ""
	if at := f.EnvironmentAt[name]; at != "" {
		place = " (" + at + ")"
	}
	return fmt.Sprintf("function %s: the variable %s is %s%s, which looks like a placeholder; give it a value with --env %s.%s=VALUE", f.Name, name, value, place, f.Name, name)
}
