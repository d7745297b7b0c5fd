// Package envfile owns files that give functions their environment variables:
// the JSON of `sam local --env-vars`, and lines of NAME=value as in a .env file.
package envfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// MaxSize is the largest file that is read, in bytes.
const MaxSize = 1 << 20

// Setting is one variable of a file.
type Setting struct {
	// Function is the name or the logical id of a function, or "" for all
	// functions.
	Function string
	Name     string
	Value    string
	// Line is where the file has it, from 1.
	Line int
}

// Error is a mistake in a file. Values are never in it.
type Error struct {
	File string
	Line int // from 1
	Text string
}

// Error returns "file:line: text".
func (e *Error) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text) }

// Read reads a file. The settings are in its order, and a later one wins over
// an earlier one; but those for all functions come before those for one.
func Read(path string) ([]Setting, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the file of variables: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the file of variables: %w", err)
	case len(text) > MaxSize:
		return nil, fmt.Errorf("%s has more than %d bytes, too many for a file of variables", path, MaxSize)
	}
	settings, err := Parse(string(text))
	if wrong, ok := errors.AsType[*Error](err); ok {
		wrong.File = path
	}
	return settings, err
}

// Parse reads the text of a file, which is JSON if it begins with a brace. The
// error is an *Error without a file.
func Parse(text string) ([]Setting, error) {
	text = strings.TrimPrefix(text, "\ufeff")
	parse := parseLines
	if strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "{") {
		parse = parseJSON
	}
	settings, err := parse(text)
	if err != nil {
		return nil, err
	}
	var all, own []Setting
	for _, s := range settings {
		if s.Function == "" {
			all = append(all, s)
		} else {
			own = append(own, s)
		}
	}
	return append(all, own...), nil
}

func wrong(line int, format string, args ...any) error {
	return &Error{Line: line, Text: fmt.Sprintf(format, args...)}
}

// lineAt is the line of a byte of the text.
func lineAt(text string, offset int) int {
	return 1 + strings.Count(text[:min(max(offset, 0), len(text))], "\n")
}

// clip keeps a name of the file from filling an error.
func clip(s string) string {
	const most = 64
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
