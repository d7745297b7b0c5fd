package envfile

import (
	"regexp"
	"strings"
)

var keyForm = regexp.MustCompile(`^([a-zA-Z0-9_-]+\.)?[a-zA-Z0-9_]+$`)

// parseLines reads lines of NAME=value, for all functions, and
// FUNCTION.NAME=value, for one. Empty lines and those that begin with # are
// skipped, and so is "export " before a name. A value may stand in single quotes,
// in which everything means itself, or in double quotes, in which \n, \r, \t, \"
// and \\ are escapes; both may go over several lines. Without quotes a value
// ends at the line's end or before a # that follows a space. Nothing is expanded.
func parseLines(text string) ([]Setting, error) {
	var settings []Setting
	for line := 1; text != ""; {
		s, rest, err := oneLine(text, line)
		if err != nil {
			return nil, err
		}
		if s.Name != "" {
			settings = append(settings, s)
		}
		line += strings.Count(text[:len(text)-len(rest)], "\n")
		text = rest
	}
	return settings, nil
}

// oneLine reads the first line of the text, with what it goes over, and returns
// what is left. The name is empty if the line has no variable.
func oneLine(text string, line int) (s Setting, rest string, err error) {
	first, rest, _ := strings.Cut(text, "\n")
	first = strings.TrimSpace(first)
	if first == "" || first[0] == '#' {
		return Setting{}, rest, nil
	}
	if after, ok := strings.CutPrefix(first, "export"); ok && strings.TrimLeft(after, " \t") != after {
		first = strings.TrimLeft(after, " \t")
	}
	key, value, ok := strings.Cut(first, "=")
	if !ok {
		return Setting{}, "", wrong(line, "there is no = in this line; a line is NAME=value or FUNCTION.NAME=value")
	}
	s = Setting{Name: strings.TrimSpace(key), Line: line}
	if function, name, dotted := strings.Cut(s.Name, "."); dotted {
		if s.Function, s.Name = function, name; function == "" {
			return Setting{}, "", wrong(line, "there is no function before the dot")
		}
	}
	// The text is not in the error: it may be a line of a secret.
	if !keyForm.MatchString(strings.TrimSpace(key)) {
		return Setting{}, "", wrong(line, "what stands before the = is neither NAME nor FUNCTION.NAME: names have letters, digits and underscores, and functions hyphens too")
	}
	value = strings.TrimLeft(value, " \t")
	if value != "" && (value[0] == '"' || value[0] == '\'') {
		begin := strings.IndexByte(text, '=') + 1
		begin += strings.IndexByte(text[begin:], value[0])
		s.Value, rest, err = quoted(text[begin:], line)
		return s, rest, err
	}
	s.Value = unquoted(value)
	return s, rest, nil
}

// unquoted cuts a comment off.
func unquoted(value string) string {
	for i := range len(value) {
		if value[i] == '#' && (i == 0 || value[i-1] == ' ' || value[i-1] == '\t') {
			value = value[:i]
			break
		}
	}
	return strings.TrimSpace(value)
}

var escapes = map[byte]byte{'n': '\n', 'r': '\r', 't': '\t', '"': '"', '\\': '\\', '$': '$'}

// quoted reads a value in quotes and the rest of its line, on which nothing but
// a comment may follow.
func quoted(text string, line int) (value, rest string, err error) {
	quote := text[0]
	var out strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == quote:
			tail, rest, _ := strings.Cut(text[i+1:], "\n")
			if unquoted(strings.TrimSpace(tail)) != "" {
				return "", "", wrong(line+strings.Count(text[:i], "\n"), "something follows the closing quote")
			}
			return out.String(), rest, nil
		case c == '\\' && quote == '"' && i+1 < len(text) && escapes[text[i+1]] != 0:
			i++
			out.WriteByte(escapes[text[i]])
		default:
			out.WriteByte(c)
		}
	}
	return "", "", wrong(line, "the quote that opens the value is not closed")
}
