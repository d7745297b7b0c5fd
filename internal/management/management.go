// Package management owns @connections over HTTP: the API Gateway Management
// API (2018-11-29) of one WebSocket API. Functions and other backends use it
// to send to a connection, ask about it and close it. Requests are signed with
// signature version 4 for the service "execute-api".
package management

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
	"github.com/gatepost-dev/gatepost/internal/uuid"
)

// SigningName is the service in the credential scope of requests to
// @connections.
const SigningName = "execute-api"

// Connections reaches connections by id, wherever they live. All methods may be
// called together. Their errors are those of package apigw: ErrGone, ErrTooLarge,
// ErrBacklog, ErrInvalidConnectionID; any other is an internal error.
type Connections interface {
	// Send hands one message over to a connection. nil means accepted, not
	// read by the client. It must not wait for a slow client: that is
	// ErrBacklog. data belongs to the connection from then on.
	Send(ctx context.Context, id apigw.ConnectionID, data []byte) error
	// Info tells about an open connection.
	Info(ctx context.Context, id apigw.ConnectionID) (apigw.ConnectionInfo, error)
	// Delete closes a connection normally (1000).
	Delete(ctx context.Context, id apigw.ConnectionID) error
}

// Handler answers POST, GET and DELETE on
//
//	/STAGE/@connections/ID   at the API's name under amazonaws.com and at any local name
//	/KEY/@connections/ID     at a custom domain with that mapping key, and without one if that is empty
//	/@connections/ID         at local names too: what SDKs call that got an endpoint without a path
//
// encoded or not, also with doubled slashes. API, Connections and Verifier must
// be set. It does not change while it serves.
type Handler struct {
	API         *apigw.API
	Connections Connections
	Verifier    *awswire.Verifier
	// Limits gives MaxMessage; a zero there means apigw.DefaultLimits'.
	Limits apigw.Limits
	// Region is the one that requests must be signed for. Empty takes any.
	Region string
	// Limiter bounds the calls that are well signed; others cannot empty it. Nil
	// means no bound.
	Limiter Limiter
	// Permit decides whether a caller may use a method on connections, and
	// names the caller's ARN for the refusal. Nil permits all whose signature is
	// right.
	Permit func(caller awswire.Identity, method string) (arn string, ok bool)
	// Account is the number of the account, for the ARN of a refusal.
	Account string
	// Feed gets a Posted event for every POST that reached Connections; it may
	// be nil.
	Feed *telemetry.Feed
	// Log gets internal errors; nil means slog.Default().
	Log *slog.Logger
}

// ServeHTTP answers one request. The deadline for reading it is the server's.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	requestID := uuid.New()
	w.Header()["x-amzn-RequestId"] = []string{requestID}
	if err := h.serve(w, r); err != nil {
		h.writeError(w, r, requestID, err)
	}
}

// serve checks in this order: stage, route, signature, permission, rate, id.
// What can be refused without reading the body is, and nothing is said about a
// connection to a caller who is not known.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request) error {
	idText, err := h.route(r)
	if err != nil {
		return err
	}
	if !awswire.Signed(r) {
		return awswire.MissingToken()
	}
	body, err := h.readBody(r)
	if err != nil {
		return err
	}
	caller, err := h.Verifier.VerifyScope(r, body, awswire.Scope{Region: h.Region, Service: SigningName})
	if err != nil {
		return err
	}
	if err := h.permit(caller, r.Method); err != nil {
		return err
	}
	if h.Limiter != nil && !h.Limiter.Allow() {
		return errLimitExceeded
	}
	id, err := apigw.ParseConnectionID(idText)
	if err != nil {
		return invalidID(idText)
	}
	switch r.Method {
	case http.MethodPost:
		return h.post(r.Context(), id, body)
	case http.MethodGet:
		return h.get(w, r, id)
	default:
		return h.delete(w, r, id)
	}
}

// route returns the connection id's text of a request to @connections. Routes
// are found on the decoded path.
func (h *Handler) route(r *http.Request) (id string, err error) {
	path, ok := Rest(h.API, r.Host, r.URL.Path)
	if !ok {
		if path = trimSlashes(r.URL.Path); !h.withoutStage(r.Host, path) {
			return "", errForbidden
		}
	}
	first, rest := cutSegment(path)
	id, rest = cutSegment(rest)
	known := r.Method == http.MethodPost || r.Method == http.MethodGet || r.Method == http.MethodDelete
	if !known || first != "@connections" || id == "" || rest != "" {
		return "", noMethod(path, r.Method)
	}
	return id, nil
}

// withoutStage reports whether a path needs no stage. On AWS it always does,
// but an SDK with an endpoint from its environment sends none.
func (h *Handler) withoutStage(host, path string) bool {
	first, _ := cutSegment(path)
	return first == "@connections" && placeOf(h.API, hostName(host)) == local
}

func (h *Handler) permit(caller awswire.Identity, method string) error {
	if h.Permit == nil {
		return nil
	}
	if arn, ok := h.Permit(caller, method); !ok {
		return h.accessDenied(arn, caller.Region, method)
	}
	return nil
}

func (h *Handler) post(ctx context.Context, id apigw.ConnectionID, data []byte) error {
	size := len(data) // Send may change what data points to
	err := h.Connections.Send(ctx, id, data)
	if h.Feed != nil {
		event := telemetry.Event{Kind: telemetry.Posted, API: h.API.Name, ConnectionID: id.String(), Bytes: size}
		if err != nil {
			event.Failed, event.Text = true, err.Error()
		}
		h.Feed.Record(event)
	}
	return err // 200 with an empty body when nil
}

func (h *Handler) get(w http.ResponseWriter, r *http.Request, id apigw.ConnectionID) error {
	info, err := h.Connections.Info(r.Context(), id)
	if err != nil {
		return err
	}
	answer := connectionAnswer{
		ConnectedAt:  timestamp(info.ConnectedAt),
		Identity:     identityAnswer{SourceIP: info.Identity.SourceIP},
		LastActiveAt: timestamp(info.LastActiveAt),
	}
	if agent := info.Identity.UserAgent; agent != "" {
		answer.Identity.UserAgent = &agent
	}
	writeJSON(w, http.StatusOK, awswire.MarshalJSON(answer))
	return nil
}

func (h *Handler) delete(w http.ResponseWriter, r *http.Request, id apigw.ConnectionID) error {
	if err := h.Connections.Delete(r.Context(), id); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// connectionAnswer is the body of GET, keys in API Gateway's order.
type connectionAnswer struct {
	ConnectedAt  string         `json:"connectedAt"`
	Identity     identityAnswer `json:"identity"`
	LastActiveAt string         `json:"lastActiveAt"`
}

type identityAnswer struct {
	SourceIP string `json:"sourceIp"`
	// UserAgent is null when the client sent none.
	UserAgent *string `json:"userAgent"`
}

// timestamp is ISO 8601 in UTC with exactly three decimals.
func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func writeJSON(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h["Content-Type"] = jsonType
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	w.Write(body)
}

var jsonType = []string{"application/json"}
