package apigw

import (
	"bytes"
	"encoding/json"
	"sort"
	"strings"
	"time"
)

// Header is one HTTP header line with its name as the client wrote it.
type Header struct{ Name, Value string }

// EventType names what happened on a connection.
type EventType string

// The three event types of a WebSocket API.
const (
	EventConnect    EventType = "CONNECT"
	EventMessage    EventType = "MESSAGE"
	EventDisconnect EventType = "DISCONNECT"
)

// Event is the JSON that an AWS_PROXY integration hands to a function. The
// order of its fields is the order of the keys in every real event, and absent
// keys are absent, not null.
type Event struct {
	Headers                         Headers             `json:"headers,omitempty"`
	MultiValueHeaders               MultiHeaders        `json:"multiValueHeaders,omitempty"`
	QueryStringParameters           map[string]string   `json:"queryStringParameters,omitempty"`
	MultiValueQueryStringParameters map[string][]string `json:"multiValueQueryStringParameters,omitempty"`
	StageVariables                  map[string]string   `json:"stageVariables,omitempty"`
	RequestContext                  RequestContext      `json:"requestContext"`
	Body                            *string             `json:"body,omitempty"`
	IsBase64Encoded                 bool                `json:"isBase64Encoded"`
}

// RequestContext says which connection, route and moment an Event belongs to.
type RequestContext struct {
	RouteKey             string          `json:"routeKey"`
	Authorizer           json.RawMessage `json:"authorizer,omitempty"`
	MessageID            string          `json:"messageId,omitempty"`
	DisconnectStatusCode *int            `json:"disconnectStatusCode,omitempty"`
	EventType            EventType       `json:"eventType"`
	ExtendedRequestID    string          `json:"extendedRequestId"`
	RequestTime          string          `json:"requestTime"`
	MessageDirection     string          `json:"messageDirection"`
	DisconnectReason     *string         `json:"disconnectReason,omitempty"`
	Stage                string          `json:"stage"`
	ConnectedAt          int64           `json:"connectedAt"`
	RequestTimeEpoch     int64           `json:"requestTimeEpoch"`
	Identity             Identity        `json:"identity"`
	RequestID            string          `json:"requestId"`
	DomainName           string          `json:"domainName"`
	ConnectionID         ConnectionID    `json:"connectionId"`
	APIID                string          `json:"apiId"`
}

// Identity says who is at the other end of a connection.
type Identity struct {
	// UserAgent is absent when the client sent none.
	UserAgent string `json:"userAgent,omitempty"`
	// SourceIP is the address of the TCP peer.
	SourceIP string `json:"sourceIp"`
}

// RequestTime formats a time as requestContext.requestTime does: the common
// log format in UTC, "19/Feb/2024:07:11:42 +0000".
func RequestTime(t time.Time) string { return t.UTC().Format("02/Jan/2006:15:04:05 -0700") }

// JSON returns the event's bytes, without HTML escaping and without a final
// newline.
func (e *Event) JSON() ([]byte, error) { return encode(e) }

func encode(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// Headers are the single-value headers of an event, sorted by name without
// regard to case, names as the client wrote them. Of a name that is repeated
// the last value counts.
type Headers []Header

// NewHeaders sorts a copy of the header lines and keeps the last value of each
// name.
func NewHeaders(lines []Header) Headers {
	var out Headers
	for _, g := range groupHeaders(lines) {
		out = append(out, Header{g.name, g.values[len(g.values)-1]})
	}
	return out
}

// MarshalJSON writes an object with the keys in order.
func (h Headers) MarshalJSON() ([]byte, error) {
	return marshalOrdered(len(h), func(i int) (string, any) { return h[i].Name, h[i].Value })
}

// MultiHeaders are the multi-value headers of an event, ordered as Headers.
type MultiHeaders []headerGroup

type headerGroup struct {
	name   string
	values []string
}

// NewMultiHeaders sorts the header lines and keeps all values of each name.
func NewMultiHeaders(lines []Header) MultiHeaders { return groupHeaders(lines) }

// MarshalJSON writes an object of arrays with the keys in order.
func (h MultiHeaders) MarshalJSON() ([]byte, error) {
	return marshalOrdered(len(h), func(i int) (string, any) { return h[i].name, h[i].values })
}

func groupHeaders(lines []Header) []headerGroup {
	var groups []headerGroup
	at := make(map[string]int, len(lines))
	for _, l := range lines {
		key := strings.ToLower(l.Name)
		i, seen := at[key]
		if !seen {
			i = len(groups)
			at[key] = i
			groups = append(groups, headerGroup{name: l.Name})
		}
		groups[i].values = append(groups[i].values, l.Value)
	}
	sort.SliceStable(groups, func(i, j int) bool {
		return strings.ToLower(groups[i].name) < strings.ToLower(groups[j].name)
	})
	return groups
}

func marshalOrdered(n int, at func(int) (string, any)) ([]byte, error) {
	var buf bytes.Buffer
	buf.WriteByte('{')
	for i := range n {
		name, value := at(i)
		if i > 0 {
			buf.WriteByte(',')
		}
		for j, part := range []any{name, value} {
			if j == 1 {
				buf.WriteByte(':')
			}
			text, err := encode(part)
			if err != nil {
				return nil, err
			}
			buf.Write(text)
		}
	}
	buf.WriteByte('}')
	return buf.Bytes(), nil
}
