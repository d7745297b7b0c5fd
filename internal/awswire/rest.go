package awswire

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/gatepost-dev/gatepost/internal/uuid"
)

// RESTCall is one request of the REST-JSON protocol (AWS restJson1 in the Smithy
// documentation), where method and path name the operation and what it is for.
type RESTCall struct {
	Method string
	// Path is the path as it came, still escaped: a name in it may contain an
	// escaped slash.
	Path   string
	Query  url.Values
	Header http.Header
	Body   []byte
	// Region and AccessKeyID come from the credential scope, "" when the
	// request was not signed.
	Region, AccessKeyID string
	// RequestID is the id of the answer. A service may put another one in its
	// place.
	RequestID string
}

// Account is the account that the call is made for; see Call.Account.
func (c *RESTCall) Account(other string) string {
	return (&Call{AccessKeyID: c.AccessKeyID}).Account(other)
}

// RESTAnswer is the answer to a RESTCall.
type RESTAnswer struct {
	// Status is the HTTP status; zero means 200.
	Status int
	// Header is added to the answer's.
	Header http.Header
	// Body is a JSON document; empty means an answer without a body.
	Body []byte
}

// RESTService is one AWS API of the REST-JSON protocol behind an Endpoint.
type RESTService interface {
	// Serves reports whether a path, as it came, belongs to the service.
	Serves(path string) bool
	// DoREST runs a call. Errors that are not *Error become an internal error
	// and are logged; in the body of an *Error, Fields may have Message in place
	// of message.
	DoREST(ctx context.Context, call *RESTCall) (*RESTAnswer, error)
}

// RegisterREST adds a service that is addressed by paths.
func (e *Endpoint) RegisterREST(s RESTService) { e.rest = append(e.rest, s) }

// restService returns the service that a path belongs to, or nil.
func (e *Endpoint) restService(path string) RESTService {
	for _, s := range e.rest {
		if s.Serves(path) {
			return s
		}
	}
	return nil
}

// serveREST answers one REST-JSON call. Like every other call, it is checked
// before the service sees it.
func (e *Endpoint) serveREST(w http.ResponseWriter, r *http.Request, s RESTService) {
	call := &RESTCall{Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.Query(), Header: r.Header, RequestID: uuid.New()}
	call.AccessKeyID, call.Region = credentialScope(r)
	var err error
	call.Body, err = readBody(w, r)
	if err == nil && e.Check != nil {
		err = e.Check(r, call.Body)
	}
	var out *RESTAnswer
	if err == nil {
		out, err = s.DoREST(r.Context(), call)
	}
	if err != nil {
		e.writeRESTError(w, call, err)
		return
	}
	writeREST(w, call, out)
}

// writeREST sends an answer. net/http refuses bodies to the statuses that have
// none.
func writeREST(w http.ResponseWriter, call *RESTCall, out *RESTAnswer) {
	h := w.Header()
	for name, values := range out.Header {
		h[name] = values
	}
	status := out.Status
	if status == 0 {
		status = http.StatusOK
	}
	if status == http.StatusNoContent {
		h.Set("X-Amzn-Requestid", call.RequestID)
		w.WriteHeader(status)
		return
	}
	write(w, &Call{RequestID: call.RequestID}, status, "application/json", out.Body)
}

// writeRESTError sends an error: the protocol names it in a header.
func (e *Endpoint) writeRESTError(w http.ResponseWriter, call *RESTCall, err error) {
	ae := asError(err)
	if ae.Status == http.StatusInternalServerError && !errors.Is(err, context.Canceled) {
		e.logger().Error("AWS call failed", "method", call.Method, "path", clip(call.Path), "requestId", call.RequestID, "error", err)
	}
	status := ae.Status
	if status == 0 {
		status = http.StatusBadRequest
	}
	body := make(map[string]any, len(ae.Fields)+1)
	for k, v := range ae.Fields {
		body[k] = v
	}
	if _, ok := body["Message"]; !ok {
		body["message"] = ae.Message
	}
	w.Header().Set("X-Amzn-Errortype", ae.Code)
	write(w, &Call{RequestID: call.RequestID}, status, "application/json", MarshalJSON(body))
}
