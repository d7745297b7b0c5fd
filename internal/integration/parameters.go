package integration

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gatepost-dev/gatepost/apigw"
)

// parameter is one of an integration's RequestParameters.
type parameter struct {
	field  string
	where  parameterPlace
	name   string
	source source
}

type parameterPlace string

const (
	inHeader parameterPlace = "header"
	inQuery  parameterPlace = "querystring"
	inPath   parameterPlace = "path"
)

// requestPrefix begins the keys of RequestParameters.
const requestPrefix = "integration.request."

// ownHeaders belong to the connection between gateway and backend, not to the
// message (RFC 9110 section 7.6.1); a mapping may not set them, and a proxy does
// not pass them on.
var ownHeaders = []string{"Connection", "Content-Length", "Expect", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// signatureHeaders are those that the signature of a call to AWS sets.
var signatureHeaders = []string{"Authorization", "Host", "X-Amz-Content-Sha256", "X-Amz-Date", "X-Amz-Security-Token"}

func oneOf(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}

// compileRequestParameters reads the mappings in the order of their keys, so
// that requests are the same each time.
func compileRequestParameters(in *apigw.Integration) ([]parameter, error) {
	var out []parameter
	for _, key := range slices.Sorted(maps.Keys(in.RequestParameters)) {
		p, err := parseParameter(key, in.RequestParameters[key])
		if err == nil && p.where == inHeader && in.Type == apigw.AWSService && oneOf(signatureHeaders, p.name) {
			err = fmt.Errorf("the header %s is set by the signature of the call; leave the parameter out", p.name)
		}
		if err != nil {
			return nil, fieldError(fmt.Sprintf("RequestParameters[%s]", clip(key)), err)
		}
		out = append(out, p)
	}
	return out, nil
}

func parseParameter(key, value string) (p parameter, err error) {
	p.field = fmt.Sprintf("RequestParameters[%s]", key)
	rest, ok := strings.CutPrefix(key, requestPrefix)
	where, name, _ := strings.Cut(rest, ".")
	p.where, p.name = parameterPlace(where), name
	if !ok || p.where != inHeader && p.where != inQuery && p.where != inPath {
		return p, fmt.Errorf("%q is not what a parameter may be called; write integration.request.header.NAME, integration.request.querystring.NAME or integration.request.path.NAME", clip(key))
	}
	if err := checkName(name); err != nil {
		return p, err
	}
	if p.where == inHeader && oneOf(ownHeaders, name) {
		return p, fmt.Errorf("the header %s belongs to the connection and cannot be mapped; leave the parameter out", name)
	}
	p.source, err = parseSource(value, requestForms)
	return p, err
}

// apply puts the parameter's values into a request; without any it is left out.
func (p *parameter) apply(out *outgoing) error {
	values := p.source(out.ex)
	if len(values) == 0 {
		return nil
	}
	switch p.where {
	case inQuery:
		out.query[p.name] = values
	case inPath:
		out.path[p.name] = values[len(values)-1]
	case inHeader:
		for _, v := range values {
			if err := checkHeaderValue(v); err != nil {
				return fieldError(p.field, err)
			}
		}
		out.header.setHeader(p.name, values...)
	}
	return nil
}
