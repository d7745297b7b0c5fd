package template

import (
	"slices"
	"strings"
	"unicode"
)

// expandWebSocketAPI turns an AWS::Serverless::WebSocketApi into an Api with
// the same logical id, a Stage, for each route a Route, an Integration and a
// Permission, and for its Auth and Domain what they stand for, all named as SAM
// names them. SAM makes no RouteResponse.
func (l *loader) expandWebSocketAPI(r *resource) {
	p := l.properties(r)
	routes := p.raw("Routes")
	if routes == nil || routes.kind != kindObject || len(routes.fields) == 0 {
		l.problem(nodeOr(routes, r.properties), "the API needs Routes, a map from route key to the function's FunctionArn")
		return
	}
	auth := p.raw("Auth")
	if auth != nil && routes.field("$connect") == nil {
		l.problem(auth, "Auth is checked on the route $connect, and there is none in Routes")
	}
	ordered := l.orderedRoutes(r, routes)
	for _, f := range l.entries(routes) {
		if route := l.expandRoute(r, f, auth); route != nil {
			route.ordered = ordered[f.name]
		}
	}
	l.expandStage(r, p)
	if domain := p.raw("Domain"); domain != nil {
		l.expandDomain(r, domain)
	}
	api := madeObject(r.properties).with("ProtocolType", madeText(r.properties, "WEBSOCKET"))
	for _, name := range []string{"Name", "RouteSelectionExpression", "ApiKeySelectionExpression", "DisableExecuteApiEndpoint",
		"DisableSchemaValidation", "IpAddressType"} {
		api.with(name, p.raw(name))
	}
	p.rest(nil, nil)
	r.typ, r.properties = "AWS::ApiGatewayV2::Api", api
}

// defaultStage is SAM's stage when StageName gives none.
const defaultStage = "default"

func (l *loader) expandStage(r *resource, p *properties) {
	r.stage = nodeOr(p.raw("StageName"), madeText(r.properties, defaultStage))
	id := r.id + "Stage"
	switch {
	case r.stage.text == defaultStage:
		id = r.id + "DefaultStage"
	case r.stage.kind == kindString && logicalIDForm.MatchString(r.stage.text):
		id = r.id + r.stage.text + "Stage"
	}
	stage := madeObject(r.properties).with("ApiId", madeRef(r.node, r.id)).with("StageName", r.stage)
	for _, name := range []string{"StageVariables", "AccessLogSettings", "DefaultRouteSettings", "RouteSettings"} {
		stage.with(name, p.raw(name))
	}
	l.generate(r, id, "AWS::ApiGatewayV2::Stage", r.line, stage)
}

// expandRoute makes the resources of one entry of Routes, and returns the
// Route, or nil for an entry that is wrong.
func (l *loader) expandRoute(r *resource, f field, auth *node) *resource {
	spec := f.value
	name, ok := routeIDPart(f.name)
	if !ok {
		l.problem(spec, "the route key %s is not one for SAM: it takes letters and digits, and $connect, $disconnect and $default", quote(f.name))
		return nil
	}
	function := spec.field("FunctionArn")
	if function == nil {
		l.problem(spec, "the route needs the FunctionArn of its function")
		return nil
	}
	base := r.id + name
	route := madeObject(spec).
		with("ApiId", madeRef(spec, r.id)).
		with("RouteKey", madeText(spec, f.name)).
		with("Target", madeJoin(spec, madeText(spec, "integrations/"), madeRef(spec, base+"Integration")))
	l.copyRouteProperties(r, spec, route)
	if auth != nil && f.name == "$connect" {
		l.expandAuth(r, route, auth)
	}
	made := l.generate(r, base+"Route", "AWS::ApiGatewayV2::Route", f.line, route)
	l.generate(r, base+"Integration", "AWS::ApiGatewayV2::Integration", f.line, madeObject(spec).
		with("ApiId", madeRef(spec, r.id)).
		with("IntegrationType", madeText(spec, "AWS_PROXY")).
		with("IntegrationUri", invocationURI(l.opts.Region, function)).
		with("TimeoutInMillis", spec.field("IntegrationTimeout")))
	l.generate(r, base+"Permission", "AWS::Lambda::Permission", f.line, madeObject(spec).
		with("FunctionName", function).
		with("Principal", madeText(spec, "apigateway.amazonaws.com")))
	return made
}

// routeProperties are what an entry of Routes hands on to its Route.
var routeProperties = []string{"ApiKeyRequired", "ModelSelectionExpression", "OperationName", "RequestModels", "RequestParameters",
	"RouteResponseSelectionExpression"}

func (l *loader) copyRouteProperties(r *resource, spec, route *node) {
	onConnect := route.field("RouteKey").text == "$connect"
	for _, f := range spec.fields {
		switch {
		case f.name == "FunctionArn", f.name == "IntegrationTimeout":
		case f.name == "RequestParameters" && !onConnect:
			l.problem(f.value, "SAM takes RequestParameters on the route $connect alone, which has query parameters and headers")
		case slices.Contains(routeProperties, f.name):
			route.addField(f)
		case strings.HasPrefix(f.name, "Authoriz"):
			l.problem(f.value, "SAM knows no %s in Routes; use the API's Auth, which is checked on $connect", f.name)
		default:
			l.note(r, f.line, "the property "+f.name+" is not one of a SAM route and has no effect"+l.hint(f.name, routeProperties))
		}
	}
}

// routeIDPart is the part of a logical id that SAM makes of a route key: the
// first letter upper case and all others lower case.
func routeIDPart(key string) (string, bool) {
	switch key {
	case "$connect", "$disconnect", "$default":
		key = key[1:]
	}
	notPlain := func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) || c > unicode.MaxASCII }
	if key == "" || strings.ContainsFunc(key, notPlain) {
		return "", false
	}
	return strings.ToUpper(key[:1]) + strings.ToLower(key[1:]), true
}

// invocationURI is the integration URI of the function whose ARN a node gives.
func invocationURI(region string, function *node) *node {
	return madeJoin(function,
		madeText(function, "arn:aws:apigateway:"+region+":lambda:path/2015-03-31/functions/"), function, madeText(function, "/invocations"))
}
