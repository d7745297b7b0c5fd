package template

import (
	"strings"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/stack"
)

// authorizer is one AWS::ApiGatewayV2::Authorizer, before a route asks for it.
type authorizer struct {
	resource *resource
	apiID    string
	value    apigw.Authorizer
	// problem says why it cannot be asked, and at is the place.
	problem string
	at      *node
	// ownRole is true when it brings credentials of its own.
	ownRole bool
	used    bool
}

// loadAuthorizer reads AWS::ApiGatewayV2::Authorizer. What is wrong with its
// function is reported by the route that asks for it.
func (a *apiLoader) loadAuthorizer(r *resource) {
	p := a.properties(r)
	parts := a.apiOf(p)
	if parts == nil {
		return
	}
	if parts.authorizers++; parts.authorizers == stack.MaxAuthorizers+1 {
		a.problem(r.node, "the API has more than %d authorizers, which API Gateway does not take", stack.MaxAuthorizers)
	}
	p.require("Name", "it is the authorizer's name")
	p.require("AuthorizerType", "the only type of a WebSocket API is REQUEST")
	p.require("AuthorizerUri", "it names the function that decides who may connect")
	p.oneOf("AuthorizerType", "REQUEST")
	auth := &authorizer{resource: r, apiID: parts.api.ID, at: nodeOr(p.raw("AuthorizerUri"), p.node), ownRole: p.given("AuthorizerCredentialsArn")}
	auth.value = apigw.Authorizer{Name: p.text("Name"), IdentitySources: a.identitySources(p)}
	auth.value.Function, auth.problem = a.functionOf(auth.at, parts, p.text("AuthorizerUri"))
	a.authorizers[a.id(r.id, 6)] = auth
	p.ofHTTPAPIs("AuthorizerPayloadFormatVersion", "AuthorizerResultTtlInSeconds", "EnableSimpleResponses", "JwtConfiguration")
	p.rest([]string{"IdentityValidationExpression"}, nil)
}

// identitySources returns what a client must send. CloudFormation takes a list;
// one text stands for a list of one.
func (a *apiLoader) identitySources(p *properties) []string {
	v := p.value("IdentitySource")
	if v == nil {
		return nil
	}
	items := []*node{v}
	if !v.isScalar() {
		items = p.items("IdentitySource")
	}
	var sources []string
	for _, item := range items {
		if !item.isScalar() {
			a.problem(item, "each item of IdentitySource must be text, not %s", item.kind)
			continue
		}
		a.report(item, stack.CheckIdentitySource(item.text))
		sources = append(sources, item.text)
	}
	return sources
}

// functionOf finds the function that an invocation URI names, with the stage's
// variables put in. A URI of another form is reported at n; problem says why
// there is no such function, or is empty.
func (a *apiLoader) functionOf(n *node, parts *apiParts, uri string) (name, problem string) {
	filled, problem := parts.fillIn(uri)
	if uri == "" || problem != "" {
		return "", problem
	}
	arn, ok := functionInURI(filled)
	if !ok {
		a.problem(n, "%s is not a function's invocation URI; it has the form arn:aws:apigateway:REGION:lambda:path/2015-03-31/functions/FUNCTION-ARN/invocations", quote(uri))
		return "", ""
	}
	found := a.findFunction(arn)
	return found.name, found.problem
}

// functionInURI cuts the function's ARN out of an invocation URI.
func functionInURI(uri string) (arn string, ok bool) {
	head, rest, _ := strings.Cut(uri, ":lambda:path/")
	_, rest, _ = strings.Cut(rest, "/functions/")
	arn, ok = strings.CutSuffix(rest, "/invocations")
	return arn, ok && strings.HasPrefix(head, "arn:") && strings.Contains(head, ":apigateway:")
}

// authorize reads what a route asks of clients. Nothing that is asked for is
// dropped: a route that would not be checked as it says is a problem.
func (a *apiLoader) authorize(p *properties, parts *apiParts, route *apigw.Route) {
	kind := a.authorizationType(p)
	at := nodeOr(p.raw("AuthorizationType"), p.node)
	if kind != apigw.AuthorizationNone && route.Key != apigw.RouteConnect {
		a.problem(at, "route %s asks for authorization of the type %s; API Gateway checks it on $connect alone, for the whole connection, and refuses it elsewhere", route.Key, quote(string(kind)))
		return
	}
	id := p.text("AuthorizerId")
	switch {
	case kind == apigw.AuthorizationCustom && id == "":
		a.problem(at, "route %s has the AuthorizationType CUSTOM and no AuthorizerId; refer to an AWS::ApiGatewayV2::Authorizer", route.Key)
	case kind == apigw.AuthorizationCustom:
		route.Authorizer = a.authorizerOf(p, parts, route.Key, id)
	case p.given("AuthorizerId"):
		a.problem(p.raw("AuthorizerId"), "route %s names an authorizer, which is asked only with the AuthorizationType CUSTOM; without it every client would be let in", route.Key)
	}
	if kind != apigw.AuthorizationNone {
		route.Authorization = kind
	}
	if route.APIKeyRequired = p.flag("ApiKeyRequired", false); route.APIKeyRequired {
		parts.keyAsked[route.Key] = p.raw("ApiKeyRequired")
	}
}

// authorizationType returns a route's AuthorizationType, NONE when it has none
// or a wrong one, which is a problem.
func (a *apiLoader) authorizationType(p *properties) apigw.Authorization {
	if p.value("AuthorizationType") == nil {
		return apigw.AuthorizationNone
	}
	kind := apigw.Authorization(p.text("AuthorizationType"))
	switch kind {
	case apigw.AuthorizationNone, apigw.AuthorizationIAM, apigw.AuthorizationCustom:
		return kind
	}
	a.problem(p.raw("AuthorizationType"), "the authorization of a WebSocket API is NONE, AWS_IAM or CUSTOM, not %s", quote(string(kind)))
	return apigw.AuthorizationNone
}

// authorizerOf returns the authorizer with this id, or nil and a problem.
func (a *apiLoader) authorizerOf(p *properties, parts *apiParts, key, id string) *apigw.Authorizer {
	auth := a.authorizers[id]
	switch {
	case auth == nil:
		a.problem(p.raw("AuthorizerId"), "route %s asks the authorizer %s, which no resource of this template declares; refer to an AWS::ApiGatewayV2::Authorizer", key, quote(id))
		return nil
	case auth.apiID != parts.api.ID:
		a.problem(p.raw("AuthorizerId"), "route %s asks the authorizer %s, which belongs to another API", key, auth.resource.id)
		return nil
	case auth.problem != "":
		a.problem(auth.at, "route %s asks an authorizer with %s", key, auth.problem)
		return nil
	}
	auth.used = true
	a.checkPermission(auth.resource, auth.value.Function, auth.ownRole)
	value := auth.value
	return &value
}

// noteUnusedAuthorizers tells of authorizers that decide nothing, as they stand.
func (a *apiLoader) noteUnusedAuthorizers() {
	for _, id := range a.logicalIDs {
		auth := a.authorizers[a.id(id, 6)]
		if auth != nil && auth.resource.id == id && !auth.used {
			a.note(auth.resource, auth.resource.line, "no route asks this authorizer; it needs a $connect route with the AuthorizationType CUSTOM and its AuthorizerId")
		}
	}
}
