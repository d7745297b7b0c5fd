package serverless

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/template"
)

// The logical ids of a service's WebSocket API.
const (
	websocketsAPI   = "WebsocketsApi"
	websocketsStage = "WebsocketsDeploymentStage"
)

// websocket is one route of a function.
type websocket struct {
	event
	route, authorizer *template.Value
	// answers is routeResponseSelectionExpression.
	answers *template.Value
}

// generateWebsockets makes the API of all websocket events.
func (s *service) generateWebsockets(events []event) {
	var routes []websocket
	for _, e := range events {
		if w, ok := s.websocket(e); ok {
			routes = append(routes, w)
		}
	}
	if len(routes) == 0 {
		return
	}
	at := routes[0].at
	api := s.generateAPI(at)
	hash := sha256.New()
	for _, w := range routes {
		s.generateRoute(w, api)
		hash.Write([]byte(w.route.Text + "\x00"))
	}
	s.generateStage(at, api, "WebsocketsDeployment"+hex.EncodeToString(hash.Sum(nil)[:16]))
	address := join(at, "", text(at, "wss://"), api, text(at, ".execute-api."), ref(at, "AWS::Region"), text(at, "."), ref(at, "AWS::URLSuffix"), text(at, "/"+s.stage()))
	s.outputs.With("ServiceEndpointWebsocket", template.Map(at).With("Description", text(at, "URL of the service endpoint")).With("Value", address))
}

// websocket reads one event, in its short form, its long form, or that of the old
// plugin, which says routeKey.
func (s *service) websocket(e event) (w websocket, ok bool) {
	s.unknown(e, "route", "routeKey", "authorizer", "routeResponseSelectionExpression")
	w = websocket{event: e, route: e.value}
	if e.value.Kind == template.Object {
		w.route, w.authorizer, w.answers = e.value.Get("route"), e.value.Get("authorizer"), e.value.Get("routeResponseSelectionExpression")
		if w.route == nil {
			w.route = e.value.Get("routeKey")
		}
	}
	switch {
	case w.route == nil:
		s.problem(e.value.Place, "the event websocket needs a route, such as $connect, $default or the name of an action")
	case w.route.Missing != "":
		s.problem(w.route.Place, "%s", w.route.Missing)
	case !w.route.IsScalar() || w.route.Text == "":
		s.problem(w.route.Place, "a route must be text, not %s", w.route.Kind)
	default:
		return w, true
	}
	return w, false
}

// generateAPI makes the API, and returns what refers to it. An API that belongs
// to another stack is made too, so that the routes run.
func (s *service) generateAPI(at template.Place) *template.Value {
	if own := s.all(s.value(s.provider.Get("apiGateway")).Get("websocketApiId")); own != nil && own.Kind != template.Null {
		name, argument := call(own)
		if name == "Ref" && s.declares(argument.Text) {
			return own
		}
		s.note(own.Place, "the API that websocketApiId names belongs to another stack; here the service's routes run on an API of their own")
	}
	p := s.generate(at, websocketsAPI, "AWS::ApiGatewayV2::Api").
		With("Name", s.apiSetting(at, s.stage()+"-"+s.name+"-websockets", "websocketsApiName", "websocketApiName")).
		With("RouteSelectionExpression", s.apiSetting(at, "$request.body.action", "websocketsApiRouteSelectionExpression", "websocketApiRouteSelectionExpression")).
		With("Description", s.apiSetting(at, "Serverless Websockets", "websocketsDescription")).
		With("ProtocolType", text(at, "WEBSOCKET"))
	_ = p
	return ref(at, websocketsAPI)
}

// declares reports whether the section resources declares a resource.
func (s *service) declares(id string) bool {
	given := s.value(s.root.Get("resources"))
	documents := []*template.Value{given}
	if given != nil && given.Kind == template.List {
		documents = given.Items
	}
	return slices.ContainsFunc(documents, func(d *template.Value) bool {
		return s.value(s.value(d).Get("Resources")).Get(id) != nil
	})
}

// apiSetting returns the first of the provider's settings with these names.
func (s *service) apiSetting(at template.Place, otherwise string, names ...string) *template.Value {
	for _, name := range names {
		if v := s.all(s.provider.Get(name)); v != nil && (v.Missing != "" || v.Kind != template.Null) {
			return v
		}
	}
	return text(at, otherwise)
}

// generateRoute makes a route with what belongs to it. Of two with one key the
// last counts.
func (s *service) generateRoute(w websocket, api *template.Value) {
	f, id := w.function, routeID(w.route.Text)+"WebsocketsRoute"
	if s.resources.generated[id] {
		s.note(w.at, "the route "+template.Quote(w.route.Text)+" is given to several functions; the last one, "+f.name+", has it, as on AWS")
	}
	integration := idOf(f.name) + "WebsocketsIntegration"
	s.generate(w.at, integration, "AWS::ApiGatewayV2::Integration").With("ApiId", api).
		With("IntegrationType", text(w.at, "AWS_PROXY")).With("IntegrationUri", invocation(w.at, getAtt(w.at, f.id, "Arn")))
	s.permit(w.at, idOf(f.name)+"LambdaPermissionWebsockets", f, "apigateway.amazonaws.com")
	p := s.generate(w.at, id, "AWS::ApiGatewayV2::Route").With("ApiId", api).With("RouteKey", w.route).
		With("AuthorizationType", text(w.at, "NONE")).With("Target", join(w.at, "/", text(w.at, "integrations"), ref(w.at, integration)))
	if w.answers != nil {
		p.With("RouteResponseSelectionExpression", w.answers)
		s.generate(w.at, id+"Response", "AWS::ApiGatewayV2::RouteResponse").With("ApiId", api).
			With("RouteId", ref(w.at, id)).With("RouteResponseKey", text(w.at, "$default"))
	}
	if w.authorizer != nil && w.authorizer.Kind != template.Null {
		s.generateAuthorizer(w, api, p)
	}
}

// invocation is the address at which API Gateway calls a function.
func invocation(at template.Place, arn *template.Value) *template.Value {
	return join(at, "", text(at, "arn:"), ref(at, "AWS::Partition"), text(at, ":apigateway:"), ref(at, "AWS::Region"),
		text(at, ":lambda:path/2015-03-31/functions/"), arn, text(at, "/invocations"))
}

// generateAuthorizer makes the authorizer of a route, which is a function of the
// service by its name, or any by its ARN.
func (s *service) generateAuthorizer(w websocket, api, route *template.Value) {
	given := w.authorizer
	arn, name := given.Get("arn"), given.Get("name")
	if given.IsScalar() && strings.Contains(given.Text, ":") || isCall(given) {
		arn = given
	} else if given.IsScalar() {
		name = given
	}
	called := s.word(name, "")
	if arn.IsScalar() {
		called = lastPart(arn.Text, ":")
	}
	if given.Text == "aws_iam" || given.Get("type") != nil && given.Get("type").Text == "aws_iam" {
		route.With("AuthorizationType", text(given.Place, "AWS_IAM"))
		return
	}
	switch {
	case called == "" && arn != nil:
		s.problem(given.Place, "an authorizer whose arn is not written out needs a name beside it")
		return
	case called == "":
		s.problem(given.Place, "an authorizer is the name of a function, its ARN, or a map with name or arn")
		return
	case arn == nil:
		f := s.byName[called]
		if f == nil {
			s.problem(given.Place, "the authorizer is the function %s, which the service does not have%s", template.Quote(called), s.hintFunction(called))
			return
		}
		arn = getAtt(given.Place, f.id, "Arn")
	}
	id := idOf(called) + "WebsocketsAuthorizer"
	source := given.Get("identitySource")
	switch {
	case source == nil || source.Kind == template.Null:
		source = template.ListOf(given.Place, text(given.Place, "route.request.header.Auth"))
	case source.IsScalar():
		source = template.ListOf(source.Place, source)
	}
	s.generate(given.Place, id, "AWS::ApiGatewayV2::Authorizer").With("ApiId", api).With("Name", text(given.Place, called)).
		With("AuthorizerType", text(given.Place, "REQUEST")).With("AuthorizerUri", invocation(given.Place, arn)).With("IdentitySource", source)
	s.generate(given.Place, idOf(called)+"LambdaPermissionWebsockets", "AWS::Lambda::Permission").With("FunctionName", arn).
		With("Action", text(given.Place, "lambda:InvokeFunction")).With("Principal", text(given.Place, "apigateway.amazonaws.com"))
	route.With("AuthorizationType", text(given.Place, "CUSTOM")).With("AuthorizerId", ref(given.Place, id))
}

// generateStage makes the deployment and the stage. The stage of an API that
// resources declares is the deployment's.
func (s *service) generateStage(at template.Place, api *template.Value, deployment string) {
	description := s.apiSetting(at, "Serverless Websockets", "websocketsDescription")
	p := s.generate(at, deployment, "AWS::ApiGatewayV2::Deployment").With("ApiId", api).With("Description", description)
	if s.resources.get(websocketsAPI) == nil {
		p.With("StageName", text(at, s.stage()))
		return
	}
	stage := s.generate(at, websocketsStage, "AWS::ApiGatewayV2::Stage").With("ApiId", api).With("StageName", text(at, s.stage())).
		With("Description", description).With("DeploymentId", ref(at, deployment))
	logs := s.all(s.value(s.provider.Get("logs")).Get("websocket"))
	if logs == nil || logs.Missing != "" || logs.Kind == template.Null || logs.Text == "false" {
		return
	}
	s.generate(logs.Place, "WebsocketsLogGroup", "AWS::Logs::LogGroup").With("LogGroupName", text(at, "/aws/websocket/"+s.name+"-"+s.stage()))
	level := logs.Get("level")
	if level == nil {
		level = text(logs.Place, "INFO")
	}
	if on := logs.Get("executionLogging"); on != nil && on.Text == "false" {
		level = text(on.Place, "OFF")
	}
	trace := logs.Get("fullExecutionData")
	if trace == nil {
		trace = template.Scalar(logs.Place, template.Bool, "true")
	}
	stage.With("DefaultRouteSettings", template.Map(logs.Place).With("DataTraceEnabled", trace).With("LoggingLevel", level))
	if on := logs.Get("accessLogging"); on != nil && on.Text == "false" {
		return
	}
	format := logs.Get("format")
	if format == nil {
		format = text(logs.Place, accessLogFormat)
	}
	stage.With("AccessLogSettings", template.Map(logs.Place).With("DestinationArn", template.Map(logs.Place).With("Fn::Sub",
		text(logs.Place, "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:${WebsocketsLogGroup}"))).With("Format", format))
}

// accessLogFormat is the framework's default.
const accessLogFormat = `$context.identity.sourceIp $context.identity.caller $context.identity.user [$context.requestTime] ` +
	`"$context.eventType $context.routeKey $context.connectionId" $context.requestId`
