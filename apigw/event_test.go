package apigw

import (
	"bytes"
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

// TestIdentityBytes holds the order of the identity's members, as in the test
// events of the console, and that those without a value are absent.
func TestIdentityBytes(t *testing.T) {
	all := Principal{
		CognitoIdentityPoolID: "1", CognitoIdentityID: "2", APIKey: "3", PrincipalOrgID: "4", CognitoAuthenticationType: "5", UserARN: "6", APIKeyID: "7",
		AccountID: "9", Caller: "10", AccessKey: "12", CognitoAuthenticationProvider: "13", User: "14",
	}
	for _, tt := range []struct {
		name     string
		identity Identity
		want     string
	}{
		{"anonymous", Identity{SourceIP: "192.0.2.1"}, `{"sourceIp":"192.0.2.1"}`},
		{"nothing at all", Identity{}, `{"sourceIp":""}`},
		{"nothing proved", Identity{SourceIP: "::1", UserAgent: "a", Principal: new(Principal)}, `{"userAgent":"a","sourceIp":"::1"}`},
		{"everything", Identity{SourceIP: "11", UserAgent: "8", Principal: &all}, `{"cognitoIdentityPoolId":"1","cognitoIdentityId":"2","apiKey":"3","principalOrgId":"4","cognitoAuthenticationType":"5","userArn":"6","apiKeyId":"7","userAgent":"8","accountId":"9","caller":"10","sourceIp":"11","accessKey":"12","cognitoAuthenticationProvider":"13","user":"14"}`},
	} {
		got, err := json.Marshal(tt.identity)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: %s, %v; want %s", tt.name, got, err, tt.want)
		}
		var back Identity
		if err := json.Unmarshal(got, &back); err != nil || back.UserAgent != tt.identity.UserAgent || back.SourceIP != tt.identity.SourceIP {
			t.Errorf("%s was read back as %+v, %v", tt.name, back, err)
		}
		if tt.name == "everything" && (back.Principal == nil || *back.Principal != all) {
			t.Errorf("the principal was read back as %+v", back.Principal)
		}
	}
}

func TestAuthorizerEventBytes(t *testing.T) {
	lines := []Header{{"Host", "localhost:3001"}, {"Connection", "upgrade"}, {"content-length", "0"}, {"Upgrade", "websocket"}}
	e := AuthorizerEvent{
		MethodARN: "arn:aws:execute-api:eu-west-1:111122223333:abcdefghij/main/$connect",
		Headers:   NewHeaders(lines), MultiValueHeaders: NewMultiHeaders(lines), RequestContext: sampleContext(EventConnect, RouteConnect),
	}
	got, err := e.JSON()
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"type":"REQUEST","methodArn":"arn:aws:execute-api:eu-west-1:111122223333:abcdefghij/main/$connect",` +
		`"headers":{"Connection":"upgrade","content-length":"0","Host":"localhost:3001","Upgrade":"websocket"},` +
		`"multiValueHeaders":{"Connection":["upgrade"],"content-length":["0"],"Host":["localhost:3001"],"Upgrade":["websocket"]},` +
		`"queryStringParameters":{},"multiValueQueryStringParameters":{},"stageVariables":{},` +
		`"requestContext":{"routeKey":"$connect","eventType":"CONNECT","extendedRequestId":"TXzPWFkkjoEF92g=","requestTime":"09/Feb/2024:07:11:42 +0000","messageDirection":"IN","stage":"main","connectedAt":1707462702789,"requestTimeEpoch":1707462702790,"identity":{"userAgent":"agent <1>","sourceIp":"203.0.113.7"},"requestId":"TXzPWFkkjoEF92g=","domainName":"localhost:3001","connectionId":"JC1dgf9yoAMCK-g=","apiId":"abcdefghij"}}`
	if string(got) != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	var sdk events.APIGatewayWebsocketProxyRequest
	if err := json.Unmarshal(got, &sdk); err != nil || sdk.RequestContext.ConnectionID != sampleID.String() {
		t.Errorf("as aws-lambda-go reads it: %v, connection %q", err, sdk.RequestContext.ConnectionID)
	}
}

func TestAnAuthorizersContextMustBeJSON(t *testing.T) {
	c := sampleContext(EventMessage, "x")
	c.Authorizer = json.RawMessage(`{"a":`)
	if _, err := (&Event{RequestContext: c}).JSON(); err == nil {
		t.Error("an event with half an authorizer was written")
	}
	if _, err := (&AuthorizerEvent{RequestContext: c}).JSON(); err == nil {
		t.Error("an authorizer's event with half an authorizer was written")
	}
}

// FuzzEventJSON compares the encoding by hand with encoding/json's, for any
// bytes.
func FuzzEventJSON(f *testing.F) {
	f.Add("a", "b\x00\x1f\x7f\"\\/\b\f\n\r\t", "c\xff\xc0\xaf", "\u2028\u2029<>&\U0010FFFF\ufffd", 1005)
	f.Add("", "", "", "", 0)
	f.Fuzz(func(t *testing.T, a, b, c, d string, n int) {
		lines := []Header{{a, b}, {b, c}, {c, d}, {a, d}}
		e := Event{
			Headers: NewHeaders(lines), MultiValueHeaders: NewMultiHeaders(lines),
			QueryStringParameters: map[string]string{a: b, c: d}, MultiValueQueryStringParameters: map[string][]string{d: {a, b}, c: {}},
			StageVariables: map[string]string{b: a, d: c}, RequestContext: sampleContext(EventMessage, a), Body: &d, IsBase64Encoded: n%2 == 0,
		}
		e.RequestContext.Identity = Identity{UserAgent: b, SourceIP: c, Principal: &Principal{APIKey: d, User: a}}
		e.RequestContext.MessageID, e.RequestContext.DomainName, e.RequestContext.Stage = c, d, b
		e.RequestContext.DisconnectStatusCode, e.RequestContext.DisconnectReason = &n, &a
		e.RequestContext.ConnectedAt = int64(n)
		if len(a) > 3 {
			e.RequestContext.Authorizer = json.RawMessage(`{"k":"v","n":1}`)
		}
		got, err := e.JSON()
		if err != nil {
			t.Fatal(err)
		}
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(&e); err != nil {
			t.Fatal(err)
		}
		if string(got)+"\n" != want.String() {
			t.Errorf("\n got %s\nwant %s", got, want.String())
		}
	})
}

func BenchmarkEventJSON(b *testing.B) {
	body := `{"action":"send","data":"hello"}`
	e := Event{RequestContext: sampleContext(EventMessage, "send"), Body: &body}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.JSON(); err != nil {
			b.Fatal(err)
		}
	}
}
