package project

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	samText = "Transform: AWS::Serverless-2016-10-31\nResources: {}\n"
	cfnText = "Resources: {}\n"
)

func TestFind(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  string // of Found, with / and without the folder; or
		err   string // a part of the error
	}{
		{"a SAM template", map[string]string{"template.yaml": samText, "main.go": "", "deploy/template.yaml": cfnText}, "template.yaml (SAM): the only template here", ""},
		{"CloudFormation in JSON", map[string]string{"template.json": `{"Resources": {}}`}, "template.json (CloudFormation): the only template here", ""},
		{"a serverless.yml", map[string]string{"serverless.yml": "service: a"}, "serverless.yml (Serverless Framework): the only service here", ""},
		{"a configuration that is a program", map[string]string{"serverless.ts": ""}, "serverless.ts (Serverless Framework): the only service here", ""},
		{"the framework's first configuration", map[string]string{"serverless.yml": "service: a", "serverless.ts": ""}, "serverless.yml (Serverless Framework): the only service here", ""},
		{"a CDK app with its output", map[string]string{"cdk.json": "{}", "cdk.out/manifest.json": "{}"}, "cdk.json (CDK app): the only CDK app here", ""},
		{"CDK's output alone", map[string]string{"cdk.out/manifest.json": "{}"}, "cdk.out (CDK's output): the only output of CDK here", ""},
		{"a template and its build", map[string]string{"template.yaml": samText, ".aws-sam/build/template.yaml": samText}, "template.yaml (SAM): the only template here", ""},
		{"a build alone", map[string]string{".aws-sam/build/template.yaml": samText}, ".aws-sam/build/template.yaml (SAM's build): the only template here", ""},
		{"in a subfolder", map[string]string{"infra/template.yml": cfnText, "other/template.yml": cfnText}, "infra/template.yml (CloudFormation): the only template in infra, and there is none in the folder itself", ""},
		{"another file of that name", map[string]string{"template.json": `{"title": "x"}`, "sam/template.yaml": samText}, "sam/template.yaml (SAM): the only template in sam, and there is none in the folder itself", ""},
		{"two here", map[string]string{"template.yaml": samText, "serverless.yml": ""}, "", "several projects in DIR; give the path of one:\n  DIR/template.yaml (SAM)\n  DIR/serverless.yml (Serverless Framework)"},
		{"two spellings", map[string]string{"template.yaml": samText, "template.json": `{"Resources": {}}`}, "", "DIR/template.json (CloudFormation)"},
		{"two below", map[string]string{"cdk/cdk.json": "{}", "deploy/template.yaml": samText}, "", "  DIR/deploy/template.yaml (SAM)\n  DIR/cdk/cdk.json (CDK app)"},
		{"none", map[string]string{"main.go": "", "far/down/template.yaml": samText, "deploy/sam/template.yaml": samText}, "", "there is no template.yaml, template.yml, template.json, serverless.yml, cdk.json or cdk.out in DIR, nor in a subfolder of it that is named deploy, "},
		{"a folder of that name", map[string]string{"template.yaml/x": ""}, "", "there is no template.yaml"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range tt.files {
				path := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			found, err := Find(dir)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), strings.ReplaceAll(tt.err, "DIR", dir)) {
					t.Errorf("got %v, want %s", err, tt.err)
				}
				return
			}
			if got := strings.TrimPrefix(found.String(), dir+"/"); err != nil || got != tt.want {
				t.Errorf("got %q, %v\nwant %q", got, err, tt.want)
			}
			if strings.Contains(found.Folder, ".aws-sam") || !strings.HasPrefix(found.Path, found.Folder) {
				t.Errorf("the folder of %s is %s", found.Path, found.Folder)
			}
		})
	}
	if _, err := Find(filepath.Join(t.TempDir(), "nowhere")); err == nil {
		t.Error("a folder that is not there has a project")
	}
}
