package stack

import (
	"strings"
	"testing"
)

func TestCheckVariable(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"TABLE_NAME", "rooms", ""},
		{"a1", "", ""},
		{"NODE_OPTIONS", "--enable-source-maps", ""},
		{"HTTPS_PROXY", "http://proxy:3128", ""},
		{"AWS_ENDPOINT_URL", "http://localhost:1", ""},
		{"AWS_LAMBDA_EXEC_WRAPPER", "/opt/wrapper", ""},
		{"AWS_LAMBDA_MAX_CONCURRENCY", "4", ""},
		{"TZ", "Europe/Berlin", ""},
		{"AWS_REGION", "eu-west-1", "Reserved keys used in this request: AWS_REGION"},
		{"AWS_DEFAULT_REGION", "eu-west-1", "contains reserved keys that are currently not supported for modification"},
		{"AWS_SECRET_ACCESS_KEY", "secretvalue", "Reserved keys used in this request: AWS_SECRET_ACCESS_KEY"},
		{"_HANDLER", "a.b", "Reserved keys used in this request: _HANDLER"},
		{"AWS_LAMBDA_METADATA_TOKEN", "a", "Reserved keys used in this request: AWS_LAMBDA_METADATA_TOKEN"},
		{"A", "x", "at least two characters"},
		{"1A", "x", "is a letter, then letters"},
		{"_A", "x", "is a letter, then letters"},
		{"A-B", "x", "is a letter, then letters"},
		{"", "x", "is a letter, then letters"},
		{"AB", "a\x00b", "a NUL character"},
	} {
		err := CheckVariable(c.name, c.value)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s=%q: %v, want %q", c.name, c.value, err, c.want)
		}
		if err != nil && len(c.value) > 3 && strings.Contains(err.Error(), c.value) {
			t.Errorf("%s: the value is in the error %v", c.name, err)
		}
	}
}

// TestEnvironmentSize holds that all is counted as Lambda counts it: the JSON of
// names and values.
func TestEnvironmentSize(t *testing.T) {
	fits := MaxEnvironment - len(`{"NAME":""}`)
	for value, fine := range map[string]bool{strings.Repeat("v", fits): true, strings.Repeat("v", fits+1): false, strings.Repeat("<", fits): true, strings.Repeat(`"`, fits/2+1): false} {
		err := CheckEnvironmentSize(map[string]string{"NAME": value})
		if (err == nil) != fine {
			t.Errorf("%d bytes of %.1s: %v", len(value), value, err)
		}
		if err != nil && strings.Contains(err.Error(), value[:9]) {
			t.Errorf("a value is in the error %.200v", err)
		}
	}
	if err := CheckEnvironmentSize(nil); err != nil {
		t.Error(err)
	}
}

func TestFindFunction(t *testing.T) {
	s := &Stack{Functions: []Function{{Name: "publish", LogicalID: "Publisher"}, {Name: "Publisher", LogicalID: "Other"}}}
	for text, want := range map[string]*Function{"publish": &s.Functions[0], "Publisher": &s.Functions[1], "Other": &s.Functions[1], "gone": nil, "": nil} {
		if got := s.FindFunction(text); got != want {
			t.Errorf("FindFunction(%q) = %v", text, got)
		}
	}
}

// TestPlaceholderForms has values of templates as people write them.
func TestPlaceholderForms(t *testing.T) {
	for value, want := range map[string]bool{
		"<insert endpoint>": true, "<YOUR_API_KEY>": true, "<endpoint>": true, " <url>\n": true, "[insert token]": true, "[your domain]": true,
		"https://<api-id>.execute-api.us-east-1.amazonaws.com/prod": true, "wss://{api-id}.execute-api.{region}.amazonaws.com/prod": true,
		"{{API_URL}}": true, "{{ api_url }}": true, "https://{{host}}/main": true, "__TABLE_NAME__": true, "%API_KEY%": true,
		"https://${Api}.execute-api.${AWS::Region}.amazonaws.com/prod": true,
		"TODO": true, "TODO: set me": true, "FIXME": true, "TBD": true, "changeme": true, "CHANGE_ME": true, "change-me": true, "change this": true, "Replace-Me!": true,
		"REPLACE_ME": true, "replace-with-your-topic": true, "REPLACE_ME_WITH_ARN": true, "PLACEHOLDER": true, "fill_me_in": true,
		"https://example.com/REPLACE": true, "https://example.com/REPLACEME/hook": true, "arn:aws:sns:us-east-1:123456789012:REPLACE_ME": true, "https://INSERT.example.com": true,
		"your-api-key": true, "your_bucket": true, "YOUR_TOKEN_HERE": true, "https://your-domain.com/path": true, "arn:aws:sqs:us-east-1:1:your-queue": true,
		"yourApiKey": true, "YourTableName": true, "admin@your-company.com": true, "paste token here": true, "API_KEY_HERE": true, "your key goes here": true,
		"xxx": true, "XXXXXX": true, "sk-xxxxxxxx": true, "AKIAXXXXXXXXXXXXXXXX": true, "https://hooks.slack.com/services/XXXX/YYYY": true, "xxxx-xxxx": true,
		"***": true, "...": true, "…": true, "https://...": true, "https://…/main": true,

		"": false, "main": false, "SocketRoster": false, "todo": false, "Todo": false, "todos-table": false, "TODOS": false, "TodoTable": false, "todo-list-connections": false,
		"https://abcdefghij.execute-api.us-east-1.amazonaws.com/main": false, "https://example.com": false, "http://localhost:3000": false, "*": false, "**": false, "-": false,
		"Hello {{name}}, welcome": false, "{{resolve:ssm:/chat/endpoint:1}}": false, "https://{{resolve:ssm:/host}}/x": false, `{"a":{"b":1}}`: false, `[{"insert": 1}]`: false,
		"<br>": false, "<p>": false, "<b>Hello</b>": false, "Name <me@example.com>": false, "https://x.example.com/users/{id}": false, "a < b > c": false,
		"replace": false, "exchange": false, "change": false, "changelog": false, "insert-order-queue": false, "put-events": false, "replacement": false, "INSERT": true, "INSERTED": false,
		"yourself": false, "for-your-eyes": false, "youryear": false, "Yours": false, "here": false, "there": false, "adhere": false, "somewhere": false,
		"xx": false, "XL": false, "xxl": false, "boxx-xx": false, "Foxx": false, "arn:aws:sns:us-east-1:123456789012:alarms": false, "AKIAIOSFODNN7EXAMPLE": false,
		"..": false, "./data": false, "1,2,3": false, "INFO": false, "true": false, "none": false, "N/A": false, "test": false, "dummy": false, "secret": false,
		"$request.body.action": false, "${stageVariables.a}": false, "%s": false, "50%": false, "__init__": false, strings.Repeat("x", 600): false,
	} {
		if got := isPlaceholder(value); got != want {
			t.Errorf("%.80q is a placeholder: %v, want %v", value, got, want)
		}
	}
}

func TestPlaceholderSentences(t *testing.T) {
	s := &Stack{Functions: []Function{{Name: "publish", EnvironmentAt: map[string]string{"API_ENDPOINT": "template.yaml:31"}, NoEcho: []string{"ECHOED"}, Environment: map[string]string{
		"API_ENDPOINT": "<insert endpoint>", "STRIPE_API_KEY": "sk_live_xxxxxxxx", "ECHOED": "TODO: hunter2", "FINE": "main", "LONG": "TODO " + strings.Repeat("a", 200),
	}}}}
	got := strings.Join(s.Placeholders(), "\n")
	for _, want := range []string{
		`function publish: the variable API_ENDPOINT is "<insert endpoint>" (template.yaml:31), which looks like a placeholder; give it a value with --env publish.API_ENDPOINT=VALUE`,
		`the variable STRIPE_API_KEY is a value (not shown), which looks like a placeholder`,
		`the variable ECHOED is a value (not shown)`,
		`aaa…", which looks`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("there is no %q in\n%s", want, got)
		}
	}
	for _, never := range []string{"sk_live", "hunter2", "FINE"} {
		if strings.Contains(got, never) {
			t.Errorf("%q is shown in\n%s", never, got)
		}
	}
}

func TestWithoutSecrets(t *testing.T) {
	shown := map[string]string{
		"TABLE_NAME": "rooms", "API_ENDPOINT": "https://x/main", "LOG_LEVEL": "debug", "NODE_ENV": "test", "MONKEY": "george", "AUTHOR": "ann", "KEYBOARD": "qwerty", "REGION": "a",
		"CERTAIN": "1", "PINNED": "2", "COMPASS": "north",
	}
	kept := map[string]string{
		"DB_PASSWORD": "p", "dbPassword": "p", "SLACK_TOKEN": "t", "STRIPE_API_KEY": "k", "apiKey": "k", "JWT_SECRET": "s", "PRIVATE_KEY": "k", "DATABASE_URL": "u", "AUTH": "a", "SIGNING_SALT": "s",
		"QUEUE": "amqp://user:pass@broker/x", "WEBHOOK_URL": "https://hooks/x", "SENTRY_DSN": "d", "Plain": "from NoEcho", "ENCRYPTION_KEY_ID": "i",
	}
	f := Function{Name: "f", NoEcho: []string{"Plain"}, Environment: map[string]string{}}
	for _, all := range []map[string]string{shown, kept} {
		for name, value := range all {
			f.Environment[name] = value
		}
	}
	s := &Stack{Functions: []Function{f}}
	got := s.WithoutSecrets().Functions[0].Environment
	for name, value := range shown {
		if got[name] != value {
			t.Errorf("%s is not shown", name)
		}
	}
	for name, value := range kept {
		if got[name] != hidden {
			t.Errorf("%s shows %q", name, got[name])
		}
		if s.Functions[0].Environment[name] != value {
			t.Errorf("%s was changed in the original", name)
		}
	}
}

func TestValidateRefusesEnvironments(t *testing.T) {
	for want, environment := range map[string]map[string]string{
		`function echo, variable "AWS_REGION": refused on AWS: Lambda was unable to configure`:                 {"AWS_REGION": "a"},
		`function echo, variable "1A": the name of a variable`:                                                 {"1A": "a"},
		`function echo: refused on AWS: Lambda was unable to configure your environment variables because the`: {"LONG": strings.Repeat("a", 5000)},
	} {
		s := sockets()
		s.Functions[0].Environment = environment
		if err := s.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
}
