package apigw

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/gatepost-dev/gatepost/internal/conformance"
)

var sampleID = ConnectionID{0x24, 0x2d, 0x5d, 0x81, 0xff, 0x72, 0xa0, 0x03, 0x02, 0x2b, 0xe8}

// sampleContext is what all three kinds of events share.
func sampleContext(kind EventType, routeKey string) RequestContext {
	at := time.Date(2024, 2, 9, 7, 11, 42, 789e6, time.UTC)
	return RequestContext{
		RouteKey: routeKey, EventType: kind, ExtendedRequestID: "TXzPWFkkjoEF92g=", RequestTime: RequestTime(at), MessageDirection: "IN",
		Stage: "main", ConnectedAt: at.UnixMilli(), RequestTimeEpoch: at.UnixMilli() + 1,
		Identity: Identity{UserAgent: "agent <1>", SourceIP: "203.0.113.7"}, RequestID: "TXzPWFkkjoEF92g=",
		DomainName: "localhost:3001", ConnectionID: sampleID, APIID: "abcdefghij",
	}
}

// TestEventBytes holds the key order, the presence and the formats of the three
// events, byte by byte, as in the developer guide's samples and in
// aws-lambda-go's test data.
func TestEventBytes(t *testing.T) {
	conformance.Covers(t, "event.connect-key-order", "event.disconnect-key-order", "event.absent-not-null", "event.body",
		"event.body-verbatim", "event.is-base64-false", "event.type", "event.direction-in", "event.disconnect-status", "event.request-time",
		"event.no-rest-fields", "event.golden-connect", "event.golden-message", "event.golden-disconnect", "handshake.header-case-kept",
		"handshake.headers-sorted", "handshake.header-multi-value")
	lines := []Header{{"x-b", "2"}, {"Host", "localhost:3001"}, {"User-Agent", "agent <1>"}, {"X-A", "1"}, {"x-a", "3"}}
	connect := Event{
		Headers: NewHeaders(lines), MultiValueHeaders: NewMultiHeaders(lines),
		QueryStringParameters:           map[string]string{"token": "t"},
		MultiValueQueryStringParameters: map[string][]string{"token": {"s", "t"}},
		StageVariables:                  map[string]string{"k": "v"},
		RequestContext:                  sampleContext(EventConnect, RouteConnect),
	}
	body := `{"action":"send","data":"<&>"}`
	message := Event{RequestContext: sampleContext(EventMessage, "send"), Body: &body}
	message.RequestContext.MessageID = "R1knPc2ntjMCFIA="
	code, reason := 1005, ""
	disconnect := Event{RequestContext: sampleContext(EventDisconnect, RouteDisconnect)}
	disconnect.RequestContext.DisconnectStatusCode, disconnect.RequestContext.DisconnectReason = &code, &reason

	const tail = `"stage":"main","connectedAt":1707462702789,"requestTimeEpoch":1707462702790,"identity":{"userAgent":"agent <1>","sourceIp":"203.0.113.7"},"requestId":"TXzPWFkkjoEF92g=","domainName":"localhost:3001","connectionId":"JC1dgf9yoAMCK-g=","apiId":"abcdefghij"}`
	for _, tt := range []struct {
		name  string
		event Event
		want  string
	}{
		{"connect", connect, `{"headers":{"Host":"localhost:3001","User-Agent":"agent <1>","X-A":"3","x-b":"2"},"multiValueHeaders":{"Host":["localhost:3001"],"User-Agent":["agent <1>"],"X-A":["1","3"],"x-b":["2"]},"queryStringParameters":{"token":"t"},"multiValueQueryStringParameters":{"token":["s","t"]},"stageVariables":{"k":"v"},"requestContext":{"routeKey":"$connect","eventType":"CONNECT","extendedRequestId":"TXzPWFkkjoEF92g=","requestTime":"09/Feb/2024:07:11:42 +0000","messageDirection":"IN",` + tail + `,"isBase64Encoded":false}`},
		{"message", message, `{"requestContext":{"routeKey":"send","messageId":"R1knPc2ntjMCFIA=","eventType":"MESSAGE","extendedRequestId":"TXzPWFkkjoEF92g=","requestTime":"09/Feb/2024:07:11:42 +0000","messageDirection":"IN",` + tail + `,"body":"{\"action\":\"send\",\"data\":\"<&>\"}","isBase64Encoded":false}`},
		{"disconnect", disconnect, `{"requestContext":{"routeKey":"$disconnect","disconnectStatusCode":1005,"eventType":"DISCONNECT","extendedRequestId":"TXzPWFkkjoEF92g=","requestTime":"09/Feb/2024:07:11:42 +0000","messageDirection":"IN","disconnectReason":"",` + tail + `,"isBase64Encoded":false}`},
	} {
		got, err := tt.event.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
		var sdk events.APIGatewayWebsocketProxyRequest
		if err := json.Unmarshal(got, &sdk); err != nil || sdk.RequestContext.ConnectionID != sampleID.String() {
			t.Errorf("%s as aws-lambda-go reads it: %v, connection %q", tt.name, err, sdk.RequestContext.ConnectionID)
		}
	}
}
