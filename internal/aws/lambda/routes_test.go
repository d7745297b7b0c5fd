package lambda

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/internal/awswire"
)

// TestOtherOperationsAreNamed: every operation of the API that Gatepost has not
// is refused by its name, and every path is the service's.
func TestOtherOperationsAreNamed(t *testing.T) {
	t.Parallel()
	f := start(t, "", nil)
	for _, o := range operations {
		path, parameter, _ := strings.Cut(strings.ReplaceAll(o.path, "{}", "echo"), "?")
		if !f.Serves(path) {
			t.Errorf("%s is not served", path)
		}
		if parameter != "" {
			path += "?" + parameter + "=x"
		}
		w := f.send(t, o.method, path, nil, "{}")
		code := w.Header().Get("X-Amzn-Errortype")
		_, has := runs[o.name]
		switch {
		case has && code == "UnknownOperationException":
			t.Errorf("%s is unknown", o.name)
		case !has && (w.Code != 404 || code != "UnknownOperationException" || !strings.Contains(w.Body.String(), " "+o.name+":")):
			t.Errorf("%s: %d %s %s", o.name, w.Code, code, w.Body)
		}
	}
	for name := range runs {
		found := false
		for _, o := range operations {
			found = found || o.name == name
		}
		if !found {
			t.Errorf("%s has no path", name)
		}
	}
	w := f.send(t, "PATCH", "/2015-03-31/functions/echo/nonsense", nil, "")
	if w.Code != 404 || !strings.Contains(w.Body.String(), "/2015-03-31/functions/echo/nonsense") {
		t.Errorf("a path that is none: %d %s", w.Code, w.Body)
	}
}

// TestOtherPathsAreLeftAlone: other services of one endpoint go on.
func TestOtherPathsAreLeftAlone(t *testing.T) {
	f := start(t, "", nil)
	for _, path := range []string{"", "/", "/123456789012/queue", "/2015-03-31", "/2015-03-31/", "/2015-03-31/functionsx", "//2015-03-31/functions", "/2013-04-01/hostedzone", "/2015-03-31%2ffunctions/x"} {
		if f.Serves(path) {
			t.Errorf("%q is served", path)
		}
	}
}

// TestUnsignedCallsAreRefused: the endpoint's check comes before the service.
func TestUnsignedCallsAreRefused(t *testing.T) {
	t.Parallel()
	f := start(t, "", nil)
	endpoint := &awswire.Endpoint{Log: quiet(), Check: func(*http.Request, []byte) error { return awswire.MissingToken() }}
	endpoint.RegisterREST(f)
	w := serve(endpoint, "POST", invokeEcho, "{}")
	if w.Code != 403 || w.Header().Get("X-Amzn-Errortype") != "MissingAuthenticationTokenException" || len(f.functions.calls()) != 0 {
		t.Errorf("%d %s, calls %v", w.Code, w.Body, f.functions.calls())
	}
}

func TestListFunctions(t *testing.T) {
	t.Parallel()
	f := start(t, "", nil)
	w := f.send(t, "GET", "/2015-03-31/functions/?MaxItems=2", nil, "")
	want := `{"Functions":[` +
		`{"FunctionName":"broken","FunctionArn":"` + prefix + `broken","Runtime":"python3.13","Version":"$LATEST","PackageType":"Zip"},` +
		`{"FunctionName":"echo","FunctionArn":"` + prefix + `echo","Runtime":"provided.al2023","Handler":"bootstrap","Timeout":3,"MemorySize":128,"Version":"$LATEST","PackageType":"Zip"}],` +
		`"NextMarker":"ZWNobw"}`
	if w.Code != 200 || w.Body.String() != want {
		t.Errorf("%s\nwant %s", w.Body, want)
	}
	w = f.send(t, "GET", "/2015-03-31/functions?Marker=ZWNobw&FunctionVersion=ALL", nil, "")
	if want := `"FunctionArn":"` + prefix + `other_1-a:$LATEST"`; !strings.Contains(w.Body.String(), want) || !strings.HasSuffix(w.Body.String(), `"NextMarker":null}`) || strings.Contains(w.Body.String(), "echo") {
		t.Errorf("the rest: %s", w.Body)
	}
	for _, query := range []string{"?MaxItems=0", "?MaxItems=10001", "?MaxItems=x", "?Marker=%21"} {
		if w := f.send(t, "GET", "/2015-03-31/functions"+query, nil, ""); w.Code != 400 {
			t.Errorf("%s: %d", query, w.Code)
		}
	}
	elsewhere := headers("Authorization", "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-west-2/lambda/aws4_request, SignedHeaders=host, Signature=x")
	if w := f.send(t, "GET", "/2015-03-31/functions", elsewhere, ""); w.Body.String() != `{"Functions":[],"NextMarker":null}` {
		t.Errorf("the functions of another region: %s", w.Body)
	}
	if w := f.send(t, "POST", invokeEcho, elsewhere, ""); w.Code != 404 || !strings.Contains(w.Body.String(), "arn:aws:lambda:us-west-2:123456789012:function:echo") {
		t.Errorf("a function of another region: %d %s", w.Code, w.Body)
	}
}

func TestGetFunction(t *testing.T) {
	t.Parallel()
	f := start(t, "", func(c *Config, _ *functions) {
		c.EventConfigs = []EventInvokeConfig{
			{Function: "echo", MaximumEventAge: time.Hour, OnFailure: prefix + "other_1-a"},
			{Function: "broken", DeadLetter: "arn:aws:sqs:eu-west-1:123456789012:dead"},
		}
	})
	for path, want := range map[string]string{
		"/2015-03-31/functions/other_1-a:live/configuration": `{"FunctionName":"other_1-a","FunctionArn":"` + prefix + `other_1-a:live","Runtime":"nodejs22.x","Handler":"index.handler","Timeout":30,"MemorySize":256,` +
			`"Version":"$LATEST","PackageType":"Zip","State":"Active","LastUpdateStatus":"Successful"}`,
		"/2015-03-31/functions/broken": `{"Code":{},"Configuration":{"FunctionName":"broken","FunctionArn":"` + prefix + `broken","Runtime":"python3.13",` +
			`"Version":"$LATEST","PackageType":"Zip","State":"Failed","StateReason":"there is no python3.13","StateReasonCode":"FunctionError","LastUpdateStatus":"Failed",` +
			`"DeadLetterConfig":{"TargetArn":"arn:aws:sqs:eu-west-1:123456789012:dead"}}}`,
		"/2019-09-25/functions/echo/event-invoke-config":   `{"DestinationConfig":{"OnFailure":{"Destination":"` + prefix + `other_1-a"},"OnSuccess":{}},"FunctionArn":"` + prefix + `echo:$LATEST","MaximumEventAgeInSeconds":3600,"MaximumRetryAttempts":2}`,
		"/2019-09-25/functions/broken/event-invoke-config": `{"Message":"The function ` + prefix + `broken:$LATEST doesn't have an EventInvokeConfig","Type":"User"}`,
		"/2015-03-31/functions/nobody":                     `{"Message":"Function not found: ` + prefix + `nobody","Type":"User"}`,
	} {
		if w := f.send(t, "GET", path, nil, ""); w.Body.String() != want {
			t.Errorf("%s: %s\nwant %s", path, w.Body, want)
		}
	}
}

func TestARNsOfOtherPartitions(t *testing.T) {
	for region, want := range map[string]string{"cn-north-1": "arn:aws-cn:lambda:cn-north-1:1:function:f", "us-gov-west-1": "arn:aws-us-gov:lambda:us-gov-west-1:1:function:f"} {
		if got := functionARN(region, "1", "f"); got != want {
			t.Errorf("%s", got)
		}
	}
}

// FuzzPath holds that no path makes the service panic or reach a function by a
// name that is not the function's.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{invokeEcho, "/2015-03-31/functions/" + prefix + "echo:live/invocations?Qualifier=live", "/2015-03-31/functions/%2e%2e/invocations",
		"/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Aecho/invocations", "/2015-03-31/functions/%zz/invocations",
		"/2014-11-13/functions/echo/invoke-async/", "/2018-10-31/layers?find=LayerVersion", "/2015-03-31/functions//invocations", "/2015-03-31/functions/echo:$LATEST.PUBLISHED/invocations"} {
		f.Add("POST", seed)
		f.Add("GET", seed)
	}
	service := &Service{config: withDefaults(Config{Functions: someFunctions(), Region: region})}
	f.Fuzz(func(t *testing.T, method, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		path := u.EscapedPath()
		name, args, err := route(method, path, u.Query())
		if err != nil || name == "" {
			return
		}
		if !service.Serves(path) {
			t.Fatalf("%s is the operation %s and not served", path, name)
		}
		if len(args) == 0 {
			return
		}
		ref, err := parseReference(args[0])
		if err != nil {
			return
		}
		if ref.name == "" || !strings.Contains(args[0], ref.name) || !strings.HasSuffix(args[0], ref.qualifier) || strings.ContainsAny(ref.arn(region, account), "/\r\n ") {
			t.Fatalf("%q is read as %+v", args[0], ref)
		}
		if got, err := service.resolve(ref, region, account, "InvokeFunction"); err == nil && got.Name != ref.name {
			t.Fatalf("%q leads to %s", args[0], got.Name)
		}
	})
}
