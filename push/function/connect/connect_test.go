package connect

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/gatepost-dev/gatepost/push"
)

const event = `{"headers":{"Host":"abcdefghij.execute-api.eu-west-1.amazonaws.com","Sec-WebSocket-Key":"q1==","User-Agent":"x"},
 "multiValueHeaders":{"Host":["abcdefghij.execute-api.eu-west-1.amazonaws.com"]},
 "queryStringParameters":{"token":"t","user":"zoë"},"multiValueQueryStringParameters":{"token":["t"],"user":["zoë"]},
 "requestContext":{"routeKey":"$connect","authorizer":{"tenant":"x","principalId":"user-1","integrationLatency":21},
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
		{"a long user", strings.Replace(event, "zoë", strings.Repeat("u", 257), 1), false, 400, "", "too long"},
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
			out, err := New(roster, slog.New(slog.NewJSONHandler(&log, nil))).Handle(t.Context(), in)
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
	out, err := New(rows, slog.New(slog.DiscardHandler)).Handle(t.Context(), in)
	if err != nil || out.StatusCode != 500 {
		t.Errorf("answered %d, %v; want 500", out.StatusCode, err)
	}
}
