//lint:file-ignore SA1019 version 1 of the SDK is here because people still have it

package lambda

import (
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/session"
	lambdav1 "github.com/aws/aws-sdk-go/service/lambda"
)

// The other clients that people have: what they send and what they make of the
// answers.

func TestGoSDKVersion1(t *testing.T) {
	t.Parallel()
	f := start(t, "", behave)
	s, err := session.NewSession(&aws.Config{Region: aws.String(region), Endpoint: &f.server.URL, Credentials: credentials.NewStaticCredentials("AKID", "secret", ""), MaxRetries: aws.Int(0)})
	if err != nil {
		t.Fatal(err)
	}
	c := lambdav1.New(s)
	for _, name := range []string{"echo", prefix + "echo:live"} {
		out, err := c.Invoke(&lambdav1.InvokeInput{FunctionName: &name, Payload: []byte(`{"a":1}`), LogType: aws.String("Tail")})
		if err != nil {
			t.Fatal(err)
		}
		log, _ := base64.StdEncoding.DecodeString(aws.StringValue(out.LogResult))
		if string(out.Payload) != `{"a":1}` || *out.StatusCode != 200 || *out.ExecutedVersion != "$LATEST" || out.FunctionError != nil || !strings.Contains(string(log), "REPORT RequestId: ") {
			t.Errorf("%s: %v, log %q", name, out, log)
		}
	}
	out, err := c.Invoke(&lambdav1.InvokeInput{FunctionName: aws.String("echo"), Payload: []byte(`"fail"`)})
	if err != nil || aws.StringValue(out.FunctionError) != "Unhandled" || string(out.Payload) != boom.payload {
		t.Errorf("a failure: %v, %v", out, err)
	}
	out, err = c.Invoke(&lambdav1.InvokeInput{FunctionName: aws.String("echo"), InvocationType: aws.String("Event"), Payload: []byte(`"later"`)})
	if err != nil || *out.StatusCode != 202 {
		t.Errorf("Event: %v, %v", out, err)
	}
	old, err := c.InvokeAsync(&lambdav1.InvokeAsyncInput{FunctionName: aws.String("echo"), InvokeArgs: strings.NewReader(`{}`)})
	if err != nil || *old.Status != 202 {
		t.Errorf("InvokeAsync: %v, %v", old, err)
	}
	list, err := c.ListFunctions(&lambdav1.ListFunctionsInput{})
	if err != nil || len(list.Functions) != 3 {
		t.Errorf("functions %v, %v", list, err)
	}
	_, err = c.Invoke(&lambdav1.InvokeInput{FunctionName: aws.String("nobody")})
	if e, ok := err.(*lambdav1.ResourceNotFoundException); !ok || e.Code() != lambdav1.ErrCodeResourceNotFoundException || e.Message() != "Function not found: "+prefix+"nobody" || e.StatusCode() != 404 {
		t.Errorf("404: %v", err)
	}
	_, err = c.Invoke(&lambdav1.InvokeInput{FunctionName: aws.String("echo"), Payload: []byte(`"throttle"`)})
	if e, ok := err.(awserr.Error); !ok || e.Code() != lambdav1.ErrCodeTooManyRequestsException {
		t.Errorf("429: %v", err)
	}
}

// run runs a program with an environment that points it at the fixture, and
// returns what it writes.
func (f *fixture) run(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=AKID", "AWS_SECRET_ACCESS_KEY=secret", "AWS_DEFAULT_REGION="+region, "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ENDPOINT_URL="+f.server.URL, "AWS_MAX_ATTEMPTS=1", "NO_PROXY=127.0.0.1", "AWS_PAGER=", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestBoto3(t *testing.T) {
	t.Parallel()
	if out, err := exec.Command("python3", "-c", "import boto3").CombinedOutput(); err != nil {
		t.Skipf("boto3 is not installed (%v: %s): pip install boto3", err, out)
	}
	f := start(t, "", behave)
	const script = `
import base64, boto3, json, os
c = boto3.client("lambda", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
prefix = "arn:aws:lambda:eu-west-1:123456789012:function:"
for name in ["echo", "echo:live", prefix + "echo", "123456789012:function:echo"]:
    out = c.invoke(FunctionName=name, Payload=json.dumps({"a": "ä"}), LogType="Tail")
    assert json.load(out["Payload"]) == {"a": "ä"}, out
    assert out["StatusCode"] == 200 and out["ExecutedVersion"] == "$LATEST" and "FunctionError" not in out, out
    assert "a line\nEND RequestId: " + out["ResponseMetadata"]["RequestId"] in base64.b64decode(out["LogResult"]).decode(), out
out = c.invoke(FunctionName="echo", Qualifier="live", Payload=b'"fail"')
assert out["FunctionError"] == "Unhandled" and json.load(out["Payload"])["errorMessage"] == "boom", out
assert c.invoke(FunctionName="echo")["Payload"].read() == b"{}"
out = c.invoke(FunctionName="echo", ClientContext=base64.b64encode(b'{"custom": {}}').decode())
assert out["Payload"].read() == b'{"custom":{}}'
assert c.invoke(FunctionName="echo", InvocationType="DryRun")["StatusCode"] == 204
out = c.invoke(FunctionName="echo", InvocationType="Event", Payload=b'"later"')
assert out["StatusCode"] == 202 and out["Payload"].read() == b"", out
assert c.invoke_async(FunctionName="echo", InvokeArgs=b'{}')["Status"] == 202
assert [f["FunctionName"] for f in c.list_functions()["Functions"]] == ["broken", "echo", "other_1-a"]
pages = c.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 1})
assert sum(len(p["Functions"]) for p in pages) == 3
assert c.get_function(FunctionName="echo")["Configuration"]["Timeout"] == 3
c.get_waiter("function_active_v2").wait(FunctionName="echo")
def refused(kind, **call):
    try:
        c.invoke(**call)
    except kind as e:
        return e.response
    raise AssertionError("%s was not refused" % call)
r = refused(c.exceptions.ResourceNotFoundException, FunctionName="nobody")
assert r["Error"]["Message"] == "Function not found: " + prefix + "nobody" and r["Type"] == "User", r
r = refused(c.exceptions.InvalidRequestContentException, FunctionName="echo", Payload=b"{")
assert r["ResponseMetadata"]["HTTPStatusCode"] == 400, r
r = refused(c.exceptions.RequestTooLargeException, FunctionName="echo", Payload=b" " * (6 * 1024 * 1024 + 1))
assert r["ResponseMetadata"]["HTTPStatusCode"] == 413, r
r = refused(c.exceptions.TooManyRequestsException, FunctionName="echo", Payload=b'"throttle"')
assert r["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded", r
try:
    c.delete_function(FunctionName="echo")
    raise AssertionError("a function was deleted")
except c.exceptions.ClientError as e:
    assert "DeleteFunction" in e.response["Error"]["Message"], e.response
`
	if out, err := f.run(t, "python3", "-c", script); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	if out, err := exec.Command("aws", "--version").CombinedOutput(); err != nil {
		t.Skipf("the AWS command line is not installed (%v: %s): pip install awscli", err, out)
	}
	f := start(t, "", behave)
	file := filepath.Join(t.TempDir(), "out")
	aws := func(args ...string) (string, error) {
		t.Helper()
		return f.run(t, "aws", append([]string{"--endpoint-url", f.server.URL, "--output", "text", "lambda"}, args...)...)
	}
	must := func(want string, args ...string) {
		t.Helper()
		if out, err := aws(args...); err != nil || !strings.Contains(out, want) {
			t.Errorf("%v: %v\n%s\nwant %s", args, err, out, want)
		}
	}
	answered := func(want string) {
		t.Helper()
		if got, err := os.ReadFile(file); err != nil || string(got) != want {
			t.Errorf("the answer is %q, %v; want %q", got, err, want)
		}
	}
	payload := filepath.Join(t.TempDir(), "payload")
	if err := os.WriteFile(payload, []byte(`{"a":"ä"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	must("$LATEST", "invoke", "--function-name", "echo", "--payload", "fileb://"+payload, file)
	answered(`{"a":"ä"}`)
	must("$LATEST", "invoke", "--function-name", prefix+"echo:live", file)
	answered("{}")
	if err := os.WriteFile(payload, []byte(`"fail"`), 0o600); err != nil {
		t.Fatal(err)
	}
	must("Unhandled", "invoke", "--function-name", "echo", "--log-type", "Tail", "--payload", "fileb://"+payload, file)
	answered(boom.payload)
	must("202", "invoke", "--function-name", "echo", "--invocation-type", "Event", file)
	answered("")
	must("204", "invoke", "--function-name", "echo", "--invocation-type", "DryRun", file)
	must("nodejs22.x", "list-functions")
	must("other_1-a", "get-function", "--function-name", "other_1-a")
	for want, args := range map[string][]string{
		"An error occurred (ResourceNotFoundException) when calling the Invoke operation: Function not found: " + prefix + "nobody": {"invoke", "--function-name", "nobody", file},
		"DeleteFunction": {"delete-function", "--function-name", "echo"},
	} {
		if out, err := aws(args...); err == nil || !strings.Contains(out, want) {
			t.Errorf("%v: %v\n%s\nwant %s", args, err, out, want)
		}
	}
}
