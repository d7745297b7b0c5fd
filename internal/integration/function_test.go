package integration

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

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

// eventQueue keeps the asynchronous invocations that it is given.
type eventQueue struct {
	events []string
	err    error
}

func (q *eventQueue) InvokeAsync(_ context.Context, function string, event []byte) error {
	q.events = append(q.events, function+" "+string(event))
	return q.err
}

// invokedAs is an integration whose invocation type comes from a parameter.
func invokedAs(source string) apigw.Integration {
	return apigw.Integration{Type: apigw.AWSService, Function: "f", Responses: anyAnswer,
		RequestParameters: map[string]string{"integration.request.header.X-Amz-Invocation-Type": source}}
}

func TestInvocationTypes(t *testing.T) {
	conformance.Covers(t, "integration.aws-lambda-async")
	for _, tt := range []struct{ name, source, body, want, ran, queued string }{
		{"Event", "'Event'", `{"a":1}`, "200", "", `f {"a":1}`},
		{"Event, mapped", "route.request.body.mode", `{"mode":"Event"}`, "200", "", `f {"mode":"Event"}`},
		{"RequestResponse", "'RequestResponse'", "{}", `200 "answer"`, "f {}", ""},
		{"RequestResponse, mapped", "route.request.body.mode", `{"mode":"RequestResponse"}`, `200 "answer"`, `f {"mode":"RequestResponse"}`, ""},
		{"DryRun", "'DryRun'", "{}", "200", "", ""},
		{"another one", "'Later'", "{}", `error: RequestParameters[integration.request.header.X-Amz-Invocation-Type]: "Later" is none of RequestResponse, Event and DryRun`, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, q := answers(`"answer"`), &eventQueue{}
			in := compile(t, newBackends(t, Config{Invoker: f, Queue: q}), invokedAs(tt.source))
			got := call(t, in, &Request{Body: []byte(tt.body), Context: requestContext(apigw.EventMessage, "say")})
			if ran, queued := strings.Join(f.got(), ", "), strings.Join(q.events, ", "); got != tt.want || ran != tt.ran || queued != tt.queued {
				t.Errorf("%s; the function ran %q, queued %q; want %s, %q, %q", got, ran, queued, tt.want, tt.ran, tt.queued)
			}
		})
	}
}

func TestAnEventThatCannotBeQueuedIsNotAccepted(t *testing.T) {
	for _, tt := range []struct {
		name  string
		queue Queue
		want  string
	}{
		{"full", &eventQueue{err: fmt.Errorf("no room: %w", apigw.ErrThrottled)}, "error: no room: function is throttled"},
		{"none", nil, "error: function f cannot be invoked with the type Event: there is no queue of asynchronous invocations here"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := compile(t, newBackends(t, Config{Invoker: answers("{}"), Queue: tt.queue}), invokedAs("'Event'"))
			if got := call(t, in, message("{}")); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
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
