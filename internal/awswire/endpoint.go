// Package awswire speaks the wire protocols of AWS: signature version 4, the
// JSON and query protocols, error bodies and checksums. It knows no service;
// the packages under internal/aws plug theirs into an Endpoint.
package awswire

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/uuid"
)

// MaxBody is the largest request body that an Endpoint reads, in bytes. AWS's
// largest calls (DynamoDB batches of 16 MB) fit.
const MaxBody = 16<<20 + 64<<10

// Protocol is how a request was written, and so how its answer must be.
type Protocol int

// The two protocols that the SDKs of SQS and DynamoDB speak.
const (
	// JSON is AWS JSON 1.0 and 1.1: X-Amz-Target names the operation.
	JSON Protocol = iota
	// Query is the older form protocol with XML answers: Action names it.
	Query
)

// Call is one request, decoded as far as the protocol goes.
type Call struct {
	Operation string
	Protocol  Protocol
	// Body is the JSON document of a JSON call.
	Body []byte
	// Form is the parameters of a Query call.
	Form url.Values
	// Region and AccessKeyID come from the credential scope, "" when the
	// request was not signed.
	Region, AccessKeyID string
	// Host is the request's Host header: queue URLs are made from it.
	Host string
	// Path is the request's path; SQS's query calls name the queue by it.
	Path string
	// RequestID is the id of the answer.
	RequestID string
	// contentType is that of a JSON answer.
	contentType string
}

// Account is the account that the call is made for. Twelve digits in the place
// of an access key name it, as with other emulators; every other key means the
// account given here.
func (c *Call) Account(other string) string {
	if len(c.AccessKeyID) != 12 || strings.Trim(c.AccessKeyID, "0123456789") != "" {
		return other
	}
	return c.AccessKeyID
}

// Service is one AWS API behind an Endpoint.
type Service interface {
	// TargetPrefix is the first part of X-Amz-Target, for example
	// "DynamoDB_20120810" or "AmazonSQS".
	TargetPrefix() string
	// QueryVersion is the API version of query calls ("2012-11-05" for SQS),
	// or "" for a service that has no query protocol.
	QueryVersion() string
	// Do runs a call and returns the answer: for JSON a value to marshal (nil
	// for an empty object), for Query an XML document. Errors that are not
	// *Error become an internal error and are logged.
	Do(ctx context.Context, call *Call) (any, error)
}

// Endpoint serves AWS services on one address, as http.Handler. The zero value
// serves nothing. Register before serving.
type Endpoint struct {
	// Check verifies a request's signature over the body; nil accepts all. Its
	// error is an *Error.
	Check func(r *http.Request, body []byte) error
	// Log gets internal errors; nil means slog.Default().
	Log      *slog.Logger
	services []Service
	rest     []RESTService
}

// Register adds a service.
func (e *Endpoint) Register(s Service) { e.services = append(e.services, s) }

// Serves reports whether a service with this TargetPrefix is registered.
func (e *Endpoint) Serves(targetPrefix string) bool {
	return slices.ContainsFunc(e.services, func(s Service) bool { return s.TargetPrefix() == targetPrefix })
}

// ServeHTTP answers one AWS call.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s := e.restService(r.URL.EscapedPath()); s != nil {
		e.serveREST(w, r, s)
		return
	}
	call := &Call{RequestID: uuid.New(), Host: r.Host, Path: r.URL.Path, contentType: jsonType(r)}
	call.AccessKeyID, call.Region = credentialScope(r)
	body, err := readBody(w, r)
	var service Service
	if err == nil {
		service, err = e.route(r, body, call)
	}
	if err == nil && e.Check != nil {
		err = refusedBy(service, call, e.Check(r, body))
	}
	var out any
	if err == nil {
		out, err = service.Do(r.Context(), call)
	}
	// A caller who has gone gets an answer all the same: the context also ends
	// when the server stops, and no answer would be net/http's empty 200.
	if err != nil {
		e.writeError(w, call, err)
		return
	}
	writeAnswer(w, call, out)
}

// Refuser is a Service with words of its own for what Endpoint.Check refuses,
// which may also name the call anew.
type Refuser interface {
	Refuse(call *Call, e *Error) *Error
}

func refusedBy(s Service, call *Call, err error) error {
	refuser, ok := s.(Refuser)
	if e, isOurs := errors.AsType[*Error](err); ok && isOurs {
		return refuser.Refuse(call, e)
	}
	return err
}

// jsonTypes are the media types of the JSON protocols.
var jsonTypes = []string{"application/x-amz-json-1.0", "application/x-amz-json-1.1", "application/json"}

// jsonType is the JSON media type of a request's body, or "" for another one.
func jsonType(r *http.Request) string {
	plain, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if at := slices.Index(jsonTypes, strings.ToLower(strings.TrimSpace(plain))); at >= 0 {
		return jsonTypes[at]
	}
	return ""
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if err == nil {
		return body, nil
	}
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, &Error{Code: "RequestEntityTooLarge", Message: "Request body is larger than " + strconv.Itoa(MaxBody) + " bytes.", Status: 413}
	}
	return nil, Errorf("SerializationException", "The request body ended before its Content-Length.")
}

// route finds the service and fills in the protocol's part of the call.
func (e *Endpoint) route(r *http.Request, body []byte, call *Call) (Service, error) {
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		prefix, operation, _ := strings.Cut(target, ".")
		call.Operation, call.Protocol, call.Body = operation, JSON, body
		for _, s := range e.services {
			if s.TargetPrefix() == prefix {
				return s, nil
			}
		}
		return nil, Errorf("UnknownOperationException", "Gatepost has no service with the target %q.", clip(target))
	}
	if call.contentType != "" {
		return nil, withoutTarget(body)
	}
	form, err := queryForm(r, body)
	if err != nil {
		return nil, err
	}
	call.Protocol, call.Form, call.Operation = Query, form, form.Get("Action")
	if call.Operation == "" {
		return nil, &Error{Code: "MissingAction", Message: "The request has neither an X-Amz-Target header nor an Action parameter, so it names no AWS operation."}
	}
	for _, s := range e.services {
		if s.QueryVersion() != "" && s.QueryVersion() == form.Get("Version") {
			return s, nil
		}
	}
	return nil, Errorf("InvalidAction", "Gatepost has no service for the action %s of version %q.", clip(call.Operation), clip(form.Get("Version")))
}

// withoutTarget is what AWS says of a JSON request that names no operation: in
// its framework's namespace, and without a word.
func withoutTarget(body []byte) error {
	code := "UnknownOperationException"
	if len(body) > 0 && !json.Valid(body) {
		code = "SerializationException"
	}
	return &Error{Code: code, Namespace: "com.amazon.coral.service"}
}

func queryForm(r *http.Request, body []byte) (url.Values, error) {
	form := r.URL.Query()
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		parsed, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, Errorf("MalformedQueryString", "The form in the request body cannot be read: %v.", err)
		}
		for k, v := range parsed {
			form[k] = v
		}
	}
	return form, nil
}

func writeAnswer(w http.ResponseWriter, call *Call, out any) {
	if call.Protocol == Query {
		text, _ := out.([]byte)
		write(w, call, http.StatusOK, "text/xml", text)
		return
	}
	text := []byte("{}")
	if out != nil {
		text = MarshalJSON(out)
	}
	write(w, call, http.StatusOK, call.answerType(), text)
}

func (e *Endpoint) writeError(w http.ResponseWriter, call *Call, err error) {
	ae := asError(err)
	if ae.Status == 500 && !errors.Is(err, context.Canceled) {
		e.logger().Error("AWS call failed", "operation", call.Operation, "requestId", call.RequestID, "error", err)
	}
	status := ae.Status
	if status == 0 {
		status = http.StatusBadRequest
	}
	if call.Protocol == Query {
		write(w, call, status, "text/xml", queryErrorBody(ae, status, call.RequestID))
		return
	}
	if ae.QueryCode != "" {
		fault := "Sender"
		if status >= 500 {
			fault = "Receiver"
		}
		w.Header().Set("X-Amzn-Query-Error", ae.QueryCode+";"+fault)
	}
	write(w, call, status, call.answerType(), MarshalJSON(ae.jsonBody()))
}

// answerType is the media type of a JSON answer: the request's own, or as on AWS
// that of plain JSON.
func (c *Call) answerType() string { return cmp.Or(c.contentType, "application/json") }

func (e *Endpoint) logger() *slog.Logger {
	if e.Log != nil {
		return e.Log
	}
	return slog.Default()
}

// write sends an answer with its request id and the CRC-32 of its body, which
// the SDKs of DynamoDB check.
func write(w http.ResponseWriter, call *Call, status int, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("X-Amzn-Requestid", call.RequestID)
	h.Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10))
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body)
}

// MarshalJSON encodes an answer without HTML escaping. A value that cannot be
// encoded is a fault of ours and panics.
func MarshalJSON(v any) []byte {
	var buf strings.Builder
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("awswire: answer cannot be encoded: " + err.Error())
	}
	return []byte(strings.TrimSuffix(buf.String(), "\n"))
}

// Decode decodes the body of a JSON call into in. What does not fit is
// a SerializationException that names the place.
func (c *Call) Decode(in any) error {
	if len(c.Body) == 0 {
		return nil
	}
	err := json.Unmarshal(c.Body, in)
	if err == nil {
		return nil
	}
	if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return Errorf("SerializationException", "%s cannot be read from a JSON %s (at byte %d).", t.Field, t.Value, t.Offset)
	}
	if s, ok := errors.AsType[*json.SyntaxError](err); ok {
		return Errorf("SerializationException", "The request body is not JSON: %v (at byte %d).", s, s.Offset)
	}
	return Errorf("SerializationException", "The request body cannot be read: %v.", err)
}

// credentialScope reads the access key and region of a signed request without
// checking it.
func credentialScope(r *http.Request) (accessKey, region string) {
	credential := r.URL.Query().Get("X-Amz-Credential")
	if _, rest, ok := strings.Cut(r.Header.Get("Authorization"), "Credential="); ok {
		credential, _, _ = strings.Cut(rest, ",")
	}
	parts := strings.Split(strings.TrimSpace(credential), "/")
	if len(parts) != 5 {
		return "", ""
	}
	return parts[0], parts[2]
}

// clip keeps hostile input from filling an error message.
func clip(s string) string {
	if len(s) > 100 {
		return s[:100] + "…"
	}
	return s
}
