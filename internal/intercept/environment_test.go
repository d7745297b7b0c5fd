package intercept

import (
	"fmt"
	"testing"

	"github.com/gatepost-dev/gatepost/internal/awswire"
)

func TestEnvironment(t *testing.T) {
	s := Surroundings{
		AWSEndpoint: "http://127.0.0.1:4566",
		Callbacks:   []string{"http://127.0.0.1:3001/main"},
		ProxyURL:    "http://f:p@127.0.0.1:9",
		CAFile:      "/d/ca.pem",
		BundleFile:  "/d/ca-bundle.pem",
		Region:      "eu-west-1",
		Credentials: awswire.Credentials{AccessKeyID: "A", SecretAccessKey: "S", SessionToken: "T"},
	}
	want := map[string]string{
		"AWS_ENDPOINT_URL":                         "http://127.0.0.1:4566",
		"AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI": "http://127.0.0.1:3001/main",
		"HTTPS_PROXY":                              "http://f:p@127.0.0.1:9", "https_proxy": "http://f:p@127.0.0.1:9",
		"NO_PROXY": "localhost,127.0.0.1,::1", "no_proxy": "localhost,127.0.0.1,::1",
		"SSL_CERT_FILE": "/d/ca-bundle.pem", "AWS_CA_BUNDLE": "/d/ca-bundle.pem", "NODE_EXTRA_CA_CERTS": "/d/ca.pem",
		"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1",
		"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "S", "AWS_SESSION_TOKEN": "T",
	}
	if got := Environment(s); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("environment %v\nwant %v", got, want)
	}
	s.Callbacks = append(s.Callbacks, "http://127.0.0.1:3002/main")
	if _, set := Environment(s)["AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"]; set {
		t.Error("with two APIs one of them was chosen")
	}
	if got := Environment(Surroundings{}); len(got) != 0 {
		t.Errorf("out of nothing: %v", got)
	}
}
