package gateway

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conformance"
)

var update = flag.Bool("update", false, "write the golden files anew")

// variable is what differs from run to run, and what stands for it in golden
// files. The order matters: the message id has the form of the others.
var variable = []struct {
	pattern *regexp.Regexp
	stands  string
}{
	{regexp.MustCompile(`"(connectionId|messageId|requestId|extendedRequestId)":"[A-Za-z0-9_-]{15}="`), `"$1":"ID"`},
	{regexp.MustCompile(`"(connectedAt|requestTimeEpoch)":1[0-9]{12}\b`), `"$1":MILLISECONDS`},
	{regexp.MustCompile(`"[0-3][0-9]/[A-Z][a-z]{2}/2[0-9]{3}:[0-2][0-9]:[0-5][0-9]:[0-5][0-9] \+0000"`), `"TIME"`},
	{regexp.MustCompile(`Root=1-[0-9a-f]{8}-[0-9a-f]{24}`), "TRACE"},
	{regexp.MustCompile(`"integrationLatency":[0-9]+`), `"integrationLatency":0`},
}

// golden compares an event with a file, byte for byte, but for what differs from
// run to run, whose form counts all the same.
func golden(t *testing.T, file, event string) {
	t.Helper()
	for _, v := range variable {
		event = v.pattern.ReplaceAllString(event, v.stands)
	}
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, []byte(event+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if event+"\n" != string(want) {
		t.Errorf("%s:\n got %s\nwant %s", file, event, want)
	}
}

func TestEventsAreAsTheirGoldenFiles(t *testing.T) {
	conformance.Covers(t, "event.golden-connect event.golden-message event.golden-disconnect event.connect-key-order event.message-key-order event.disconnect-key-order event.context-key-order",
		"event.absent-not-null event.headers-connect-only event.disconnect-headers event.body event.body-verbatim event.is-base64-false event.stage-variables event.stage-variables-position",
		"event.message-id event.type event.direction-in event.disconnect-status event.identity event.request-time event.id-form event.no-rest-fields event.selected-route-key",
		"handshake.header-case-kept handshake.headers-sorted handshake.headers-stripped handshake.header-trace-id handshake.header-forwarded handshake.header-forged handshake.header-multi-value",
		"handshake.query-multi-value handshake.query-decoded handshake.query-absent handshake.subprotocol-offer-unsplit handshake.no-extensions")
	for _, tt := range []struct {
		name, target, headers, message string
		variables                      map[string]string
	}{
		{
			name: "full", target: "/main?b=2&a=1&a=%C3%A9+x&bad=%zz&=n&flag", message: `{"action":"none","text":"<&> é \u2028 \"quoted\""}`,
			headers: "x-lower: 1\r\nX-Multi: one\r\nUser-Agent: tester <1>\r\nx-multi: two\r\nContent-Length: 0\r\nSec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Extensions: permessage-deflate\r\n" +
				"X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-Port: 80\r\nx-forwarded-proto: http\r\nX-Amzn-Trace-Id: forged\r\n",
			variables: map[string]string{"z": "2", "k": "v"},
		},
		{name: "bare", target: "/main", message: ``},
	} {
		t.Run(tt.name, func(t *testing.T) {
			api := testAPI(proxied(apigw.RouteConnect, false), proxied(apigw.RouteDisconnect, false), proxied(apigw.RouteDefault, true))
			api.Stage.Variables = tt.variables
			s := startSystem(t, api, apigw.DefaultLimits(), nil)
			c := s.rawOpen(t, upgrade(tt.target, tt.headers))
			c.send(tt.message)
			c.read(2) // the empty answer
			c.close(4001, "enough")
			eventually(t, "$disconnect ran", func() bool { return len(s.got("disconnect")) == 1 })
			for _, kind := range []string{"connect", "default", "disconnect"} {
				golden(t, kind+"-"+tt.name+".json", s.got(kind)[0])
			}
		})
	}
}

func TestTimesAndIDsOfAConnection(t *testing.T) {
	conformance.Covers(t, "event.epoch event.request-id event.message-id event.id-unique event.source-ip")
	s := newSystem(t, apigw.DefaultLimits(), proxied(apigw.RouteConnect, false), proxied(apigw.RouteDisconnect, false), proxied("two", true))
	s.on("two", answer(`{"statusCode":200}`))
	before := time.Now().UnixMilli()
	c := s.open(t)
	for range 2 {
		say(t, c, `{"action":"two"}`)
		hear(t, c)
	}
	c.Close(1000, "")
	eventually(t, "$disconnect ran", func() bool { return len(s.got("disconnect")) == 1 })
	requests, messages := map[string]bool{}, map[string]bool{}
	var connection string
	var connectedAt int64
	for _, event := range append(append(s.got("connect"), s.got("two")...), s.got("disconnect")...) {
		var e struct {
			RequestContext struct {
				RequestID, ExtendedRequestID, ConnectionID, MessageID string
				ConnectedAt, RequestTimeEpoch                         int64
				Identity                                              apigw.Identity
			}
		}
		if err := json.Unmarshal([]byte(event), &e); err != nil {
			t.Fatal(err)
		}
		r := e.RequestContext
		if connection == "" {
			connection, connectedAt = r.ConnectionID, r.ConnectedAt
		}
		if r.RequestID != r.ExtendedRequestID || requests[r.RequestID] || r.ConnectionID != connection || r.MessageID != "" && messages[r.MessageID] {
			t.Errorf("ids %+v", r)
		}
		requests[r.RequestID], messages[r.MessageID] = true, true
		if r.ConnectedAt != connectedAt || r.ConnectedAt < before || r.RequestTimeEpoch < r.ConnectedAt || r.RequestTimeEpoch > time.Now().UnixMilli() {
			t.Errorf("times %+v, connected at %d", r, connectedAt)
		}
		if r.Identity.SourceIP != "127.0.0.1" || !strings.HasPrefix(r.Identity.UserAgent, "Go-http-client") {
			t.Errorf("identity %+v", r.Identity)
		}
	}
}
