package apigw

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
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
	// Principal is what the client proved; nil for an anonymous one.
	*Principal
}

// Principal is who signed a handshake, and with which API key it came. Members
// without a value are absent ("$context.identity" in the mapping template
// reference of WebSocket APIs).
type Principal struct {
	CognitoIdentityPoolID         string `json:"cognitoIdentityPoolId,omitempty"`
	CognitoIdentityID             string `json:"cognitoIdentityId,omitempty"`
	APIKey                        string `json:"apiKey,omitempty"`
	PrincipalOrgID                string `json:"principalOrgId,omitempty"`
	CognitoAuthenticationType     string `json:"cognitoAuthenticationType,omitempty"`
	UserARN                       string `json:"userArn,omitempty"`
	APIKeyID                      string `json:"apiKeyId,omitempty"`
	AccountID                     string `json:"accountId,omitempty"`
	Caller                        string `json:"caller,omitempty"`
	AccessKey                     string `json:"accessKey,omitempty"`
	CognitoAuthenticationProvider string `json:"cognitoAuthenticationProvider,omitempty"`
	User                          string `json:"user,omitempty"`
}

// MarshalJSON writes the members in the order of real events.
func (i Identity) MarshalJSON() ([]byte, error) { return appendIdentity(nil, &i), nil }

// RequestTime formats a time as requestContext.requestTime does: the common
// log format in UTC, "19/Feb/2024:07:11:42 +0000".
func RequestTime(t time.Time) string { return t.UTC().Format("02/Jan/2006:15:04:05 -0700") }

// AuthorizerEvent is the JSON that a REQUEST authorizer gets ("Create an API
// Gateway Lambda REQUEST authorizer" in the developer guide): as a CONNECT
// event, but with empty objects in place of absent ones.
type AuthorizerEvent struct {
	// MethodARN is "arn:aws:execute-api:REGION:ACCOUNT:API/STAGE/$connect".
	MethodARN                       string
	Headers                         Headers
	MultiValueHeaders               MultiHeaders
	QueryStringParameters           map[string]string
	MultiValueQueryStringParameters map[string][]string
	StageVariables                  map[string]string
	RequestContext                  RequestContext
}

// JSON returns the event's bytes, without HTML escaping and without a final
// newline. The error is an Authorizer that is not JSON.
func (e *Event) JSON() ([]byte, error) {
	if err := e.RequestContext.check(); err != nil {
		return nil, err
	}
	return e.append(make([]byte, 0, e.sizeHint())), nil
}

// JSON returns the event's bytes as Event.JSON does.
func (e *AuthorizerEvent) JSON() ([]byte, error) {
	if err := e.RequestContext.check(); err != nil {
		return nil, err
	}
	b := append(make([]byte, 0, 2048), `{"type":"REQUEST","methodArn":`...)
	b = appendText(b, e.MethodARN)
	b = e.Headers.append(append(b, `,"headers":`...))
	b = e.MultiValueHeaders.append(append(b, `,"multiValueHeaders":`...))
	b = appendMap(append(b, `,"queryStringParameters":`...), e.QueryStringParameters, appendText)
	b = appendMap(append(b, `,"multiValueQueryStringParameters":`...), e.MultiValueQueryStringParameters, appendTexts)
	b = appendMap(append(b, `,"stageVariables":`...), e.StageVariables, appendText)
	b = e.RequestContext.append(append(b, `,"requestContext":`...))
	return append(b, '}'), nil
}

func (c *RequestContext) check() error {
	if len(c.Authorizer) > 0 && !json.Valid(c.Authorizer) {
		return errors.New("the authorizer's context is not JSON")
	}
	return nil
}

// sizeHint is about how long the JSON becomes: one allocation is enough for a
// message.
func (e *Event) sizeHint() int {
	n := 640 + len(e.RequestContext.Authorizer) + len(e.RequestContext.Identity.UserAgent)
	if e.Body != nil {
		n += len(*e.Body) + len(*e.Body)/8
	}
	return n + 128*len(e.Headers)
}

// append is encoding/json's encoding of the struct, by hand: an event is made
// for each message, and this takes a fifth of the time.
func (e *Event) append(b []byte) []byte {
	b = append(b, '{')
	if len(e.Headers) > 0 {
		b = append(e.Headers.append(append(b, `"headers":`...)), ',')
	}
	if len(e.MultiValueHeaders) > 0 {
		b = append(e.MultiValueHeaders.append(append(b, `"multiValueHeaders":`...)), ',')
	}
	if len(e.QueryStringParameters) > 0 {
		b = append(appendMap(append(b, `"queryStringParameters":`...), e.QueryStringParameters, appendText), ',')
	}
	if len(e.MultiValueQueryStringParameters) > 0 {
		b = append(appendMap(append(b, `"multiValueQueryStringParameters":`...), e.MultiValueQueryStringParameters, appendTexts), ',')
	}
	if len(e.StageVariables) > 0 {
		b = append(appendMap(append(b, `"stageVariables":`...), e.StageVariables, appendText), ',')
	}
	b = e.RequestContext.append(append(b, `"requestContext":`...))
	if e.Body != nil {
		b = appendText(append(b, `,"body":`...), *e.Body)
	}
	b = append(b, `,"isBase64Encoded":`...)
	b = strconv.AppendBool(b, e.IsBase64Encoded)
	return append(b, '}')
}

func (c *RequestContext) append(b []byte) []byte {
	b = appendText(append(b, `{"routeKey":`...), c.RouteKey)
	if len(c.Authorizer) > 0 {
		b = append(append(b, `,"authorizer":`...), c.Authorizer...)
	}
	if c.MessageID != "" {
		b = appendText(append(b, `,"messageId":`...), c.MessageID)
	}
	if c.DisconnectStatusCode != nil {
		b = strconv.AppendInt(append(b, `,"disconnectStatusCode":`...), int64(*c.DisconnectStatusCode), 10)
	}
	b = appendText(append(b, `,"eventType":`...), string(c.EventType))
	b = appendText(append(b, `,"extendedRequestId":`...), c.ExtendedRequestID)
	b = appendText(append(b, `,"requestTime":`...), c.RequestTime)
	b = appendText(append(b, `,"messageDirection":`...), c.MessageDirection)
	if c.DisconnectReason != nil {
		b = appendText(append(b, `,"disconnectReason":`...), *c.DisconnectReason)
	}
	b = appendText(append(b, `,"stage":`...), c.Stage)
	b = strconv.AppendInt(append(b, `,"connectedAt":`...), c.ConnectedAt, 10)
	b = strconv.AppendInt(append(b, `,"requestTimeEpoch":`...), c.RequestTimeEpoch, 10)
	b = appendIdentity(append(b, `,"identity":`...), &c.Identity)
	b = appendText(append(b, `,"requestId":`...), c.RequestID)
	b = appendText(append(b, `,"domainName":`...), c.DomainName)
	b = base64.URLEncoding.AppendEncode(append(b, `,"connectionId":"`...), c.ConnectionID[:])
	b = appendText(append(b, `","apiId":`...), c.APIID)
	return append(b, '}')
}

func appendIdentity(b []byte, i *Identity) []byte {
	var p Principal
	if i.Principal != nil {
		p = *i.Principal
	}
	b = append(b, '{')
	for _, m := range [...]struct{ name, value string }{
		{"cognitoIdentityPoolId", p.CognitoIdentityPoolID}, {"cognitoIdentityId", p.CognitoIdentityID}, {"apiKey", p.APIKey},
		{"principalOrgId", p.PrincipalOrgID}, {"cognitoAuthenticationType", p.CognitoAuthenticationType}, {"userArn", p.UserARN},
		{"apiKeyId", p.APIKeyID}, {"userAgent", i.UserAgent}, {"accountId", p.AccountID}, {"caller", p.Caller}, {"sourceIp", i.SourceIP},
		{"accessKey", p.AccessKey}, {"cognitoAuthenticationProvider", p.CognitoAuthenticationProvider}, {"user", p.User},
	} {
		if m.value == "" && m.name != "sourceIp" {
			continue
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), m.name...), `":`...)
		b = appendText(b, m.value)
	}
	return append(b, '}')
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
func (h Headers) MarshalJSON() ([]byte, error) { return h.append(nil), nil }

func (h Headers) append(b []byte) []byte {
	b = append(b, '{')
	for i := range h {
		b = appendName(b, i, h[i].Name)
		b = appendText(b, h[i].Value)
	}
	return append(b, '}')
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
func (h MultiHeaders) MarshalJSON() ([]byte, error) { return h.append(nil), nil }

func (h MultiHeaders) append(b []byte) []byte {
	b = append(b, '{')
	for i := range h {
		b = appendName(b, i, h[i].name)
		b = appendTexts(b, h[i].values)
	}
	return append(b, '}')
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

// appendName appends the name of an object's i-th member.
func appendName(b []byte, i int, name string) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	return append(appendText(b, name), ':')
}

// appendMap appends an object with its keys sorted.
func appendMap[V any](b []byte, m map[string]V, value func([]byte, V) []byte) []byte {
	b = append(b, '{')
	for i, name := range slices.Sorted(maps.Keys(m)) {
		b = value(appendName(b, i, name), m[name])
	}
	return append(b, '}')
}

func appendTexts(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, s)
	}
	return append(b, ']')
}

// appendText appends a JSON string as encoding/json writes it without HTML
// escaping: bytes that are no UTF-8 become U+FFFD.
func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	done := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		r, size := rune(c), 1
		if c >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(s[i:])
			if (r != utf8.RuneError || size > 1) && r != '\u2028' && r != '\u2029' {
				i += size
				continue
			}
		}
		b = appendEscape(append(b, s[done:i]...), r)
		i += size
		done = i
	}
	return append(append(b, s[done:]...), '"')
}

// appendEscape appends a character of the basic plane as an escape.
func appendEscape(b []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(b, '\\', byte(r))
	case '\b':
		return append(b, `\b`...)
	case '\f':
		return append(b, `\f`...)
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	}
	const hex = "0123456789abcdef"
	return append(b, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}
