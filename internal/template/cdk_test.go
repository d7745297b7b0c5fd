package template

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/synth"
	"github.com/gatepost-dev/gatepost/stack"
)

// TestCDKSynth runs the app of testdata/cdk with the real AWS CDK and loads what
// it makes: the plain stacks, then those of its stage.
func TestCDKSynth(t *testing.T) {
	folder := os.Getenv("CDK_APP")
	if folder == "" {
		t.Skip("CDK_APP is not set: `make cdk` installs aws-cdk-lib with npm (of Node.js 20 or newer) and sets it.")
	}
	out, err := synth.App{Folder: folder, Region: "us-east-1", Account: "000000000000", Progress: func(s string) { t.Log(s) }}.Synth(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		stacks []string
		queue  string
	}{{nil, "orders-Data"}, {[]string{"Prod"}, "orders-Data"}, {[]string{"Prod/Chat"}, "orders-Data"}, {[]string{"Chat"}, "orders-Data"}} {
		s, err := Load(out, Options{Stacks: c.stacks})
		if err != nil {
			t.Fatalf("%v: %v", c.stacks, err)
		}
		checkChat(t, s, c.queue)
	}
	if _, err := Load(folder, Options{Stacks: []string{"Gone"}}); err == nil || !strings.Contains(err.Error(), "choose with --stack: Chat, Data") {
		t.Errorf("a stack that is not there: %v", err)
	}
}

// checkChat compares a stack with what app.js declares.
func checkChat(t *testing.T, s *stack.Stack, queue string) {
	t.Helper()
	if len(s.APIs) != 1 || len(s.Functions) != 2 || len(s.Queues) != 2 || len(s.Tables) != 1 || len(s.Mappings) != 2 {
		t.Fatalf("%d APIs, %d functions, %d queues, %d tables, %d mappings; want 1, 2, 2, 1, 2", len(s.APIs), len(s.Functions), len(s.Queues), len(s.Tables), len(s.Mappings))
	}
	api := s.APIs[0]
	connect, send, ping := api.Route("$connect"), api.Route("send"), api.Route("ping")
	if connect == nil || connect.Authorization != apigw.AuthorizationCustom || connect.Authorizer == nil {
		t.Errorf("$connect is %+v, want it with its authorizer", connect)
	}
	if send == nil || !send.TwoWay || send.Integration.Function == "" {
		t.Errorf("send is %+v, want it two-way with a function", send)
	}
	if ping == nil || ping.Integration.Type != apigw.Mock {
		t.Errorf("ping is %+v, want a mock", ping)
	}
	for _, f := range s.Functions {
		if _, err := os.Stat(filepath.Join(f.Code, "bootstrap")); err != nil {
			t.Errorf("the code of %s: %v", f.Name, err)
		}
	}
	byName := false
	for _, q := range s.Queues {
		byName = byName || q.Name == queue
	}
	if !byName {
		t.Errorf("there is no queue %s: %+v", queue, s.Queues)
	}
	fn := s.Function(send.Integration.Function)
	if fn.Environment["TABLE"] != s.Tables[0].Name || !strings.HasPrefix(fn.Environment["DEAD"], "https://sqs.") {
		t.Errorf("the function's variables are %v, and the table is %s", fn.Environment, s.Tables[0].Name)
	}
}
