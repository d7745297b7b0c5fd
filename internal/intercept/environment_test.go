package intercept

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/gatepost-dev/gatepost/internal/awswire"
)

const awsAlone = "amazonaws.com,amazonaws.com.cn,api.aws,api.amazonwebservices.com.cn"

func surroundings() Surroundings {
	return Surroundings{
		AWSEndpoint: "http://127.0.0.1:4566",
		Callbacks:   []string{"http://127.0.0.1:3001/main"},
		ProxyURL:    "http://f:p@127.0.0.1:9",
		CAFile:      "/d/ca.pem",
		BundleFile:  "/d/ca-bundle.pem",
		HookFile:    "/my data/node-hook.cjs",
		Region:      "eu-west-1",
		Credentials: awswire.Credentials{AccessKeyID: "A", SecretAccessKey: "S", SessionToken: "T"},
	}
}

func TestEnvironment(t *testing.T) {
	want := map[string]string{
		"AWS_ENDPOINT_URL":                         "http://127.0.0.1:4566",
		"AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI": "http://127.0.0.1:3001/main",
		"AWS_ENDPOINT_URL_DYNAMODB":                "http://127.0.0.1:4566", "AWS_ENDPOINT_URL_KINESIS": "http://127.0.0.1:4566", "AWS_ENDPOINT_URL_LAMBDA": "http://127.0.0.1:4566",
		"AWS_ENDPOINT_URL_SNS": "http://127.0.0.1:4566", "AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:4566",
		"HTTPS_PROXY": "http://f:p@127.0.0.1:9", "https_proxy": "http://f:p@127.0.0.1:9",
		"NO_PROXY": "localhost,127.0.0.1,::1", "no_proxy": "localhost,127.0.0.1,::1",
		"NODE_OPTIONS": `--require "/my data/node-hook.cjs"`, "GATEPOST_PROXIED": awsAlone,
		"SSL_CERT_FILE": "/d/ca-bundle.pem", "AWS_CA_BUNDLE": "/d/ca-bundle.pem", "REQUESTS_CA_BUNDLE": "/d/ca-bundle.pem", "NODE_EXTRA_CA_CERTS": "/d/ca.pem",
		"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1",
		"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "S", "AWS_SESSION_TOKEN": "T",
	}
	if got := Environment(surroundings(), nil); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("environment %v\nwant %v", got, want)
	}
	if got := Environment(Surroundings{}, nil); len(got) != 0 {
		t.Errorf("out of nothing: %v", got)
	}
}

// TestEnvironmentBySurroundings has what changes with where Gatepost runs.
func TestEnvironmentBySurroundings(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Surroundings)
		want   map[string]string // "-" is not set
	}{
		"two APIs": {func(s *Surroundings) { s.Callbacks = append(s.Callbacks, "http://127.0.0.1:3002/main") },
			map[string]string{"AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI": "-"}},
		"offline": {func(s *Surroundings) { s.Offline = true },
			map[string]string{"GATEPOST_PROXIED": "*", "HTTP_PROXY": "http://f:p@127.0.0.1:9", "http_proxy": "http://f:p@127.0.0.1:9"}},
		"domains of its own": {func(s *Surroundings) { s.Domains = []string{"ws.example.com"} },
			map[string]string{"GATEPOST_PROXIED": awsAlone + ",ws.example.com"}},
		"not on loopback": {func(s *Surroundings) {
			s.AWSEndpoint, s.Callbacks = "http://192.0.2.1:4566", []string{"http://192.0.2.1:3001/main"}
		},
			map[string]string{"NO_PROXY": "localhost,127.0.0.1,::1,192.0.2.1"}},
		"no hook": {func(s *Surroundings) { s.HookFile = "" }, map[string]string{"NODE_OPTIONS": "-", "GATEPOST_PROXIED": "-"}},
	} {
		s := surroundings()
		c.change(&s)
		holds(t, name, Environment(s, nil), c.want)
	}
}

// TestOwnValuesWin has each variable that a function may set itself.
func TestOwnValuesWin(t *testing.T) {
	for name := range Environment(surroundings(), nil) {
		if name == "NODE_OPTIONS" {
			continue // joined
		}
		own := map[string]string{name: "own"}
		holds(t, name, Environment(surroundings(), own), own)
		holds(t, name+" empty", Environment(surroundings(), map[string]string{name: ""}), map[string]string{name: "-"})
	}
	for name, c := range map[string]struct{ own, want map[string]string }{
		"a proxy in upper case": {map[string]string{"HTTPS_PROXY": "http://corp:3128"},
			map[string]string{"HTTPS_PROXY": "http://corp:3128", "https_proxy": "-", "NODE_OPTIONS": "-", "GATEPOST_PROXIED": "-", "NO_PROXY": "localhost,127.0.0.1,::1"}},
		"a proxy in lower case": {map[string]string{"https_proxy": "http://corp:3128"}, map[string]string{"HTTPS_PROXY": "-", "NODE_OPTIONS": "-"}},
		"no proxy at all":       {map[string]string{"HTTPS_PROXY": ""}, map[string]string{"HTTPS_PROXY": "-", "https_proxy": "-", "NODE_OPTIONS": "-", "AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}},
		"a proxy, and options of Node.js": {map[string]string{"HTTPS_PROXY": "http://corp:3128", "NODE_OPTIONS": "--enable-source-maps"},
			map[string]string{"NODE_OPTIONS": "--enable-source-maps"}},
		"exceptions of the proxy": {map[string]string{"no_proxy": "corp"}, map[string]string{"NO_PROXY": "-", "HTTPS_PROXY": "http://f:p@127.0.0.1:9"}},
		"options of Node.js":      {map[string]string{"NODE_OPTIONS": "--enable-source-maps"}, map[string]string{"NODE_OPTIONS": `--require "/my data/node-hook.cjs" --enable-source-maps`}},
		"no options of Node.js":   {map[string]string{"NODE_OPTIONS": ""}, map[string]string{"NODE_OPTIONS": "-"}},
		"a common endpoint": {map[string]string{"AWS_ENDPOINT_URL": "http://other:4566"},
			map[string]string{"AWS_ENDPOINT_URL_SQS": "-", "AWS_ENDPOINT_URL_SNS": "-", "AWS_ENDPOINT_URL_DYNAMODB": "-", "AWS_ENDPOINT_URL_KINESIS": "-", "AWS_ENDPOINT_URL_LAMBDA": "-", "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI": "-"}},
		"an endpoint of one service": {map[string]string{"AWS_ENDPOINT_URL_SQS": "http://other:9324", "AWS_ENDPOINT_URL_S3": "http://other:9000"},
			map[string]string{"AWS_ENDPOINT_URL_SQS": "http://other:9324", "AWS_ENDPOINT_URL_S3": "http://other:9000", "AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}},
		"an empty variable that is none of ours": {map[string]string{"EMPTY": ""}, map[string]string{"EMPTY": ""}},
	} {
		holds(t, name, Environment(surroundings(), c.own), c.want)
	}
	s := surroundings()
	s.Offline = true
	holds(t, "offline, a proxy of its own", Environment(s, map[string]string{"http_proxy": "http://corp:3128"}), map[string]string{"HTTP_PROXY": "-", "http_proxy": "http://corp:3128"})
}

func holds(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if have, set := got[name]; value == "-" && set || value != "-" && (have != value || !set) {
			t.Errorf("%s: %s is %q (set: %v), want %q", what, name, have, set, value)
		}
	}
}

// TestEnvironmentKeepsItsArguments: one map of variables is for many functions.
func TestEnvironmentKeepsItsArguments(t *testing.T) {
	own := map[string]string{"A": "1"}
	before := maps.Clone(own)
	Environment(surroundings(), own)["B"] = "2"
	if !maps.Equal(own, before) {
		t.Errorf("the function's own variables are now %v", own)
	}
}

func TestWriteHook(t *testing.T) {
	dir := t.TempDir()
	path, err := WriteHook(dir)
	if err != nil || path != filepath.Join(dir, "node-hook.cjs") {
		t.Fatal(path, err)
	}
	if err := os.WriteFile(path, []byte("process.exit(1)"), 0o600); err != nil { // another version's
		t.Fatal(err)
	}
	if _, err := WriteHook(dir); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != string(nodeHook) {
		t.Errorf("%.40q, %v", text, err)
	}
	if _, err := WriteHook(filepath.Join(dir, "gone")); err == nil {
		t.Error("a folder that is not there was written to")
	}
}
