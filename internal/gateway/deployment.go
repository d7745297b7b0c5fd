package gateway

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/integration"
	"github.com/gatepost-dev/gatepost/internal/throttle"
)

// deployment is an API, compiled: everything that can be wrong with it was
// found, and nothing is parsed again. It is never changed, but for the buckets
// in it.
type deployment struct {
	api       *apigw.API
	selection *apigw.Expression
	routes    map[string]*route
	// connect and disconnect are always there; an API without the route has
	// empty ones.
	connect    *connectRoute
	disconnect *route
	// fallback is $default, or nil.
	fallback *route
}

// route is a route, compiled.
type route struct {
	*apigw.Route
	// backend is nil for a route without an integration.
	backend *integration.Integration
	models  *models
	limit   *throttle.Bucket
}

// connectRoute is $connect, with what decides who comes in.
type connectRoute struct {
	*route
	identity []source
	required []source
	keys     *keyring
}

// compile makes a deployment of an API.
func (g *Gateway) compile(api *apigw.API) (*deployment, error) {
	d := &deployment{api: api, routes: make(map[string]*route, len(api.Routes))}
	var err error
	if d.selection, err = apigw.ParseExpression(api.RouteSelectionExpression); err != nil {
		return nil, fmt.Errorf("API %s: %w", api.Name, err)
	}
	for i := range api.Routes {
		r := &api.Routes[i]
		if d.routes[r.Key], err = g.compileRoute(api, r); err != nil {
			return nil, fmt.Errorf("API %s, route %s: %w", api.Name, r.Key, err)
		}
	}
	d.disconnect = orEmpty(d.routes[apigw.RouteDisconnect], api, apigw.RouteDisconnect)
	d.connect = &connectRoute{route: orEmpty(d.routes[apigw.RouteConnect], api, apigw.RouteConnect)}
	d.fallback = d.routes[apigw.RouteDefault]
	// No message reaches these two.
	delete(d.routes, apigw.RouteConnect)
	delete(d.routes, apigw.RouteDisconnect)
	if err := g.compileConnect(api, d.connect); err != nil {
		return nil, fmt.Errorf("API %s, route %s: %w", api.Name, apigw.RouteConnect, err)
	}
	return d, nil
}

// orEmpty returns a route, or one that leads nowhere.
func orEmpty(r *route, api *apigw.API, key string) *route {
	if r != nil {
		return r
	}
	return &route{Route: &apigw.Route{Key: key}, limit: stageLimit(&api.Stage, key)}
}

func (g *Gateway) compileRoute(api *apigw.API, r *apigw.Route) (*route, error) {
	out := &route{Route: r, limit: stageLimit(&api.Stage, r.Key)}
	if r.Key != apigw.RouteConnect && (r.Authorization != "" && r.Authorization != apigw.AuthorizationNone || r.APIKeyRequired) {
		return nil, errors.New("only $connect can ask for authorization or an API key")
	}
	var err error
	if out.models, err = compileModels(r); err != nil {
		return nil, err
	}
	if r.Integration == nil {
		return out, nil
	}
	if g.Backends == nil {
		return nil, errors.New("there is nothing that runs integrations")
	}
	if out.backend, err = g.Backends.Compile(r.Integration); err != nil {
		return nil, fmt.Errorf("integration: %w", err)
	}
	return out, nil
}

// stageLimit is the bucket of one route: RouteSettings where they name it, else
// the stage's default.
func stageLimit(stage *apigw.Stage, key string) *throttle.Bucket {
	if own, named := stage.RouteThrottles[key]; named {
		return throttled(&own)
	}
	return throttled(stage.Throttle)
}

// RenewLimits fills the buckets of the API's routes and API keys and begins the
// keys' quotas anew, also for connections that are open. The account's limits are
// for who has them.
func (g *Gateway) RenewLimits() {
	d := g.deployed.Load()
	for _, r := range d.routes {
		r.limit.Refill()
	}
	d.connect.limit.Refill()
	d.disconnect.limit.Refill()
	if d.connect.keys == nil {
		return
	}
	for _, u := range d.connect.keys.byHash {
		u.limit.Refill()
		u.quota.Renew()
		for _, bucket := range u.routes {
			bucket.Refill()
		}
	}
}

// throttled is the bucket of a throttle; nil, which bounds nothing, for none.
func throttled(t *apigw.Throttle) *throttle.Bucket {
	if t == nil {
		return nil
	}
	return throttle.NewBucket(t.Rate, t.Burst)
}

// compileConnect compiles what decides who comes in, and refuses what could not
// be checked later.
func (g *Gateway) compileConnect(api *apigw.API, r *connectRoute) (err error) {
	switch r.Authorization {
	case "", apigw.AuthorizationNone:
	case apigw.AuthorizationIAM:
		if g.Verifier == nil {
			return errors.New("there is nothing that verifies the signatures of AWS_IAM")
		}
	case apigw.AuthorizationCustom:
		if r.Authorizer == nil || r.Authorizer.Function == "" || g.Invoker == nil {
			return errors.New("the authorization is CUSTOM, and there is no authorizer that could be called")
		}
		if r.identity, err = parseSources(r.Authorizer.IdentitySources); err != nil {
			return fmt.Errorf("authorizer %s: identity source %w", r.Authorizer.Name, err)
		}
	default:
		return fmt.Errorf("authorization %q is none of NONE, AWS_IAM and CUSTOM", r.Authorization)
	}
	if r.required, err = requiredParameters(r.RequestParameters); err != nil {
		return fmt.Errorf("request parameter %w", err)
	}
	if r.APIKeyRequired {
		r.keys, err = newKeyring(api)
	}
	return err
}

// find returns the route that a message selects; nil where only Forbidden
// answers.
func (d *deployment) find(data []byte, values func(name string) (string, bool)) *route {
	key, ok := d.selection.EvaluateWith(&apigw.ExpressionValues{Body: data, Context: values})
	if ok {
		if r := d.routes[key]; r != nil {
			return r
		}
	}
	return d.fallback
}

// connectARN is what authorizers and policies call the $connect route.
func (g *Gateway) connectARN(d *deployment) string {
	return strings.Join([]string{"arn:aws:execute-api", g.Region, g.Account, d.api.ID + "/" + d.api.Stage.Name + "/" + apigw.RouteConnect}, ":")
}
