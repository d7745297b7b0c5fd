package template

import (
	"cmp"
	"slices"
	"strings"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/stack"
)

// loadAPIKey reads AWS::ApiGateway::ApiKey.
func (a *apiLoader) loadAPIKey(r *resource) {
	p := a.properties(r)
	id := a.id(r.id, 10)
	key := &apigw.APIKey{LogicalID: r.id, ID: id, Name: cmp.Or(p.text("Name"), r.id), Enabled: p.flag("Enabled", false)}
	a.keys[id], a.keyNodes[id] = key, r.node
	if v := p.value("Value"); v != nil {
		key.Value = a.keyValue(p, p.text("Value"))
	}
	if !key.Enabled {
		a.note(r, r.line, "the key is not enabled and opens nothing, as on AWS; set Enabled: true")
	}
	if stages := p.raw("StageKeys"); stages != nil {
		a.note(r, stages.line, "StageKeys have no effect; a key opens the stages of its usage plans (AWS::ApiGateway::UsagePlanKey)")
	}
	p.rest([]string{"CustomerId", "GenerateDistinctId"}, nil)
}

// keyValue checks the key's value. No message shows it.
func (a *apiLoader) keyValue(p *properties, value string) string {
	if strings.Contains(value, "{{resolve:") {
		a.note(p.resource, p.raw("Value").line, "the Value is a dynamic reference ({{resolve:...}}), which is not among the values; the key gets a value of its own")
		return ""
	}
	a.report(p.raw("Value"), stack.CheckAPIKey(value))
	return value
}

// usagePlan is one AWS::ApiGateway::UsagePlan.
type usagePlan struct {
	resource *resource
	value    apigw.UsagePlan
	stages   []planStage
}

// planStage is one of a plan's stages that is served.
type planStage struct {
	parts     *apiParts
	throttles map[string]apigw.Throttle
}

// loadUsagePlan reads AWS::ApiGateway::UsagePlan. Plans are REST's and
// WebSocket's alike; the stages of REST APIs are noted.
func (a *apiLoader) loadUsagePlan(r *resource) {
	p := a.properties(r)
	plan := &usagePlan{resource: r, value: apigw.UsagePlan{Name: cmp.Or(p.text("UsagePlanName"), r.id)}}
	if throttle := p.nested("Throttle"); throttle != nil {
		plan.value.Throttle = throttle.throttle("RateLimit", "BurstLimit")
		throttle.rest(nil, nil)
	}
	if quota := p.nested("Quota"); quota != nil {
		plan.value.Quota = quota.quota()
	}
	if p.given("ApiStages") {
		for _, stage := range p.maps("ApiStages") {
			a.loadPlanStage(stage, plan)
		}
	}
	p.rest(nil, nil)
	a.plans[a.id(r.id, 6)] = plan
	a.planOrder = append(a.planOrder, plan)
}

// quotaOffsets are the largest offsets of a quota, by its period.
var quotaOffsets = map[string]int{"DAY": 0, "WEEK": 6, "MONTH": 27}

func (p *properties) quota() *apigw.Quota {
	p.require("Limit", "it is how many requests a key has in a period")
	p.require("Period", "it is DAY, WEEK or MONTH")
	q := &apigw.Quota{Limit: p.number("Limit", 1, 1<<31-1, 1), Period: p.oneOf("Period", "DAY", "WEEK", "MONTH")}
	q.Offset = p.number("Offset", 0, quotaOffsets[q.Period], 0)
	p.rest(nil, nil)
	return q
}

// loadPlanStage reads one of a plan's ApiStages.
func (a *apiLoader) loadPlanStage(p *properties, plan *usagePlan) {
	if a.isElsewhere(p, "ApiId") {
		return
	}
	p.require("ApiId", "it is the API whose stage the plan opens")
	p.require("Stage", "it is the stage that the plan opens")
	id, stage := p.text("ApiId"), p.text("Stage")
	throttles := p.nested("Throttle")
	p.rest(nil, nil)
	parts := a.apis[id]
	switch {
	case id == "" || stage == "":
	case parts == nil || parts.leftOut:
		a.note(p.resource, p.node.line, "the plan's stage "+quote(stage)+" belongs to the API "+quote(id)+", which is not a WebSocket API of this template; it is left out")
	case stage != parts.api.Stage.Name:
		a.note(p.resource, p.node.line, "the plan's stage "+quote(stage)+" is not served here; the stage that is served is "+parts.api.Stage.Name)
	case slices.ContainsFunc(plan.stages, func(s planStage) bool { return s.parts == parts }):
		a.problem(p.node, "the plan has the stage %s of this API twice", quote(stage))
	default:
		plan.stages = append(plan.stages, planStage{parts: parts, throttles: a.planThrottles(throttles, parts)})
	}
}

// planThrottles reads a plan's limits for single routes.
func (a *apiLoader) planThrottles(p *properties, parts *apiParts) map[string]apigw.Throttle {
	if p == nil {
		return nil
	}
	all := make(map[string]apigw.Throttle)
	for _, f := range p.node.fields {
		limits := p.nested(f.name)
		if limits == nil {
			continue
		}
		t := limits.throttle("RateLimit", "BurstLimit")
		limits.rest(nil, nil)
		switch {
		case parts.api.Route(f.name) == nil:
			a.problem(f.value, "the plan has a limit for the route %s, which the API does not have%s", quote(f.name), a.hint(f.name, parts.routeKeys()))
		case t != nil:
			all[f.name] = *t
		}
	}
	return all
}

// loadUsagePlanKey reads AWS::ApiGateway::UsagePlanKey.
func (a *apiLoader) loadUsagePlanKey(r *resource) {
	p := a.properties(r)
	if a.isElsewhere(p, "KeyId") || a.isElsewhere(p, "UsagePlanId") {
		return
	}
	p.require("KeyId", "it is the API key")
	p.require("UsagePlanId", "it is the usage plan that gets the key")
	p.oneOf("KeyType", "API_KEY")
	keyID, planID := p.text("KeyId"), p.text("UsagePlanId")
	p.rest(nil, nil)
	key, plan := a.keys[keyID], a.plans[planID]
	switch {
	case keyID == "" || planID == "":
	case key == nil:
		a.problem(p.raw("KeyId"), "the key is %s, which no resource of this template declares; refer to an AWS::ApiGateway::ApiKey", quote(keyID))
	case plan == nil:
		a.problem(p.raw("UsagePlanId"), "the usage plan is %s, which no resource of this template declares; refer to an AWS::ApiGateway::UsagePlan", quote(planID))
	default:
		plan.value.Keys = append(plan.value.Keys, *key)
	}
}

// assignPlans gives each API the plans of its stage.
func (a *apiLoader) assignPlans() {
	for _, plan := range a.planOrder {
		for _, stage := range plan.stages {
			value := plan.value
			if len(stage.throttles) > 0 {
				value.RouteThrottles = stage.throttles
			}
			a.checkKeysOnce(plan, stage.parts)
			stage.parts.api.UsagePlans = append(stage.parts.api.UsagePlans, value)
		}
	}
}

// checkKeysOnce reports a key that has two plans for one stage, and two keys
// that look the same to the gateway.
func (a *apiLoader) checkKeysOnce(plan *usagePlan, parts *apiParts) {
	for _, key := range plan.value.Keys {
		if parts.keyIDs[key.ID] {
			a.problem(plan.resource.node, "the key %s has a usage plan for the stage %s already; a key has one plan for each stage", key.LogicalID, parts.api.Stage.Name)
			continue
		}
		parts.keyIDs[key.ID] = true
		other, taken := parts.keyValues[key.Value]
		if taken {
			a.problem(a.keyNodes[key.ID], "the key has the same Value as the key %s", other)
		}
		if key.Value != "" {
			parts.keyValues[key.Value] = key.LogicalID
		}
	}
}

// checkKeysAsked compares the routes that ask for an API key with the keys that
// there are.
func (a *apiLoader) checkKeysAsked(parts *apiParts) {
	connect := parts.api.Route(apigw.RouteConnect)
	asked := connect != nil && connect.APIKeyRequired
	for _, route := range parts.api.Routes {
		if route.APIKeyRequired && !asked {
			a.problem(parts.keyAsked[route.Key], "route %s asks for an API key, which clients give on $connect alone; set ApiKeyRequired on $connect", route.Key)
		}
	}
	opens := slices.ContainsFunc(parts.api.UsagePlans, func(plan apigw.UsagePlan) bool {
		return slices.ContainsFunc(plan.Keys, func(k apigw.APIKey) bool { return k.Enabled })
	})
	if asked && !opens {
		a.note(parts.resource, connect.Line, "route $connect asks for an API key, and no usage plan of this template has an enabled one for the stage "+parts.api.Stage.Name+": no client can get in")
	}
}
