package connect

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/gatepost-dev/gatepost/push"
	"github.com/gatepost-dev/gatepost/push/function"
)

const event = `{"headers":{"Host":"abcdefghij.execute-api.eu-west-1.amazonaws.com","Sec-WebSocket-Key":"q1==","User-Agent":"x"},
 "multiValueHeaders":{"Host":["abcdefghij.execute-api.eu-west-1.amazonaws.com"]},
 "queryStringParameters":{"token":"t","user":"zoë"},"multiValueQueryStringParameters":{"token":["t"],"user":["zoë"]},
 "requestContext":{"routeKey":"$connect",
   "eventType":"CONNECT","extendedRequestId":"TXzPWFkkjoEF92g=","requestTime":"19/Feb/2024:07:11:42 +0000","messageDirection":"IN",
   "stage":"dev","connectedAt":1708326702789,"requestTimeEpoch":1708326702790,
   "identity":{"userAgent":"...","sourceIp":"203.0.113.7"},"requestId":"TXzPWFkkjoEF92g=",
   "domainName":"abcdefghij.execute-api.eu-west-1.amazonaws.com","connectionId":"TXzPWdnOjoECGjA=","apiId":"abcdefghij"},
 "isBase64Encoded":false}`

var startOfTime = time.Unix(0, 0)

// full is a roster that takes nothing.
type full struct{ *push.Memory }

func (full) Add(context.Context, push.Connection) error { return errors.New("throughput exceeded") }

func TestHandle(t *testing.T) {
	for _, tt := range []struct {
		name   string
		event  string
		broken bool
		status int
		user   string
		log    string
	}{
		{"connects", event, false, 200, "zoë", "connected"},
		{"without a query", strings.Replace(event, `"queryStringParameters":{"token":"t","user":"zoë"},`, "", 1), false, 200, "", "connected"},
		{"the table fails", event, true, 500, "", "throughput exceeded"},
		{"a long user", strings.Replace(event, "zoë", strings.Repeat("u", 257), 1), false, 400, "", "257 bytes"},
		{"another event", `{"Records":[]}`, false, 400, "", "not that of a WebSocket"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var in events.APIGatewayWebsocketProxyRequest
			if err := json.Unmarshal([]byte(tt.event), &in); err != nil {
				t.Fatal(err)
			}
			rows := push.NewMemory(push.MemoryOptions{})
			var roster push.Roster = rows
			if tt.broken {
				roster = full{rows}
			}
			var log bytes.Buffer
			out, err := New(roster, Options{}, slog.New(slog.NewJSONHandler(&log, nil))).Handle(t.Context(), in)
			if err != nil || out.StatusCode != tt.status {
				t.Errorf("answered %d, %v; want %d", out.StatusCode, err, tt.status)
			}
			entered := 0
			for c := range rows.All(t.Context()) {
				if entered++; c.ID != "TXzPWdnOjoECGjA=" || c.User != tt.user {
					t.Errorf("entered %+v", c)
				}
			}
			if (entered == 1) != (tt.status == 200) {
				t.Errorf("%d rows", entered)
			}
			if text := log.String(); !strings.Contains(text, tt.log) || tt.user != "" && strings.Contains(text, tt.user) {
				t.Errorf("logged %s", text)
			}
		})
	}
}

// A second $connect of the same id is no client of ours.
func TestHandleTwice(t *testing.T) {
	var in events.APIGatewayWebsocketProxyRequest
	if err := json.Unmarshal([]byte(event), &in); err != nil {
		t.Fatal(err)
	}
	rows := push.NewMemory(push.MemoryOptions{})
	if err := rows.Add(t.Context(), push.Connection{ID: in.RequestContext.ConnectionID, ConnectedAt: startOfTime}); err != nil {
		t.Fatal(err)
	}
	out, err := New(rows, Options{}, slog.New(slog.DiscardHandler)).Handle(t.Context(), in)
	if err != nil || out.StatusCode != 500 {
		t.Errorf("answered %d, %v; want 500", out.StatusCode, err)
	}
}

// Who a client is, and where it may go.
func TestWhoMayConnect(t *testing.T) {
	groups := func(patterns string) function.Groups {
		env := function.NewEnvironment(func(string) (string, bool) { return patterns, true })
		g := function.NewGroups(env)
		if len(env.Problems()) > 0 {
			t.Fatal(env.Problems())
		}
		return g
	}
	authorized := map[string]any{"user": "ann", "groups": "staff,news", "principalId": "a1"}
	for _, tt := range []struct {
		name       string
		options    Options
		query      map[string]string
		authorizer any
		headers    map[string]string
		status     int
		user       string
		groups     []string
		protocol   string
	}{
		{name: "the query names the user", query: map[string]string{"user": "bob"}, status: 200, user: "bob"},
		{name: "the authorizer's word counts above the query's", query: map[string]string{"user": "bob"}, authorizer: authorized, status: 200, user: "ann", groups: []string{"news", "staff"}},
		{name: "an authorizer without a user hides the query's", query: map[string]string{"user": "bob"}, authorizer: map[string]any{}, status: 200},
		{name: "the principal is the user", authorizer: map[string]any{"principalId": "a1"}, status: 200, user: "a1"},
		{name: "the query does not count", options: Options{Identity: Authorizer}, query: map[string]string{"user": "bob"}, status: 200},
		{name: "the authorizer does not count", options: Options{Identity: Query}, query: map[string]string{"user": "bob"}, authorizer: authorized, status: 200, user: "bob", groups: []string{"news", "staff"}},
		{name: "a user is required", options: Options{RequireUser: true}, status: 401},
		{name: "a checked user is required", options: Options{RequireUser: true, Identity: Authorizer}, query: map[string]string{"user": "bob"}, status: 401},
		{name: "the query names groups", options: Options{Groups: groups("*")}, query: map[string]string{"groups": "b, a,,b"}, status: 200, groups: []string{"a", "b"}},
		{name: "a group that is not allowed", options: Options{Groups: groups("room-*")}, query: map[string]string{"groups": "room-1,staff"}, status: 403},
		{name: "no group is allowed", options: Options{Groups: groups("none")}, query: map[string]string{"groups": "room-1"}, status: 403},
		{name: "a group of one's own", options: Options{Groups: groups("inbox-{user}")}, query: map[string]string{"user": "b*b", "groups": "inbox-b*b"}, status: 200, user: "b*b", groups: []string{"inbox-b*b"}},
		{name: "a group of somebody else", options: Options{Groups: groups("inbox-{user}")}, query: map[string]string{"user": "b*b", "groups": "inbox-bob"}, status: 403},
		{name: "nobody's own group", options: Options{Groups: groups("inbox-{user}")}, query: map[string]string{"groups": "inbox-"}, status: 403},
		{name: "a group that the authorizer granted", options: Options{Groups: groups("none")}, query: map[string]string{"groups": "staff"}, authorizer: authorized, status: 200, user: "ann", groups: []string{"news", "staff"}},
		{name: "a group with a strange name", options: Options{Groups: groups("*")}, query: map[string]string{"groups": "a\nb"}, status: 400},
		{name: "too many groups", options: Options{Groups: groups("*")}, query: map[string]string{"groups": "0,1,2,3,4,5,6,7,8,9,a,b,c,d,e,f,g,h,i,j,k"}, status: 400},
		{name: "a subprotocol beside the token", headers: map[string]string{"sec-websocket-protocol": "bearer.abc, chat.v1"}, status: 200, protocol: "chat.v1"},
		{name: "a token alone is not chosen", headers: map[string]string{"Sec-WebSocket-Protocol": "bearer.abc"}, status: 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := function.Socket{QueryStringParameters: tt.query, Headers: tt.headers}
			in.RequestContext.ConnectionID, in.RequestContext.Authorizer = "c=", tt.authorizer
			rows := push.NewMemory(push.MemoryOptions{})
			out, err := New(rows, tt.options, slog.New(slog.DiscardHandler)).Handle(t.Context(), in)
			if err != nil || out.StatusCode != tt.status || out.Headers["Sec-WebSocket-Protocol"] != tt.protocol {
				t.Errorf("answered %d %v, %v; want %d", out.StatusCode, out.Headers, err, tt.status)
			}
			for c := range rows.All(t.Context()) {
				if c.User != tt.user || !slices.Equal(c.Groups, tt.groups) || tt.status != 200 {
					t.Errorf("entered %+v", c)
				}
			}
		})
	}
}
