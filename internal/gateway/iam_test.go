package gateway

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/conformance"
)

var signer = awswire.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret", SessionToken: "token/+="}

// emptyHash is the SHA-256 of an empty body.
const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// signing is how a test signs a handshake; the zero value signs well, in the
// headers.
type signing struct {
	query                   bool
	key, secret, token      string
	region, service, target string
	at                      time.Time
	expires                 string
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// request is a handshake that an SDK's signer has signed.
func (s signing) request(t *testing.T) string {
	t.Helper()
	if s.at.IsZero() {
		s.at = time.Now()
	}
	r, err := http.NewRequest(http.MethodGet, "https://localhost:3001"+orElse(s.target, "/main?room=a%20b"), nil)
	if err != nil {
		t.Fatal(err)
	}
	credentials := aws.Credentials{AccessKeyID: orElse(s.key, signer.AccessKeyID), SecretAccessKey: orElse(s.secret, signer.SecretAccessKey), SessionToken: orElse(s.token, signer.SessionToken)}
	region, service := orElse(s.region, "eu-west-1"), orElse(s.service, "execute-api")
	if s.query {
		if s.expires != "" {
			q := r.URL.Query()
			q.Set("X-Amz-Expires", s.expires)
			r.URL.RawQuery = q.Encode()
		}
		signed, _, err := v4.NewSigner().PresignHTTP(context.Background(), credentials, r, emptyHash, service, region, s.at)
		if err != nil {
			t.Fatal(err)
		}
		return upgrade(strings.TrimPrefix(signed, "https://localhost:3001"), "")
	}
	if err := v4.NewSigner().SignHTTP(context.Background(), credentials, r, emptyHash, service, region, s.at); err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	for name, values := range r.Header {
		fmt.Fprintf(&lines, "%s: %s\r\n", name, values[0])
	}
	return upgrade(r.URL.RequestURI(), lines.String())
}

// signedAPI is an API whose $connect asks for a signature.
func signedAPI() *apigw.API {
	connect := proxied(apigw.RouteConnect, false)
	connect.Authorization = apigw.AuthorizationIAM
	return testAPI(connect, proxied("two", true))
}

func withVerifier(cfg *Config) {
	cfg.Verifier = awswire.NewVerifier(func(id string) (awswire.Credentials, bool) { return signer, id == signer.AccessKeyID }, awswire.VerifierOptions{})
}

func TestIAM(t *testing.T) {
	old := time.Now().Add(-20 * time.Minute)
	for _, tt := range []struct {
		rule, name string
		request    string
		status     int
		kind, body string
	}{
		{rule: "access.iam-header access.iam-session-token", name: "signed headers", request: signing{}.request(t), status: 101},
		{rule: "access.iam-query access.iam-session-token", name: "signed query", request: signing{query: true}.request(t), status: 101},
		{rule: "access.iam-query", name: "signed query that is valid for an hour", request: signing{query: true, expires: "3600", at: time.Now().Add(-2 * time.Minute)}.request(t), status: 101},
		{rule: "access.iam-unsigned-403", name: "unsigned", request: upgrade("/main", ""), status: 403, kind: "MissingAuthenticationTokenException", body: `{"message":"Missing Authentication Token"}`},
		{rule: "access.iam-bad-signature-403", name: "another secret", request: signing{secret: "other"}.request(t), status: 403, kind: "InvalidSignatureException", body: `{"message":"The request signature we calculated does not match the signature you provided.`},
		{rule: "access.iam-bad-signature-403", name: "another secret in the query", request: signing{query: true, secret: "other"}.request(t), status: 403, kind: "InvalidSignatureException", body: `{"message":"The request signature we calculated does not match`},
		{rule: "access.iam-bad-signature-403", name: "an unknown key", request: signing{key: "AKIDOTHER"}.request(t), status: 403, kind: "UnrecognizedClientException", body: `{"message":"The security token included in the request is invalid."}`},
		{rule: "access.iam-session-token", name: "another session token", request: signing{token: "other"}.request(t), status: 403, kind: "UnrecognizedClientException"},
		{rule: "access.iam-session-token", name: "another session token in the query", request: signing{query: true, token: "other"}.request(t), status: 403, kind: "UnrecognizedClientException"},
		{rule: "access.iam-bad-signature-403", name: "another region", request: signing{region: "us-east-1"}.request(t), status: 403, kind: "InvalidSignatureException"},
		{rule: "access.iam-bad-signature-403", name: "another service", request: signing{service: "sqs"}.request(t), status: 403, kind: "InvalidSignatureException"},
		{rule: "access.iam-bad-signature-403", name: "an old date", request: signing{at: old}.request(t), status: 403, kind: "InvalidSignatureException", body: `{"message":"Signature expired`},
		{rule: "access.iam-expired-403", name: "an expired query", request: signing{query: true, expires: "60", at: old}.request(t), status: 403, kind: "InvalidSignatureException", body: `{"message":"Signature expired`},
		{rule: "access.iam-bad-signature-403", name: "another query", request: strings.Replace(signing{}.request(t), "room=a", "room=b", 1), status: 403, kind: "InvalidSignatureException"},
		{rule: "access.iam-bad-signature-403", name: "another host", request: strings.Replace(signing{}.request(t), "Host: localhost:3001", "Host: localhost:3002", 1), status: 403, kind: "InvalidSignatureException"},
		{rule: "access.iam-bad-signature-403", name: "no signature in the header", request: upgrade("/main", "Authorization: Bearer x\r\n"), status: 403, kind: "IncompleteSignatureException"},
	} {
		conformance.Covers(t, tt.rule)
		t.Run(tt.name, func(t *testing.T) {
			s := startSystem(t, signedAPI(), apigw.DefaultLimits(), withVerifier)
			resp, body := s.shake(t, tt.request)
			if resp.StatusCode != tt.status || resp.Header.Get("x-amzn-ErrorType") != tt.kind || !strings.HasPrefix(body, tt.body) {
				t.Errorf("%d %s %s, want %d %s %s", resp.StatusCode, resp.Header.Get("x-amzn-ErrorType"), body, tt.status, tt.kind, tt.body)
			}
			if called := len(s.got("connect")) == 1; called != (tt.status == 101) {
				t.Errorf("$connect was called: %v", called)
			}
			if strings.Contains(s.log.String(), signer.SecretAccessKey) || strings.Contains(body, signer.SecretAccessKey) {
				t.Error("the secret is in the log or the answer")
			}
		})
	}
}

func TestIAMIdentity(t *testing.T) {
	conformance.Covers(t, "access.iam-identity access.iam-query-in-event access.connect-guards-all")
	s := startSystem(t, signedAPI(), apigw.DefaultLimits(), withVerifier)
	s.on("two", answer(`{"statusCode":200,"body":"hi"}`))
	c := s.rawOpen(t, signing{query: true}.request(t))
	c.send(`{"action":"two"}`)
	c.read(4)
	const want = `"identity":{"userArn":"arn:aws:iam::111122223333:root","accountId":"111122223333","caller":"111122223333","sourceIp":"127.0.0.1","accessKey":"AKIDEXAMPLE","user":"111122223333"}`
	for _, function := range []string{"connect", "two"} {
		if event := s.got(function)[0]; !strings.Contains(event, want) {
			t.Errorf("%s got %s\nwant %s", function, event, want)
		}
	}
	if event := s.got("connect")[0]; !strings.Contains(event, `"X-Amz-Signature":"`) || !strings.Contains(event, `"room":"a b"`) {
		t.Errorf("$connect got %s", event)
	}
	for c := range s.hub.All() {
		if c.Info().Identity.Principal != nil {
			t.Error("the connection carries what only events should")
		}
	}
}
