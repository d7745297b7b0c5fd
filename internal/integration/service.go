package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/awswire"
)

// serviceURI is the IntegrationUri of an AWS integration:
// "arn:aws:apigateway:REGION:SERVICE:action/ACTION" or ":path/PATH".
type serviceURI struct {
	region, service string
	action          string // of the first form
	path            string // of the second, without a slash in front
}

func parseServiceURI(uri string) (serviceURI, error) {
	parts := strings.SplitN(uri, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "apigateway" || parts[4] == "" {
		return serviceURI{}, fmt.Errorf("%q is not arn:aws:apigateway:REGION:SERVICE:action/ACTION or arn:aws:apigateway:REGION:SERVICE:path/PATH", clip(uri))
	}
	u := serviceURI{region: parts[3], service: parts[4]}
	kind, rest, _ := strings.Cut(parts[5], "/")
	switch {
	case kind == "action" && rest != "":
		u.action = rest
	case kind == "path":
		u.path = rest
	default:
		return serviceURI{}, fmt.Errorf("%q names neither an action nor a path; write action/ACTION or path/PATH behind the service", clip(uri))
	}
	return u, nil
}

// protocol is how a service is spoken to.
type protocol struct {
	// target is the prefix of X-Amz-Target in AWS JSON; "" when the service
	// speaks only the query protocol.
	target string
	// version is the API version of query calls; "" when it has none.
	version string
}

// protocols are the services that an endpoint of Gatepost serves.
var protocols = map[string]protocol{
	"dynamodb": {target: "DynamoDB_20120810"},
	"sqs":      {target: "AmazonSQS", version: "2012-11-05"},
	"sns":      {version: "2010-03-31"},
}

const (
	formType = "application/x-www-form-urlencoded"
	jsonType = "application/x-amz-json-1.0"
)

// service is an AWS service behind an AWS integration. Its calls go to the AWS
// endpoint of Gatepost, signed with its credentials: CredentialsArn is accepted
// and not evaluated.
type service struct {
	backends *Backends
	serviceURI
	protocol
	base *url.URL
}

// absent is a service that Gatepost does not run: each call fails.
type absent struct{ service string }

func (a absent) name() string { return "the service " + a.service }

func (a absent) call(context.Context, *outgoing) (*answer, error) {
	return nil, fmt.Errorf("the service %q does not run here; those that an AWS integration reaches are dynamodb, lambda, sns and sqs", a.service)
}

func compileService(b *Backends, in *apigw.Integration) (backend, error) {
	u, err := parseServiceURI(in.URI)
	if err != nil {
		return nil, fieldError("IntegrationUri", err)
	}
	p, known := protocols[u.service]
	if !known {
		return absent{clip(u.service)}, nil
	}
	if method := strings.ToUpper(in.Method); method != "" && method != http.MethodPost {
		return nil, fmt.Errorf("IntegrationMethod: the actions of %s are called with POST, not with %s", u.service, clip(method))
	}
	if b.AWS == "" {
		return nil, errors.New("IntegrationUri: there is no AWS endpoint to call")
	}
	for key := range in.RequestParameters {
		if strings.HasPrefix(key, requestPrefix+string(inPath)+".") {
			return nil, fmt.Errorf("RequestParameters[%s]: the URI of an AWS service takes no path parameters here", clip(key))
		}
	}
	base, err := url.Parse(b.AWS)
	if err != nil || base.Host == "" {
		return nil, fmt.Errorf("IntegrationUri: the AWS endpoint %q is no URL", b.AWS)
	}
	if u.region == "" {
		u.region = b.Region
	}
	s := &service{backends: b, serviceURI: u, protocol: p, base: base}
	if err := s.checkPath(); err != nil {
		return nil, fieldError("IntegrationUri", err)
	}
	return s, nil
}

// checkPath gives a queue that is named alone the account's number.
func (s *service) checkPath() error {
	if s.service == "sqs" && s.path != "" && !strings.Contains(strings.Trim(s.path, "/"), "/") && s.backends.Account != "" {
		s.path = s.backends.Account + "/" + strings.Trim(s.path, "/")
	}
	if u, err := url.Parse("/" + s.path); err != nil || u.RawQuery != "" || u.Fragment != "" || u.Host != "" {
		return fmt.Errorf("%q is no path", clip(s.path))
	}
	return nil
}

// call sends the body that the template made. Of the two forms of the URI,
// "path" posts it to the path, application/json unless a parameter maps the
// Content-Type; "action" names the action too: in X-Amz-Target for a service
// that speaks JSON with a JSON body, else as the form's Action. A form without
// a Version gets the service's.
func (s *service) call(ctx context.Context, out *outgoing) (*answer, error) {
	r, body, err := s.request(ctx, out)
	if err != nil {
		return nil, err
	}
	awswire.Sign(r, body, s.backends.Credentials, s.region, s.service, time.Now())
	status, header, answered, err := do(s.backends.client, r)
	if err != nil {
		return nil, err
	}
	a := &answer{status: status, header: header, body: answered}
	if status >= http.StatusMultipleChoices {
		a.failed = fmt.Errorf("%s answered with status %d: %s", s.service, status, clip(string(answered)))
	}
	if s.version != "" && isXML(header.Get("Content-Type")) && !isXML(out.header.Get("Accept")) {
		if a.body, err = xmlToJSON(answered); err != nil {
			return nil, fmt.Errorf("read the answer of %s: %w", s.service, err)
		}
		a.header.setHeader("Content-Type", "application/json")
	}
	return a, nil
}

func (s *service) name() string { return s.service }

func (s *service) request(ctx context.Context, out *outgoing) (*http.Request, []byte, error) {
	header := make(http.Header)
	for _, line := range out.header {
		header.Add(line.Name, line.Value)
	}
	body, query := out.body, out.query
	s.setAction(header, query)
	if strings.HasPrefix(header.Get("Content-Type"), formType) && header.Get("X-Amz-Target") == "" {
		body = s.withVersion(body, query)
	}
	u := *s.base
	u.Path, u.RawPath, u.RawQuery = "", "", ""
	address := u.String() + "/" + strings.TrimLeft(s.path, "/")
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, nil, fieldError("IntegrationUri", err)
	}
	r.Header = header
	return r, body, nil
}

// setAction puts the action of an "action" URI, and a Content-Type, into a
// call.
func (s *service) setAction(header http.Header, query url.Values) {
	setDefault := func(name, value string) {
		if header.Get(name) == "" {
			header.Set(name, value)
		}
	}
	form := strings.HasPrefix(header.Get("Content-Type"), formType) || len(query) > 0
	switch {
	case s.action == "":
		setDefault("Content-Type", "application/json")
	case s.target != "" && (s.version == "" || !form):
		header.Set("X-Amz-Target", s.target+"."+s.action)
		// The protocol's own type: DynamoDB's actions are JSON whatever is mapped.
		header.Set("Content-Type", jsonType)
	default:
		query.Set("Action", s.action)
		setDefault("Content-Type", formType)
	}
}

// withVersion adds the API version to a call of the query protocol, which AWS's
// services do without.
func (s *service) withVersion(body []byte, query url.Values) []byte {
	if s.version == "" || query.Has("Version") {
		return body
	}
	if query.Has("Action") {
		query.Set("Version", s.version)
		return body
	}
	if form, err := url.ParseQuery(string(body)); err != nil || form.Has("Version") || !form.Has("Action") {
		return body
	}
	return append(append(body[:len(body):len(body)], "&Version="...), s.version...)
}

func isXML(mediaType string) bool { return strings.Contains(mediaType, "xml") }
