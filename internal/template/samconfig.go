package template

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/BurntSushi/toml"
)

// samConfigFile is where the SAM command line keeps its settings, beside the
// template ("SAM CLI configuration file" in the SAM developer guide).
const samConfigFile = "samconfig.toml"

// defaultEnvironment is the environment of samconfig.toml when none is named.
const defaultEnvironment = "default"

// samCommands are the commands whose settings count, the last one most.
var samCommands = []string{"global", "build", "deploy"}

// samConfig is what samconfig.toml says of one environment.
type samConfig struct {
	parameters map[string]string
	stackName  string
}

// readSAMConfig reads samconfig.toml in a folder; without one there is nothing,
// unless an environment is asked for.
func readSAMConfig(folder, environment string) (samConfig, error) {
	file := filepath.Join(folder, samConfigFile)
	c := samConfig{parameters: make(map[string]string)}
	data, err := readFile("samconfig.toml", file)
	if errors.Is(err, fs.ErrNotExist) {
		if environment != "" {
			return c, &Error{File: file, Text: "there is no samconfig.toml, which the environment " + quote(environment) + " is asked of"}
		}
		return c, nil
	}
	if err != nil {
		return c, err
	}
	if len(data) > maxSAMConfig {
		return c, &Error{File: file, Text: fmt.Sprintf("the file is larger than %d MB", maxSAMConfig>>20)}
	}
	var all map[string]any
	if _, err := toml.Decode(string(data), &all); err != nil {
		return c, tomlError(file, err)
	}
	return c, c.take(file, all, environment)
}

// maxSAMConfig bounds samconfig.toml, in bytes.
const maxSAMConfig = 1 << 20

// tomlError gives an error of the TOML library the form of ours.
func tomlError(file string, err error) error {
	if wrong, ok := errors.AsType[toml.ParseError](err); ok {
		return &Error{File: file, Line: wrong.Position.Line, Column: max(wrong.Position.Col, 1), Text: "this is not valid TOML: " + wrong.Message}
	}
	return &Error{File: file, Text: "this is not valid TOML: " + err.Error()}
}

// take reads one environment's settings.
func (c *samConfig) take(file string, all map[string]any, environment string) error {
	name := environment
	if name == "" {
		name = defaultEnvironment
	}
	commands, found := all[name].(map[string]any)
	if !found {
		if environment == "" {
			return nil
		}
		var names []string
		for key, value := range all {
			if _, ok := value.(map[string]any); ok {
				names = append(names, key)
			}
		}
		return &Error{File: file, Text: "there is no environment " + quote(environment) + didYouMean(environment, names)}
	}
	for _, command := range samCommands {
		settings, _ := commands[command].(map[string]any)
		parameters, _ := settings["parameters"].(map[string]any)
		if stack, ok := parameters["stack_name"].(string); ok && stackNameForm.MatchString(stack) {
			c.stackName = stack
		}
		if err := c.override(file, parameters["parameter_overrides"]); err != nil {
			return err
		}
	}
	return nil
}

// override reads parameter_overrides: one text, a list of texts, or a table.
func (c *samConfig) override(file string, given any) error {
	switch given := given.(type) {
	case nil:
	case string:
		return c.overrideText(file, given)
	case []any:
		for _, item := range given {
			text, ok := item.(string)
			if !ok {
				return &Error{File: file, Text: fmt.Sprintf("parameter_overrides has %v, which is not of the form KEY=VALUE", item)}
			}
			// An item is one pair; its value needs no quotes.
			if err := c.overridePair(file, text); err != nil {
				return err
			}
		}
	case map[string]any:
		for name, value := range given {
			c.parameters[name] = fmt.Sprint(value)
		}
	default:
		return &Error{File: file, Text: fmt.Sprintf("parameter_overrides must be text or a list, not %v", given)}
	}
	return nil
}

func (c *samConfig) overrideText(file, text string) error {
	words, err := splitWords(text)
	if err != nil {
		return &Error{File: file, Text: "parameter_overrides: " + err.Error()}
	}
	for _, word := range words {
		if err := c.overridePair(file, word); err != nil {
			return err
		}
	}
	return nil
}

// overridePair reads KEY=VALUE, or ParameterKey=KEY,ParameterValue=VALUE.
func (c *samConfig) overridePair(file, text string) error {
	key, value, ok := strings.Cut(text, "=")
	if rest, long := strings.CutPrefix(text, "ParameterKey="); long {
		key, value, ok = strings.Cut(rest, ",ParameterValue=")
	}
	if !ok || key == "" {
		return &Error{File: file, Text: "parameter_overrides has " + quote(text) + ", which is not of the form KEY=VALUE"}
	}
	c.parameters[key] = unquoted(value)
	return nil
}

// unquoted takes the quotes off a value that has them around it.
func unquoted(value string) string {
	if len(value) >= 2 && value[0] == value[len(value)-1] && (value[0] == '"' || value[0] == '\'') {
		return value[1 : len(value)-1]
	}
	return value
}

// splitWords splits a text at spaces outside of quotes, as a shell does; a
// backslash keeps the character behind it.
func splitWords(text string) ([]string, error) {
	var words []string
	var word strings.Builder
	begun, quoted := false, rune(0)
	escaped := false
	for _, r := range text {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quoted != '\'':
			escaped, begun = true, true
		case quoted != 0 && r == quoted:
			quoted = 0
		case quoted == 0 && (r == '"' || r == '\''):
			quoted, begun = r, true
		case quoted == 0 && strings.ContainsRune(" \t\r\n", r):
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	if quoted != 0 || escaped {
		return nil, errors.New("a quote is not closed")
	}
	if begun {
		words = append(words, word.String())
	}
	return words, nil
}
