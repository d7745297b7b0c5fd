package lambda

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
)

// behave makes functions that do what their event says, for the tests of the
// clients.
func behave(_ *Config, fs *functions) {
	fs.run = func(_ context.Context, c call) ([]byte, error) {
		fs.mu.Lock()
		fs.logs[c.RequestID] = []telemetry.Event{{Kind: telemetry.LogLine, RequestID: c.RequestID, Text: "a line"}}
		fs.mu.Unlock()
		switch {
		case strings.Contains(string(c.Event), "fail"):
			return nil, boom
		case strings.Contains(string(c.Event), "throttle"):
			return nil, apigw.ErrThrottled
		case c.ClientContext != nil:
			return c.ClientContext, nil
		}
		return c.Event, nil
	}
}

func TestGoSDKVersion2(t *testing.T) {
	t.Parallel()
	f := start(t, "", behave)
	ctx := t.Context()
	for _, name := range []string{"echo", "echo:$LATEST", prefix + "echo", prefix + "echo:live", account + ":function:echo"} {
		out, err := f.client.Invoke(ctx, &awslambda.InvokeInput{FunctionName: &name, Payload: []byte(`{"a":"ä"}`), LogType: types.LogTypeTail})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		log, _ := base64.StdEncoding.DecodeString(aws.ToString(out.LogResult))
		if string(out.Payload) != `{"a":"ä"}` || out.StatusCode != 200 || *out.ExecutedVersion != "$LATEST" || out.FunctionError != nil || !strings.Contains(string(log), "\na line\nEND ") {
			t.Errorf("%s: %+v, log %q", name, out, log)
		}
	}
	out, err := f.client.Invoke(ctx, &awslambda.InvokeInput{FunctionName: aws.String("echo"), Payload: []byte(`"fail"`), Qualifier: aws.String("live")})
	if err != nil || aws.ToString(out.FunctionError) != "Unhandled" || string(out.Payload) != boom.payload || out.StatusCode != 200 {
		t.Errorf("a failure: %+v, %v", out, err)
	}
	out, err = f.client.Invoke(ctx, &awslambda.InvokeInput{FunctionName: aws.String("echo"), ClientContext: aws.String(base64.StdEncoding.EncodeToString([]byte(`{"custom":{}}`)))})
	if err != nil || string(out.Payload) != `{"custom":{}}` {
		t.Errorf("a client context: %+v, %v", out, err)
	}
	for kind, want := range map[types.InvocationType]int32{types.InvocationTypeDryRun: 204, types.InvocationTypeEvent: 202} {
		out, err := f.client.Invoke(ctx, &awslambda.InvokeInput{FunctionName: aws.String("echo"), Payload: []byte(`"later"`), InvocationType: kind})
		if err != nil || out.StatusCode != want || len(out.Payload) != 0 || out.FunctionError != nil {
			t.Errorf("%s: %+v, %v", kind, out, err)
		}
	}
	old, err := f.client.InvokeAsync(ctx, &awslambda.InvokeAsyncInput{FunctionName: aws.String("echo"), InvokeArgs: strings.NewReader(`"later"`)}) //lint:ignore SA1019 people still have it
	if err != nil || old.Status != 202 {
		t.Errorf("InvokeAsync: %+v, %v", old, err)
	}
	await(t, "both asynchronous invocations", func() bool {
		n := 0
		for _, c := range f.functions.calls() {
			if string(c.Event) == `"later"` {
				n++
			}
		}
		return n == 2
	})
}

func TestGoSDKVersion2KnowsTheErrors(t *testing.T) {
	t.Parallel()
	f := start(t, "", behave)
	invoke := func(in *awslambda.InvokeInput) error {
		_, err := f.client.Invoke(t.Context(), in)
		return err
	}
	gone, ok := errors.AsType[*types.ResourceNotFoundException](invoke(&awslambda.InvokeInput{FunctionName: aws.String("nobody")}))
	if !ok || gone.ErrorMessage() != "Function not found: "+prefix+"nobody" || aws.ToString(gone.Type) != "User" {
		t.Errorf("404: %v", gone)
	}
	bad, ok := errors.AsType[*types.InvalidRequestContentException](invoke(&awslambda.InvokeInput{FunctionName: aws.String("echo"), Payload: []byte("x")}))
	if !ok || !strings.HasPrefix(bad.ErrorMessage(), "Could not parse request body into json: ") || aws.ToString(bad.Type) != "User" {
		t.Errorf("400: %v", bad)
	}
	large, ok := errors.AsType[*types.RequestTooLargeException](invoke(&awslambda.InvokeInput{FunctionName: aws.String("echo"), Payload: make([]byte, 6<<20+1)}))
	if !ok || large.ErrorMessage() != "6291457 byte payload is too large for the RequestResponse invocation type (limit 6291456 bytes)" {
		t.Errorf("413: %v", large)
	}
	large, ok = errors.AsType[*types.RequestTooLargeException](invoke(&awslambda.InvokeInput{FunctionName: aws.String("echo"), Payload: make([]byte, 1<<20+1), InvocationType: types.InvocationTypeEvent}))
	if !ok || large.ErrorMessage() != "1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)" {
		t.Errorf("413: %v", large)
	}
	busy, ok := errors.AsType[*types.TooManyRequestsException](invoke(&awslambda.InvokeInput{FunctionName: aws.String("echo"), Payload: []byte(`"throttle"`)}))
	if !ok || busy.Reason != types.ThrottleReasonReservedFunctionConcurrentInvocationLimitExceeded || busy.ErrorMessage() != "Rate Exceeded." {
		t.Errorf("429: %v", busy)
	}
	_, err := f.client.InvokeWithResponseStream(t.Context(), &awslambda.InvokeWithResponseStreamInput{FunctionName: aws.String("echo")})
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "UnknownOperationException" || !strings.Contains(e.ErrorMessage(), "InvokeWithResponseStream") {
		t.Errorf("an operation that is not here: %v", err)
	}
	f.client = f.newClient("wrong")
	err = invoke(&awslambda.InvokeInput{FunctionName: aws.String("echo")})
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "InvalidSignatureException" {
		t.Errorf("a wrong secret: %v", err)
	}
}

// TestGoSDKVersion2Lists: the pages that the SDK asks for, and its waiters.
func TestGoSDKVersion2Lists(t *testing.T) {
	t.Parallel()
	f := start(t, "", behave)
	var names []string
	pages := awslambda.NewListFunctionsPaginator(f.client, &awslambda.ListFunctionsInput{MaxItems: aws.Int32(2)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range page.Functions {
			names = append(names, *one.FunctionName)
		}
	}
	if got := strings.Join(names, " "); got != "broken echo other_1-a" {
		t.Errorf("functions %s", got)
	}
	for _, err := range []error{
		awslambda.NewFunctionActiveV2Waiter(f.client).Wait(t.Context(), &awslambda.GetFunctionInput{FunctionName: aws.String("echo")}, within),
		awslambda.NewFunctionUpdatedV2Waiter(f.client).Wait(t.Context(), &awslambda.GetFunctionInput{FunctionName: aws.String("echo")}, within),
		awslambda.NewFunctionExistsWaiter(f.client).Wait(t.Context(), &awslambda.GetFunctionInput{FunctionName: aws.String("echo")}, within),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	c, err := f.client.GetFunctionConfiguration(t.Context(), &awslambda.GetFunctionConfigurationInput{FunctionName: aws.String("other_1-a")})
	if err != nil || c.Runtime != types.RuntimeNodejs22x || *c.Timeout != 30 || *c.MemorySize != 256 || c.State != types.StateActive || time.Duration(*c.Timeout) == 0 {
		t.Errorf("%+v, %v", c, err)
	}
}
