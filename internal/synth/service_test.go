package synth

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// service makes the folder of a service whose framework is a script, and returns
// the service.
func service(t *testing.T, script string) Service {
	t.Helper()
	folder := app(t, "serverless.yml", "service: chat", "node_modules/.bin/osls", "#!/bin/sh\n"+script).Folder
	if err := os.Chmod(filepath.Join(folder, "node_modules/.bin/osls"), 0o755); err != nil {
		t.Fatal(err)
	}
	return Service{File: filepath.Join(folder, "serverless.yml")}
}

const packages = "mkdir -p .serverless\nprintf '%s\\n' \"$@\" >.serverless/cloudformation-template-update-stack.json\n"

// TestPackage runs a framework that writes down what it is given.
func TestPackage(t *testing.T) {
	s := service(t, packages)
	s.Stage, s.Region = "prod", "eu-west-1"
	s.Parameters, s.Options = map[string]string{"key": "a b"}, map[string]string{"team": "blue"}
	var said []string
	s.Progress = func(sentence string) { said = append(said, sentence) }
	template, err := s.Package(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(template)
	if want := "package\n--config\nserverless.yml\n--stage\nprod\n--region\neu-west-1\n--param=key=a b\n--team=blue\n"; err != nil || string(text) != want {
		t.Errorf("it was given %q (%v), want %q", text, err, want)
	}
	if all := strings.Join(said, "\n"); len(said) != 2 || strings.Contains(all, "a b") || !strings.HasPrefix(said[0], "Serverless: osls package --config serverless.yml --stage prod") {
		t.Errorf("it tells %q", said)
	}
}

// TestPackageFails has what goes wrong and what is said then.
func TestPackageFails(t *testing.T) {
	missing := service(t, packages)
	if err := os.RemoveAll(filepath.Join(filepath.Dir(missing.File), "node_modules")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", "/usr/bin:/bin")
	for name, c := range map[string]struct {
		service Service
		want    []string
	}{
		"it fails":                 {service(t, "echo why; exit 3"), []string{"the packaging of ", "exit status 3", "\nwhy"}},
		"it makes nothing":         {service(t, "exit 0"), []string{"has ended without", "cloudformation-template-update-stack.json"}},
		"there is no framework":    {missing, []string{"needs the Serverless Framework", `run "npm ci"`, "osls"}},
		"a secret is not repeated": {Service{File: service(t, "exit 1").File, Parameters: map[string]string{"key": "hush"}}, []string{"package --config serverless.yml): exit status 1"}},
	} {
		_, err := c.service.Package(t.Context())
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
				t.Errorf("%s: got %v, want %q in it", name, err, want)
			}
		}
	}
}

func TestWhatAServiceIsMadeOf(t *testing.T) {
	s := service(t, packages)
	s.Stage = "prod"
	sources, err := s.Sources()
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]bool{
		"serverless.yml": true, "src/hello.ts": true, ".env": true, ".env.prod": true, ".env.dev": false,
		".serverless/chat.zip": false, "node_modules/a/index.js": false, ".git/HEAD": false,
	} {
		if got := sources.Has(filepath.Join(sources.Folder(), filepath.FromSlash(file))); got != want {
			t.Errorf("%s belongs to the service: %t, want %t", file, got, want)
		}
	}
}
