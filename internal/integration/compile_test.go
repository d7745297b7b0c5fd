package integration

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conformance"
)

func TestCompileNamesTheFieldThatIsWrong(t *testing.T) {
	conformance.Covers(t, "vtl.syntax-error")
	const lambda, table = "f", "arn:aws:apigateway:eu-west-1:dynamodb:action/PutItem"
	for name, tt := range map[string]struct {
		in   apigw.Integration
		want string
	}{
		"type":                 {apigw.Integration{Type: "VPC"}, `IntegrationType: "VPC" is none of`},
		"no type":              {apigw.Integration{}, `IntegrationType: "" is none of`},
		"no function":          {apigw.Integration{Type: apigw.AWSProxy}, "IntegrationUri: "},
		"passthrough":          {apigw.Integration{Type: apigw.Mock, PassthroughBehavior: "SOMETIMES"}, "PassthroughBehavior: "},
		"content handling":     {apigw.Integration{Type: apigw.Mock, ContentHandling: "BINARY"}, "ContentHandlingStrategy: "},
		"request template":     {apigw.Integration{Type: apigw.Mock, RequestTemplates: map[string]string{"a": "ok", "b": "x\n#macro(y)"}}, "RequestTemplates[b]: line "},
		"template choice":      {apigw.Integration{Type: apigw.Mock, TemplateSelectionExpression: "${nothing}"}, "TemplateSelectionExpression: "},
		"status before answer": {apigw.Integration{Type: apigw.Mock, TemplateSelectionExpression: "${integration.response.statuscode}"}, "TemplateSelectionExpression: "},
		"parameter":            {apigw.Integration{Type: apigw.Mock, RequestParameters: map[string]string{"integration.request.header.X": "nothing"}}, "RequestParameters[integration.request.header.X]: "},
		"signature header":     {apigw.Integration{Type: apigw.AWSService, URI: table, RequestParameters: map[string]string{"integration.request.header.authorization": "'x'"}}, "set by the signature"},
		"response template":    {apigw.Integration{Type: apigw.Mock, Responses: []apigw.IntegrationResponse{{Key: "$default", Templates: text("#macro(x)")}}}, "IntegrationResponse $default: ResponseTemplates[$default]: line 1"},
		"response choice":      {apigw.Integration{Type: apigw.Mock, Responses: []apigw.IntegrationResponse{{Key: "/2../", TemplateSelectionExpression: "${x}"}}}, "IntegrationResponse /2../: TemplateSelectionExpression: "},
		"response content":     {apigw.Integration{Type: apigw.Mock, Responses: []apigw.IntegrationResponse{{Key: "$default", ContentHandling: "x"}}}, "IntegrationResponse $default: ContentHandlingStrategy: "},
		"response parameter":   {apigw.Integration{Type: apigw.Mock, Responses: []apigw.IntegrationResponse{{Key: "$default", Parameters: map[string]string{"header.X": "'x'"}}}}, "ResponseParameters[header.X]: "},
		"response source":      {apigw.Integration{Type: apigw.Mock, Responses: []apigw.IntegrationResponse{{Key: "$default", Parameters: map[string]string{"route.response.header.X": "x"}}}}, "ResponseParameters[route.response.header.X]: "},
		"response header":      {apigw.Integration{Type: apigw.Mock, Responses: []apigw.IntegrationResponse{{Key: "$default", Parameters: map[string]string{"route.response.header.a b": "'x'"}}}}, "is not a name"},
		"two defaults":         {apigw.Integration{Type: apigw.Mock, Responses: []apigw.IntegrationResponse{{Key: "$default"}, {Key: "$default"}}}, "there is a second one"},
		"no service URI":       {apigw.Integration{Type: apigw.AWSService, URI: "https://example.com"}, "is not arn:aws:apigateway"},
		"no action":            {apigw.Integration{Type: apigw.AWSService, URI: "arn:aws:apigateway:eu-west-1:sqs:action/"}, "names neither an action nor a path"},
		"service method":       {apigw.Integration{Type: apigw.AWSService, URI: table, Method: "GET"}, "IntegrationMethod: "},
		"service path name":    {apigw.Integration{Type: apigw.AWSService, URI: table, RequestParameters: map[string]string{"integration.request.path.x": "'y'"}}, "takes no path parameters"},
		"service path":         {apigw.Integration{Type: apigw.AWSService, URI: "arn:aws:apigateway:eu-west-1:sqs:path/1/q?x"}, "is no path"},
		"URL":                  {apigw.Integration{Type: apigw.HTTPProxy, URI: "ftp://example.com"}, "must begin with http:// or https://"},
		"method":               {apigw.Integration{Type: apigw.HTTPCustom, URI: "http://example.com", Method: "CONNECT"}, "IntegrationMethod: "},
		"function":             {apigw.Integration{Type: apigw.AWSService, Function: lambda, RequestTemplates: text("#macro(x)")}, "RequestTemplates[$default]: "},
	} {
		_, err := newBackends(t, Config{Invoker: answers(""), AWS: "http://127.0.0.1:1"}).Compile(&tt.in)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, tt.want)
		}
	}
}

func TestCompileNeedsWhatAnIntegrationCalls(t *testing.T) {
	for name, in := range map[string]apigw.Integration{
		"nothing that runs functions": {Type: apigw.AWSProxy, Function: "f"},
		"no AWS endpoint":             {Type: apigw.AWSService, URI: "arn:aws:apigateway:eu-west-1:sqs:path/1/q"},
	} {
		if _, err := newBackends(t, Config{}).Compile(&in); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v, want an error with %q", err, name)
		}
	}
	if _, err := newBackends(t, Config{AWS: "://"}).Compile(&apigw.Integration{Type: apigw.AWSService, URI: "arn:aws:apigateway:eu-west-1:sqs:path/1/q"}); err == nil {
		t.Error("an endpoint that is no URL was taken")
	}
}

func TestNoErrorTellsWhatAClientOrABackendSaid(t *testing.T) {
	var log strings.Builder
	secretive := answers(`"secret"`)
	failing := record(t, say(500, "secret"))
	b := newBackends(t, Config{Invoker: secretive, Log: slog.New(slog.NewTextHandler(&log, nil))})
	for name, in := range map[string]apigw.Integration{
		"a message that is no JSON":    {Type: apigw.AWSService, Function: "f", Responses: anyAnswer},
		"no integration response":      {Type: apigw.AWSService, Function: "f", RequestTemplates: text("{}")},
		"a mock that is no JSON":       {Type: apigw.Mock, RequestTemplates: text("$input.body")},
		"an answer that is no proxy's": {Type: apigw.AWSProxy, Function: "f"},
		"no base64":                    {Type: apigw.HTTPProxy, URI: failing.URL, ContentHandling: "CONVERT_TO_BINARY"},
	} {
		_, err := compile(t, b, in).Call(t.Context(), message("secret!"))
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := call(t, compile(t, b, apigw.Integration{Type: apigw.HTTPProxy, URI: failing.URL + "/secret"}), oneWay("secret")); !strings.HasPrefix(got, "500") {
		t.Error(got)
	}
	if !strings.Contains(log.String(), "status=500") || strings.Contains(log.String(), "secret") {
		t.Errorf("the log has %s", log.String())
	}
}

func TestOneIntegrationServesManyRoutesAtOnce(t *testing.T) {
	conformance.Covers(t, "integration.shared")
	in := mocked(t, apigw.IntegrationResponse{Key: "$default", Templates: text("$context.routeKey")})
	done := make(chan string)
	for _, route := range []string{"a", "b", "c", "d"} {
		go func() {
			bad := ""
			for range 200 {
				req := status(200)
				req.Context = requestContext(apigw.EventMessage, route)
				if out, err := in.Call(t.Context(), req); err != nil || string(out.Body) != route {
					bad = route
				}
			}
			done <- bad
		}()
	}
	for range 4 {
		if bad := <-done; bad != "" {
			t.Errorf("the route %s got another's answer", bad)
		}
	}
}
