package integration

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
)

// The bounds of an integration's time limit (TimeoutInMillis in the
// CloudFormation reference).
const (
	minTimeout = 50 * time.Millisecond
	maxTimeout = 29 * time.Second
)

// Compile reads an integration as a template declares it: its templates,
// expressions, regular expressions and mappings are parsed here, once. The
// error begins with the name of the field that is wrong, such as
// "RequestTemplates[$default]: line 3, ...", and says what to write instead.
//
// What an integration of its type does not use is not looked at, as on AWS:
// proxies have no templates, AWS_PROXY no parameters either.
func (b *Backends) Compile(in *apigw.Integration) (*Integration, error) {
	out := &Integration{backends: b, kind: in.Type, timeout: in.Timeout, function: in.Function}
	switch {
	case in.Timeout == 0:
		out.timeout = b.Limits.IntegrationTimeout
	case in.Timeout < minTimeout || in.Timeout > maxTimeout:
		return nil, fmt.Errorf("TimeoutInMillis: %d ms is not possible; choose 50 to 29000", in.Timeout.Milliseconds())
	}
	if err := out.compile(in); err != nil {
		return nil, err
	}
	return out, nil
}

func (out *Integration) compile(in *apigw.Integration) (err error) {
	switch in.Type {
	case apigw.AWSProxy:
		return out.compileFunction(in)
	case apigw.AWSService, apigw.HTTPProxy, apigw.HTTPCustom, apigw.Mock:
	default:
		return fmt.Errorf("IntegrationType: %q is none of AWS_PROXY, AWS, HTTP_PROXY, HTTP and MOCK", clip(string(in.Type)))
	}
	if out.request, err = compileRequest(in); err != nil {
		return err
	}
	if out.backend, err = out.compileBackend(in); err != nil {
		return err
	}
	if in.Type != apigw.HTTPProxy {
		out.responses, err = compileResponses(in)
	}
	return err
}

func (out *Integration) compileBackend(in *apigw.Integration) (backend, error) {
	b := out.backends
	switch {
	case in.Type == apigw.Mock:
		return mock{}, nil
	case in.Type == apigw.AWSService && (in.Function != "" || isLambda(in.URI)):
		if err := out.compileFunction(in); err != nil {
			return nil, err
		}
		return &functionBackend{backends: b, function: out.function}, nil
	case in.Type == apigw.AWSService:
		return compileService(b, in)
	}
	return compileHTTP(b, in)
}

// compileFunction finds the function of an integration.
func (out *Integration) compileFunction(in *apigw.Integration) error {
	if out.function == "" {
		out.function = functionOf(in.URI)
	}
	switch {
	case out.function == "":
		return fmt.Errorf("IntegrationUri: %q names no Lambda function; the form is arn:aws:apigateway:REGION:lambda:path/2015-03-31/functions/FUNCTION_ARN/invocations", clip(in.URI))
	case out.backends.Invoker == nil:
		return errors.New("IntegrationUri: there is nothing that runs functions")
	}
	return nil
}

// isLambda reports whether a URI is one of Lambda's.
func isLambda(uri string) bool {
	u, err := parseServiceURI(uri)
	return err == nil && u.service == "lambda"
}

// functionOf takes the function's name out of an integration's URI.
func functionOf(uri string) string {
	u, err := parseServiceURI(uri)
	if err != nil || u.service != "lambda" {
		return ""
	}
	_, arn, found := strings.Cut(u.path, "/functions/")
	arn, isInvoke := strings.CutSuffix(arn, "/invocations")
	if !found || !isInvoke {
		return ""
	}
	// arn:aws:lambda:REGION:ACCOUNT:function:NAME[:ALIAS], or the bare name.
	parts := strings.Split(arn, ":")
	if len(parts) >= 7 && parts[5] == "function" {
		return parts[6]
	}
	if len(parts) == 1 {
		return arn
	}
	return ""
}
