// Package elsewhere owns the calls of AWS services that somebody else runs: a
// real account, another emulator, a database that speaks DynamoDB's API. What
// functions and integrations send to such a service is verified here, signed
// anew and forwarded; and Gatepost's own calls go there too.
package elsewhere

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost/internal/awswire"
)

// Services are the names of the services that can be elsewhere, as they stand in
// the scope of a signature.
var Services = []string{"dynamodb", "kinesis", "sqs", "sns", "lambda"}

// Target is where one service is.
type Target struct {
	// Service is one of Services.
	Service string
	// URL is the endpoint without a path, "http://127.0.0.1:8000".
	URL *url.URL
	// Region is the one that signatures name.
	Region string
	// Credentials returns what calls are signed with; it is asked for each call
	// and may be called together.
	Credentials func(context.Context) (awswire.Credentials, error)
}

// ParseTarget reads "SERVICE=URL", or "SERVICE=aws" for AWS itself.
func ParseTarget(text, region string) (Target, error) {
	service, at, ok := strings.Cut(text, "=")
	if !ok || !slices.Contains(Services, service) {
		return Target{}, fmt.Errorf("%q is not SERVICE=URL with a service of %s", text, strings.Join(Services, ", "))
	}
	if at == "aws" {
		at = "https://" + service + "." + region + ".amazonaws.com"
		if strings.HasPrefix(region, "cn-") {
			at += ".cn"
		}
	}
	u, err := url.Parse(at)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return Target{}, fmt.Errorf("%q is not an endpoint such as http://127.0.0.1:8000, nor \"aws\"", at)
	}
	u.Path = ""
	return Target{Service: service, URL: u, Region: region}, nil
}

// IsAWS reports whether the target is AWS itself, where Gatepost creates nothing.
func (t Target) IsAWS() bool {
	host := t.URL.Hostname()
	return strings.HasSuffix(host, ".amazonaws.com") || strings.HasSuffix(host, ".amazonaws.com.cn") || strings.HasSuffix(host, ".api.aws")
}

// hostFor is the host, with its port, for an operation, which is the whole
// X-Amz-Target. AWS has a host of their own for the streams of tables; other
// programs answer for them where the tables are.
// docs.aws.amazon.com/general/latest/gr/ddb.html
func (t Target) hostFor(operation string) string {
	host := t.URL.Host
	switch {
	case !t.IsAWS() || !strings.HasPrefix(operation, "DynamoDBStreams_"):
		return host
	case !strings.HasPrefix(host, "dynamodb.") && !strings.HasPrefix(host, "dynamodb-fips."):
		return host // such as that of an interface endpoint
	case strings.HasSuffix(t.URL.Hostname(), ".api.aws"):
		return "streams-" + host
	}
	return "streams." + host
}

// callWithin bounds a call to a target, and maxAnswer its answer in bytes.
const (
	callWithin = 40 * time.Second // a receive of SQS waits for 20
	maxAnswer  = 32 << 20
)

// Gate forwards the calls of services that are elsewhere and hands all others to
// Next.
type Gate struct {
	// Check verifies the caller's signature; its error is an *awswire.Error.
	Check func(r *http.Request, body []byte) error
	// Targets are the services that are elsewhere, by name.
	Targets map[string]Target
	Next    http.Handler
	// Transport makes the calls; nil is http.DefaultTransport.
	Transport http.RoundTripper
	Log       *slog.Logger
}

// ServeHTTP answers one AWS call. It may be called together.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	target, ok := g.Targets[serviceOf(r)]
	if !ok {
		g.Next.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, awswire.MaxBody))
	if err == nil {
		err = g.Check(r, body)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), callWithin)
	defer cancel()
	g.proxy(target, body).ServeHTTP(w, r.WithContext(ctx))
}

// proxy forwards one call whose body has been read.
func (g *Gate) proxy(t Target, body []byte) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			host := t.hostFor(p.In.Header.Get("X-Amz-Target"))
			p.Out.URL.Scheme, p.Out.URL.Host, p.Out.Host = t.URL.Scheme, host, host
			p.Out.Body, p.Out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			dropSignature(p.Out)
		},
		Transport: signer{t, body, cmp.Or[http.RoundTripper](g.Transport, http.DefaultTransport)},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			g.Log.Warn("a service that is elsewhere does not answer", "service", t.Service, "endpoint", t.URL.Host, "error", err)
			refuse(w, unreachable(t, err))
		},
		ErrorLog: slog.NewLogLogger(g.Log.Handler(), slog.LevelDebug),
	}
}

// signer signs requests as the last thing before they go out.
type signer struct {
	target Target
	body   []byte
	next   http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (s signer) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := s.target.sign(r, s.body); err != nil {
		return nil, err
	}
	return s.next.RoundTrip(r)
}

func (t Target) sign(r *http.Request, body []byte) error {
	credentials, err := t.Credentials(r.Context())
	if err != nil {
		return fmt.Errorf("find credentials for %s: %w", t.URL.Host, err)
	}
	awswire.Sign(r, body, credentials, t.Region, t.Service, time.Now())
	return nil
}

// dropSignature takes away what the caller's signature consists of, in headers
// or in the query.
func dropSignature(r *http.Request) {
	for _, name := range []string{"Authorization", "X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-Sha256"} {
		r.Header.Del(name)
	}
	query := r.URL.Query()
	for name := range query {
		if strings.HasPrefix(strings.ToLower(name), "x-amz-") {
			query.Del(name)
		}
	}
	r.URL.RawQuery = query.Encode()
}

// serviceOf is the service that a call is for: the one in the scope of its
// signature, or else of its target.
func serviceOf(r *http.Request) string {
	credential := r.URL.Query().Get("X-Amz-Credential")
	if _, rest, ok := strings.Cut(r.Header.Get("Authorization"), "Credential="); ok {
		credential, _, _ = strings.Cut(rest, ",")
	}
	if parts := strings.Split(strings.TrimSpace(credential), "/"); len(parts) == 5 {
		return parts[3]
	}
	switch target := r.Header.Get("X-Amz-Target"); {
	case strings.HasPrefix(target, "DynamoDB"):
		return "dynamodb"
	case strings.HasPrefix(target, "AmazonSQS."):
		return "sqs"
	case strings.HasPrefix(target, "Kinesis_"):
		return "kinesis"
	}
	return ""
}

func unreachable(t Target, err error) *awswire.Error {
	text := fmt.Sprintf("The endpoint %s of the service %s, where this Gatepost was told to find it, does not answer: %v", t.URL, t.Service, err)
	return &awswire.Error{Code: "ServiceUnavailable", Status: http.StatusServiceUnavailable, Message: text}
}

// refuse answers with an error that SDKs of both protocols read.
func refuse(w http.ResponseWriter, err error) {
	e, ok := errors.AsType[*awswire.Error](err)
	if !ok {
		e = &awswire.Error{Code: "RequestEntityTooLarge", Status: http.StatusRequestEntityTooLarge, Message: "The request body cannot be read: " + err.Error()}
	}
	status := e.Status
	if status == 0 {
		status = http.StatusBadRequest
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.Header().Set("X-Amzn-ErrorType", e.Code)
	w.WriteHeader(status)
	w.Write(awswire.MarshalJSON(map[string]string{"__type": e.Code, "message": e.Message}))
}

// Call makes a call of Gatepost's own: operation is the whole X-Amz-Target,
// "AmazonSQS.ReceiveMessage". An error that the service reports is an
// *awswire.Error.
func (t Target) Call(ctx context.Context, operation string, in, out any) error {
	body := awswire.MarshalJSON(in)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.URL.String()+"/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	if t.Service == "kinesis" {
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	}
	r.Header.Set("X-Amz-Target", operation)
	if err := t.sign(r, body); err != nil {
		return err
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return unreachable(t, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return unreachable(t, err)
	}
	if resp.StatusCode != http.StatusOK {
		return failure(t, operation, resp.StatusCode, answer)
	}
	if len(answer) == 0 { // as for operations of Kinesis that have no result
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%s of %s: its answer is no JSON: %w", operation, t.URL, err)
	}
	return nil
}

// failure reads an error of the JSON protocol.
func failure(t Target, operation string, status int, answer []byte) error {
	var reported struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
		Upper   string `json:"Message"`
	}
	if json.Unmarshal(answer, &reported) != nil || reported.Type == "" {
		return unreachable(t, fmt.Errorf("%s is answered %d", operation, status))
	}
	code := reported.Type[strings.LastIndexByte(reported.Type, '#')+1:]
	return &awswire.Error{Code: code, Status: status, Message: reported.Message + reported.Upper}
}
