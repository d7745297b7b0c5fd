package template

import (
	"maps"
	"slices"
	"strings"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/stack"
)

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
	route := apigw.Route{Key: key, Line: r.line, Ordered: a.isOrdered(r)}
	a.authorize(p, parts, &route)
	route.TwoWay = a.answers(p, key)
	a.loadRequestParameters(p, &route)
	a.loadRequestModels(p, parts, &route)
	a.integrate(p, parts, &route)
	p.ofHTTPAPIs("AuthorizationScopes")
	p.rest(nil, nil)
	parts.api.Routes = append(parts.api.Routes, route)
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

// answers reports whether the function's answer goes back to the client, which
// takes a route response. The expression on the route may be there too, as the
// console writes it; AWS's own instructions ("Set up route responses for
// WebSocket APIs") and samples do without.
func (a *apiLoader) answers(p *properties, key string) bool {
	expression := p.text("RouteResponseSelectionExpression")
	_, hasResponse := a.responses[a.id(p.resource.id, 7)]
	switch {
	case expression != "" && expression != "$default":
		a.problem(p.raw("RouteResponseSelectionExpression"), "the only expression is $default, not %s", quote(expression))
	case expression != "" && !hasResponse:
		a.note(p.resource, p.raw("RouteResponseSelectionExpression").line, "route "+key+" has a RouteResponseSelectionExpression and no RouteResponse: as on AWS nothing will be answered until an AWS::ApiGatewayV2::RouteResponse with the key $default exists for it")
	}
	return hasResponse
}

// loadRequestParameters reads what $connect declares: a name and whether
// clients must send it, as {Required: true} or as true alone.
func (a *apiLoader) loadRequestParameters(p *properties, route *apigw.Route) {
	given := p.raw("RequestParameters")
	if given != nil && route.Key != apigw.RouteConnect {
		a.note(p.resource, given.line, "RequestParameters have no effect on the route "+route.Key+": $connect alone has query parameters and headers")
		return
	}
	declared := p.nested("RequestParameters")
	if declared == nil {
		return
	}
	route.RequestParameters = make(map[string]bool, len(declared.node.fields))
	for _, f := range declared.node.fields {
		v := declared.value(f.name)
		if v == nil {
			continue
		}
		a.report(f.value, stack.CheckConnectParameter(f.name))
		if v.kind == kindObject {
			constraints := declared.within(f.name, v)
			route.RequestParameters[f.name] = constraints.flag("Required", false)
			constraints.rest(nil, nil)
			continue
		}
		route.RequestParameters[f.name] = declared.flag(f.name, false)
	}
}

// loadRequestModels reads which model the messages of a route must fit.
func (a *apiLoader) loadRequestModels(p *properties, parts *apiParts, route *apigw.Route) {
	route.ModelSelectionExpression = p.expression("ModelSelectionExpression", apigw.ParseExpression)
	names := p.nested("RequestModels")
	if names != nil {
		route.RequestModels = make(map[string]string, len(names.node.fields))
		for _, f := range names.node.fields {
			if m := a.modelOf(p.resource, parts, f.value, names.text(f.name)); m != nil {
				route.RequestModels[f.name] = m.text
			}
		}
	}
	hasModels := len(route.RequestModels) > 0
	switch {
	case hasModels && route.ModelSelectionExpression == "":
		a.note(p.resource, p.raw("RequestModels").line, "route "+route.Key+" has RequestModels and no ModelSelectionExpression: as on AWS its messages are not validated")
	case !hasModels && route.ModelSelectionExpression != "":
		a.note(p.resource, p.raw("ModelSelectionExpression").line, "route "+route.Key+" has a ModelSelectionExpression and no RequestModels: as on AWS no message fits")
	}
}

// integrate gives the route what its Target names.
func (a *apiLoader) integrate(p *properties, parts *apiParts, route *apigw.Route) {
	target := p.text("Target")
	if p.value("Target") == nil {
		return
	}
	id, ok := strings.CutPrefix(target, "integrations/")
	in := a.integrations[id]
	switch {
	case !ok:
		a.problem(p.raw("Target"), "route %s targets %s; a target has the form integrations/ID, with a Ref to an AWS::ApiGatewayV2::Integration", route.Key, quote(target))
	case in == nil:
		a.problem(p.raw("Target"), "route %s targets %s, which no resource of this template declares; refer to an AWS::ApiGatewayV2::Integration", route.Key, quote(target))
	case in.apiID != parts.api.ID:
		a.problem(p.raw("Target"), "route %s targets %s, which belongs to another API", route.Key, in.resource.id)
	case in.problem != "":
		a.problem(in.at, "route %s targets %s", route.Key, in.problem)
	default:
		a.take(p, route, in)
	}
}

// take gives the route its integration, and tells of what does not go together.
func (a *apiLoader) take(p *properties, route *apigw.Route, in *integration) {
	value := in.value
	route.Integration = &value
	if value.Function != "" {
		a.checkPermission(in.resource, value.Function, in.ownRole)
	}
	isProxy := value.Type == apigw.AWSProxy || value.Type == apigw.HTTPProxy
	if route.TwoWay && !isProxy && len(value.Responses) == 0 {
		a.note(p.resource, p.resource.line, "route "+route.Key+" answers, and its integration "+in.resource.id+" of the type "+string(value.Type)+" has no AWS::ApiGatewayV2::IntegrationResponse, which makes the answer")
	}
	if route.Key == apigw.RouteConnect {
		return
	}
	for _, target := range slices.Sorted(maps.Keys(value.RequestParameters)) {
		if source := value.RequestParameters[target]; isHandshakeSource(source) {
			a.note(in.resource, in.resource.line, "route "+route.Key+" cannot set "+target+" from "+source+": $connect alone has query parameters and headers")
		}
	}
}

// isHandshakeSource reports whether a request parameter comes from the query or
// the headers, which only the handshake has.
func isHandshakeSource(source string) bool {
	rest, ok := strings.CutPrefix(source, "route.request.")
	return ok && rest != "body" && !strings.HasPrefix(rest, "body.")
}
