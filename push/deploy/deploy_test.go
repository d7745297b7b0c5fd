package deploy_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// rights are what each function may do, and nothing else: what the library
// calls, no more.
var rights = map[string]string{
	"connect":       "dynamodb:GetItem dynamodb:PutItem",
	"disconnect":    "dynamodb:DeleteItem dynamodb:GetItem dynamodb:PutItem dynamodb:UpdateItem",
	"default":       "",
	"echo":          "",
	"authorizer":    "",
	"send":          posting,
	"join":          "dynamodb:GetItem dynamodb:PutItem dynamodb:UpdateItem",
	"leave":         "dynamodb:DeleteItem dynamodb:GetItem dynamodb:UpdateItem",
	"publish":       posting + " sqs:DeleteMessage sqs:GetQueueAttributes sqs:ReceiveMessage sqs:SendMessage",
	"publishTopic":  posting + " sqs:SendMessage",
	"publishHttp":   "sns:Publish",
	"sweep":         "dynamodb:DeleteItem dynamodb:GetItem dynamodb:PutItem dynamodb:Query dynamodb:UpdateItem",
	"publishTable":  "dynamodb:DeleteItem dynamodb:DescribeStream dynamodb:GetItem dynamodb:GetRecords dynamodb:GetShardIterator dynamodb:ListStreams dynamodb:PutItem dynamodb:Query dynamodb:UpdateItem execute-api:ManageConnections sqs:SendMessage",
	"publishStream": posting + " kinesis:DescribeStream kinesis:DescribeStreamSummary kinesis:GetRecords kinesis:GetShardIterator kinesis:ListShards sqs:SendMessage",
}

const posting = "dynamodb:DeleteItem dynamodb:GetItem dynamodb:PutItem dynamodb:Query dynamodb:UpdateItem execute-api:ManageConnections"

func read(t *testing.T, path string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := yaml.Unmarshal(text, &all); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return all
}

// at follows keys into maps; it is nil where one is missing.
func at(v any, keys ...string) any {
	for _, k := range keys {
		m, _ := v.(map[string]any)
		v = m[k]
	}
	return v
}

func list(v any) []any {
	if all, ok := v.([]any); ok {
		return all
	}
	if v == nil {
		return nil
	}
	return []any{v}
}

// actions returns what statements allow, and reports those that allow it on too
// much.
func actions(t *testing.T, name string, statements []any) string {
	t.Helper()
	var all []string
	for _, s := range statements {
		actions, resources := list(at(s, "Action")), fmt.Sprint(list(at(s, "Resource"))...)
		for _, a := range actions {
			action := fmt.Sprint(a)
			all = append(all, action)
			switch {
			case strings.Contains(action, "*"):
				t.Errorf("%s is allowed %s", name, action)
			case action == "dynamodb:ListStreams": // knows no resources
			case resources == "" || strings.HasPrefix(resources, "*"):
				t.Errorf("%s is allowed %s on %q", name, action, resources)
			case action == "execute-api:ManageConnections" && !strings.HasSuffix(resources, "/POST/@connections/*"):
				t.Errorf("%s is allowed %s on %s, which is more than posts to a stage", name, action, resources)
			}
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func TestRightsOfSAM(t *testing.T) {
	for file, count := range map[string]int{"sam/template.yaml": 13, "sam/raw.yaml": 14} {
		found := 0
		resources, _ := read(t, file)["Resources"].(map[string]any)
		for id, r := range resources {
			if at(r, "Type") != "AWS::Serverless::Function" {
				continue
			}
			found++
			var statements []any
			for _, p := range list(at(r, "Properties", "Policies")) {
				if at(p, "Statement") == nil {
					t.Errorf("%s: %s has a policy that is not its own: %v", file, id, p)
				}
				statements = append(statements, list(at(p, "Statement"))...)
			}
			want, known := rights[id]
			if got := actions(t, id, statements); got != want || !known {
				t.Errorf("%s: %s is allowed\n%s\nwant\n%s", file, id, got, want)
			}
		}
		if found != count {
			t.Errorf("%s has %d functions, want %d", file, found, count)
		}
	}
}

func TestRightsOfServerless(t *testing.T) {
	roles, _ := read(t, "serverless/roles.yml")["Resources"].(map[string]any)
	granted := map[string]string{}
	for id, r := range roles {
		var statements []any
		for _, p := range list(at(r, "Properties", "Policies")) {
			for _, s := range list(at(p, "PolicyDocument", "Statement")) {
				if s != "${self:custom.mayLog}" {
					statements = append(statements, s)
				}
			}
		}
		granted[id] = actions(t, id, statements)
	}
	found := 0
	check := func(functions any) {
		all, _ := functions.(map[string]any)
		for id, f := range all {
			found++
			role, _ := at(f, "role").(string)
			if got, known := granted[role]; !known || got != rights[id] {
				t.Errorf("%s has the role %q, which allows\n%s\nwant\n%s", id, role, got, rights[id])
			}
		}
	}
	for _, functions := range list(read(t, "serverless/serverless.yml")["functions"]) {
		check(functions)
	}
	check(read(t, "serverless/access.open.yml"))
	check(read(t, "serverless/access.token.yml"))
	if found != 13 {
		t.Errorf("%d functions, want 13", found)
	}
}

// TestEveryProgramIsDeployed holds that each of push/cmd that is a Lambda
// function is in the templates.
func TestEveryProgramIsDeployed(t *testing.T) {
	raw, err := os.ReadFile("sam/raw.yaml")
	if err != nil {
		t.Fatal(err)
	}
	programs, err := os.ReadDir("../cmd")
	if err != nil || len(programs) < 14 {
		t.Fatalf("%d programs (%v)", len(programs), err)
	}
	for _, p := range programs {
		program, err := os.ReadFile("../cmd/" + p.Name() + "/main.go")
		if err != nil {
			t.Fatal(err)
		}
		isFunction := strings.Contains(string(program), "/push/function/")
		if isFunction && !strings.Contains(string(raw), "CodeUri: ../../cmd/"+p.Name()+"\n") {
			t.Errorf("%s is in no function of raw.yaml", p.Name())
		}
	}
}

// TestLockNamesNoRegistry keeps the addresses of registries out of the lock file:
// whoever installs has their own.
func TestLockNamesNoRegistry(t *testing.T) {
	lock, err := os.ReadFile("cdk/package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(lock), `"resolved"`) || !strings.Contains(string(lock), `"integrity"`) {
		t.Error("package-lock.json has addresses, or no checksums: make it with npm install --omit-lockfile-registry-resolved")
	}
}
