package template

import (
	"os"
	"path/filepath"
	"testing"
)

func writeValues(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestValues(t *testing.T) {
	for name, text := range map[string]string{
		"values.yaml": "ssm:\n  /chat/table: connections\n  /chat/zones: [a, b]\n  /chat/day: 2012-10-17\n  /chat/n: 007\nexports: {net-Vpc: vpc-1}\noutputs: {other: {Url: 'https://x'}}\nsecrets: {db: {user: me, n: 1}}\n",
		"values.json": `{"ssm": {"/chat/table": "connections", "/chat/zones": ["a", "b"], "/chat/day": "2012-10-17", "/chat/n": "007"}, "exports": {"net-Vpc": "vpc-1"}, "outputs": {"other": {"Url": "https://x"}}, "secrets": {"db": {"user": "me", "n": 1}}}`,
	} {
		v, err := ReadValues(writeValues(t, name, text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, c := range []struct{ what, got, want string }{
			{"a parameter", known(v.SSMParameter("/chat/table")), "connections"},
			{"a parameter with a version", known(v.SSMParameter("/chat/table:3")), "connections"},
			{"a list", known(v.SSMParameter("/chat/zones")), "a,b"},
			{"a date", known(v.SSMParameter("/chat/day")), "2012-10-17"},
			{"a number with zeros", known(v.SSMParameter("/chat/n")), "007"},
			{"an export", known(v.Export("net-Vpc")), "vpc-1"},
			{"an output", known(v.Output("other", "Url")), "https://x"},
			{"a secret", known(v.Secret("db")), `{"user":"me","n":1}`},
		} {
			if c.got != c.want {
				t.Errorf("%s: %s is %q, want %q", name, c.what, c.got, c.want)
			}
		}
		if got, found := v.SSMParameter("/chat/other"); found {
			t.Errorf("%s: there is a parameter that the file does not have: %q", name, got)
		}
	}
}

// known is a value that must be there.
func known(value string, found bool) string {
	if !found {
		return "(not found)"
	}
	return value
}

func TestValuesThatAreWrong(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"an unknown section": {"ssn: {a: b}", `v.yaml:1:6: ssn: there is no section "ssn" in a file of values; there are ssm, exports, outputs or secrets (did you mean ssm?)`},
		"a list":             {"- a", "v.yaml:1:1: this must be a map, not a list"},
		"an empty value":     {"ssm:\n  a:", "v.yaml:2:5: ssm.a: the value is empty; write the text that it has"},
		"no YAML":            {"ssm: {", "v.yaml:1:1: this is not valid YAML: did not find expected node content"},
	} {
		file := writeValues(t, "v.yaml", c.text)
		_, err := ReadValues(file)
		if want := filepath.Join(filepath.Dir(file), c.want); err == nil || err.Error() != want {
			t.Errorf("%s: got %v\nwant %s", name, err, want)
		}
	}
	var none *Values
	if _, found := none.Export("x"); found {
		t.Error("no values have an export")
	}
}
