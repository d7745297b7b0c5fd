package integration

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conformance"
)

// anyAnswer is an integration response that takes everything.
var anyAnswer = []apigw.IntegrationResponse{{Key: "$default"}}

func TestCustomFunctionsGetWhatTheTemplateMadeAndAnswerAnyJSON(t *testing.T) {
	conformance.Covers(t, "integration.aws-lambda")
	for _, tt := range []struct{ name, template, body, event, answer, want string }{
		{"a template", `{"said":$input.json('$.text'),"by":"$context.connectionId"}`, `{"text":"hi"}`, `{"said":"hi","by":"JC1dgf9yoAMCK-g="}`, `[1,"two"]`, `200 [1,"two"]`},
		{"no template", "", `{"text":"hi"}`, `{"text":"hi"}`, `"bare"`, `200 "bare"`},
		{"no message", "", "", `{}`, `null`, `200 null`},
		{"a proxy answer is nothing special", "", `{}`, `{}`, `{"statusCode":500,"body":"x"}`, `200 {"statusCode":500,"body":"x"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := answers(tt.answer)
			in := apigw.Integration{Type: apigw.AWSService, Function: "f", Responses: anyAnswer}
			if tt.template != "" {
				in.RequestTemplates = map[string]string{"$default": tt.template}
			}
			compiled := compile(t, newBackends(t, Config{Invoker: f}), in)
			if got := call(t, compiled, message(tt.body)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if got := f.got(); len(got) != 1 || got[0] != "f "+tt.event {
				t.Errorf("the function got %q, want %q", got, tt.event)
			}
			if compiled.TakesEvent() {
				t.Error("TakesEvent is true for AWS")
			}
		})
	}
}

func TestCustomFunctionsRefuseWhatIsNoJSON(t *testing.T) {
	f := answers("{}")
	in := compile(t, newBackends(t, Config{Invoker: f}), apigw.Integration{Type: apigw.AWSService, Function: "f", Responses: anyAnswer})
	if got := call(t, in, message("hello")); !strings.Contains(got, "what is no JSON; use a request template") {
		t.Error(got)
	}
	if len(f.got()) != 0 {
		t.Error("the function was called all the same")
	}
}

func TestFunctionsAreFoundByTheirURI(t *testing.T) {
	conformance.Covers(t, "integration.lambda-uri")
	const lambda = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/"
	for uri, want := range map[string]string{
		lambda + "arn:aws:lambda:eu-west-1:123456789012:function:chat/invocations":       "chat",
		lambda + "arn:aws:lambda:eu-west-1:123456789012:function:chat:live/invocations":  "chat",
		lambda + "arn:aws-cn:lambda:cn-north-1:123456789012:function:chat:7/invocations": "chat",
		lambda + "chat/invocations":                                    "chat",
		lambda + "arn:aws:lambda:eu-west-1:123456789012:function:chat": "",
		lambda + "arn:aws:lambda:eu-west-1/invocations":                "",
		"arn:aws:apigateway:eu-west-1:sqs:path/1/q":                    "",
		"arn:aws:lambda:eu-west-1:123456789012:function:chat":          "",
		"": "",
	} {
		for _, kind := range []apigw.IntegrationType{apigw.AWSProxy, apigw.AWSService} {
			out, err := newBackends(t, Config{Invoker: answers("")}).Compile(&apigw.Integration{Type: kind, URI: uri})
			switch {
			case want == "" && err == nil:
				t.Errorf("%s %s was taken", kind, uri)
			case want != "" && (err != nil || out.function != want):
				t.Errorf("%s %s: %v, want the function %s", kind, uri, err, want)
			}
		}
	}
}

func TestInvocationTypes(t *testing.T) {
	conformance.Covers(t, "integration.aws-lambda-async")
	ran := make(chan string, 1)
	release := make(chan struct{})
	f := &invoker{run: func(ctx context.Context, _ string, event []byte) ([]byte, error) {
		if string(event) == `{"wait":true}` {
			<-release
			if _, limited := ctx.Deadline(); limited {
				ran <- "with the route's time limit"
			} else {
				ran <- string(event)
			}
		}
		return []byte(`"answer"`), nil
	}}
	b := newBackends(t, Config{Invoker: f})
	of := func(source string) *Integration {
		return compile(t, b, apigw.Integration{Type: apigw.AWSService, Function: "f", Responses: anyAnswer,
			RequestParameters: map[string]string{"integration.request.header.X-Amz-Invocation-Type": source}})
	}
	body := []byte(`{"wait":true}`)
	if got := call(t, of("'Event'"), &Request{Body: body, Context: requestContext(apigw.EventMessage, "say")}); got != "200" {
		t.Errorf("Event: %s, want an empty answer at once", got)
	}
	copy(body, "XXXXXXXXXXXXX") // the caller's buffer is its own again
	close(release)
	select {
	case got := <-ran:
		if got != `{"wait":true}` {
			t.Errorf("the function ran %s", got)
		}
	case <-time.After(patience):
		t.Fatal("the function did not run")
	}
	if got := call(t, of("'RequestResponse'"), message("{}")); got != `200 "answer"` {
		t.Errorf("RequestResponse: %s", got)
	}
	if got := call(t, of("route.request.body.mode"), message(`{"mode":"RequestResponse"}`)); got != `200 "answer"` {
		t.Errorf("mapped: %s", got)
	}
	before := len(f.got())
	if got := call(t, of("'DryRun'"), message("{}")); got != "200" || len(f.got()) != before {
		t.Errorf("DryRun: %s after %d more calls", got, len(f.got())-before)
	}
	if got := call(t, of("'Later'"), message("{}")); !strings.Contains(got, "none of RequestResponse, Event and DryRun") {
		t.Errorf("Later: %s", got)
	}
}

func TestCloseWaitsForAsynchronousInvocations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := false
		f := &invoker{run: func(context.Context, string, []byte) ([]byte, error) {
			time.Sleep(time.Hour)
			ended = true
			return nil, errors.New("failed")
		}}
		b := New(Config{Invoker: f})
		in := compile(t, b, asynchronous)
		if got := call(t, in, oneWay("{}")); got != "200" {
			t.Fatal(got)
		}
		if err := b.Close(t.Context()); err != nil || !ended {
			t.Errorf("Close: %v, the invocation ended: %v", err, ended)
		}
		if got := call(t, in, oneWay("{}")); !strings.Contains(got, errClosed.Error()) {
			t.Errorf("after Close: %s", got)
		}
		if err := b.Close(t.Context()); err != nil {
			t.Errorf("the second Close: %v", err)
		}
	})
}

var asynchronous = apigw.Integration{Type: apigw.AWSService, Function: "f", Responses: anyAnswer,
	RequestParameters: map[string]string{"integration.request.header.X-Amz-Invocation-Type": "'Event'"}}

func TestCloseGivesUpWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := make(chan error, 1)
		f := &invoker{run: func(ctx context.Context, _ string, _ []byte) ([]byte, error) {
			<-ctx.Done()
			told <- ctx.Err()
			return nil, ctx.Err()
		}}
		b := New(Config{Invoker: f})
		call(t, compile(t, b, asynchronous), oneWay("{}"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := b.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close: %v", err)
		}
		if err := <-told; !errors.Is(err, context.Canceled) {
			t.Errorf("the invocation was told %v", err)
		}
	})
}

func TestAsynchronousInvocationsAreBounded(t *testing.T) {
	release := make(chan struct{})
	f := &invoker{run: func(context.Context, string, []byte) ([]byte, error) { <-release; return nil, nil }}
	in := compile(t, newBackends(t, Config{Invoker: f}), asynchronous)
	for range maxAsync {
		if got := call(t, in, oneWay("{}")); got != "200" {
			t.Fatal(got)
		}
	}
	if _, err := in.Call(t.Context(), oneWay("{}")); !errors.Is(err, apigw.ErrThrottled) {
		t.Errorf("one more: %v, want ErrThrottled", err)
	}
	close(release)
}

func TestFunctionErrorsSelectAnIntegrationResponse(t *testing.T) {
	conformance.Covers(t, "mapping.response-selection-lambda")
	responses := []apigw.IntegrationResponse{
		{Key: `/.*not found.*/`, Templates: map[string]string{"$default": `missing: $input.path('$.errorMessage')`}},
		{Key: `/Denied/`},
		{Key: "$default", Templates: map[string]string{"$default": `plain: $input.body`}},
	}
	for _, tt := range []struct {
		name    string
		err     error
		out     string
		request *Request
		want    string
	}{
		{"a message that matches", threw("room not found"), "", message("{}"), `502 missing: room not found`},
		{"a message that matches another", threw("Denied"), "", message("{}"), `502 {"errorMessage":"Denied","errorType":"Error"}`},
		{"the whole message must match", threw("Denied twice"), "", message("{}"), `502 plain: {"errorMessage":"Denied twice","errorType":"Error"}`},
		{"a success", nil, `{"ok":true}`, message("{}"), `200 plain: {"ok":true}`},
		{"a success with an errorMessage", nil, `{"errorMessage":"x not found"}`, message("{}"), `200 missing: x not found`},
		{"an answer that is no JSON", nil, `text`, message("{}"), `200 plain: text`},
		{"an error without a payload", fmt.Errorf("x: %w", apigw.ErrFunction), "", message("{}"), "error: x: function failed"},
		{"no such function", errors.New("no such function"), "", message("{}"), "error: no such function"},
		{"throttled", apigw.ErrThrottled, "", message("{}"), "error: function is throttled"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &invoker{run: func(context.Context, string, []byte) ([]byte, error) { return []byte(tt.out), tt.err }}
			in := compile(t, newBackends(t, Config{Invoker: f}), apigw.Integration{Type: apigw.AWSService, Function: "f", Responses: responses})
			if got := call(t, in, tt.request); got != tt.want {
				t.Errorf("got %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestFunctionErrorsWithoutAnIntegrationResponseAreErrors(t *testing.T) {
	in := compile(t, newBackends(t, Config{Invoker: fails(threw("boom"))}), apigw.Integration{Type: apigw.AWSService, Function: "f"})
	for name, req := range map[string]*Request{"one-way": oneWay("{}"), "two-way": message("{}"), "$connect": connect(nil)} {
		if _, err := in.Call(t.Context(), req); !errors.Is(err, apigw.ErrFunction) {
			t.Errorf("%s: %v, want ErrFunction", name, err)
		}
	}
}
