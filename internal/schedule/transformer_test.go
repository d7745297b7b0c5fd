package schedule

import (
	"strings"
	"testing"

	"github.com/gatepost-dev/gatepost/internal/jsonpath"
)

const (
	someRule  = "arn:aws:events:us-east-1:000000000000:rule/nightly"
	someEvent = `{"version":"0","id":"i","time":"2026-11-20T12:00:00Z","resources":["` + someRule + `"],"detail":{"n":1.50,"say":"a \"b\"","list":["x",2]}}`
)

func TestTransformer(t *testing.T) {
	paths := map[string]string{"at": "$.time", "n": "$.detail.n", "say": "$.detail.say", "all": "$.detail", "list": "$.detail.list", "none": "$.detail.none", "first-rule": "$.resources[0]"}
	for name, c := range map[string]struct{ template, want string }{
		"a value of an object is JSON":            {`{"at": <at>, "n": <n>, "list": <list>}`, `{"at": "2026-11-20T12:00:00Z", "n": 1.50, "list": ["x",2]}`},
		"within quotation marks it is text":       {`{"text": "<n> at <at>"}`, `{"text": "1.50 at 2026-11-20T12:00:00Z"}`},
		"text is escaped there":                   {`{"text": "says <say>"}`, `{"text": "says a \"b\""}`},
		"escaped marks do not end a string":       {`{"text": "\"<say>\" \\", "n": <n>}`, `{"text": "\"a \"b\"\" \\", "n": 1.50}`},
		"objects lose their marks there":          {`"<all>"`, `"{n:1.50,say:a \\b\\,list:[x,2]}"`},
		"a string by itself":                      {`"It is <at>"`, `"It is 2026-11-20T12:00:00Z"`},
		"strings on lines":                        {"\"<n>\"\n\"<at>\"", "\"1.50\"\n\"2026-11-20T12:00:00Z\""},
		"one variable":                            {` <all> `, ` {"n":1.50,"say":"a \"b\"","list":["x",2]} `},
		"bare text":                               {`<first-rule> at <at>`, someRule + ` at 2026-11-20T12:00:00Z`},
		"what is not there is empty":              {`{"none": <none>, "text": "<none>!"}`, `{"none": "", "text": "!"}`},
		"the rule":                                {`["<aws.events.rule-name>", <aws.events.rule-arn>]`, `["nightly", "` + someRule + `"]`},
		"when it came":                            {`<aws.events.event.ingestion-time>`, `"2026-11-20T12:00:00Z"`},
		"the event without its detail":            {`{"e": <aws.events.event>}`, `{"e": {"version":"0","id":"i","time":"2026-11-20T12:00:00Z","resources":["` + someRule + `"]}}`},
		"the whole event":                         {`<aws.events.event.json>`, someEvent},
		"nothing to fill in":                      {`{"a": 1}`, `{"a": 1}`},
		"a variable's value is not looked into":   {`"<say> <at>"`, `"a \"b\" 2026-11-20T12:00:00Z"`},
		"text that is not within a string at all": {`plain`, `plain`},
	} {
		t.Run(name, func(t *testing.T) {
			x, err := NewTransformer(paths, c.template)
			if err != nil {
				t.Fatal(err)
			}
			got, err := x.Apply(someRule, []byte(someEvent))
			if err != nil || string(got) != c.want {
				t.Errorf("\n got %s, %v\nwant %s", got, err, c.want)
			}
		})
	}
}

func TestTransformersRefused(t *testing.T) {
	many := make(map[string]string)
	for i := range 101 {
		many[strings.Repeat("x", i+1)] = "$.time"
	}
	for want, c := range map[string]struct {
		paths    map[string]string
		template string
	}{
		"<b>, which the InputPathsMap":          {map[string]string{"a": "$.time"}, `"<a> <b>"`},
		"a < without a >":                       {nil, `"1 < 2"`},
		"1 to 8192 bytes, and this one has 0":   {nil, ``},
		"this one has 8193":                     {nil, strings.Repeat("x", 8193)},
		"100 variables at most":                 {many, `x`},
		`"a b" is not the name of a variable`:   {map[string]string{"a b": "$.time"}, `x`},
		`"aws.x" is not the name of a variable`: {map[string]string{"aws.x": "$.time"}, `x`},
		"the variable a:":                       {map[string]string{"a": "$.["}, `x`},
	} {
		if _, err := NewTransformer(c.paths, c.template); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	x, err := NewTransformer(nil, "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.Apply(someRule, []byte("no JSON")); err == nil {
		t.Error("an event that is no JSON is taken")
	}
}

// FuzzTransformer: no template brings it down, and one that is an object of JSON
// stays one.
func FuzzTransformer(f *testing.F) {
	for _, seed := range []string{`{"a": <a>, "b": "<a> \" <b>"}`, `<a>`, `"<b>" x`, `<`, `{"a": "\\<a>"}`} {
		f.Add(seed)
	}
	paths := map[string]string{"a": "$.detail", "b": "$.detail.say"}
	f.Fuzz(func(t *testing.T, template string) {
		x, err := NewTransformer(paths, template)
		if err != nil {
			return
		}
		got, err := x.Apply(someRule, []byte(someEvent))
		if err != nil {
			t.Fatal(err)
		}
		whole := strings.NewReplacer("<a>", "1", "<b>", "1").Replace(template)
		if looksLikeJSON(template) && jsonpath.Valid([]byte(whole)) && !strings.Contains(template, "aws.") && !jsonpath.Valid(got) {
			t.Errorf("%s\nmakes of %s\nwhat is no JSON", got, template)
		}
	})
}
