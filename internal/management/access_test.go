package management

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/conformance"
)

// accepting takes every call.
func accepting() connections {
	return connections{
		send:   func(apigw.ConnectionID, []byte) error { return nil },
		info:   func(apigw.ConnectionID) (apigw.ConnectionInfo, error) { return apigw.ConnectionInfo{}, nil },
		delete: func(apigw.ConnectionID) error { return nil },
	}
}

const limitText = `{"message":"The client is sending more than the allowed number of requests per unit of time or the WebSocket client side buffer is full."}`

// TestRate: calls past the account's bucket are refused; who is not known
// takes nothing out of it.
func TestRate(t *testing.T) {
	conformance.Covers(t, "management.rate-429")
	h := newHandler(accepting())
	h.Limiter = &tokens{4}
	path := "/main/@connections/" + testIDs.Connection().String()
	for range 10 {
		r := httptest.NewRequest("POST", path, nil)
		awswire.Sign(r, nil, awswire.Credentials{AccessKeyID: "AKIDNOBODY", SecretAccessKey: "x"}, "us-east-1", SigningName, time.Now())
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != 403 {
			t.Fatalf("an unknown caller gets %d", w.Code)
		}
	}
	want := []int{200, 200, 204, 200, 429, 429, 429}
	for i, method := range []string{"POST", "GET", "DELETE", "POST", "POST", "GET", "DELETE"} {
		w := at(h, method, "localhost", path, "")
		if w.Code != want[i] {
			t.Errorf("call %d, %s = %d, want %d", i+1, method, w.Code, want[i])
		}
		if w.Code == 429 && (w.Body.String() != limitText || errorType(w) != "LimitExceededException") {
			t.Errorf("%s = %v %s", method, w.Header(), w.Body)
		}
	}
}

// tokens is a bucket that nobody refills.
type tokens struct{ left int }

func (b *tokens) Allow() bool {
	b.left--
	return b.left >= 0
}

func TestNewLimiter(t *testing.T) {
	if l := NewLimiter(apigw.Limits{Burst: 5}); l != nil {
		t.Errorf("a rate of zero limits: %v", l)
	}
	for _, test := range []struct {
		limits           apigw.Limits
		burst, perSecond int
	}{
		{apigw.Limits{Rate: 2, Burst: 3}, 3, 2},
		{apigw.Limits{Rate: 3}, 3, 3},
		{apigw.DefaultLimits(), 5000, 5000},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := NewLimiter(test.limits)
			if n := take(l); n != test.burst {
				t.Errorf("%d calls pass at once with %+v, want %d", n, test.limits, test.burst)
			}
			time.Sleep(time.Second) // fake
			if n := take(l); n != test.perSecond {
				t.Errorf("%d calls pass after a second with %+v, want %d", n, test.limits, test.perSecond)
			}
		})
	}
}

// take counts the calls that a limiter lets pass.
func take(l Limiter) (n int) {
	for l.Allow() {
		n++
	}
	return n
}

// TestPermission: the answer to a caller without permission, as callers on AWS
// have logged it.
func TestPermission(t *testing.T) {
	conformance.Covers(t, "management.access-denied-403")
	h := newHandler(connections{})
	h.Account = "123456781380"
	h.Permit = func(caller awswire.Identity, method string) (string, bool) {
		if caller.AccessKeyID != testKey.AccessKeyID {
			t.Errorf("caller %+v", caller)
		}
		return "arn:aws:sts::123456781380:assumed-role/notify/notify", false
	}
	for _, method := range []string{"POST", "GET", "DELETE"} {
		w := at(h, method, "localhost", "/main/@connections/"+testIDs.Connection().String(), "")
		want := `{"Message":"User: arn:aws:sts::123456781380:assumed-role/notify/notify is not authorized to perform: execute-api:ManageConnections on resource: ` +
			`arn:aws:execute-api:us-east-1:********1380:a1b2c3d4e5/main/` + method + `/@connections/{connectionId}"}`
		if w.Code != 403 || w.Body.String() != want || errorType(w) != "AccessDeniedException" {
			t.Errorf("%s = %d %v\n%s, want\n%s", method, w.Code, w.Header(), w.Body, want)
		}
	}
	h = newHandler(accepting())
	h.Permit = func(_ awswire.Identity, method string) (string, bool) { return "", method == "GET" }
	if w := at(h, "GET", "localhost", "/main/@connections/"+testIDs.Connection().String(), ""); w.Code != 200 {
		t.Errorf("a permitted call = %d %s", w.Code, w.Body)
	}
	if w := at(h, "POST", "localhost", "/main/@connections/"+testIDs.Connection().String(), ""); w.Code != 403 {
		t.Errorf("without an account number = %d %s", w.Code, w.Body)
	}
}

func TestRegion(t *testing.T) {
	h := newHandler(accepting())
	h.Region = "eu-west-1"
	path := "/main/@connections/" + testIDs.Connection().String()
	if w := at(h, "POST", "localhost", path, ""); w.Code != 403 || w.Body.String() != `{"message":"Credential should be scoped to a valid region."}` {
		t.Errorf("signed for another region: %d %s", w.Code, w.Body)
	}
	h.Region = "us-east-1"
	if w := at(h, "POST", "localhost", path, ""); w.Code != 200 {
		t.Errorf("signed for the region: %d %s", w.Code, w.Body)
	}
}

// TestPresigned: the signature may stand in the query, here by the SDK's own
// signer, for every method.
func TestPresigned(t *testing.T) {
	conformance.Covers(t, "management.sigv4-query", "management.sigv4-session-token", "management.sigv4-body-hash")
	var got string
	h := newHandler(accepting())
	h.Connections = connections{
		send: func(_ apigw.ConnectionID, data []byte) error { got = string(data); return nil },
		info: accepting().info, delete: accepting().delete,
	}
	const hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" // SHA-256
	sign := func(method, token, hash string) *url.URL {
		r := httptest.NewRequest(method, "http://localhost:3001/main/@connections/"+url.PathEscape(testIDs.Connection().String())+"?X-Amz-Expires=60", nil)
		c := aws.Credentials{AccessKeyID: testKey.AccessKeyID, SecretAccessKey: testKey.SecretAccessKey, SessionToken: token}
		signed, _, err := v4.NewSigner().PresignHTTP(t.Context(), c, r, hash, SigningName, "us-east-1", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(signed)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	for _, test := range []struct {
		name, method, token, hash string
		status                    int
		text                      string
	}{
		{"POST", "POST", testKey.SessionToken, hello, 200, ""},
		{"GET", "GET", testKey.SessionToken, hello, 200, `{"connectedAt":`},
		{"DELETE", "DELETE", testKey.SessionToken, hello, 204, ""},
		{"without the token", "POST", "", hello, 403, `{"message":"The security token included in the request is invalid."}`},
		{"over another body", "POST", testKey.SessionToken, strings.Repeat("0", 64), 403, `{"message":"The request signature we calculated does not match`},
		{"over no body", "POST", testKey.SessionToken, "UNSIGNED-PAYLOAD", 403, `{"message":"The request signature we calculated does not match`},
	} {
		got = ""
		r := httptest.NewRequest(test.method, sign(test.method, test.token, test.hash).RequestURI(), strings.NewReader("hello"))
		r.Host = "localhost:3001"
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != test.status || !strings.HasPrefix(w.Body.String(), test.text) || test.status == 200 && test.method == "POST" && got != "hello" {
			t.Errorf("%s = %d %s, sent %q", test.name, w.Code, w.Body, got)
		}
	}
}
