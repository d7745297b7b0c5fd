package template

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/gatepost-dev/gatepost/apigw"
)

var stageNameForm = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`)

// loadStage reads AWS::ApiGatewayV2::Stage. Of several stages of an API the one
// that is asked for is served, else the first.
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
	switch first := parts.api.Stage.Name; {
	case first == "":
	case name == a.opts.Stage && first != name:
		a.noteStage(parts.stage, name, first)
	default:
		a.noteStage(r, first, name)
		return
	}
	parts.stage = r
	parts.api.Stage = apigw.Stage{Name: name, Variables: p.textMap("StageVariables")}
	a.noteVariables(p, parts.api.Stage.Variables)
	if settings := p.nested("DefaultRouteSettings"); settings != nil {
		parts.api.Stage.Throttle = settings.routeSettings()
	}
	parts.routeSettings = p.nested("RouteSettings")
	p.rest([]string{"AccessLogSettings", "AccessPolicyId", "AutoDeploy", "ClientCertificateId", "DeploymentId"}, nil)
}

// noteStage tells of a stage that is left out.
func (a *apiLoader) noteStage(r *resource, served, other string) {
	a.note(r, r.line, "one stage of an API is served, here "+served+"; the stage "+other+" is left out (--stage "+other+" takes it instead)")
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

// The forms of stage variables ("Stage variables" in the developer guide).
var (
	variableName  = regexp.MustCompile(`^[a-zA-Z0-9_]{1,64}$`)
	variableValue = regexp.MustCompile(`^[A-Za-z0-9\-._~:/?#&=,]*$`)
)

// noteVariables tells of stage variables that AWS refuses.
func (a *apiLoader) noteVariables(p *properties, variables map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		if value := variables[name]; !variableName.MatchString(name) || !variableValue.MatchString(value) {
			a.note(p.resource, p.raw("StageVariables").line, "AWS refuses the stage variable "+quote(name)+" with the value "+quote(value)+
				": names have letters, digits and underscores, values letters, digits and -._~:/?#&=,")
		}
	}
}

// routeSettings returns the limits of one map of route settings, or nil.
func (p *properties) routeSettings() *apigw.Throttle {
	t := p.throttle("ThrottlingRateLimit", "ThrottlingBurstLimit")
	p.rest([]string{"DataTraceEnabled", "DetailedMetricsEnabled", "LoggingLevel"}, nil)
	return t
}

// throttle reads a rate and a burst. Where one of them is given, the other is
// the account's; without both there is no throttle.
func (p *properties) throttle(rate, burst string) *apigw.Throttle {
	if p.value(rate) == nil && p.value(burst) == nil {
		return nil
	}
	account := apigw.DefaultLimits()
	return &apigw.Throttle{Rate: p.decimal(rate, float64(account.Rate)), Burst: p.number(burst, 0, math.MaxInt32, account.Burst)}
}

// checkRouteSettings reads RouteSettings, which name routes of the API.
func (a *apiLoader) checkRouteSettings(parts *apiParts) {
	if parts.routeSettings == nil {
		return
	}
	throttles := make(map[string]apigw.Throttle)
	for _, f := range parts.routeSettings.node.fields {
		settings := parts.routeSettings.nested(f.name)
		if settings == nil {
			continue
		}
		if parts.api.Route(f.name) == nil {
			a.problem(f.value, "there are settings for the route %s, which the API does not have%s", quote(f.name), a.hint(f.name, parts.routeKeys()))
			continue
		}
		if t := settings.routeSettings(); t != nil {
			throttles[f.name] = *t
		}
	}
	if len(throttles) > 0 {
		parts.api.Stage.RouteThrottles = throttles
	}
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

// settleStages gives each API without a stage of its own one.
func (a *apiLoader) settleStages() {
	for _, parts := range a.order {
		stage := &parts.api.Stage
		if stage.Name == "" {
			stage.Name = parts.deployedStage
		}
		parts.unstaged(a)
		if stage.Name == "" {
			stage.Name = defaultStage
			a.note(parts.resource, parts.resource.line, "the API has no stage, and AWS would not serve it; here its stage is called default. Declare an AWS::ApiGatewayV2::Stage")
		}
	}
}

// unstaged tells that an API has not the stage that is asked for.
func (parts *apiParts) unstaged(a *apiLoader) {
	if asked := a.opts.Stage; asked != "" && parts.api.Stage.Name != asked {
		a.note(parts.resource, parts.resource.line, "the API has no stage "+quote(asked)+", which was asked for; its stage "+cmp.Or(parts.api.Stage.Name, defaultStage)+" is served")
	}
}

// maxFilledURI bounds a URI once stage variables are put in.
const maxFilledURI = 8 << 10

// fillIn puts the stage's variables into a URI. problem says what is wrong with
// it, or is empty.
func (parts *apiParts) fillIn(uri string) (filled, problem string) {
	const open = "${stageVariables."
	var out strings.Builder
	for rest := uri; ; {
		before, after, found := strings.Cut(rest, open)
		out.WriteString(before)
		if out.Len() > maxFilledURI {
			return "", fmt.Sprintf("a URI of more than %d bytes: %s", maxFilledURI, quote(uri))
		}
		if !found {
			return out.String(), ""
		}
		name, behind, closed := strings.Cut(after, "}")
		value, defined := parts.api.Stage.Variables[name]
		switch {
		case !closed:
			return "", fmt.Sprintf("a URI in which ${ is not closed: %s", quote(uri))
		case !defined:
			return "", fmt.Sprintf("a URI with the stage variable %s, which the stage %s does not have: %s", quote(name), parts.api.Stage.Name, quote(uri))
		}
		out.WriteString(value)
		rest = behind
	}
}
