package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/aws/lambda"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/bus"
	"github.com/gatepost-dev/gatepost/internal/instance"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
)

// functions stand in for the function host: fail fails, all others answer with
// their event.
type functions struct{}

type failedFunction struct{}

func (failedFunction) Error() string        { return "boom" }
func (failedFunction) ErrorPayload() []byte { return []byte(`{"errorMessage":"boom"}`) }
func (failedFunction) Unwrap() error        { return apigw.ErrFunction }

func (functions) List() []lambda.Function {
	return []lambda.Function{{Name: "echo"}, {Name: "fail"}}
}

func (functions) Invoke(_ context.Context, name string, in lambda.Invocation) ([]byte, error) {
	if name == "fail" {
		return nil, failedFunction{}
	}
	return in.Event, nil
}

func (functions) Trace(requestID string) []telemetry.Event {
	return []telemetry.Event{{Kind: telemetry.LogLine, RequestID: requestID, Text: "a line"}}
}

// lambdaAPI serves the real Lambda API and checks signatures.
func lambdaAPI(t *testing.T) lambdaCaller {
	b, err := bus.Open(bus.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	service, err := lambda.New(t.Context(), lambda.Config{Functions: functions{}, Logs: functions{}, Bus: b, Region: "eu-west-1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { service.Close(context.Background()) })
	keys := awswire.NewCredentials()
	verifier := awswire.NewVerifier(func(id string) (awswire.Credentials, bool) { return keys, id == keys.AccessKeyID }, awswire.VerifierOptions{})
	endpoint := &awswire.Endpoint{Check: func(r *http.Request, body []byte) error {
		_, err := verifier.Verify(r, body, "lambda")
		return err
	}}
	endpoint.RegisterREST(service)
	server := httptest.NewServer(endpoint)
	t.Cleanup(server.Close)
	return lambdaCaller{&instance.Run{AWS: server.URL, Region: "eu-west-1"}, keys}
}

// parseInvoke reads a command line of the command.
func parseInvoke(t *testing.T, args ...string) (c invokeCommand) {
	t.Helper()
	parser, err := kong.New(&c)
	if err == nil {
		_, err = parser.Parse(args)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestInvoke(t *testing.T) {
	api := lambdaAPI(t)
	file := filepath.Join(t.TempDir(), "event.json")
	if err := os.WriteFile(file, []byte("{\n\"from\": \"the file\"}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, args, out, err, failure string }{
		{"the event on the command line", `echo {"a":1}`, "{\"a\":1}\n", "", ""},
		{"no event", "echo", "{}\n", "", ""},
		{"an event in a file", "echo @" + file, "{\n\"from\": \"the file\"}\n", "", ""},
		{"an event in the input", "echo -", "\"input\"\n", "", ""},
		{"an ARN", "arn:aws:lambda:eu-west-1:123456789012:function:echo:live 1", "1\n", "", ""},
		{"a failure", "fail", "", "{\"errorMessage\":\"boom\"}\n", "the function fail failed"},
		{"the log", "echo --log", "{}\n", "\na line\nEND RequestId: ", ""},
		{"the log of a failure", "fail --log", "", "\na line\nEND RequestId: ", "the function fail failed"},
		{"no JSON", "echo x", "", "", "invoke echo: Could not parse request body into json"},
		{"an unknown function", "nobody", "", "", "invoke nobody: Function not found: arn:aws:lambda:eu-west-1:123456789012:function:nobody; there are: echo, fail"},
		{"a file that is not there", "echo @nothing", "", "", "read the event: open nothing"},
	} {
		var out, errs bytes.Buffer
		std := streams{strings.NewReader(`"input"`), &out, &errs}
		cmd := parseInvoke(t, strings.Fields(c.args)...)
		event, err := cmd.readEvent(std)
		if err == nil {
			err = cmd.invoke(t.Context(), std, api, event)
		}
		if out.String() != c.out || !strings.Contains(errs.String(), c.err) || !strings.HasPrefix(fmt.Sprint(err), c.failure) || (err != nil) != (c.failure != "") {
			t.Errorf("%s: printed %q and %q, %v\nwant %q and %q, %q", c.name, &out, &errs, err, c.out, c.err, c.failure)
		}
	}
}

func TestInvokeAsynchronously(t *testing.T) {
	api := lambdaAPI(t)
	var out bytes.Buffer
	if err := parseInvoke(t, "fail", "--event").invoke(t.Context(), streams{out: &out, err: &out}, api, []byte("{}")); err != nil || len(out.String()) != 37 {
		t.Errorf("printed %q, %v", &out, err)
	}
	api.keys.SecretAccessKey += "x"
	if err := parseInvoke(t, "echo").invoke(t.Context(), streams{out: &out, err: &out}, api, []byte("{}")); err == nil || !strings.HasPrefix(err.Error(), "invoke echo: The request signature we calculated") {
		t.Errorf("a wrong secret: %v", err)
	}
}
