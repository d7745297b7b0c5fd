package template

import (
	"cmp"
	"strings"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/stack"
)

func domainType() resourceType {
	return resourceType{ref: named("DomainName"), attributes: map[string]attribute{
		"DomainName":           named("DomainName"),
		"RegionalHostedZoneId": generatedID(14),
		"RegionalDomainName": func(e *evaluator, r *resource) (string, error) {
			return "d-" + e.id(r.id, 10) + ".execute-api." + e.opts.Region + ".amazonaws.com", nil
		},
		"DomainNameArn": func(e *evaluator, r *resource) (string, error) {
			name, err := e.nameOf(r, "DomainName")
			return "arn:aws:apigateway:" + e.opts.Region + "::/domainnames/" + name, err
		},
	}}
}

// loadDomainName reads AWS::ApiGatewayV2::DomainName. The name counts once an
// ApiMapping leads from it to an API that is run.
func (a *apiLoader) loadDomainName(r *resource) {
	p := a.properties(r)
	p.require("DomainName", "it is the host name, such as ws.example.com")
	name := strings.ToLower(p.text("DomainName"))
	if name != "" {
		a.report(p.raw("DomainName"), stack.CheckDomainName(strings.TrimPrefix(name, "*.")))
	}
	if p.given("MutualTlsAuthentication") {
		a.mutualTLS[name] = p.raw("MutualTlsAuthentication")
	}
	p.rest([]string{"DomainNameConfigurations", "RoutingMode"}, nil)
}

// loadAPIMapping reads AWS::ApiGatewayV2::ApiMapping.
func (a *apiLoader) loadAPIMapping(r *resource) {
	p := a.properties(r)
	parts := a.apiOf(p)
	if parts == nil {
		return
	}
	p.require("DomainName", "it is the custom domain from which the mapping leads")
	p.require("Stage", "it is the stage to which the mapping leads")
	name, stage := strings.ToLower(p.text("DomainName")), p.text("Stage")
	domain := apigw.Domain{Name: name, MappingKey: p.text("ApiMappingKey")}
	a.report(nodeOr(p.raw("ApiMappingKey"), p.node), stack.CheckMappingKey(domain.MappingKey))
	if at := a.mutualTLS[name]; at != nil {
		a.problem(at, "Gatepost cannot ask clients for certificates and so refuses a domain of a WebSocket API that does")
	}
	p.rest(nil, nil)
	switch {
	case name == "" || stage == "":
	case strings.HasPrefix(name, "*."):
		a.note(r, r.line, "Gatepost does not match wildcards, and so the mapping of "+name+" is left out; map the names that clients use")
	case stage != parts.api.Stage.Name:
		a.note(r, r.line, "the mapping leads to the stage "+quote(stage)+", which is not served here; the stage that is served is "+parts.api.Stage.Name)
	default:
		a.report(p.raw("DomainName"), stack.CheckDomainName(name))
		a.addDomain(p, parts, domain)
	}
}

// addDomain gives a domain to the API; a name and a mapping key lead to one API.
func (a *apiLoader) addDomain(p *properties, parts *apiParts, domain apigw.Domain) {
	if other := a.domains[domain]; other != nil {
		a.problem(nodeOr(p.raw("ApiMappingKey"), p.node), "the domain %s has the mapping key %s already, for the API %s",
			domain.Name, quote(cmp.Or(domain.MappingKey, "(none)")), other.resource.id)
		return
	}
	a.domains[domain] = parts
	parts.api.Domains = append(parts.api.Domains, domain)
}
