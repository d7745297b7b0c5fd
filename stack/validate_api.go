package stack

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
)

var stageName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`)

// The quotas of one API ("Quotas for configuring and running a WebSocket API"
// in the developer guide).
const (
	// MaxRoutes is how many routes an API may have.
	MaxRoutes = 300
	// MaxIntegrations is how many integrations an API may have.
	MaxIntegrations = 300
	// MaxAuthorizers is how many authorizers an API may have.
	MaxAuthorizers = 10
	// MaxTemplate is the size of a mapping template in bytes.
	MaxTemplate = 300 << 10
)

func (v *validation) apis() {
	apis := v.stack.APIs
	v.names("API", nil, collect(apis, func(a *apigw.API) string { return a.Name }))
	functions := set(collect(v.stack.Functions, func(f *Function) string { return f.Name }))
	for i := range apis {
		api := &apis[i]
		of := "API " + api.Name
		v.expression(of, "RouteSelectionExpression", api.RouteSelectionExpression, apigw.ParseExpression)
		if e := api.APIKeySelectionExpression; e != "" && e != apigw.APIKeyFromHeader && e != apigw.APIKeyFromAuthorizer {
			v.addf("%s: the API key selection expression is %s and must be %s or %s", of, clip(e), apigw.APIKeyFromHeader, apigw.APIKeyFromAuthorizer)
		}
		v.stage(of, api)
		v.routes(of, api, functions)
		v.usagePlans(of, api)
	}
	v.domains()
}

// expression checks a selection expression with the parser of its kind.
func (v *validation) expression(of, what, source string, parse func(string) (*apigw.Expression, error)) {
	if _, err := parse(source); err != nil {
		v.addf("%s, %s: %w", of, what, err)
	}
}

func (v *validation) stage(of string, api *apigw.API) {
	stage := &api.Stage
	if !stageName.MatchString(stage.Name) {
		v.addf("%s: %q is not a valid name of a stage", of, stage.Name)
	}
	of += ", stage " + stage.Name
	if stage.Throttle != nil {
		v.throttle(of, *stage.Throttle)
	}
	v.routeThrottles(of, api, stage.RouteThrottles)
}

func (v *validation) throttle(of string, t apigw.Throttle) {
	if math.IsNaN(t.Rate) || math.IsInf(t.Rate, 0) || t.Rate < 0 || t.Burst < 0 {
		v.addf("%s: the throttle has the rate %v and the burst %d, which must be numbers that are not negative", of, t.Rate, t.Burst)
	}
}

func (v *validation) routeThrottles(of string, api *apigw.API, throttles map[string]apigw.Throttle) {
	for _, key := range slices.Sorted(maps.Keys(throttles)) {
		if api.Route(key) == nil {
			v.addf("%s: a throttle is for the route %s, which the API does not have", of, clip(key))
		}
		v.throttle(of+", route "+key, throttles[key])
	}
}

func (v *validation) routes(of string, api *apigw.API, functions map[string]bool) {
	if n := len(api.Routes); n > MaxRoutes {
		v.addf("%s: it has %d routes, and API Gateway takes %d", of, n, MaxRoutes)
	}
	v.names("route of "+of, nil, collect(api.Routes, func(r *apigw.Route) string { return r.Key }))
	connect := api.Route(apigw.RouteConnect)
	for i := range api.Routes {
		r := &api.Routes[i]
		of := of + ", route " + r.Key
		v.route(of, r)
		v.authorization(of, r, functions)
		if r.APIKeyRequired && (connect == nil || !connect.APIKeyRequired) {
			v.addf("%s: it asks for an API key, which clients give on $connect alone; ask for it there", of)
		}
		if r.Integration != nil {
			v.integration(of, r.Integration, functions)
		}
	}
}

var reservedKeys = []string{apigw.RouteConnect, apigw.RouteDisconnect, apigw.RouteDefault}

func (v *validation) route(of string, r *apigw.Route) {
	if r.Key == "" || strings.HasPrefix(r.Key, "$") && !slices.Contains(reservedKeys, r.Key) {
		v.addf("%s: %q is not a route key; only $connect, $disconnect and $default begin with a dollar", of, r.Key)
	}
	if len(r.RequestParameters) > 0 && r.Key != apigw.RouteConnect {
		v.addf("%s: it declares request parameters, which $connect alone has", of)
	}
	for _, name := range slices.Sorted(maps.Keys(r.RequestParameters)) {
		v.check(of, CheckConnectParameter(name))
	}
	if r.ModelSelectionExpression != "" {
		v.expression(of, "ModelSelectionExpression", r.ModelSelectionExpression, apigw.ParseExpression)
	}
	for _, key := range slices.Sorted(maps.Keys(r.RequestModels)) {
		v.check(of+", model "+key, v.model(r.RequestModels[key]))
	}
}

// check adds a sentence about one part of the stack.
func (v *validation) check(of string, err error) {
	if err != nil {
		v.addf("%s: %w", of, err)
	}
}

// model is CheckModel, once for each schema.
func (v *validation) model(schema string) error {
	err, known := v.models[schema]
	if !known {
		err = CheckModel(schema)
		v.models[schema] = err
	}
	return err
}

// authorization checks that nothing is asked of a route that would not be
// checked: such a route would be open.
func (v *validation) authorization(of string, r *apigw.Route, functions map[string]bool) {
	custom := r.Authorization == apigw.AuthorizationCustom
	switch r.Authorization {
	case "", apigw.AuthorizationNone:
	case apigw.AuthorizationIAM, apigw.AuthorizationCustom:
		if r.Key != apigw.RouteConnect {
			v.addf("%s: it has the authorization %s, which API Gateway checks on $connect alone", of, r.Authorization)
		}
	default:
		v.addf("%s: the authorization is %s and must be %s, %s or %s", of, clip(string(r.Authorization)),
			apigw.AuthorizationNone, apigw.AuthorizationIAM, apigw.AuthorizationCustom)
	}
	switch {
	case custom && r.Authorizer == nil:
		v.addf("%s: the authorization %s needs an authorizer", of, r.Authorization)
	case !custom && r.Authorizer != nil:
		v.addf("%s: it has an authorizer, which is asked only with the authorization %s", of, apigw.AuthorizationCustom)
	}
	if r.Authorizer == nil {
		return
	}
	of += ", authorizer " + r.Authorizer.Name
	if !functions[r.Authorizer.Function] {
		v.addf("%s: its function %q is not a function of this stack", of, r.Authorizer.Function)
	}
	for _, source := range r.Authorizer.IdentitySources {
		v.check(of, CheckIdentitySource(source))
	}
}

// domains checks the custom domains of all APIs together: a name and a mapping
// key lead to one API.
func (v *validation) domains() {
	taken := make(map[apigw.Domain]string)
	for _, api := range v.stack.APIs {
		of := "API " + api.Name
		for _, d := range api.Domains {
			v.check(of, CheckDomainName(d.Name))
			v.check(of+", domain "+d.Name, CheckMappingKey(d.MappingKey))
			if other, found := taken[d]; found {
				v.addf("%s: the domain %s with the mapping key %s leads to the API %s already", of, d.Name, clip(d.MappingKey), other)
			}
			taken[d] = api.Name
		}
	}
}

func (v *validation) usagePlans(of string, api *apigw.API) {
	planOf, valueOf := make(map[string]string), make(map[string]string)
	for i := range api.UsagePlans {
		plan := &api.UsagePlans[i]
		of := of + ", usage plan " + plan.Name
		if plan.Throttle != nil {
			v.throttle(of, *plan.Throttle)
		}
		v.routeThrottles(of, api, plan.RouteThrottles)
		if plan.Quota != nil {
			v.check(of, checkQuota(*plan.Quota))
		}
		for _, key := range plan.Keys {
			v.apiKey(of, plan.Name, key, planOf, valueOf)
		}
	}
}

// apiKey checks one key; planOf and valueOf hold the ids and values that the
// API's plans have so far.
func (v *validation) apiKey(of, plan string, key apigw.APIKey, planOf, valueOf map[string]string) {
	of += ", key " + key.Name
	if key.ID == "" {
		v.addf("%s: it has no id", of)
	}
	if other, found := planOf[key.ID]; found {
		v.addf("%s: it belongs to the usage plan %s already; a key has one plan for each stage", of, other)
		return
	}
	planOf[key.ID] = plan
	if key.Value == "" {
		return
	}
	v.check(of, CheckAPIKey(key.Value))
	if other, found := valueOf[key.Value]; found {
		v.addf("%s: it has the same value as the key %s", of, other)
	}
	valueOf[key.Value] = key.Name
}

// lastOffset is the largest offset of a quota in each period, in days: that is
// what CreateUsagePlan takes.
var lastOffset = map[string]int{"DAY": 0, "WEEK": 6, "MONTH": 27}

func checkQuota(q apigw.Quota) error {
	last, known := lastOffset[q.Period]
	switch {
	case !known:
		return fmt.Errorf("the quota's period is %s and must be DAY, WEEK or MONTH", clip(q.Period))
	case q.Limit < 1:
		return fmt.Errorf("the quota's limit is %d and must be 1 or more", q.Limit)
	case q.Offset < 0 || q.Offset > last:
		return fmt.Errorf("the quota's offset is %d and must be from 0 to %d in the period %s", q.Offset, last, q.Period)
	}
	return nil
}

// integrationTimeouts are the bounds of TimeoutInMillis.
const (
	shortestTimeout = 50 * time.Millisecond
	longestTimeout  = 29 * time.Second
)
