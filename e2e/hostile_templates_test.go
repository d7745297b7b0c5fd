package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Bounds of one template: memory as it is promised, unless the race detector is
// on; time is generous, because other work goes on beside the test. The figures in
// docs/performance.md are what -v prints.
const (
	mostOfTemplate    = 200 << 20
	longestOfTemplate = 20 * time.Second
)

// TestHostileTemplates has the program check templates that were made to take
// forever or all memory.
func TestHostileTemplates(t *testing.T) {
	const queue = "{Type: AWS::SQS::Queue}"
	const mb = 1 << 20
	times := func(n int, format string) string {
		var all strings.Builder
		for i := range n {
			fmt.Fprintf(&all, format, i)
		}
		return all.String()
	}
	for name, c := range map[string]struct {
		file string
		text func() string // made when its turn comes: the parent's memory counts for the child's
		want string        // part of what it says
	}{
		"a million braces": {"template.json", func() string {
			return `{"Resources":` + strings.Repeat(`{"a":`, 1e6) + "1" + strings.Repeat("}", 1e6) + "}"
		}, "max depth"},
		"deep blocks":        {"template.yaml", func() string { return deep(3000) }, "levels deep"},
		"an alias bomb":      {"template.yaml", func() string { return "a0: &a0 [x]\n" + bomb("a%d: &a%d [%s]\n") }, "more than 100000 values"},
		"a merge bomb":       {"template.yaml", func() string { return "a0: &a0 {k: v}\n" + bomb("a%d: &a%d {<<: [%s]}\n") }, "more than 100000 values"},
		"an alias of itself": {"template.yaml", func() string { return "Resources: &r {A: {Type: AWS::SQS::Queue, Properties: *r}}\n" }, "the alias *r stands within"},
		"a circle": {"template.yaml", func() string {
			return "Resources:\n  A: {Type: AWS::SQS::Queue, Properties: {QueueName: !Ref B}}\n  B: {Type: AWS::SQS::Queue, Properties: {QueueName: !Ref A}}\n"
		}, "refers to itself"},
		"10 MB of resources": {"template.yaml", func() string { return "Resources:\n" + times(10*mb/38, "  A%08d: {Type: AWS::SQS::Queue}\n") }, "more than 200000 lines"},
		"10 MB of values": {"template.json", func() string {
			return `{"Resources":{"A":{"Type":"AWS::SQS::Queue","Properties":{"Tags":[` + strings.Repeat("1,", 5*mb-100) + `1]}}}}`
		}, "more than 100000 values"},
		"10 MB in a text": {"template.yaml", func() string {
			return "Resources: {A: {Type: AWS::SQS::Queue, Properties: {QueueName: " + strings.Repeat("x", 10*mb-100) + "}}}\n"
		}, "is not a valid name"},
		"10 MB in a type": {"template.yaml", func() string { return "Resources: {A: {Type: " + strings.Repeat("T", 10*mb-100) + "}}\n" }, "does not run this type"},
		"more than 10 MB": {"template.yaml", func() string { return "Resources: {A: " + queue + "}\n#" + strings.Repeat("x", 10*mb) }, "larger than 10 MB"},
		"doubling texts": {"template.yaml", func() string {
			return "Resources:\n  P0: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: xxxxxxxx}}\n" + doubled() + "  Q: {Type: AWS::SQS::Queue, Properties: {QueueName: !GetAtt P39.Value}}\n"
		}, "becomes longer than"},
		"a variable that doubles": {"serverless.yml", func() string {
			return "service: x\nprovider: aws\ncustom:\n  a0: xxxxxxxx\n" + doubledVariables() + "functions: {f: {handler: \"${self:custom.a39}.x\"}}\n"
		}, "too much"},
		"2,000 resources": {"template.yaml", func() string {
			return "Resources:\n" + times(500, "  Fn%[1]d: {Type: AWS::Lambda::Function, Properties: {Runtime: nodejs22.x, Handler: index.handler, Code: {ZipFile: x}, Environment: {Variables: {QUEUE: !Ref Q%[1]d, TABLE: !Ref Tb%[1]d}}}}\n  Q%[1]d: "+queue+"\n  Tb%[1]d: {Type: AWS::DynamoDB::Table, Properties: {KeySchema: [{AttributeName: id, KeyType: HASH}], AttributeDefinitions: [{AttributeName: id, AttributeType: S}]}}\n  M%[1]d: {Type: AWS::Lambda::EventSourceMapping, Properties: {EventSourceArn: !GetAtt Q%[1]d.Arn, FunctionName: !Ref Fn%[1]d}}\n")
		}, "Fn499"},
	} {
		t.Run(name, func(t *testing.T) { checkHostile(t, c.file, c.text(), c.want) })
	}
}

func checkHostile(t *testing.T, name, text, want string) {
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	cmd := exec.CommandContext(t.Context(), binary, "validate", file)
	cmd.Stdout, cmd.Stderr = &said, &said
	started := time.Now()
	err := cmd.Run()
	took := time.Since(started)
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	memory := int64(0)
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok && runtime.GOOS == "linux" {
		memory = usage.Maxrss << 10
	}
	t.Logf("%.1f MB: %d ms, CPU %d ms, %d MB", float64(len(text))/(1<<20), took.Milliseconds(), (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Milliseconds(), memory>>20)
	if !strings.Contains(said.String(), want) || said.Len() > 1<<20 || strings.Contains(said.String(), "goroutine ") {
		t.Errorf("it ends with %v and says %d bytes, want %q in them:\n%.500s", err, said.Len(), want, said.String())
	}
	if took > longestOfTemplate {
		t.Errorf("it took %s", took)
	}
	if memory > mostOfTemplate && !slices.Contains(buildFlags, "-race") {
		t.Errorf("it took %d MB of memory", memory>>20)
	}
}

// deep are blocks that each stand in the one before.
func deep(n int) string {
	var all strings.Builder
	for i := range n {
		all.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return all.String()
}

// bomb writes entries that each have the one before ten times.
func bomb(format string) string {
	var all strings.Builder
	for i := 1; i < 12; i++ {
		before := strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 10), ",")
		fmt.Fprintf(&all, format, i, i, before)
	}
	return all.String() + "Resources: *a11\n"
}

// doubled are parameters that each have the text of the one before twice.
func doubled() string {
	var all strings.Builder
	for i := 1; i < 40; i++ {
		fmt.Fprintf(&all, "  P%d: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: !Sub '${P%[2]d.Value}${P%[2]d.Value}'}}\n", i, i-1)
	}
	return all.String()
}

func doubledVariables() string {
	var all strings.Builder
	for i := 1; i < 40; i++ {
		fmt.Fprintf(&all, "  a%d: \"${self:custom.a%[2]d}${self:custom.a%[2]d}\"\n", i, i-1)
	}
	return all.String()
}
