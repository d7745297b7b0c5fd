package function

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func environment(vars map[string]string) *Environment {
	return NewEnvironment(func(name string) (string, bool) { v, ok := vars[name]; return v, ok })
}

func TestEnvironment(t *testing.T) {
	env := environment(map[string]string{
		"TABLE": " SocketRoster ", "URL": "https://h/main", "N": "64", "D": "20m", "L": "a, b ,,c",
	})
	if got := env.Text("TABLE", "x"); got != "SocketRoster" {
		t.Errorf("Text: %q", got)
	}
	if got := env.URL("URL", "x"); got != "https://h/main" {
		t.Errorf("URL: %q", got)
	}
	if got, unset := env.Integer("N", 1, 1, 64), env.Integer("UNSET", 7, 1, 64); got != 64 || unset != 7 {
		t.Errorf("Integer: %d, %d", got, unset)
	}
	if got, unset := env.Duration("D", 1, 1, time.Hour), env.Duration("UNSET", time.Second, 1, time.Hour); got != 20*time.Minute || unset != time.Second {
		t.Errorf("Duration: %v, %v", got, unset)
	}
	if got, unset := env.List("L"), env.List("UNSET", "echo"); !slices.Equal(got, []string{"a", "b", "c"}) || !slices.Equal(unset, []string{"echo"}) {
		t.Errorf("List: %q, %q", got, unset)
	}
	if len(env.Problems()) != 0 {
		t.Errorf("problems: %q", env.Problems())
	}
}

func TestEnvironmentProblems(t *testing.T) {
	env := environment(map[string]string{
		"BLANK": " ", "WS": "wss://h/main", "HOSTLESS": "https:///main", "INSERT": "<insert endpoint>", "BAD": "http://h\x7f",
		"WORD": "many", "SMALL": "0", "LARGE": "65", "NO_UNIT": "20", "SHORT": "1ns",
	})
	env.Text("UNSET", "the table")
	env.Text("BLANK", "the table")
	for _, name := range []string{"UNSET", "WS", "HOSTLESS", "INSERT", "BAD"} {
		env.URL(name, "an address")
	}
	for _, name := range []string{"WORD", "SMALL", "LARGE"} {
		env.Integer(name, 1, 1, 64)
	}
	for _, name := range []string{"NO_UNIT", "SHORT"} {
		env.Duration(name, time.Second, time.Second, time.Hour)
	}
	want := []string{
		`UNSET is not set: it must hold the table.`,
		`BLANK is not set: it must hold the table.`,
		`UNSET is not set: it must hold an address.`,
		`WS is "wss://h/main": it must hold an address.`,
		`HOSTLESS is "https:///main": it must hold an address.`,
		`INSERT is "<insert endpoint>": it must hold an address.`,
		`BAD is "http://h\x7f": it must hold an address.`,
		`WORD is "many": it must be a whole number from 1 to 64.`,
		`SMALL is "0": it must be a whole number from 1 to 64.`,
		`LARGE is "65": it must be a whole number from 1 to 64.`,
		`NO_UNIT is "20": it must be a duration from 1s to 1h0m0s, such as "90s" or "20m".`,
		`SHORT is "1ns": it must be a duration from 1s to 1h0m0s, such as "90s" or "20m".`,
	}
	if got := env.Problems(); !slices.Equal(got, want) {
		t.Errorf("problems:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestChoiceAndSwitch(t *testing.T) {
	values := map[string]string{"MODE": "lines", "BAD": "x", "ON": "true", "MAYBE": "yes"}
	env := NewEnvironment(func(name string) (string, bool) { v, ok := values[name]; return v, ok })
	if env.Choice("MODE", "off", "lines") != "lines" || env.Choice("NONE", "off", "lines") != "off" || !env.Switch("ON", false) || !env.Switch("NONE", true) {
		t.Error("a good value is not taken")
	}
	if len(env.Problems()) != 0 {
		t.Errorf("problems %q", env.Problems())
	}
	env.Choice("BAD", "off", "lines")
	env.Switch("MAYBE", false)
	want := []string{`BAD is "x": it must be one of off, lines.`, `MAYBE is "yes": it must be true or false.`}
	if got := env.Problems(); !slices.Equal(got, want) {
		t.Errorf("problems %q, want %q", got, want)
	}
}
