package template

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/stack"
)

// integration is one AWS::ApiGatewayV2::Integration, before a route takes it.
type integration struct {
	resource *resource
	apiID    string
	value    apigw.Integration
	// problem says why its backend cannot be called, and at is the place.
	problem string
	at      *node
	// ownRole is true when the integration brings credentials of its own and so
	// needs no permission on the function.
	ownRole bool
	// faulty is true when something else was reported, and unreachable when it
	// calls a service that is not run: it is then not compiled.
	faulty, unreachable bool
}

// integrationResponse is an AWS::ApiGatewayV2::IntegrationResponse in which
// nothing was found wrong so far.
type integrationResponse struct {
	resource *resource
	value    apigw.IntegrationResponse
}

var integrationTypes = []string{"AWS", "AWS_PROXY", "HTTP", "HTTP_PROXY", "MOCK"}

// loadIntegration reads AWS::ApiGatewayV2::Integration. What is missing behind
// its URI is reported by the route that leads there.
func (a *apiLoader) loadIntegration(r *resource) {
	p := a.properties(r)
	parts := a.apiOf(p)
	if parts == nil {
		return
	}
	problems := len(a.problems.list)
	if parts.integrations++; parts.integrations == stack.MaxIntegrations+1 {
		a.problem(r.node, "the API has more than %d integrations, which API Gateway does not take", stack.MaxIntegrations)
	}
	p.require("IntegrationType", "it is AWS_PROXY for a Lambda function")
	in := &integration{resource: r, apiID: parts.api.ID, at: nodeOr(p.raw("IntegrationUri"), p.node), ownRole: p.given("CredentialsArn")}
	in.value = apigw.Integration{
		Type: apigw.IntegrationType(p.oneOf("IntegrationType", integrationTypes...)), Line: r.line,
		Timeout: time.Duration(p.number("TimeoutInMillis", 50, 29000, 0)) * time.Millisecond,
	}
	a.integrations[a.id(r.id, 7)] = in
	a.integrationOrder = append(a.integrationOrder, in)
	defer func() { in.faulty = len(a.problems.list) > problems }()
	switch in.value.Type {
	case "":
		return
	case apigw.AWSProxy:
		a.loadFunctionProxy(p, parts, in)
	default:
		a.loadBackend(p, parts, in)
		a.loadRequest(p, in)
	}
	if p.text("PayloadFormatVersion") == "2.0" {
		a.note(r, p.raw("PayloadFormatVersion").line, "a WebSocket API has the PayloadFormatVersion 1.0, which is used here; AWS refuses 2.0")
	}
	p.ofHTTPAPIs("IntegrationSubtype", "ResponseParameters")
	p.rest(nil, nil)
}

// loadFunctionProxy reads what an AWS_PROXY integration needs: the function. It
// gets the event as it is.
func (a *apiLoader) loadFunctionProxy(p *properties, parts *apiParts, in *integration) {
	p.require("IntegrationUri", "it names the function to invoke")
	in.value.Function, in.problem = a.functionOf(in.at, parts, p.text("IntegrationUri"))
	p.withoutEffect("RequestParameters", "nothing is mapped into the event of a function behind AWS_PROXY")
	p.withoutEffect("ContentHandlingStrategy", "the event of a function behind AWS_PROXY has the message as text")
	p.inert("ConnectionId", "ConnectionType", "IntegrationMethod", "PassthroughBehavior", "RequestTemplates", "TemplateSelectionExpression", "TlsConfig")
}

// loadBackend reads what the other types call.
func (a *apiLoader) loadBackend(p *properties, parts *apiParts, in *integration) {
	uri := p.text("IntegrationUri")
	method := p.oneOf("IntegrationMethod", "ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
	if method == "ANY" {
		method = "" // the client's own, and messages have none
	}
	a.noteConnection(p)
	if in.value.Type == apigw.Mock {
		return
	}
	in.value.Method = method
	p.require("IntegrationUri", "it is what the integration calls")
	if uri == "" {
		return
	}
	filled, problem := parts.fillIn(uri)
	in.value.URI, in.problem = filled, problem
	switch {
	case problem != "":
	case in.value.Type == apigw.AWSService && serviceOf(filled) == "lambda":
		a.loadFunctionCall(p, parts, in, uri)
	default:
		a.report(in.at, stack.CheckIntegrationURI(in.value.Type, filled))
		a.noteService(p, in)
	}
}

// loadFunctionCall reads the function that an AWS integration invokes.
func (a *apiLoader) loadFunctionCall(p *properties, parts *apiParts, in *integration, uri string) {
	in.value.Function, in.problem = a.functionOf(in.at, parts, uri)
	if in.value.Method != "" && in.value.Method != "POST" {
		a.note(p.resource, p.raw("IntegrationMethod").line, "a function is invoked with POST, here too; with "+in.value.Method+" the call fails on AWS")
	}
}

// reachable are the services of AWS that integrations can call here.
var reachable = []string{"dynamodb", "lambda", "sns", "sqs"}

// serviceOf is the service in the URI of an AWS integration.
func serviceOf(uri string) string {
	parts := strings.SplitN(uri, ":", 6)
	if len(parts) < 6 {
		return ""
	}
	return parts[4][strings.LastIndexByte(parts[4], '.')+1:]
}

// noteService tells what a call of an AWS service will come to.
func (a *apiLoader) noteService(p *properties, in *integration) {
	if in.value.Type != apigw.AWSService {
		return
	}
	service := serviceOf(in.value.URI)
	in.unreachable = service != "" && !slices.Contains(reachable, service)
	if in.unreachable {
		a.note(p.resource, in.at.line, "calls to "+service+" have no endpoint here: each is answered with Internal server error. The services that can be called are "+strings.Join(reachable, ", "))
	} else if !in.ownRole {
		a.note(p.resource, p.resource.line, "the integration has no CredentialsArn; the call works here, and fails on AWS")
	}
}

// noteConnection tells of what lies between API Gateway and a private backend.
func (a *apiLoader) noteConnection(p *properties) {
	if p.oneOf("ConnectionType", "INTERNET", "VPC_LINK") == "VPC_LINK" {
		a.note(p.resource, p.raw("ConnectionType").line, "there is no VPC link here; the backend is called directly at its IntegrationUri")
	}
	p.withoutEffect("TlsConfig", "the backend's certificate is checked for the host in IntegrationUri")
	p.inert("ConnectionId")
}

// loadRequest reads how the request for the backend is made.
func (a *apiLoader) loadRequest(p *properties, in *integration) {
	in.value.RequestParameters = p.textMap("RequestParameters", stack.CheckRequestParameter)
	in.value.RequestTemplates = p.textMap("RequestTemplates", checkTemplateSize)
	in.value.TemplateSelectionExpression = p.expression("TemplateSelectionExpression", apigw.ParseTemplateExpression)
	in.value.PassthroughBehavior = p.oneOf("PassthroughBehavior", "WHEN_NO_MATCH", "WHEN_NO_TEMPLATES", "NEVER")
	in.value.ContentHandling = p.oneOf("ContentHandlingStrategy", "CONVERT_TO_BINARY", "CONVERT_TO_TEXT")
}

func checkTemplateSize(key, template string) error {
	if n := len(template); n > stack.MaxTemplate {
		return fmt.Errorf("the template %s has %d bytes, and may have %d", quote(key), n, stack.MaxTemplate)
	}
	return nil
}

// loadIntegrationResponse reads AWS::ApiGatewayV2::IntegrationResponse.
func (a *apiLoader) loadIntegrationResponse(r *resource) {
	p := a.properties(r)
	parts := a.apiOf(p)
	if parts == nil {
		return
	}
	problems := len(a.problems.list)
	in := a.integrationOf(p, parts)
	p.require("IntegrationResponseKey", `it is $default or a regular expression between slashes, such as /2\d\d/`)
	response := apigw.IntegrationResponse{
		Key: p.text("IntegrationResponseKey"), Line: r.line,
		Parameters:                  p.responseParameters(),
		Templates:                   p.textMap("ResponseTemplates", checkTemplateSize),
		TemplateSelectionExpression: p.expression("TemplateSelectionExpression", apigw.ParseResponseExpression),
		ContentHandling:             p.oneOf("ContentHandlingStrategy", "CONVERT_TO_BINARY", "CONVERT_TO_TEXT"),
	}
	p.rest(nil, nil)
	if in == nil || response.Key == "" {
		return
	}
	a.report(p.raw("IntegrationResponseKey"), stack.CheckResponseKey(response.Key))
	for _, other := range in.value.Responses {
		if other.Key == response.Key {
			a.problem(p.raw("IntegrationResponseKey"), "the integration %s has the response %s already, in line %d; keys are unique", in.resource.id, quote(response.Key), other.Line)
			return
		}
	}
	if in.value.Type == apigw.AWSProxy || in.value.Type == apigw.HTTPProxy {
		a.note(r, r.line, "an integration of the type "+string(in.value.Type)+" passes its answer on as it is: this response has no effect")
		return
	}
	in.value.Responses = append(in.value.Responses, response)
	if len(a.problems.list) == problems {
		a.sound = append(a.sound, integrationResponse{resource: r, value: response})
	}
}

// integrationOf returns the integration that a response belongs to, or nil and
// a problem.
func (a *apiLoader) integrationOf(p *properties, parts *apiParts) *integration {
	p.require("IntegrationId", "it is the integration whose answer this shapes")
	id := p.text("IntegrationId")
	in := a.integrations[id]
	switch {
	case id == "":
		return nil
	case in == nil:
		a.problem(p.raw("IntegrationId"), "the response belongs to the integration %s, which no resource of this template declares; refer to an AWS::ApiGatewayV2::Integration", quote(id))
	case in.apiID != parts.api.ID:
		a.problem(p.raw("IntegrationId"), "the response belongs to %s, an integration of another API", in.resource.id)
		return nil
	}
	return in
}

// responseParameters reads ResponseParameters. CloudFormation's reference calls
// the targets "method.response.", as REST APIs do; here they are "route.response.".
func (p *properties) responseParameters() map[string]string {
	given := p.textMap("ResponseParameters", func(target, source string) error {
		return stack.CheckResponseParameter(routeResponse(target), source)
	})
	if given == nil {
		return nil
	}
	parameters := make(map[string]string, len(given))
	for target, source := range given {
		if route := routeResponse(target); route == target || given[route] == "" {
			parameters[route] = source
		}
	}
	return parameters
}

func routeResponse(target string) string {
	if rest, ok := strings.CutPrefix(target, "method.response."); ok {
		return "route.response." + rest
	}
	return target
}

// checkPermission notes a function that API Gateway may not invoke on AWS.
func (a *apiLoader) checkPermission(r *resource, function string, ownRole bool) {
	if a.permitted[function] || ownRole || a.warned[function] {
		return
	}
	a.warned[function] = true
	a.note(r, r.line, "no AWS::Lambda::Permission lets API Gateway (apigateway.amazonaws.com) invoke the function "+function+"; it works here, and fails on AWS")
}
