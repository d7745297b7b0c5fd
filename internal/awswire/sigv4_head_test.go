package awswire

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// The key and the URL of the handshakes below.
var temporaryKey = Credentials{"ASIAEXAMPLE", "secret", "a+session/token="}

const handshakeURL = "wss://localhost:3001/main?room=a%20b&X=1"

// signedTarget is the target of a URL that the SDK presigned, for a browser.
func signedTarget(t testing.TB, wss string, c Credentials) string {
	t.Helper()
	r := newRequest(t, "GET", wss, nil)
	credentials := aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}
	signed, _, err := v4.NewSigner().PresignHTTP(t.Context(), credentials, r, hexHash(nil), "execute-api", "us-east-1", suiteTime)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(signed, "wss://localhost:3001")
}

// handshakeLines are the header lines of a browser, in its own case.
func handshakeLines(more ...string) []string {
	return append([]string{
		"Host", "localhost:3001", "connection", "Upgrade", "UPGRADE", "websocket", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version", "13",
	}, more...)
}

func headOf(target string, lines []string) Head {
	return Head{Method: "GET", Target: target, Host: "localhost:3001", Headers: func(yield func(string, string) bool) {
		for i := 0; i < len(lines); i += 2 {
			if !yield(lines[i], lines[i+1]) {
				return
			}
		}
	}}
}

func verifyHead(at time.Time, h Head) (Identity, error) {
	return newTestVerifier(at, temporaryKey).VerifyHead(h, Scope{"us-east-1", "execute-api"})
}

func TestHandshakeSignedInTheQuery(t *testing.T) {
	id, err := verifyHead(suiteTime, headOf(signedTarget(t, handshakeURL, temporaryKey), handshakeLines()))
	if want := (Identity{"ASIAEXAMPLE", "us-east-1", "execute-api"}); err != nil || id != want {
		t.Errorf("identity = %+v, %v, want %+v", id, err, want)
	}
}

// TestHandshakeSignedInHeaders: the names' case is the client's and does not
// matter.
func TestHandshakeSignedInHeaders(t *testing.T) {
	r := newRequest(t, "GET", strings.Replace(handshakeURL, "wss", "https", 1), nil)
	r.Header.Set("Sec-WebSocket-Version", "13")
	sdkSign(t, r, nil, temporaryKey, "us-east-1", "execute-api", suiteTime)
	for _, write := range []func(string) string{strings.ToLower, strings.ToUpper, http.CanonicalHeaderKey} {
		var lines []string
		for name := range maps.Keys(r.Header) {
			lines = append(lines, write(name), r.Header.Get(name))
		}
		id, err := verifyHead(suiteTime, headOf(r.URL.RequestURI(), lines))
		if err != nil || id.AccessKeyID != "ASIAEXAMPLE" {
			t.Errorf("names such as %s: %+v, %v", lines[0], id, err)
		}
	}
}

// TestHandshakeRefusals has one line for each way in which a signed query can
// be wrong.
func TestHandshakeRefusals(t *testing.T) {
	right := signedTarget(t, handshakeURL, temporaryKey)
	replace := func(old, new string) string {
		if !strings.Contains(right, old) {
			t.Fatalf("no %q in %s", old, right)
		}
		return strings.Replace(right, old, new, 1)
	}
	drop := func(name string) string {
		target, err := url.Parse(right)
		if err != nil {
			t.Fatal(err)
		}
		q := target.Query()
		q.Del(name)
		target.RawQuery = q.Encode()
		return target.String()
	}
	const mismatch = "The request signature we calculated does not match the signature you provided."
	for _, test := range []struct {
		name, target string
		after        time.Duration
		code, text   string
	}{
		{"unsigned", "/main?room=a", 0, "MissingAuthenticationTokenException", "Missing Authentication Token"},
		{"unsigned, without a query", "/main", 0, "MissingAuthenticationTokenException", "Missing Authentication Token"},
		{"a value that looks like a signature", "/main?room=X-Amz-Algorithm=1", 0, "MissingAuthenticationTokenException", "Missing Authentication Token"},
		{"another parameter", replace("room=a%20b", "room=a%20c"), 0, "InvalidSignatureException", mismatch},
		{"a further parameter", right + "&admin=1", 0, "InvalidSignatureException", mismatch},
		{"another path", replace("/main?", "/prod?"), 0, "InvalidSignatureException", mismatch},
		{"another signature", replace("X-Amz-Signature=", "X-Amz-Signature=0"), 0, "InvalidSignatureException", mismatch},
		{"a wrong signature before the right one", replace("X-Amz-Signature=", "X-Amz-Signature=00&X-Amz-Signature="), 0, "InvalidSignatureException", mismatch},
		{"a token put in after signing", signedTarget(t, handshakeURL, Credentials{temporaryKey.AccessKeyID, temporaryKey.SecretAccessKey, ""}) + "&X-Amz-Security-Token=" + url.QueryEscape(temporaryKey.SessionToken), 0, "InvalidSignatureException", mismatch},
		{"another token", replace("session%2Ftoken", "session%2Ft0ken"), 0, "UnrecognizedClientException", "The security token included in the request is invalid."},
		{"no token", signedTarget(t, handshakeURL, Credentials{temporaryKey.AccessKeyID, temporaryKey.SecretAccessKey, ""}), 0, "UnrecognizedClientException", "The security token included in the request is invalid."},
		{"an unknown key", signedTarget(t, handshakeURL, Credentials{"ASIANOBODY", "secret", ""}), 0, "UnrecognizedClientException", "The security token included in the request is invalid."},
		{"another secret", signedTarget(t, handshakeURL, Credentials{temporaryKey.AccessKeyID, "other", temporaryKey.SessionToken}), 0, "InvalidSignatureException", mismatch},
		{"another region", replace("us-east-1", "eu-west-1"), 0, "InvalidSignatureException", "Credential should be scoped to a valid region."},
		{"another service", replace("execute-api", "iotdevicegateway"), 0, "InvalidSignatureException", "Credential should be scoped to correct service: 'execute-api'. "},
		{"host unsigned", replace("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders=upgrade"), 0, "InvalidSignatureException", "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."},
		{"an absent header signed", replace("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders=host%3Bx-absent"), 0, "InvalidSignatureException", "SignedHeaders names 'x-absent', but the request has no such header."},
		{"another algorithm", replace("HMAC-SHA256", "HMAC-SHA512"), 0, "IncompleteSignatureException", "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA512' (only AWS4-HMAC-SHA256 for now). "},
		{"late", right, 301 * time.Second, "InvalidSignatureException", "Signature expired: "},
		{"early", right, -301 * time.Second, "InvalidSignatureException", "Signature not yet current: "},
		{"no algorithm", drop("X-Amz-Algorithm"), 0, "IncompleteSignatureException", "AWS query-string parameters must include 'X-Amz-Algorithm'. Re-examine the query-string parameters."},
		{"no credential", drop("X-Amz-Credential"), 0, "IncompleteSignatureException", "AWS query-string parameters must include 'X-Amz-Credential'. Re-examine the query-string parameters."},
		{"no signature", drop("X-Amz-Signature"), 0, "IncompleteSignatureException", "AWS query-string parameters must include 'X-Amz-Signature'. Re-examine the query-string parameters."},
		{"no signed headers", drop("X-Amz-SignedHeaders"), 0, "IncompleteSignatureException", "AWS query-string parameters must include 'X-Amz-SignedHeaders'. Re-examine the query-string parameters."},
		{"no date", drop("X-Amz-Date"), 0, "IncompleteSignatureException", "AWS query-string parameters must include 'X-Amz-Date'. Re-examine the query-string parameters."},
		{"nothing but the algorithm", "/main?X-Amz-Algorithm", 0, "IncompleteSignatureException", "AWS query-string parameters must include 'X-Amz-Algorithm'. AWS query-string parameters must include 'X-Amz-Credential'. " +
			"AWS query-string parameters must include 'X-Amz-Signature'. AWS query-string parameters must include 'X-Amz-SignedHeaders'. AWS query-string parameters must include 'X-Amz-Date'. Re-examine the query-string parameters."},
		{"no URL encoding", replace("room=a%20b", "room=%zz"), 0, "IncompleteSignatureException", "The query string cannot be read."},
		{"endless", right + "&pad=" + strings.Repeat("x", maxSignedQuery), 0, "IncompleteSignatureException", "The query string is longer than 16384 bytes."},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := verifyHead(suiteTime.Add(test.after), headOf(test.target, handshakeLines()))
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Code != test.code || !strings.HasPrefix(e.Message, test.text) || e.Status != http.StatusForbidden {
				t.Errorf("error = %#v, want 403 %s: %s", e, test.code, test.text)
			}
		})
	}
	t.Run("another host", func(t *testing.T) {
		h := headOf(right, handshakeLines())
		h.Host = "127.0.0.1:3001"
		if _, err := verifyHead(suiteTime, h); !strings.HasPrefix(messageOf(err), mismatch) {
			t.Errorf("error = %v", err)
		}
	})
	t.Run("header and query", func(t *testing.T) {
		if _, err := verifyHead(suiteTime, headOf(right, handshakeLines("authorization", "Bearer x"))); !strings.HasPrefix(messageOf(err), "Found both") {
			t.Errorf("error = %v", err)
		}
	})
	t.Run("the right signature before another one", func(t *testing.T) {
		if _, err := verifyHead(suiteTime, headOf(right+"&X-Amz-Signature=00", handshakeLines())); err != nil {
			t.Error(err)
		}
	})
}

// FuzzSignedTarget: no target and no header lines panic the verifier, and what
// it accepts holds the right signature.
func FuzzSignedTarget(f *testing.F) {
	right := signedTarget(f, handshakeURL, temporaryKey)
	_, signature, _ := strings.Cut(right, "X-Amz-Signature=")
	f.Add(right, "Upgrade", "websocket")
	f.Add("/main?X-Amz-Algorithm", "authorization", "")
	f.Add("http://h/main?X-Amz-Signature=1&X-Amz-Algorithm=&X-Amz-SignedHeaders=;;", "X-Amz-Target", "a.b")
	f.Add("/main", "authorization", "AWS4-HMAC-SHA256 Credential=a/20150830/r/s/aws4_request,SignedHeaders=host,Signature="+strings.Repeat("0", 64))
	f.Add("?%zz&X-Amz-Signature=%", "", "")
	f.Add(strings.Replace(right, "X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders=host%3bcontent-length%3btransfer-encoding", 1), "transfer-encoding", "chunked")
	v := newTestVerifier(suiteTime, temporaryKey)
	f.Fuzz(func(t *testing.T, target, name, value string) {
		id, err := v.VerifyHead(headOf(target, []string{name, value}), Scope{"us-east-1", "execute-api"})
		if e, ok := errors.AsType[*Error](err); err != nil && (!ok || e.Status != http.StatusForbidden || e.Code == "" || e.Message == "") {
			t.Fatalf("error %#v is no refusal", err)
		}
		plain, _ := url.QueryUnescape(target)
		if err == nil && (id.AccessKeyID != temporaryKey.AccessKeyID || !strings.Contains(strings.ToLower(plain), signature)) {
			t.Fatalf("accepted %q", target)
		}
	})
}

func BenchmarkVerifyHead(b *testing.B) {
	h := headOf(signedTarget(b, handshakeURL, temporaryKey), handshakeLines())
	v := newTestVerifier(suiteTime, temporaryKey)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.VerifyHead(h, Scope{"us-east-1", "execute-api"}); err != nil {
			b.Fatal(err)
		}
	}
}
