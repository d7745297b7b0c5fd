package envfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func show(settings []Setting) string {
	var lines []string
	for _, s := range settings {
		lines = append(lines, fmt.Sprintf("%d %s.%s=%q", s.Line, s.Function, s.Name, s.Value))
	}
	return strings.Join(lines, "\n")
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"sam", `{
  "Publish": {"TABLE": "rooms", "COUNT": 5, "RATE": 1.50, "ON": true, "OFF": false, "NONE": null},
  "Parameters": {
    "STAGE": "local"
  }
}
`, `4 .STAGE="local"
2 Publish.TABLE="rooms"
2 Publish.COUNT="5"
2 Publish.RATE="1.50"
2 Publish.ON="true"
2 Publish.OFF="false"
2 Publish.NONE=""`},
		{"sam, empty", " \n{}", ""},
		{"sam, one function empty", `{"F": {}}`, ""},
		{"lines", "# for all\nSTAGE=local\n\nexport LEVEL = debug \npublish.TABLE=rooms # of the chat\nA=b#c\r\nB=\n", `2 .STAGE="local"
4 .LEVEL="debug"
6 .A="b#c"
7 .B=""
5 publish.TABLE="rooms"`},
		{"quotes", `A='a $b \n "c" #d' # comment
B="line\none \"two\" \\ \x # no comment"
C="over
two lines"
D= 'spaced'`, `1 .A="a $b \\n \"c\" #d"
2 .B="line\none \"two\" \\ \\x # no comment"
3 .C="over\ntwo lines"
5 .D="spaced"`},
		{"equals in a value", "URL=https://x/?a=b&c=d", `1 .URL="https://x/?a=b&c=d"`},
		{"exported is a name", "exported=1\nexport=2", "1 .exported=\"1\"\n2 .export=\"2\""},
		{"one for all comes before one of one", "f.A=1\nA=2", "2 .A=\"2\"\n1 f.A=\"1\""},
		{"a mark of byte order", "\ufeffA=1", `1 .A="1"`},
		{"nothing", "", ""},
		{"comments only", "# a\n  # b", ""},
		{"no line end", "A=1", `1 .A="1"`},
	} {
		got, err := Parse(c.text)
		if err != nil || show(got) != c.want {
			t.Errorf("%s: %v\ngot  %s\nwant %s", c.name, err, show(got), c.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"A=1\nhunter2", "f:2: there is no = in this line"},
		{"A=1\n\nB='hunter2\nx", "f:3: the quote that opens the value is not closed"},
		{"B=\"hunter2\n\" x", "f:2: something follows the closing quote"},
		{".A=1", "f:1: there is no function before the dot"},
		{"=hunter2", "f:1: what stands before the = is neither NAME nor FUNCTION.NAME"},
		{"A B=hunter2", "f:1: what stands before the = is neither"},
		{"hunter2+hunter2/x==", "f:1: what stands before the = is neither"},
		{"{\n \"A\": \"hunter2\"\n}", `f:2: "A" must be an object; the form is {"FUNCTION"`},
		{"{\n \"F\": {\n\"A\": [\"hunter2\"]}}", `f:3: the variable "A" of "F" must be text`},
		{"{\n \"F\": {\n\"A\": {\"hunter2\": 1}}}", `f:3: the variable "A" of "F" must be text`},
		{"{\n \"F\": {\"A\": hunter2}}", "f:2: this is not JSON: invalid character 'h'"},
		{"{\n \"F\": {\"A\": \"b\"\n\n", "f:2: the JSON document ends too early"},
		{"{}\n x", "f:2: something follows the closing brace"},
		{"{\n1: 2}", "f:2: this is not JSON"},
	} {
		path := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Read(path)
		if err == nil || !strings.HasPrefix(strings.TrimPrefix(err.Error(), filepath.Dir(path)+"/"), c.want) {
			t.Errorf("%q: %v, want %s", c.text, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("a value is in the error %v", err)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	if _, err := Read(filepath.Join(t.TempDir(), "gone")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	path := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(path, make([]byte, MaxSize+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err == nil || !strings.Contains(err.Error(), "more than 1048576 bytes") {
		t.Errorf("a large file: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"A=1", "export f.A='x\ny' # z\nB=\"\\n\"", `{"F":{"A":1},"Parameters":{"B":null}}`, "{\"a\":", "\ufeff{", "A=\"", ".=", "=\n=\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		settings, err := Parse(text)
		lines := 1 + strings.Count(text, "\n")
		for _, s := range settings {
			if s.Line < 1 || s.Line > lines {
				t.Errorf("%q: line %d of %d", text, s.Line, lines)
			}
		}
		if wrong, ok := errors.AsType[*Error](err); err != nil && (!ok || wrong.Line < 1 || wrong.Line > lines) {
			t.Errorf("%q: %v", text, err)
		}
	})
}
