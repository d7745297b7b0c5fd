package vtl

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"github.com/gatepost-dev/gatepost/internal/jsonpath"
)

// seeds are templates with all of the language in them.
var seeds = []string{
	"", "$s ${s}.x $!{foo.bar}[0] $list[-1].k $5 \\$s \\\\$s", "#set($a = {'k': [1..3], \"b$n\": -1.5e3})$a.k[1]",
	"#if($n > 3 && !($s == 'x') || $no)a#elseif(1 ne 2)b#{else}c#end", "#foreach($i in $input.path('$.items'))$i.id$foreach.count#if($i)#break#end#end",
	"#set($x = \"a ${n} #if($yes)\"\"b\"\"#end\")$x.replaceAll('[a-z]+', '<$0>').split(',')", "## c\n#* d *##[[ $x ]]##stop",
	"$input.json('$..a[?(@.b == 1)]')$input.params().header$util.urlEncode($input.body)", "#set($l = [])#foreach($i in [1..50])#set($y = $l.add($l))$l#end",
	"#set($x = 'aa')#foreach($i in [1..60])#set($x = $x + $x)#end", "#set($x = 9)#foreach($i in [1..60])#set($x = $x * $x / 3 % 7)#end$x",
	"#set($m = $input.path('$'))#set($m.z = $m)$input.json('$') $m", "$util.parseJson($util.base64Decode($util.base64Encode($input.body)))$util.escapeJavaScript($context)",
	"#foo($s)#macro(x)#end", "$s.substring(1,2).charAt(0).indexOf('t')$list.subList(0,1)$map.entrySet()$map.remove('k')",
}

func addSeeds(f *testing.F) {
	for _, seed := range seeds {
		f.Add(given+seed, `{"items":[{"id":1},{"id":"x"}],"a":{"b":1}}`)
	}
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		f.Fatal("no goldens", err)
	}
	for _, file := range files {
		parts := readGolden(f, file)
		f.Add(parts["template.vtl"], parts["data.json"])
	}
}

// FuzzParse holds that every error of Parse is one with a place in the
// template.
func FuzzParse(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, template, _ string) {
		_, err := Parse(template)
		if err != nil {
			checkPlace(t, template, err)
		}
	})
}

// FuzzExecute holds that a template which parses ends within its steps and its
// output, with an error that has a place or with an output, and that it writes
// the same twice.
func FuzzExecute(f *testing.F) {
	addSeeds(f)
	limits := Limits{Output: 20_000, Steps: 20_000}
	f.Fuzz(func(t *testing.T, source, body string) {
		template, err := Parse(source)
		if err != nil {
			return
		}
		d := &Data{
			Body: []byte(body), Query: map[string]string{"q": body}, StageVariables: map[string]string{"v": body},
			Context: jsonpath.Of(map[string]any{"connectionId": "c", "identity": map[string]string{"sourceIp": "::1"}}),
		}
		out, err := template.Execute(context.Background(), d, limits)
		again, err2 := template.Execute(context.Background(), d, limits)
		if (err == nil) != (err2 == nil) || string(out) != string(again) {
			t.Fatalf("the first run wrote %q, %v; the second %q, %v", out, err, again, err2)
		}
		if err != nil {
			checkPlace(t, source, err)
		}
		if len(out) > limits.Output {
			t.Fatalf("wrote %d bytes", len(out))
		}
	})
}

func checkPlace(t *testing.T, template string, err error) {
	t.Helper()
	var located *Error
	if !errors.As(err, &located) {
		t.Fatalf("an error without a place: %v", err)
	}
	if located.Line < 1 || located.Column < 1 || located.Column > utf8.RuneCountInString(template)+1 || located.What == "" {
		t.Fatalf("no such place in %q: %v", template, err)
	}
}
