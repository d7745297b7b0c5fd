package template

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// project makes a folder of files, each a name and a text.
func project(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		path := filepath.Join(dir, files[i])
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(files[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// queueTemplate is a template whose queue is named by two parameters and the stack.
const queueTemplate = `Transform: AWS::Serverless-2016-10-31
Parameters: {A: {Type: String, Default: a}, B: {Type: String, Default: b}}
Resources: {Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: !Sub '${AWS::StackName}-${A}-${B}'}}}
`

// TestSAMConfig has the forms of parameter_overrides, and what comes before what.
func TestSAMConfig(t *testing.T) {
	for name, c := range map[string]struct {
		config, env string
		parameters  map[string]string
		want        string // the queue's name, or a part of the error
	}{
		"text":                  {config: "[default.deploy.parameters]\nstack_name = 'chat'\nparameter_overrides = 'A=x B=\"y_z\"'", want: "chat-x-y_z"},
		"long text":             {config: "[default.deploy.parameters]\nstack_name = 'chat'\nparameter_overrides = 'ParameterKey=A,ParameterValue=x ParameterKey=B,ParameterValue=y'", want: "chat-x-y"},
		"list":                  {config: "[default.global.parameters]\nstack_name = 'chat'\n[default.deploy.parameters]\nparameter_overrides = ['A=x', 'B=y']", want: "chat-x-y"},
		"a table":               {config: "[default.global.parameters]\nstack_name = 'chat'\nparameter_overrides = {A = 1, B = 'y'}", want: "chat-1-y"},
		"deploy over global":    {config: "[default.global.parameters]\nstack_name = 'chat'\nparameter_overrides = 'A=x B=x'\n[default.deploy.parameters]\nparameter_overrides = 'B=y'", want: "chat-x-y"},
		"the caller over all":   {config: "[default.global.parameters]\nstack_name = 'chat'\nparameter_overrides = 'A=x B=x'", parameters: map[string]string{"A": "me"}, want: "chat-me-x"},
		"another environment":   {config: "[default.global.parameters]\nstack_name = 'chat'\n[prod.deploy.parameters]\nstack_name = 'live'\nparameter_overrides = 'A=p'", env: "prod", want: "live-p-b"},
		"one too many":          {config: "[default.deploy.parameters]\nstack_name = 'chat'\nparameter_overrides = 'Other=x'", want: "chat-a-b"},
		"no default":            {config: "version = 0.1\n[prod.deploy.parameters]\nstack_name = 'live'", want: "-a-b"},
		"no such environment":   {config: "[prod.deploy.parameters]\nstack_name = 'live'", env: "prd", want: `there is no environment "prd" (did you mean prod?)`},
		"no TOML":               {config: "[default\n", want: ": this is not valid TOML"},
		"no pair":               {config: "[default.deploy.parameters]\nparameter_overrides = 'A'", want: `parameter_overrides has "A", which is not of the form KEY=VALUE`},
		"a quote without end":   {config: "[default.deploy.parameters]\nparameter_overrides = 'A=\"x'", want: "a quote is not closed"},
		"a list of other kinds": {config: "[default.deploy.parameters]\nparameter_overrides = [1]", want: "parameter_overrides has 1"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := project(t, "template.yaml", queueTemplate, "samconfig.toml", c.config)
			s, err := Load(dir, Options{ConfigEnv: c.env, Parameters: c.parameters})
			got := ""
			if err != nil {
				got = err.Error()
			} else {
				got = s.Queues[0].Name
			}
			if !strings.HasSuffix(got, c.want) && !strings.Contains(got, c.want) {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	if _, err := Load(project(t, "template.yaml", queueTemplate), Options{ConfigEnv: "prod"}); err == nil || !strings.Contains(err.Error(), "there is no samconfig.toml") {
		t.Errorf("without the file: %v", err)
	}
}

// TestSAMBuild uses what sam build has made for as long as nothing is newer.
func TestSAMBuild(t *testing.T) {
	built := strings.Replace(queueTemplate, "QueueName: !Sub '", "QueueName: !Sub 'built-", 1)
	dir := project(t, "template.yaml", queueTemplate, "fn/main.go", "package main\n", "node_modules/x.js", "", ".aws-sam/build/template.yaml", built)
	at := func(name string, seconds int) {
		t.Helper()
		when := time.Unix(1_700_000_000+int64(seconds), 0)
		if err := os.Chtimes(filepath.Join(dir, name), when, when); err != nil {
			t.Fatal(err)
		}
	}
	at("template.yaml", 0)
	at("fn/main.go", 0)
	at(".aws-sam/build/template.yaml", 10)
	for _, c := range []struct {
		what, change string
		seconds      int
		built        bool
	}{
		{"nothing has changed", "template.yaml", 0, true},
		{"modules do not count", "node_modules/x.js", 99, true},
		{"a source is newer", "fn/main.go", 11, false},
		{"the source is as old as the build", "fn/main.go", 10, true},
		{"the template is newer", "template.yaml", 11, false},
	} {
		at(c.change, c.seconds)
		s, err := Load(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.HasPrefix(s.Queues[0].Name, "built-"); got != c.built {
			t.Errorf("%s: the build is used: %t, want %t", c.what, got, c.built)
		}
		if told := len(s.Notices) == 1 && strings.Contains(s.Notices[0].Text, "sam build"); told != c.built {
			t.Errorf("%s: the notices are %+v", c.what, s.Notices)
		}
	}
}
