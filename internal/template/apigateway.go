package template

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/gatepost-dev/gatepost/apigw"
)

func apiTypes() map[string]resourceType {
	part := func(attributeName string, length int) resourceType {
		return resourceType{complete: true, ref: generatedID(length), attributes: map[string]attribute{attributeName: generatedID(length)}}
	}
	api := part("ApiId", 10)
	api.attributes["ApiEndpoint"] = apiEndpoint
	return map[string]resourceType{
		"AWS::ApiGatewayV2::Api":           api,
		"AWS::ApiGatewayV2::Integration":   part("IntegrationId", 7),
		"AWS::ApiGatewayV2::Route":         part("RouteId", 7),
		"AWS::ApiGatewayV2::RouteResponse": part("RouteResponseId", 7),
		"AWS::ApiGatewayV2::Deployment":    part("DeploymentId", 6),
		"AWS::ApiGatewayV2::Authorizer":    part("AuthorizerId", 6),
		"AWS::ApiGatewayV2::Stage":         {ref: named("StageName")},
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

// apiLoader puts APIs together: their routes, integrations, route responses
// and stages are resources of their own that name the API by its id.
type apiLoader struct {
	*loader
	apis         map[string]*apiParts
	order        []*apiParts
	integrations map[string]*integration
	// responses and routes are keyed by route id.
	responses map[string]*resource
	routes    map[string]bool
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
	// deployedStage is the stage that a Deployment names.
	deployedStage string
}

func (l *loader) loadAPIs() {
	a := &apiLoader{
		loader: l, apis: make(map[string]*apiParts), integrations: make(map[string]*integration),
		responses: make(map[string]*resource), routes: make(map[string]bool), warned: make(map[string]bool),
	}
	l.each(a.loadAPI, "AWS::ApiGatewayV2::Api")
	l.each(a.loadIntegration, "AWS::ApiGatewayV2::Integration")
	l.each(a.loadRouteResponse, "AWS::ApiGatewayV2::RouteResponse")
	l.each(a.loadRoute, "AWS::ApiGatewayV2::Route")
	a.checkResponses()
	l.each(a.loadStage, "AWS::ApiGatewayV2::Stage")
	l.each(a.loadDeployment, "AWS::ApiGatewayV2::Deployment")
	for _, parts := range a.order {
		a.finish(parts)
	}
}

// loadAPI reads AWS::ApiGatewayV2::Api.
func (a *apiLoader) loadAPI(r *resource) {
	p := a.properties(r)
	id := a.id(r.id, 10)
	parts := &apiParts{resource: r, lines: make(map[string]int), api: apigw.API{LogicalID: r.id, ID: id}}
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
	p.rest([]string{"ApiKeySelectionExpression", "BasePath", "DisableSchemaValidation", "FailOnWarnings", "IpAddressType", "Version"},
		map[string]string{"DisableExecuteApiEndpoint": "the API stays reachable at its own address"})
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
	text := p.text("RouteSelectionExpression")
	if text == "" {
		return ""
	}
	if _, err := apigw.ParseExpression(text); err != nil {
		a.problem(p.raw("RouteSelectionExpression"), "%v", err)
	}
	return text
}

// apiOf returns the API that a resource's ApiId names. It is nil when the API
// is left out, which is noted, or does not exist, which is a problem.
func (a *apiLoader) apiOf(p *properties) *apiParts {
	p.require("ApiId", "it is the API that this belongs to")
	id := p.text("ApiId")
	parts := a.apis[id]
	switch {
	case id == "":
		return nil
	case parts == nil:
		a.problem(p.raw("ApiId"), "this belongs to the API %s, which no resource of this template declares; refer to an AWS::ApiGatewayV2::Api", quote(id))
	case parts.leftOut:
		a.note(p.resource, p.resource.line, "left out together with its API "+parts.resource.id)
		return nil
	}
	return parts
}

var stageNameForm = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`)

// loadStage reads AWS::ApiGatewayV2::Stage. The first stage of an API is the
// one that is served.
func (a *apiLoader) loadStage(r *resource) {
	p := a.properties(r)
	parts := a.apiOf(p)
	if parts == nil {
		return
	}
	p.require("StageName", "it is the path under which clients connect")
	name := p.text("StageName")
	if name == "" || !a.checkStageName(p.raw("StageName"), name) {
		return
	}
	if first := parts.api.Stage.Name; first != "" {
		a.note(r, r.line, "only the first stage of an API is served, here "+first+"; the stage "+name+" is left out")
		return
	}
	parts.api.Stage = apigw.Stage{Name: name, Variables: p.textMap("StageVariables")}
	throttling := "its limits are not applied"
	p.rest([]string{"AccessLogSettings", "AccessPolicyId", "AutoDeploy", "ClientCertificateId", "DeploymentId"},
		map[string]string{"DefaultRouteSettings": throttling, "RouteSettings": throttling})
}

func (a *apiLoader) checkStageName(n *node, name string) bool {
	switch {
	case name == "$default":
		a.problem(n, "a WebSocket API has no $default stage; give the stage a name, for example main")
	case !stageNameForm.MatchString(name):
		a.problem(n, "%s is not a valid stage name; it is 1 to 128 letters, digits, hyphens and underscores", quote(name))
	default:
		return true
	}
	return false
}

// loadDeployment reads AWS::ApiGatewayV2::Deployment. Gatepost serves the
// routes as they stand, so that only a stage which the deployment makes counts.
func (a *apiLoader) loadDeployment(r *resource) {
	p := a.properties(r)
	parts := a.apiOf(p)
	if parts == nil {
		return
	}
	name := p.text("StageName")
	if name != "" && parts.deployedStage == "" && a.checkStageName(p.raw("StageName"), name) {
		parts.deployedStage = name
	}
	p.rest(nil, nil)
}

// finish settles the stage and adds the API to the stack.
func (a *apiLoader) finish(parts *apiParts) {
	api := &parts.api
	if api.Stage.Name == "" {
		api.Stage.Name = parts.deployedStage
	}
	if api.Stage.Name == "" {
		api.Stage.Name = "default"
		a.note(parts.resource, parts.resource.line, "the API has no stage, and AWS would not serve it; here its stage is called default. Declare an AWS::ApiGatewayV2::Stage")
	}
	slices.SortStableFunc(api.Routes, func(x, y apigw.Route) int { return cmp.Compare(x.Line, y.Line) })
	a.stack.APIs = append(a.stack.APIs, *api)
}

// functionInURI cuts the function's ARN out of an integration URI.
func functionInURI(uri string) (arn string, ok bool) {
	head, rest, _ := strings.Cut(uri, ":lambda:path/")
	_, rest, _ = strings.Cut(rest, "/functions/")
	arn, ok = strings.CutSuffix(rest, "/invocations")
	return arn, ok && strings.HasPrefix(head, "arn:") && strings.Contains(head, ":apigateway:")
}
