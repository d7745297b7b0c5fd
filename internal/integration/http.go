package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
)

// maxAnswer is the largest body that a backend may answer with, in bytes: API
// Gateway's payload limit ("Quotas for configuring and running a REST API"). A
// larger one is an error.
const maxAnswer = 10 << 20

// Bounds of the client's own transport.
const (
	connectTimeout   = 10 * time.Second
	idleTimeout      = 90 * time.Second
	idlePerBackend   = 100
	maxAnswerHeaders = 64 << 10
)

// newTransport returns a transport that leaves bodies as the backend sent them.
// Certificates of backends are verified.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: connectTimeout}).DialContext,
		TLSHandshakeTimeout:    connectTimeout,
		IdleConnTimeout:        idleTimeout,
		MaxIdleConnsPerHost:    idlePerBackend,
		MaxResponseHeaderBytes: maxAnswerHeaders,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
	}
}

func newClient(t *http.Transport) *http.Client {
	return &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// httpBackend is the URL behind HTTP and HTTP_PROXY.
type httpBackend struct {
	client *http.Client
	proxy  bool
	method string // "" for ANY
	target *target
}

func compileHTTP(b *Backends, in *apigw.Integration) (*httpBackend, error) {
	h := &httpBackend{client: b.client, proxy: in.Type == apigw.HTTPProxy}
	var err error
	if h.method, err = parseMethod(in.Method); err != nil {
		return nil, err
	}
	var inPathNames []string
	for key := range in.RequestParameters {
		if name, ok := strings.CutPrefix(key, requestPrefix+string(inPath)+"."); ok {
			inPathNames = append(inPathNames, name)
		}
	}
	if h.target, err = parseTarget(in.URI, inPathNames); err != nil {
		return nil, fieldError("IntegrationUri", err)
	}
	return h, nil
}

// parseMethod reads an IntegrationMethod; empty is POST.
func parseMethod(method string) (string, error) {
	switch strings.ToUpper(method) {
	case "":
		return http.MethodPost, nil
	case "ANY":
		return "", nil
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return strings.ToUpper(method), nil
	}
	return "", fmt.Errorf("IntegrationMethod: %q is none of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS and ANY", clip(method))
}

// call makes the HTTP call.
//
// HTTP_PROXY passes on $connect the client's headers and query parameters to
// the backend, Sec-WebSocket-Version and its like too, as was seen on AWS
// (stackoverflow.com/q/67640010), but not those of the connection itself;
// request parameters replace headers and parameters of the same name. A message
// has no headers: what its call carries are the mapped ones, Content-Type
// (application/json unless mapped, application/octet-stream for converted
// bytes), and the User-Agent and X-Amzn-Apigateway-Api-Id of REST APIs.
func (h *httpBackend) call(ctx context.Context, out *outgoing) (*answer, error) {
	query := out.query
	if h.proxy {
		query = withClientQuery(out)
	}
	address, err := h.target.url(out.path, query)
	if err != nil {
		return nil, fieldError("IntegrationUri", err)
	}
	r, err := http.NewRequestWithContext(ctx, h.methodOf(out), address, bytes.NewReader(out.body))
	if err != nil {
		return nil, fieldError("IntegrationUri", err)
	}
	h.setHeaders(r, out)
	status, header, body, err := do(h.client, r)
	if err != nil {
		return nil, err
	}
	return &answer{status: status, header: header, body: body}, nil
}

func (h *httpBackend) name() string { return h.target.before }

// methodOf is the integration's method. ANY means the client's: a handshake is
// a GET, and messages have none.
func (h *httpBackend) methodOf(out *outgoing) string {
	switch {
	case h.method != "":
		return h.method
	case out.ex.req.Kind == apigw.EventConnect:
		return http.MethodGet
	}
	return http.MethodPost
}

func withClientQuery(out *outgoing) url.Values {
	all := make(url.Values)
	for name, values := range out.ex.query() {
		all[name] = values
	}
	for name, values := range out.query {
		all[name] = values
	}
	return all
}

func (h *httpBackend) setHeaders(r *http.Request, out *outgoing) {
	if c := out.ex.req.Context; c != nil && c.APIID != "" {
		r.Header.Set("User-Agent", "AmazonAPIGateway_"+c.APIID)
		r.Header.Set("X-Amzn-Apigateway-Api-Id", c.APIID)
	}
	if len(out.body) > 0 {
		r.Header.Set("Content-Type", contentType(out))
	}
	if h.proxy {
		passHeaders(r.Header, out.ex.headers())
	}
	for _, line := range out.header {
		r.Header.Del(line.Name)
	}
	for _, line := range out.header {
		if strings.EqualFold(line.Name, "Host") {
			r.Host = line.Value
			continue
		}
		r.Header.Add(line.Name, line.Value)
	}
}

func contentType(out *outgoing) string {
	if out.binary {
		return "application/octet-stream"
	}
	return "application/json"
}

// passHeaders copies the client's headers, without those of its connection and
// those that Connection names, and without Host, which is the backend's.
func passHeaders(to http.Header, lines Header) {
	named := make(map[string]bool)
	for _, v := range lines.Values("Connection") {
		for name := range strings.SplitSeq(v, ",") {
			named[strings.ToLower(strings.TrimSpace(name))] = true
		}
	}
	passed := make(map[string]bool)
	for _, line := range lines {
		key := http.CanonicalHeaderKey(line.Name)
		if oneOf(ownHeaders, key) || key == "Host" || named[strings.ToLower(line.Name)] || !parameterName.MatchString(line.Name) || checkHeaderValue(line.Value) != nil {
			continue
		}
		if !passed[key] {
			to.Del(key)
			passed[key] = true
		}
		to.Add(key, line.Value)
	}
}

// do sends a request and reads the whole answer, bounded.
func do(client *http.Client, r *http.Request) (status int, header Header, body []byte, err error) {
	resp, err := client.Do(r)
	if err != nil {
		return 0, nil, nil, withoutAddress(r, err)
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return 0, nil, nil, fmt.Errorf("read the answer of %s: %w", r.URL.Host, err)
	}
	if len(body) > maxAnswer {
		return 0, nil, nil, fmt.Errorf("the answer of %s has more than %d bytes", r.URL.Host, maxAnswer)
	}
	for name, values := range resp.Header {
		for _, v := range values {
			header = append(header, apigw.Header{Name: name, Value: v})
		}
	}
	return resp.StatusCode, header, body, nil
}

// withoutAddress names the host alone: path and query may hold what a client
// sent, secrets too, and errors go into the log.
func withoutAddress(r *http.Request, err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return fmt.Errorf("call %s: %w", r.URL.Host, err)
}
