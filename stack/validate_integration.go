package stack

import (
	"maps"
	"slices"
	"strings"

	"github.com/gatepost-dev/gatepost/apigw"
)

var (
	integrationTypes = []apigw.IntegrationType{apigw.AWSProxy, apigw.AWSService, apigw.HTTPProxy, apigw.HTTPCustom, apigw.Mock}
	methods          = []string{"", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
	passthroughs     = []string{"", "WHEN_NO_MATCH", "WHEN_NO_TEMPLATES", "NEVER"}
	contentHandlings = []string{"", "CONVERT_TO_BINARY", "CONVERT_TO_TEXT"}
)

// integration checks the integration of one route: what its type needs, and
// the form of everything that it has.
func (v *validation) integration(of string, in *apigw.Integration, functions map[string]bool) {
	if !slices.Contains(integrationTypes, in.Type) {
		v.addf("%s: the integration's type is %s and must be one of %v", of, clip(string(in.Type)), integrationTypes)
		return
	}
	v.backend(of, in, functions)
	if in.Timeout != 0 {
		v.durationInRange(of, "the integration's timeout", in.Timeout, shortestTimeout, longestTimeout)
	}
	v.oneOf(of, "the integration's method", in.Method, methods)
	v.oneOf(of, "the integration's passthrough behavior", in.PassthroughBehavior, passthroughs)
	v.oneOf(of, "the integration's content handling", in.ContentHandling, contentHandlings)
	for _, target := range slices.Sorted(maps.Keys(in.RequestParameters)) {
		v.check(of, CheckRequestParameter(target, in.RequestParameters[target]))
	}
	v.templates(of, in.RequestTemplates)
	if in.TemplateSelectionExpression != "" {
		v.expression(of, "TemplateSelectionExpression", in.TemplateSelectionExpression, apigw.ParseTemplateExpression)
	}
	v.responses(of, in)
}

// backend checks that there is something to call.
func (v *validation) backend(of string, in *apigw.Integration, functions map[string]bool) {
	callsFunction := in.Type == apigw.AWSProxy || in.Type == apigw.AWSService && in.Function != ""
	switch {
	case callsFunction && !functions[in.Function]:
		v.addf("%s: its function %q is not a function of this stack", of, in.Function)
	case callsFunction:
	case in.Function != "":
		v.addf("%s: it names the function %q, which the type %s does not call", of, in.Function, in.Type)
	default:
		v.check(of, CheckIntegrationURI(in.Type, in.URI))
	}
}

func (v *validation) oneOf(of, what, value string, allowed []string) {
	if !slices.Contains(allowed, value) {
		v.addf("%s: %s is %s and must be one of %s", of, what, clip(value), strings.Join(allowed[1:], ", "))
	}
}

func (v *validation) templates(of string, templates map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(templates)) {
		if n := len(templates[key]); n > MaxTemplate {
			v.addf("%s: the template %s has %d bytes, and may have %d", of, clip(key), n, MaxTemplate)
		}
	}
}

func (v *validation) responses(of string, in *apigw.Integration) {
	if len(in.Responses) > 0 && (in.Type == apigw.AWSProxy || in.Type == apigw.HTTPProxy) {
		v.addf("%s: it has integration responses, which the type %s does not use", of, in.Type)
	}
	seen := make(map[string]bool, len(in.Responses))
	for i := range in.Responses {
		r := &in.Responses[i]
		of := of + ", integration response " + clipPlain(r.Key)
		v.check(of, CheckResponseKey(r.Key))
		if seen[r.Key] {
			v.addf("%s: it is declared twice; keys are unique", of)
		}
		seen[r.Key] = true
		for _, target := range slices.Sorted(maps.Keys(r.Parameters)) {
			v.check(of, CheckResponseParameter(target, r.Parameters[target]))
		}
		v.templates(of, r.Templates)
		if r.TemplateSelectionExpression != "" {
			v.expression(of, "TemplateSelectionExpression", r.TemplateSelectionExpression, apigw.ParseResponseExpression)
		}
		v.oneOf(of, "the content handling", r.ContentHandling, contentHandlings)
	}
}
