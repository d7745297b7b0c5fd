package template

import (
	"cmp"
	"errors"
	"slices"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/stack"
)

func apiTypes() map[string]resourceType {
	part := func(attributeName string, length int) resourceType {
		return resourceType{complete: true, ref: generatedID(length), attributes: map[string]attribute{attributeName: generatedID(length)}}
	}
	api := part("ApiId", 10)
	api.attributes["ApiEndpoint"] = apiEndpoint
	return map[string]resourceType{
		"AWS::ApiGatewayV2::Api":                 api,
		"AWS::ApiGatewayV2::Integration":         part("IntegrationId", 7),
		"AWS::ApiGatewayV2::IntegrationResponse": part("IntegrationResponseId", 7),
		"AWS::ApiGatewayV2::Route":               part("RouteId", 7),
		"AWS::ApiGatewayV2::RouteResponse":       part("RouteResponseId", 7),
		"AWS::ApiGatewayV2::Deployment":          part("DeploymentId", 6),
		"AWS::ApiGatewayV2::Authorizer":          part("AuthorizerId", 6),
		"AWS::ApiGatewayV2::Model":               part("ModelId", 6),
		"AWS::ApiGatewayV2::ApiMapping":          part("ApiMappingId", 6),
		"AWS::ApiGatewayV2::Stage":               {ref: named("StageName")},
		"AWS::ApiGatewayV2::DomainName":          domainType(),
		"AWS::ApiGateway::ApiKey":                part("APIKeyId", 10),
		"AWS::ApiGateway::UsagePlan":             part("Id", 6),
		"AWS::ApiGateway::UsagePlanKey":          part("Id", 17),
	}
}

// apiEndpoint is the API's address on AWS, without a stage.
func apiEndpoint(e *evaluator, r *resource) (string, error) {
	scheme := "wss://"
	protocol, err := e.nameOf(r, "ProtocolType")
	if protocol == "HTTP" {
		scheme = "https://"
	}
	return scheme + e.id(r.id, 10) + ".execute-api." + e.opts.Region + ".amazonaws.com", err
}

// apiLoader puts APIs together: their parts are resources of their own that
// name the API by its id.
type apiLoader struct {
	*loader
	*apiIndex
}

// apiIndex is what is known of the APIs of all templates so far. All maps are
// keyed by the ids of resources unless said otherwise.
type apiIndex struct {
	apis         map[string]*apiParts
	order        []*apiParts
	integrations map[string]*integration
	// integrationOrder are the integrations, and sound the responses of theirs
	// that are not faulty, in the template's order.
	integrationOrder []*integration
	sound            []integrationResponse
	authorizers      map[string]*authorizer
	models           map[string]*model
	responses        map[string]*resource // of routes
	routes           map[string]bool
	keys             map[string]*apigw.APIKey
	keyNodes         map[string]*node
	plans            map[string]*usagePlan
	planOrder        []*usagePlan
	domains          map[apigw.Domain]*apiParts
	// mutualTLS holds MutualTlsAuthentication of the domains that ask for it, by
	// name.
	mutualTLS map[string]*node
	// warned holds the functions whose missing permission is noted.
	warned map[string]bool
}

// apiParts is one API while its parts are read.
type apiParts struct {
	resource *resource
	api      apigw.API
	// leftOut is true for an API that is not run; its parts are not either.
	leftOut bool
	// lines holds the line of each route key.
	lines map[string]int
	// keyAsked holds ApiKeyRequired of the routes that ask for an API key.
	keyAsked map[string]*node
	// routeSettings are the stage's, by route key; they are read once the routes
	// are known.
	routeSettings *properties
	// stage is the resource of the stage that is served, if there is one.
	stage *resource
	// deployedStage is the stage that a Deployment names.
	deployedStage string
	// models are the API's models by name, in modelOrder.
	models                    map[string]*model
	modelOrder                []*model
	integrations, authorizers int
	// keyIDs and keyValues are those of the keys in the API's usage plans so far,
	// the values with the key's logical id.
	keyIDs    map[string]bool
	keyValues map[string]string
}

// routeKeys returns the keys of the API's routes, for hints.
func (parts *apiParts) routeKeys() []string {
	keys := make([]string, len(parts.api.Routes))
	for i, r := range parts.api.Routes {
		keys[i] = r.Key
	}
	return keys
}

// loadAPI reads AWS::ApiGatewayV2::Api.
func (a *apiLoader) loadAPI(r *resource) {
	p := a.properties(r)
	id := a.id(r.id, 10)
	parts := &apiParts{
		resource: r, api: apigw.API{LogicalID: r.id, ID: id}, lines: make(map[string]int), models: make(map[string]*model), keyAsked: make(map[string]*node),
		keyIDs: make(map[string]bool), keyValues: make(map[string]string),
	}
	a.apis[id] = parts
	imported := p.raw("Body") != nil || p.raw("BodyS3Location") != nil
	switch protocol := p.text("ProtocolType"); {
	case protocol == "WEBSOCKET":
	case protocol == "HTTP", protocol == "" && imported:
		parts.leftOut = true
		a.note(r, r.line, "the API is left out: it is an HTTP API, and Gatepost runs WebSocket APIs")
		return
	default:
		a.problem(nodeOr(p.raw("ProtocolType"), p.node), "ProtocolType must be WEBSOCKET, not %s", quote(protocol))
		return
	}
	parts.api.Name = a.apiName(p)
	parts.api.RouteSelectionExpression = a.selectionExpression(p)
	parts.api.APIKeySelectionExpression = p.oneOf("ApiKeySelectionExpression", apigw.APIKeyFromHeader, apigw.APIKeyFromAuthorizer)
	parts.api.DisableExecuteAPIEndpoint = p.flag("DisableExecuteApiEndpoint", false)
	p.ofHTTPAPIs("CorsConfiguration", "CredentialsArn", "RouteKey", "Target")
	p.rest([]string{"BasePath", "DisableSchemaValidation", "FailOnWarnings", "IpAddressType", "Version"}, nil)
	a.order = append(a.order, parts)
}

// apiName is the API's Name; where another API has it already, which AWS
// allows, the logical id tells the two apart.
func (a *apiLoader) apiName(p *properties) string {
	name := cmp.Or(p.text("Name"), p.resource.id)
	for _, other := range a.order {
		if other.api.Name == name {
			a.note(p.resource, p.resource.line, "another API has the name "+quote(name)+" too; this one goes by its logical id")
			return p.resource.id
		}
	}
	return name
}

func (a *apiLoader) selectionExpression(p *properties) string {
	p.require("RouteSelectionExpression", "the usual one is $request.body.action")
	return p.expression("RouteSelectionExpression", apigw.ParseExpression)
}

// expression returns a property that is a selection expression of the kind
// that parse reads, or "".
func (p *properties) expression(name string, parse func(string) (*apigw.Expression, error)) string {
	text := p.text(name)
	if text == "" {
		return ""
	}
	_, err := parse(text)
	p.loader.report(p.raw(name), err)
	return text
}

// otherAPIs are the types of APIs that Gatepost does not run. A Ref to one of
// them gives its logical id.
var otherAPIs = []string{"AWS::Serverless::HttpApi", "AWS::Serverless::Api", "AWS::ApiGateway::RestApi"}

// apiOf returns the API that a resource's ApiId names. It is nil when the API
// is left out or is another stack's, which is noted, or does not exist, which is
// a problem.
func (a *apiLoader) apiOf(p *properties) *apiParts {
	if a.isElsewhere(p, "ApiId") {
		return nil
	}
	p.require("ApiId", "it is the API that this belongs to")
	id := p.text("ApiId")
	parts := a.apis[id]
	switch {
	case id == "":
		return nil
	case parts == nil && a.isOtherAPI(id):
		a.note(p.resource, p.resource.line, "left out together with its API "+id)
	case parts == nil:
		a.problem(p.raw("ApiId"), "this belongs to the API %s, which no resource of this template declares; refer to an AWS::ApiGatewayV2::Api", quote(id))
	case parts.leftOut:
		a.note(p.resource, p.resource.line, "left out together with its API "+parts.resource.id)
		return nil
	}
	return parts
}

func (a *apiLoader) isOtherAPI(id string) bool {
	return slices.ContainsFunc(a.loaders, func(l *loader) bool {
		r := l.resources[id]
		return r != nil && slices.Contains(otherAPIs, r.typ)
	})
}

// isElsewhere reports whether a property names an API in a way that only AWS
// can evaluate, Fn::ImportValue above all, and notes what is left out with it.
func (a *apiLoader) isElsewhere(p *properties, name string) bool {
	n := p.node.field(name)
	if n == nil {
		return false
	}
	_, err := a.resolve(n)
	wrong, ok := errors.AsType[*Error](err)
	if !ok || !wrong.unsupported {
		return false
	}
	a.note(p.resource, n.line, "left out, because its API is not in this template: "+wrong.Text)
	return true
}

// finish adds the API to the stack.
func (a *apiLoader) finish(parts *apiParts) {
	api := &parts.api
	slices.SortStableFunc(api.Routes, func(x, y apigw.Route) int { return cmp.Compare(x.Line, y.Line) })
	a.checkRouteSettings(parts)
	a.checkKeysAsked(parts)
	if n := len(api.Routes); n > stack.MaxRoutes {
		a.problem(parts.resource.node, "the API has %d routes, and API Gateway takes %d", n, stack.MaxRoutes)
	}
	a.stack.APIs = append(a.stack.APIs, *api)
}
