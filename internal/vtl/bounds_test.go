package vtl

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/gatepost-dev/gatepost/internal/conformance"
)

func TestExecutionIsBounded(t *testing.T) {
	conformance.Covers(t, "vtl.bounded")
	const double = "#set($x = 'aaaaaaaa')#foreach($i in [1..40])#set($x = $x + $x)#end"
	for _, tt := range []struct{ name, template, want string }{
		{"output", "#foreach($i in [1..999])$input.body#end", "the output has more than 100000 bytes"},
		{"a text that doubles", double, "a text would have 131072 bytes; 100000 are allowed"},
		{"a text in double quotes that doubles", "#set($x = 'aaaaaaaa')#foreach($i in [1..40])#set($x = \"$x$x\")#end", "the output has more than"},
		{"replace", "#set($x = $input.body)#foreach($i in [1..9])#set($x = $x.replace('a', 'aaaaaaaaaaaa'))#end", "a text would have"},
		{"replace of nothing", "#set($x = $input.body.replace('', $input.body))", "a text would have"},
		{"replaceAll", "#set($x = $input.body)#foreach($i in [1..9])#set($x = $x.replaceAll('a+', '$0$0$0$0$0$0$0$0$0'))#end", "a text would have"},
		{"a replacement that names a long group often", "#set($x = '$0')#foreach($i in [1..15])#set($x = $x + $x)#end#set($x = $input.body.replaceAll('(?s).*', $x))", "a text would have"},
		{"concat", "#set($x = $input.body)#foreach($i in [1..40])#set($x = $x.concat($x))#end", "a text would have"},
		{"escapes", "#set($x = $input.body)#foreach($i in [1..9])#set($x = $util.urlEncode(\"%$x%$x%$x\"))#end", "bytes"},
		{"a list that doubles", "#set($l = [1])#foreach($i in [1..40])#set($y = $l.addAll($l))#end", "more work than the 40000 steps"},
		{"loops in loops", "#foreach($i in [1..999])#foreach($j in [1..999])#foreach($k in [1..999])#end#end#end", "steps"},
		{"a long range", "#set($x = [0..2000000000])", "steps"},
		{"the longest range", "#set($x = [-99999999999..99999999999])", "steps"},
		{"a list within itself", "#set($l = [])#set($x = $l.add($l))$l", "deeper in one another than 600"},
		{"a map within itself", "#set($m = {})#set($m.m = $m)$m", "deeper in one another than 600"},
		{"equality of what holds itself", "#set($l = [])#set($x = $l.add($l))#set($k = [])#set($x = $k.add($k))#if($l == $k)a#end", "deeper in one another"},
		{"a document within itself", "#set($d = $input.path('$'))#set($x = $d.put('d', $d))$input.json('$')", "steps"},
		{"a list many times in lists", "#set($l = [1])#foreach($i in [1..40])#set($l = [$l, $l])#end$l", "steps"},
		{"a document many times in a document", "#set($d = $input.path('$.l'))#foreach($i in [1..40])#set($d = $util.parseJson(\"[$d,$d]\"))#end", "steps"},
		{"a path that multiplies", "#foreach($i in [1..999])$!input.path('$..*..*..*').foo#end", "too many values"},
		{"a pattern of many groups", "#set($x = $input.body.replaceAll('" + strings.Repeat("()", 400) + "', ''))", "steps"},
		{"a long pattern", "#set($x = $input.body.matches($input.body))", "1000 are allowed"},
		{"many patterns", "#foreach($i in [1..999])#foreach($j in [1..999])#if($input.body.matches(\"$i.$j.*\"))#end#end#end", "steps"},
		{"splits", "#foreach($i in [1..999])#set($x = $input.body.split(''))#end", "steps"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body := `{"l":[` + strings.Repeat("[[1]],", 300) + `0],"t":"` + strings.Repeat("a", 5000) + `"}`
			template, err := Parse(tt.template)
			if err != nil {
				t.Fatal(err)
			}
			got, err := template.Execute(context.Background(), &Data{Body: []byte(body)}, Limits{Output: 100_000, Steps: 40_000})
			var located *Error
			if !errors.As(err, &located) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("wrote %d bytes, %v; want an error with %q", len(got), err, tt.want)
			}
		})
	}
}

func TestLimitsHaveDefaults(t *testing.T) {
	want := Limits{Output: 1 << 20, Steps: 500_000, Iterations: 1000, Depth: 600}
	if got := (Limits{}).orDefaults(); got != want {
		t.Errorf("the zero Limits are %+v, want %+v", got, want)
	}
	if got := (Limits{Output: 1, Steps: 2, Iterations: 3, Depth: 4}).orDefaults(); got != (Limits{1, 2, 3, 4}) {
		t.Errorf("limits that were set became %+v", got)
	}
}

func TestLimits(t *testing.T) {
	for _, tt := range []struct {
		name, template string
		within, beyond Limits
		want           string
	}{
		{"output", "12345", Limits{Output: 5}, Limits{Output: 4}, "more than 4 bytes"},
		{"steps", "#foreach($i in [1..20])$i#end", Limits{Steps: 300}, Limits{Steps: 30}, "the 30 steps"},
		{"depth", "#set($x = [[[1]]])$x", Limits{Depth: 3}, Limits{Depth: 2}, "than 2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			template, err := Parse(tt.template)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := template.Execute(context.Background(), &Data{}, tt.within); err != nil {
				t.Errorf("within: %v", err)
			}
			if _, err := template.Execute(context.Background(), &Data{}, tt.beyond); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("beyond: %v, want %q", err, tt.want)
			}
		})
	}
}

func TestALoopEndsAfterItsIterations(t *testing.T) {
	conformance.Covers(t, "vtl.foreach-1000")
	out, err := execute("#foreach($i in [1..1500])#set($last = $i)#end$last", &Data{})
	if err != nil || out != "1000" {
		t.Errorf("got %s, %v", out, err)
	}
	template, err := Parse("#foreach($i in [1..5])$i#end")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := template.Execute(context.Background(), &Data{}, Limits{Iterations: 2}); err != nil || string(out) != "12" {
		t.Errorf("got %s, %v", out, err)
	}
}

func TestACancelledContextEndsTheTemplate(t *testing.T) {
	template, err := Parse("#foreach($i in [1..999])#foreach($j in [1..999])#end#end")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	out, err := template.Execute(ctx, &Data{}, Limits{})
	if !errors.Is(err, context.Canceled) || out != nil {
		t.Errorf("got %q, %v", out, err)
	}
	later := &countdown{Context: context.Background(), looks: 20}
	if _, err := template.Execute(later, &Data{}, Limits{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a deadline on the way: %v", err)
	}
}

// countdown is a context whose deadline passes after so many looks at it.
type countdown struct {
	context.Context
	looks int
}

func (c *countdown) Err() error {
	if c.looks--; c.looks > 0 {
		return nil
	}
	return context.DeadlineExceeded
}

func TestParsingIsBounded(t *testing.T) {
	for name, template := range map[string]string{
		"blocks":      strings.Repeat("#if($a)", 1000),
		"parentheses": "#if(" + strings.Repeat("(", 1000),
		"nots":        "#if(" + strings.Repeat("!", 1000),
		"lists":       "#set($a = " + strings.Repeat("[", 1000),
		"maps":        "#set($a = " + strings.Repeat("{1:", 1000),
		"indexes":     strings.Repeat("$a[", 1000),
		"calls":       strings.Repeat("$a.b(", 1000),
	} {
		if _, err := Parse(template); err == nil || !strings.Contains(err.Error(), "nests deeper than 64") {
			t.Errorf("%s: %v", name, err)
		}
	}
	long := "#set($a = 1" + strings.Repeat(" + 1", 1500) + ")"
	if _, err := Parse(long); err == nil || !strings.Contains(err.Error(), "more than 1,000 operators") {
		t.Errorf("operators: %v", err)
	}
	digits := strings.Repeat("9", 2000)
	if _, err := Parse("#set($a = " + digits + ")"); err == nil {
		t.Error("a number of 2,000 digits in a template")
	}
	out, err := execute("$input.path('$.n') #set($x = $input.path('$.n') * 2)$x", &Data{Body: []byte(`{"n":` + digits + `}`)})
	if err != nil || !strings.HasPrefix(out, digits) {
		t.Errorf("a number of 2,000 digits in a message: %.20s..., %v", out, err)
	}
	out, err = execute("#set($x = 9)#foreach($i in [1..20])#set($x = $x * $x)#end$x", &Data{})
	if err != nil || out != "Infinity" {
		t.Errorf("a number that squares itself: %s, %v", strconv.Quote(out), err)
	}
}
