package template

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/gatepost-dev/gatepost/stack"
)

const oneQueue = "Resources: {Queue: {Type: 'AWS::SQS::Queue'}}\n"

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestFindPrefersYAML(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"template.json", "template.yml", "template.yaml"} {
		writeFile(t, filepath.Join(dir, name), oneQueue)
		got, err := Find(dir)
		if want := filepath.Join(dir, name); err != nil || got != want {
			t.Errorf("Find = %s, %v; want %s", got, err, want)
		}
	}
}

func TestFindSaysWhatItLookedFor(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "template.yaml"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := Find(dir)
	if err == nil || !strings.Contains(err.Error(), "has none of template.yaml, template.yml, template.json") {
		t.Errorf("Find in a folder without a template: %v", err)
	}
	_, err = Load(filepath.Join(dir, "gone"), Options{})
	if err == nil || !strings.Contains(err.Error(), "there is no file or folder") {
		t.Errorf("Load of nothing: %v", err)
	}
}

func TestLoadNamesStackAfterFolder(t *testing.T) {
	for folder, want := range map[string]string{"sockets": "sockets", "my app_2": "my-app-2", "7th": "stack-7th", "___": "stack"} {
		dir := filepath.Join(t.TempDir(), folder)
		writeFile(t, filepath.Join(dir, "template.yaml"), oneQueue)
		s, err := Load(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if s.Name != want || s.Region != "us-east-1" || s.Account != "000000000000" {
			t.Errorf("folder %q: stack %s in %s, %s; want the name %s and the defaults", folder, s.Name, s.Region, s.Account, want)
		}
	}
}

func TestLoadReportsPlaceInFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "template.yaml")
	writeFile(t, file, "Resources:\n  Queue:\n    Type: AWS::SQS::Queue\n    Properties: {DelaySeconds: -1}\n")
	_, err := Load(file, Options{})
	wrong, ok := errors.AsType[*Error](err)
	if !ok || wrong.File != file || wrong.Line != 4 || wrong.Column != 32 || wrong.Path != "Resources.Queue.DelaySeconds" {
		t.Errorf("Load: %#v (%v)", wrong, err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, opts := range []Options{{Region: "us east"}, {Account: "123"}, {StackName: "1st"}, {StackName: "a_b"}} {
		if _, err := LoadBytes("template.yaml", []byte(oneQueue), "", opts); err == nil {
			t.Errorf("LoadBytes with %+v: no error", opts)
		}
	}
}

// TestIDsAreStable holds the ids fixed: clients and databases keep them.
func TestIDsAreStable(t *testing.T) {
	api := []byte(`Resources: {Api: {Type: 'AWS::ApiGatewayV2::Api', Properties: {ProtocolType: WEBSOCKET, RouteSelectionExpression: $request.body.action}}}`)
	load := func(name string) *stack.Stack {
		s, err := LoadBytes("template.yaml", api, "", Options{StackName: name})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if got := load("demo").APIs[0].ID; got != "p3epo4fbt4" {
		t.Errorf("id of Api in stack demo = %s", got)
	}
	if a, b := load("demo").APIs[0].ID, load("other").APIs[0].ID; a == b {
		t.Errorf("two stacks have the API id %s", a)
	}
}

func TestDidYouMean(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"Qeue", "Queue"}, {"queue", "Queue"}, {"Queues", "Queue"}, {"SendRuote", "SendRoute"},
		{"Table", ""}, {"X", ""}, {"", ""}, {strings.Repeat("Queue", 20), ""},
	} {
		got := didYouMean(c.name, []string{"Queue", "SendRoute"})
		if want := " (did you mean " + c.want + "?)"; got != want && !(c.want == "" && got == "") {
			t.Errorf("didYouMean(%q) = %q, want %q", c.name, got, c.want)
		}
	}
}

// BenchmarkLoad loads the system of the posts, which is a part of what a user
// waits for when it starts.
func BenchmarkLoad(b *testing.B) {
	archive, err := txtar.ParseFile("testdata/posts-system.txtar")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := LoadBytes("template.yaml", archive.Files[0].Data, "", Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLoad2000 loads a template of 2,000 resources: APIs with routes,
// functions with variables, queues, tables and mappings.
func BenchmarkLoad2000(b *testing.B) {
	text := []byte(large())
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := LoadBytes("t.yaml", text, "", Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

// large is a template of 2,000 resources in ten systems of 200.
func large() string {
	var out strings.Builder
	out.WriteString("Resources:\n")
	for i := range 10 {
		fmt.Fprintf(&out, "  Api%d: {Type: AWS::ApiGatewayV2::Api, Properties: {Name: api%[1]d, ProtocolType: WEBSOCKET, RouteSelectionExpression: $request.body.action}}\n", i)
		fmt.Fprintf(&out, "  Stage%d: {Type: AWS::ApiGatewayV2::Stage, Properties: {ApiId: !Ref Api%[1]d, StageName: main}}\n", i)
		for j := range 33 {
			id := fmt.Sprintf("%dx%d", i, j)
			fmt.Fprintf(&out, "  Fn%[1]s:\n    Type: AWS::Lambda::Function\n    Properties: {Runtime: provided.al2023, Handler: bootstrap, Code: fn, Environment: {Variables: {QUEUE: !Ref Q%[1]s, TABLE: !Ref T%[1]s, URL: !Sub 'https://${Api%[2]d}.execute-api.${AWS::Region}.amazonaws.com/main'}}}\n", id, i)
			fmt.Fprintf(&out, "  Q%[1]s: {Type: AWS::SQS::Queue, Properties: {VisibilityTimeout: 60}}\n", id)
			fmt.Fprintf(&out, "  T%[1]s: {Type: AWS::DynamoDB::Table, Properties: {KeySchema: [{AttributeName: id, KeyType: HASH}], AttributeDefinitions: [{AttributeName: id, AttributeType: S}]}}\n", id)
			fmt.Fprintf(&out, "  M%[1]s: {Type: AWS::Lambda::EventSourceMapping, Properties: {EventSourceArn: !GetAtt Q%[1]s.Arn, FunctionName: !Ref Fn%[1]s}}\n", id)
			fmt.Fprintf(&out, "  I%[1]s: {Type: AWS::ApiGatewayV2::Integration, Properties: {ApiId: !Ref Api%[2]d, IntegrationType: AWS_PROXY, IntegrationUri: !Sub 'arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Fn%[1]s.Arn}/invocations'}}\n", id, i)
			fmt.Fprintf(&out, "  R%[1]s: {Type: AWS::ApiGatewayV2::Route, Properties: {ApiId: !Ref Api%[2]d, RouteKey: r%[1]s, Target: !Sub 'integrations/${I%[1]s}'}}\n", id, i)
		}
	}
	return out.String()
}
