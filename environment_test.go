package gatepost

import (
	"net"
	"strings"
	"testing"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb"
	"github.com/gatepost-dev/gatepost/internal/aws/kinesis"
	"github.com/gatepost-dev/gatepost/internal/aws/sns"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/management"
	"github.com/gatepost-dev/gatepost/stack"
)

func twoFunctions() *stack.Stack {
	return &stack.Stack{Region: "us-east-1", Functions: []stack.Function{
		{Name: "publish", LogicalID: "Publisher", Timeout: 1e9, MemoryMB: 128, Environment: map[string]string{"TABLE": "rooms", "LEVEL": "info"}, EnvironmentAt: map[string]string{"TABLE": "t.yaml:3"}},
		{Name: "echo", LogicalID: "echo", Timeout: 1e9, MemoryMB: 128},
	}}
}

func TestOverride(t *testing.T) {
	s := twoFunctions()
	got, err := override(s, map[string]map[string]string{
		"":          {"LEVEL": "debug", "STAGE": "local"},
		"Publisher": {"TABLE": "mine"},
		"echo":      {"LEVEL": "error"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"publish.TABLE": "mine", "publish.LEVEL": "debug", "publish.STAGE": "local", "echo.LEVEL": "error", "echo.STAGE": "local"} {
		function, variable, _ := strings.Cut(name, ".")
		if value := got.Function(function).Environment[variable]; value != want {
			t.Errorf("%s is %q, want %q", name, value, want)
		}
	}
	if s.Functions[0].Environment["TABLE"] != "rooms" || s.Functions[1].Environment != nil {
		t.Error("the caller's stack was changed")
	}
	if got.Functions[0].EnvironmentAt["TABLE"] != "" {
		t.Error("the value from outside still has the template's place")
	}
}

func TestOverrideRefuses(t *testing.T) {
	for _, c := range []struct {
		by   map[string]map[string]string
		want string
	}{
		{map[string]map[string]string{"gone": {"A1": "hunter2"}}, `variables are set for the function "gone", which the stack does not declare; it declares publish (Publisher), echo`},
		{map[string]map[string]string{"echo": {"AWS_REGION": "hunter2"}}, `the variable "AWS_REGION" of function echo: refused on AWS: Lambda was unable to configure`},
		{map[string]map[string]string{"": {"1A": "hunter2"}}, `the variable "1A" of function publish: the name of a variable`},
	} {
		if _, err := New(Config{Stack: twoFunctions(), Override: c.by}); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
	if _, err := New(Config{Stack: &stack.Stack{}, Override: map[string]map[string]string{"f": nil}}); err == nil || !strings.Contains(err.Error(), "it declares none") {
		t.Errorf("without functions: %v", err)
	}
}

func TestWarningsAreOfWhatRuns(t *testing.T) {
	s := twoFunctions()
	s.Functions[0].Environment["ENDPOINT"] = "<insert endpoint>"
	server, err := New(Config{Stack: s})
	if err != nil || len(server.Warnings()) != 1 || !strings.Contains(server.Warnings()[0], "--env publish.ENDPOINT=VALUE") {
		t.Errorf("%v, %v", server.Warnings(), err)
	}
	server, err = New(Config{Stack: s, Override: map[string]map[string]string{"publish": {"ENDPOINT": "https://localhost:1/main"}}})
	if err != nil || len(server.Warnings()) != 0 {
		t.Errorf("with a value: %v, %v", server.Warnings(), err)
	}
}

func TestReachable(t *testing.T) {
	for at, want := range map[string]string{"0.0.0.0:1": "127.0.0.1:1", "[::]:2": "127.0.0.1:2", "192.0.2.1:3": "192.0.2.1:3", "[::1]:4": "[::1]:4"} {
		tcp, err := net.ResolveTCPAddr("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		if got := reachable(tcp); got != want {
			t.Errorf("%s is called at %s, want %s", at, got, want)
		}
	}
}

// TestRouteHost holds who answers for which host of AWS.
func TestRouteHost(t *testing.T) {
	h := &house{endpoint: &awswire.Endpoint{}, topics: &sns.Service{}, apis: []*api{{
		declared: &apigw.API{ID: "abcdefghij", Domains: []apigw.Domain{{Name: "ws.example.com"}}}, http: &management.Server{Handler: &management.Handler{}},
	}}}
	h.endpoint.Register(&kinesis.Service{})
	for host, want := range map[string]string{
		"abcdefghij.execute-api.us-east-1.amazonaws.com":     "api",
		"abcdefghij.execute-api.ap-south-1.api.aws":          "api",
		"abcdefghij.execute-api.cn-north-1.amazonaws.com.cn": "api",
		"ws.example.com": "api",
		"zzzzzzzzzz.execute-api.us-east-1.amazonaws.com": "",
		"execute-api.us-east-1.amazonaws.com":            "",
		"dynamodb.eu-west-1.amazonaws.com":               "aws",
		"123456789012.ddb.eu-west-1.amazonaws.com":       "aws",
		"dynamodb-fips.us-east-1.api.aws":                "aws",
		"sqs.cn-north-1.amazonaws.com.cn":                "aws",
		"queue.amazonaws.com":                            "aws",
		"sns.us-east-1.amazonaws.com":                    "aws",
		"lambda.us-east-1.api.aws":                       "aws",
		"streams.dynamodb.us-east-1.amazonaws.com":       "",
		"kinesis.us-east-1.amazonaws.com":                "aws",
		"s3.us-east-1.amazonaws.com":                     "",
		"bucket.s3.amazonaws.com":                        "",
		"ssm.us-east-1.amazonaws.com":                    "",
		"secretsmanager.us-east-1.amazonaws.com":         "",
		"sts.amazonaws.com":                              "",
		"example.com":                                    "",
		"localhost":                                      "",
	} {
		handler := h.routeHost(host)
		got := ""
		if handler != nil {
			got = "aws"
		}
		if handler == h.apis[0].http.Handler {
			got = "api"
		}
		if got != want {
			t.Errorf("%s goes to %q, want %q", host, got, want)
		}
	}
	h.endpoint.Register(&streams{})
	if h.routeHost("streams.dynamodb.us-east-1.amazonaws.com") == nil {
		t.Error("streams are served and not routed to")
	}
}

// streams is a service with the name of DynamoDB's streams.
type streams struct{ *dynamodb.Service }

func (*streams) TargetPrefix() string { return "DynamoDBStreams_20120810" }
