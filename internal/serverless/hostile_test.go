package serverless

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

const head = "service: x\nprovider: {name: aws, runtime: nodejs22.x}\nfunctions: {a: {handler: index.a}}\n"

// TestHostile loads configurations that are made to be large, deep or endless:
// each ends in an error, in bounded time and memory.
func TestHostile(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"variables that double":          {head + "custom:\n  a0: [x, x]\n" + doubling(40) + "resources: {Resources: '${self:custom.a40}'}\n", "the variables make too much"},
		"texts that double":              {head + "custom:\n  a0: 0123456789\n" + doublingText(40) + "resources: {Resources: {Q: {Type: 'AWS::SQS::Queue', Properties: {QueueName: '${self:custom.a40}'}}}}\n", "the variables make too much"},
		"aliases that double":            {head + "custom:\n  a0: &a0 [x, x]\n" + aliases(30), "the template has more than 100000 values"},
		"a long chain of variables":      {head + "custom:\n  a0: x\n" + chain(5000) + "resources: '${self:custom.a5000}'\n", "lead through more than 100 values"},
		"variables in variables":         {head + "resources: '" + strings.Repeat("${self:", 5000) + strings.Repeat("}", 5000) + "'\n", "more than 20 deep"},
		"unclosed variables":             {head + "resources: '" + "${self:" + strings.Repeat("a", 50_000) + "'\n", "is not closed"},
		"one text of many variables":     {head + "custom: {long: " + strings.Repeat("x", 1000) + "}\nresources: '" + strings.Repeat("${self:custom.long}", 150_000) + "'\n", "the variables make too much"},
		"more than 10 MB":                {strings.Repeat("#", 10<<20) + "\n" + head, "larger than 10 MB"},
		"many functions":                 {"service: x\nprovider: aws\nfunctions:\n" + many(3000, "  f%d: {handler: a.b}\n"), "more than 1000 functions"},
		"many events":                    {"service: x\nprovider: aws\nfunctions:\n  a:\n    handler: a.b\n    events:\n" + many(20_000, "      - sqs: a%d\n"), "more than 500 events"},
		"deep nesting":                   {head + "resources: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000), "nested"},
		"functions that are all of them": {"service: x\nprovider: aws\nfunctions: {a: '${self:functions}'}\n", "functions: the function needs a handler"},
		"a stage that asks for itself":   {"service: x\nprovider: {name: aws, stage: '${self:provider.stage}'}\nfunctions: {a: {handler: a.b, timeout: '${sls:stage}'}}\n", "refers to itself"},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			started := time.Now()
			_, err := LoadBytes("serverless.yml", []byte(c.text), t.TempDir(), fuzzOptions)
			took := time.Since(started)
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %.300v, want an error with %q", err, c.want)
			}
			if took > 20*time.Second {
				t.Errorf("it took %v", took)
			}
			t.Logf("%v, %d MB made", took.Round(time.Millisecond), (after.TotalAlloc-before.TotalAlloc)>>20)
			if made := (after.TotalAlloc - before.TotalAlloc) >> 20; made > 1024 {
				t.Errorf("it made %d MB", made)
			}
		})
	}
}

func doubling(n int) string {
	return steps(n, "  a%[2]d: ['${self:custom.a%[1]d}', '${self:custom.a%[1]d}']\n")
}
func doublingText(n int) string {
	return steps(n, "  a%[2]d: '${self:custom.a%[1]d}${self:custom.a%[1]d}'\n")
}
func aliases(n int) string { return steps(n, "  a%[2]d: &a%[2]d [*a%[1]d, *a%[1]d]\n") }
func chain(n int) string   { return steps(n, "  a%[2]d: '${self:custom.a%[1]d}'\n") }

func steps(n int, format string) string {
	var out strings.Builder
	for i := range n {
		fmt.Fprintf(&out, format, i, i+1)
	}
	return out.String()
}

func many(n int, format string) string {
	var out strings.Builder
	for i := range n {
		fmt.Fprintf(&out, format, i)
	}
	return out.String()
}
