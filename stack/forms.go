package stack

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/gatepost-dev/gatepost/apigw"
)

// The functions below check one value each against the form that AWS gives it.
// The error is a sentence that names the value and the right form, without a
// place; nil means that the form is right. Validate calls them for stacks built
// in Go, and readers of templates call them to add the line.

// parameterName is what "Set up data mapping for WebSocket APIs" allows.
const parameterName = `[a-zA-Z0-9._$-]+`

// maxSource bounds an identity source, and a parameter's name and source.
const maxSource = 4096

var (
	identitySource  = regexp.MustCompile(`^(route\.request\.(header|querystring)|stageVariables|context)\.` + parameterName + `$`)
	connectSource   = regexp.MustCompile(`^route\.request\.(multivalue)?(header|querystring)\.` + parameterName + `$`)
	requestTarget   = regexp.MustCompile(`^integration\.request\.(header|querystring|path)\.` + parameterName + `$`)
	responseTarget  = regexp.MustCompile(`^route\.response\.(header\.` + parameterName + `|statuscode)$`)
	responseSource  = regexp.MustCompile(`^integration\.response\.((multivalue)?header\.` + parameterName + `|statuscode|body(\.[^\x00-\x1f]+)?)$`)
	bodySource      = regexp.MustCompile(`^route\.request\.body(\.[^\x00-\x1f]+)?$`)
	surroundings    = regexp.MustCompile(`^(stageVariables|context)\.` + parameterName + `$`)
	staticText      = regexp.MustCompile(`^'[^\x00-\x1f]*'$`)
	otherAPIsSource = regexp.MustCompile(`^(\$request|method\.request|\$?route\.request)\.(header|querystring)\.(.+)$`)
)

// CheckIdentitySource checks an identity source of an authorizer
// (IdentitySource of AWS::ApiGatewayV2::Authorizer).
func CheckIdentitySource(source string) error {
	if len(source) <= maxSource && identitySource.MatchString(source) {
		return nil
	}
	if m := otherAPIsSource.FindStringSubmatch(source); m != nil && !strings.HasPrefix(m[1], "route.") {
		return fmt.Errorf("%s is an identity source of another kind of API; for a WebSocket API write route.request.%s.%s", clip(source), m[2], clipPlain(m[3]))
	}
	return fmt.Errorf("%s is not an identity source; it is route.request.header.NAME, route.request.querystring.NAME, stageVariables.NAME or context.NAME", clip(source))
}

// CheckConnectParameter checks the name of a parameter that $connect declares
// (RequestParameters of AWS::ApiGatewayV2::Route).
func CheckConnectParameter(name string) error {
	if len(name) <= maxSource && connectSource.MatchString(name) {
		return nil
	}
	return fmt.Errorf("%s is not a request parameter; it is route.request.querystring.NAME or route.request.header.NAME", clip(name))
}

// CheckRequestParameter checks one of an integration's RequestParameters: what
// it sets, and where the value comes from.
func CheckRequestParameter(target, source string) error {
	if len(target) > maxSource || !requestTarget.MatchString(target) {
		return fmt.Errorf("%s is not a parameter of an integration's request; it is integration.request.header.NAME, .querystring.NAME or .path.NAME, with letters, digits and ._$- in the name", clip(target))
	}
	if isSource(source, connectSource, bodySource) {
		return nil
	}
	return fmt.Errorf("%s is not a source; it is route.request.querystring.NAME, .header.NAME or .body.PATH, stageVariables.NAME, context.NAME or a text in single quotes", clip(source))
}

// CheckResponseParameter checks one of an integration response's
// ResponseParameters.
func CheckResponseParameter(target, source string) error {
	if len(target) > maxSource || !responseTarget.MatchString(target) {
		return fmt.Errorf("%s is not a parameter of a route's response; it is route.response.header.NAME or route.response.statuscode", clip(target))
	}
	if isSource(source, responseSource) {
		return nil
	}
	return fmt.Errorf("%s is not a source; it is integration.response.header.NAME, .body.PATH or .statuscode, stageVariables.NAME, context.NAME or a text in single quotes", clip(source))
}

// isSource reports whether a source has one of the forms, or one of those that
// requests and responses share.
func isSource(source string, forms ...*regexp.Regexp) bool {
	return len(source) <= maxSource && slices.ContainsFunc(append(forms, surroundings, staticText),
		func(form *regexp.Regexp) bool { return form.MatchString(source) })
}

// maxResponseKey bounds the regular expression of an integration response.
const maxResponseKey = 1024

// CheckResponseKey checks the IntegrationResponseKey of an integration response.
func CheckResponseKey(key string) error {
	if key == "$default" {
		return nil
	}
	if len(key) < 3 || len(key) > maxResponseKey || key[0] != '/' || key[len(key)-1] != '/' {
		return fmt.Errorf(`%s is not the key of an integration response; it is $default or a regular expression between slashes, such as /2\d\d/`, clip(key))
	}
	if _, err := checkPattern(key[1 : len(key)-1]); err != nil {
		return fmt.Errorf("the key %s cannot be compiled as a regular expression: %w", clip(key), err)
	}
	return nil
}

var mappingKey = regexp.MustCompile(`^[a-zA-Z0-9$_.+!*'()-]+(/[a-zA-Z0-9$_.+!*'()-]+)*$`)

// CheckMappingKey checks the ApiMappingKey of a custom domain, which may be
// empty ("API mappings for WebSocket APIs" and "Amazon API Gateway important
// notes" in the developer guide).
func CheckMappingKey(key string) error {
	switch {
	case key == "":
		return nil
	case len(key) > 300:
		return fmt.Errorf("the mapping key has %d characters, and may have 300", len(key))
	case key == "ping" || key == "sping":
		return fmt.Errorf("the mapping key %s is kept by API Gateway for health checks; take another one", key)
	case !mappingKey.MatchString(key):
		return fmt.Errorf("%s is not a mapping key; it has letters, digits and $-_.+!*'(), with single slashes between levels and none at the ends", clip(key))
	}
	return nil
}

var domainName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$`)

// CheckDomainName checks the name of a custom domain: lower-case, without a
// port and without a wildcard.
func CheckDomainName(name string) error {
	if len(name) > 253 || !domainName.MatchString(name) {
		return fmt.Errorf("%s is not a domain name, such as ws.example.com", clip(name))
	}
	return nil
}

// CheckAPIKey checks the value of an API key. The error does not show it.
func CheckAPIKey(value string) error {
	if n := len(value); n < 20 || n > 128 {
		return fmt.Errorf("the value of an API key has 20 to 128 characters, and this one has %d", n)
	}
	if strings.ContainsFunc(value, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return errors.New("the value of an API key stands in a header: it has no spaces and no characters beyond ASCII")
	}
	return nil
}

var (
	serviceURI    = regexp.MustCompile(`^arn:aws[a-z-]*:apigateway:[a-z0-9-]+:[a-zA-Z0-9._-]+:(action|path)/[^\x00-\x20]+$`)
	pathParameter = regexp.MustCompile(`\{(` + parameterName + `)\}`)
)

// CheckIntegrationURI checks the URI of an integration that needs one: a URL
// for HTTPCustom and HTTPProxy, the ARN of an action or a path of an AWS service
// for AWSService.
func CheckIntegrationURI(kind apigw.IntegrationType, uri string) error {
	switch kind {
	case apigw.AWSService:
		if len(uri) > maxURI || !serviceURI.MatchString(uri) {
			return fmt.Errorf("%s is not the URI of an AWS service; it has the form arn:aws:apigateway:REGION:SERVICE:action/ACTION or arn:aws:apigateway:REGION:SERVICE:path/PATH", clip(uri))
		}
	case apigw.HTTPCustom, apigw.HTTPProxy:
		return checkURL(uri)
	}
	return nil
}

// maxURI bounds an integration's URI in bytes; AWS takes 2,048 characters
// before stage variables are put in.
const maxURI = 8 << 10

func checkURL(uri string) error {
	plain := pathParameter.ReplaceAllString(uri, "x")
	u, err := url.Parse(plain)
	if len(uri) > maxURI || err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Hostname() == "" ||
		u.Fragment != "" || strings.ContainsAny(plain, "{}<>\\^`\" ") {
		return fmt.Errorf("%s is not a URL to call; it begins with http:// or https:// and a host, and may have {parameters} in its path", clip(uri))
	}
	return nil
}

// clip quotes a value for a message, and cuts a long one.
func clip(s string) string { return fmt.Sprintf("%q", clipPlain(s)) }

func clipPlain(s string) string {
	const most = 120
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
