package template

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
)

// integration is one AWS::ApiGatewayV2::Integration, before a route takes it.
type integration struct {
	resource *resource
	apiID    string
	typ      string
	// function is the name of the function that it invokes.
	function string
	// problem says why that function cannot be invoked, and at is the place.
	problem string
	at      *node
	timeout time.Duration
	// ownRole is true when the integration brings credentials of its own and so
	// needs no permission on the function.
	ownRole bool
	// accepts is true for a MOCK that answers every request with success.
	accepts bool
}

var integrationTypes = []string{"AWS", "AWS_PROXY", "HTTP", "HTTP_PROXY", "MOCK"}

// loadIntegration reads AWS::ApiGatewayV2::Integration. What is wrong with its
// function is reported by the route that leads there.
func (a *apiLoader) loadIntegration(r *resource) {
	p := a.properties(r)
	parts := a.apiOf(p)
	if parts == nil {
		return
	}
	p.require("IntegrationType", "it is AWS_PROXY for a Lambda function")
	in := &integration{resource: r, apiID: parts.api.ID, typ: p.text("IntegrationType"), at: nodeOr(p.raw("IntegrationUri"), p.node)}
	a.integrations[a.id(r.id, 7)] = in
	if in.typ != "" && !slices.Contains(integrationTypes, in.typ) {
		a.problem(p.raw("IntegrationType"), "IntegrationType must be one of %s, not %s", strings.Join(integrationTypes, ", "), quote(in.typ))
	}
	if in.typ != string(apigw.AWSProxy) {
		in.accepts = in.typ == "MOCK" && alwaysAccepts(p)
		return
	}
	a.loadProxy(p, in)
	p.rest([]string{"ConnectionId", "ConnectionType", "IntegrationMethod", "PassthroughBehavior", "PayloadFormatVersion",
		"RequestTemplates", "TemplateSelectionExpression", "TlsConfig"},
		map[string]string{
			"RequestParameters":       "nothing is mapped into the event",
			"ContentHandlingStrategy": "the message passes as text",
		})
}

// loadProxy reads what an AWS_PROXY integration adds: the function.
func (a *apiLoader) loadProxy(p *properties, in *integration) {
	in.timeout = time.Duration(p.number("TimeoutInMillis", 50, 29000, 0)) * time.Millisecond
	in.ownRole = p.value("CredentialsArn") != nil
	p.require("IntegrationUri", "it names the function to invoke")
	uri := p.text("IntegrationUri")
	arn, ok := functionInURI(uri)
	switch {
	case uri == "":
	case !ok:
		a.problem(in.at, "%s is not a function's invocation URI; it has the form arn:aws:apigateway:REGION:lambda:path/2015-03-31/functions/FUNCTION-ARN/invocations", quote(uri))
	case strings.Contains(arn, "${stageVariables."):
		in.problem = "a function named by a stage variable, which Gatepost cannot resolve yet: " + quote(arn)
	default:
		found := a.findFunction(arn)
		in.function, in.problem = found.name, found.problem
	}
}

// alwaysAccepts reports whether a MOCK integration answers success whatever the
// request is: its templates have no variables, and give a status of 2xx.
func alwaysAccepts(p *properties) bool {
	for _, template := range p.textMap("RequestTemplates") {
		var answer struct {
			StatusCode int `json:"statusCode"`
		}
		if strings.ContainsAny(template, "#$") || json.Unmarshal([]byte(template), &answer) != nil || answer.StatusCode/100 != 2 {
			return false
		}
	}
	return true
}

// loadRouteResponse reads AWS::ApiGatewayV2::RouteResponse.
func (a *apiLoader) loadRouteResponse(r *resource) {
	p := a.properties(r)
	if a.apiOf(p) == nil {
		return
	}
	p.require("RouteId", "it is the route that answers")
	p.require("RouteResponseKey", "it is $default")
	if key := p.text("RouteResponseKey"); key != "" && key != "$default" {
		a.problem(p.raw("RouteResponseKey"), "the only route response is $default, not %s", quote(key))
	}
	if id := p.text("RouteId"); id != "" {
		a.responses[id] = r
	}
	p.rest([]string{"ModelSelectionExpression", "ResponseModels"}, map[string]string{"ResponseParameters": "nothing is mapped into the answer"})
}

// checkResponses reports route responses of routes that do not exist.
func (a *apiLoader) checkResponses() {
	for id, r := range a.responses {
		if !a.routes[id] {
			a.problem(r.properties.field("RouteId"), "the response belongs to the route %s, which no resource of this template declares; refer to an AWS::ApiGatewayV2::Route", quote(id))
		}
	}
}

// loadRoute reads AWS::ApiGatewayV2::Route.
func (a *apiLoader) loadRoute(r *resource) {
	p := a.properties(r)
	a.routes[a.id(r.id, 7)] = true
	parts := a.apiOf(p)
	if parts == nil {
		return
	}
	p.require("RouteKey", "it is what the selection expression must give for a message to come here")
	key := p.text("RouteKey")
	if key == "" || !a.checkRouteKey(p, parts, key) {
		return
	}
	a.refuseAuthorization(p, key)
	route := apigw.Route{Key: key, Line: r.line}
	route.TwoWay = a.answers(p, key)
	keep := a.integrate(p, parts, &route)
	p.rest(nil,
		map[string]string{
			"ModelSelectionExpression": "messages are not validated",
			"RequestModels":            "messages are not validated",
			"RequestParameters":        "parameters are not required of clients",
		})
	if keep {
		parts.api.Routes = append(parts.api.Routes, route)
	}
}

var reservedKeys = []string{apigw.RouteConnect, apigw.RouteDisconnect, apigw.RouteDefault}

func (a *apiLoader) checkRouteKey(p *properties, parts *apiParts, key string) bool {
	n := p.raw("RouteKey")
	if strings.HasPrefix(key, "$") && !slices.Contains(reservedKeys, key) {
		a.problem(n, "%s is not a route key; only $connect, $disconnect and $default begin with a dollar%s", quote(key), a.hint(key, reservedKeys))
		return false
	}
	if first, taken := parts.lines[key]; taken {
		a.problem(n, "the API has the route %s already, in line %d; keys are unique", key, first)
		return false
	}
	parts.lines[key] = p.resource.line
	return true
}

// refuseAuthorization keeps a route that asks for a check from loading as long
// as the check cannot be made: to load it would let everybody in.
func (a *apiLoader) refuseAuthorization(p *properties, key string) {
	kind := p.text("AuthorizationType")
	at := p.raw("AuthorizationType")
	asks := ""
	switch {
	case p.value("AuthorizationType") != nil && kind != "NONE":
		asks = "authorization of the type " + quote(kind)
	case p.value("AuthorizerId") != nil:
		asks, at = "an authorizer", p.raw("AuthorizerId")
	case p.flag("ApiKeyRequired", false):
		asks, at = "an API key", p.raw("ApiKeyRequired")
	}
	if asks != "" {
		a.problem(at, "route %s asks for %s; Gatepost cannot check it yet and so refuses to load it", key, asks)
	}
}

// answers reports whether the function's answer goes back to the client, which
// takes both an expression on the route and a route response.
func (a *apiLoader) answers(p *properties, key string) bool {
	expression := p.text("RouteResponseSelectionExpression")
	_, hasResponse := a.responses[a.id(p.resource.id, 7)]
	switch {
	case expression != "" && expression != "$default":
		a.problem(p.raw("RouteResponseSelectionExpression"), "the only expression is $default, not %s", quote(expression))
	case expression != "" && !hasResponse:
		a.note(p.resource, p.raw("RouteResponseSelectionExpression").line, "route "+key+" has a RouteResponseSelectionExpression and no RouteResponse: as on AWS nothing will be answered until an AWS::ApiGatewayV2::RouteResponse with the key $default exists for it")
	case expression == "" && hasResponse:
		a.note(p.resource, p.resource.line, "route "+key+" has a RouteResponse and no RouteResponseSelectionExpression: as on AWS nothing will be answered until it is $default")
	}
	return expression == "$default" && hasResponse
}

// integrate gives the route what its Target names. It returns false for a
// route that cannot be kept.
func (a *apiLoader) integrate(p *properties, parts *apiParts, route *apigw.Route) bool {
	target := p.text("Target")
	if p.value("Target") == nil {
		return true
	}
	id, ok := strings.CutPrefix(target, "integrations/")
	in := a.integrations[id]
	switch {
	case !ok:
		a.problem(p.raw("Target"), "route %s targets %s; a target has the form integrations/ID, with a Ref to an AWS::ApiGatewayV2::Integration", route.Key, quote(target))
		return false
	case in == nil:
		a.problem(p.raw("Target"), "route %s targets %s, which no resource of this template declares; refer to an AWS::ApiGatewayV2::Integration", route.Key, quote(target))
		return false
	case in.apiID != parts.api.ID:
		a.problem(p.raw("Target"), "route %s targets %s, which belongs to another API", route.Key, in.resource.id)
		return false
	case in.typ != string(apigw.AWSProxy):
		return a.keepWithout(p, route, in)
	case in.problem != "":
		a.problem(in.at, "route %s targets %s", route.Key, in.problem)
		return false
	}
	a.checkPermission(in)
	route.Integration = &apigw.Integration{Type: apigw.AWSProxy, Function: in.function, Timeout: in.timeout}
	return true
}

// keepWithout decides about a route whose integration is not run. $connect
// decides who may come in, so it cannot be left out: without it everybody may.
func (a *apiLoader) keepWithout(p *properties, route *apigw.Route, in *integration) bool {
	switch {
	case route.Key != apigw.RouteConnect:
		a.note(p.resource, p.resource.line, fmt.Sprintf("route %s is left out: its integration %s is of the type %s, which is not supported yet", route.Key, in.resource.id, in.typ))
		return false
	case in.accepts:
		a.note(p.resource, p.resource.line, "route $connect has an integration of the type MOCK, which lets every client in; so does the route here, without it")
		return true
	}
	a.problem(p.raw("Target"), "route $connect decides who may connect, and its integration is of the type %s; Gatepost cannot run it yet and so refuses to load it", in.typ)
	return false
}

// checkPermission notes a function that API Gateway may not invoke on AWS.
func (a *apiLoader) checkPermission(in *integration) {
	if a.permitted[in.function] || in.ownRole || a.warned[in.function] {
		return
	}
	a.warned[in.function] = true
	a.note(in.resource, in.resource.line, "no AWS::Lambda::Permission lets API Gateway (apigateway.amazonaws.com) invoke the function "+in.function+"; it works here, and fails on AWS")
}
