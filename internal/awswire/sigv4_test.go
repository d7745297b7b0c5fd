package awswire

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/gatepost-dev/gatepost/internal/conformance"
)

// The key and time of AWS's published test suite.
var (
	suiteKey  = Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
	suiteTime = time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)
)

func newTestVerifier(now time.Time, keys ...Credentials) *Verifier {
	return NewVerifier(lookupIn(keys...), VerifierOptions{Now: func() time.Time { return now }})
}

func lookupIn(keys ...Credentials) func(string) (Credentials, bool) {
	return func(id string) (Credentials, bool) {
		i := slices.IndexFunc(keys, func(c Credentials) bool { return c.AccessKeyID == id })
		if i < 0 {
			return Credentials{}, false
		}
		return keys[i], true
	}
}

// receive turns a client's request into the one that a server sees, over the
// bytes of HTTP/1.1.
func receive(t testing.TB, r *http.Request) (*http.Request, []byte) {
	t.Helper()
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		t.Fatal(err)
	}
	return parseWire(t, wire.String())
}

func parseWire(t testing.TB, wire string) (*http.Request, []byte) {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(wire)))
	if err != nil {
		t.Fatalf("read request: %v\n%s", err, wire)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, body
}

func newRequest(t testing.TB, method, target string, body []byte) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, target, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func hexHash(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// sdkSign signs with the signer of the AWS SDK for Go v2.
func sdkSign(t testing.TB, r *http.Request, body []byte, c Credentials, region, service string, at time.Time) {
	t.Helper()
	credentials := aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}
	if err := v4.NewSigner().SignHTTP(context.Background(), credentials, r, hexHash(body), service, region, at); err != nil {
		t.Fatal(err)
	}
}

// TestPublishedVectors takes requests and signatures from AWS's signature
// version 4 test suite and from the worked example of its documentation.
func TestPublishedVectors(t *testing.T) {
	const date = "X-Amz-Date:20150830T123600Z\r\n"
	const host = "Host:example.amazonaws.com\r\n"
	for _, v := range []struct {
		name, service, head, signed, body, signature string
	}{
		{"get-vanilla", "service", "GET / HTTP/1.1\r\n" + host + date, "host;x-amz-date", "",
			"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"get-vanilla-query-order-key-case", "service", "GET /?Param2=value2&Param1=value1 HTTP/1.1\r\n" + host + date, "host;x-amz-date", "",
			"b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
		{"get-vanilla-query-unreserved", "service", "GET /?-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz=-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz HTTP/1.1\r\n" + host + date, "host;x-amz-date", "",
			"9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
		{"get-unreserved", "service", "GET /-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz HTTP/1.1\r\n" + host + date, "host;x-amz-date", "",
			"07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
		{"get-utf8", "service", "GET /\u1234 HTTP/1.1\r\n" + host + date, "host;x-amz-date", "",
			"8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
		{"get-header-key-duplicate", "service", "GET / HTTP/1.1\r\n" + host + "My-Header1:value2\r\nMy-Header1:value2\r\nMy-Header1:value1\r\n" + date, "host;my-header1;x-amz-date", "",
			"c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
		{"get-header-value-trim", "service", "GET / HTTP/1.1\r\n" + host + "My-Header1: value1\r\nMy-Header2: \"a   b   c\"\r\n" + date, "host;my-header1;my-header2;x-amz-date", "",
			"acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
		{"get-slashes (normalised)", "service", "GET //example// HTTP/1.1\r\n" + host + date, "host;x-amz-date", "",
			"9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"},
		{"get-slash-dot-slash (normalised)", "service", "GET /./ HTTP/1.1\r\n" + host + date, "host;x-amz-date", "",
			"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"post-vanilla", "service", "POST / HTTP/1.1\r\n" + host + date, "host;x-amz-date", "",
			"5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
		{"post-x-www-form-urlencoded", "service", "POST / HTTP/1.1\r\nContent-Type:application/x-www-form-urlencoded\r\n" + host + date + "Content-Length:13\r\n", "content-type;host;x-amz-date", "Param1=value1",
			"ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
		{"documentation, IAM ListUsers", "iam", "GET /?Action=ListUsers&Version=2010-05-08 HTTP/1.1\r\nHost: iam.amazonaws.com\r\nContent-Type: application/x-www-form-urlencoded; charset=utf-8\r\n" + date, "content-type;host;x-amz-date", "",
			"5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"},
	} {
		t.Run(v.name, func(t *testing.T) {
			wire := v.head + "Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/" + v.service +
				"/aws4_request, SignedHeaders=" + v.signed + ", Signature=" + v.signature + "\r\n\r\n" + v.body
			r, body := parseWire(t, wire)
			id, err := newTestVerifier(suiteTime, suiteKey).Verify(r, body, v.service)
			if err != nil {
				t.Fatal(err)
			}
			if want := (Identity{"AKIDEXAMPLE", "us-east-1", v.service}); id != want {
				t.Errorf("identity = %+v, want %+v", id, want)
			}
		})
	}
}

func TestDeriveKeyVector(t *testing.T) {
	key := deriveKey(suiteKey.SecretAccessKey, "20150830", "us-east-1", "iam")
	if got, want := hex.EncodeToString(key), "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"; got != want {
		t.Errorf("derived key = %s, want %s", got, want)
	}
}

func messageOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Message
	}
	return ""
}

// TestAuthorityIsTheHost: clients of HTTP/2 sign the host under its name there.
func TestAuthorityIsTheHost(t *testing.T) {
	sign := func(host string) *http.Request {
		r := newRequest(t, "POST", "https://localhost:3001/", []byte("{}"))
		r.Header.Set("X-Amz-Date", suiteTime.UTC().Format("20060102T150405Z"))
		scope := suiteTime.UTC().Format("20060102") + "/us-east-1/kinesis/aws4_request"
		payload := sha256.Sum256([]byte("{}"))
		canonical := "POST\n/\n\n:authority:" + host + "\nx-amz-date:" + r.Header.Get("X-Amz-Date") + "\n\n:authority;x-amz-date\n" + hex.EncodeToString(payload[:])
		sum := sha256.Sum256([]byte(canonical))
		key := []byte("AWS4" + suiteKey.SecretAccessKey)
		for _, part := range append(strings.Split(scope, "/"), "AWS4-HMAC-SHA256\n"+r.Header.Get("X-Amz-Date")+"\n"+scope+"\n"+hex.EncodeToString(sum[:])) {
			mac := hmac.New(sha256.New, key)
			mac.Write([]byte(part))
			key = mac.Sum(nil)
		}
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+suiteKey.AccessKeyID+"/"+scope+", SignedHeaders=:authority;x-amz-date, Signature="+hex.EncodeToString(key))
		return r
	}
	v := newTestVerifier(suiteTime, suiteKey)
	if _, err := v.Verify(sign("localhost:3001"), []byte("{}"), "kinesis"); err != nil {
		t.Error(err)
	}
	if _, err := v.Verify(sign("localhost:3002"), []byte("{}"), "kinesis"); err == nil {
		t.Error("a signature of another host was taken")
	}
}

// TestRefusals has one line for each way to be wrong, with AWS's code and text.
func TestRefusals(t *testing.T) {
	conformance.Covers(t, "management.sigv4-header", "management.sigv4-skew", "management.sigv4-session-token")
	signed := func(edit func(r *http.Request)) *http.Request {
		r := newRequest(t, "POST", "https://localhost:3001/main/@connections/x=", []byte("hi"))
		sdkSign(t, r, []byte("hi"), suiteKey, "us-east-1", "execute-api", suiteTime)
		edit(r)
		got, _ := receive(t, r)
		return got
	}
	replace := func(old, new string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, new, 1))
		}
	}
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	del := func(name string) func(*http.Request) { return func(r *http.Request) { r.Header.Del(name) } }
	for _, test := range []struct {
		name       string
		edit       func(*http.Request)
		now        time.Duration
		code, text string
	}{
		{"unsigned", del("Authorization"), 0, "MissingAuthenticationTokenException", "Missing Authentication Token"},
		{"bearer token", set("Authorization", "Bearer abc"), 0, "IncompleteSignatureException",
			"Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with Base64): '" + digest("Bearer abc") + "'."},
		{"basic", set("Authorization", "Basic YTpi="), 0, "IncompleteSignatureException",
			"Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. (Hashed with SHA-256 and encoded with Base64) Authorization=" + digest("Basic YTpi=")},
		{"no date", del("X-Amz-Date"), 0, "IncompleteSignatureException", "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "},
		{"odd date", set("X-Amz-Date", "yesterday"), 0, "IncompleteSignatureException", "Date must be in ISO-8601 'basic format'. Got 'yesterday'. See http://en.wikipedia.org/wiki/ISO_8601"},
		{"short credential", replace("/us-east-1", ""), 0, "IncompleteSignatureException", "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'AKIDEXAMPLE/20150830/execute-api/aws4_request'"},
		{"algorithm", replace("HMAC-SHA256", "ECDSA-P256-SHA256"), 0, "IncompleteSignatureException", "Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256' (only AWS4-HMAC-SHA256 for now). "},
		{"host unsigned", replace("host;", ""), 0, "InvalidSignatureException", "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."},
		{"target unsigned", set("X-Amz-Target", "DynamoDB_20120810.DeleteTable"), 0, "InvalidSignatureException", "'X-Amz-Target' must be a 'SignedHeader'"},
		{"absent header signed", replace("host;", "host;x-absent;"), 0, "InvalidSignatureException", "SignedHeaders names 'x-absent', but the request has no such header."},
		{"terminator", replace("aws4_request", "aws5_request"), 0, "InvalidSignatureException", "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5_request'. "},
		{"service", replace("execute-api", "sqs"), 0, "InvalidSignatureException", "Credential should be scoped to correct service: 'execute-api'. "},
		{"scope date", replace("/20150830/", "/20150831/"), 0, "InvalidSignatureException", "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20150831' != '20150830', from '20150830T123600Z'."},
		{"expired", func(*http.Request) {}, 5*time.Minute + time.Second, "InvalidSignatureException", "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - 5 min.)"},
		{"early", func(*http.Request) {}, -5*time.Minute - time.Second, "InvalidSignatureException", "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T123059Z + 5 min.)"},
		{"unknown key", replace("AKIDEXAMPLE", "AKIDNOBODY"), 0, "UnrecognizedClientException", "The security token included in the request is invalid."},
		{"token for a key without", set("X-Amz-Security-Token", "t"), 0, "UnrecognizedClientException", "The security token included in the request is invalid."},
		{"another region", replace("us-east-1", "us-east-2"), 0, "InvalidSignatureException", "Credential should be scoped to a valid region."},
		{"signature cut", func(r *http.Request) {
			a := r.Header.Get("Authorization")
			r.Header.Set("Authorization", a[:len(a)-2])
		}, 0, "InvalidSignatureException", "The request signature we calculated does not match"},
		{"everything is wrong with the scope", replace("20150830/us-east-1/execute-api/aws4_request", "20150831/eu-west-1/sqs/aws5_request"), 0, "InvalidSignatureException",
			"Credential should be scoped to a valid region. Credential should be scoped to correct service: 'execute-api'. Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5_request'. " +
				"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20150831' != '20150830', from '20150830T123600Z'."},
		{"a fraction of a second", set("X-Amz-Date", "20150830T123600.5Z"), 0, "IncompleteSignatureException", "Date must be in ISO-8601 'basic format'. Got '20150830T123600.5Z'."},
		{"a date of another form", set("X-Amz-Date", "2015-08-30T12:36:00Z"), 0, "IncompleteSignatureException", "Date must be in ISO-8601 'basic format'."},
		{"a parameter without a value", replace(", SignedHeaders=", ", SignedHeaders"), 0, "IncompleteSignatureException", "Invalid key=value pair (missing equal-sign) in Authorization header"},
		{"a space in the credential", replace("Credential=AKIDEXAMPLE/", "Credential=AKIDEXAMPLE /"), 0, "IncompleteSignatureException", "Invalid key=value pair (missing equal-sign) in Authorization header"},
		{"no credential", replace("Credential=", "Key="), 0, "IncompleteSignatureException", "Authorization header requires 'Credential' parameter. (Hashed with SHA-256"},
		{"no signature", replace("Signature=", "Sign="), 0, "IncompleteSignatureException", "Authorization header requires 'Signature' parameter. (Hashed"},
		{"no signed headers", replace("SignedHeaders=", "Headers="), 0, "IncompleteSignatureException", "Authorization header requires 'SignedHeaders' parameter. (Hashed"},
		{"the algorithm alone", set("Authorization", "AWS4-HMAC-SHA256"), 0, "IncompleteSignatureException", "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. (Hashed"},
		{"an empty credential", replace("AKIDEXAMPLE/20150830/us-east-1/execute-api/aws4_request", "////"), 0, "InvalidSignatureException", "Credential should be scoped to a valid region."},
		{"six elements", replace("/aws4_request", "/aws4_request/x"), 0, "IncompleteSignatureException", "Credential must have exactly 5 slash-delimited elements"},
		{"header and query", func(r *http.Request) { r.URL.RawQuery = "a=b&X-Amz-Algorithm=AWS4-HMAC-SHA256" }, 0, "InvalidSignatureException",
			"Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."},
		{"a late one of a wrong form", replace("host;", ""), 6 * time.Minute, "InvalidSignatureException", "Signature expired: "},
		{"the region in another case", replace("us-east-1", "US-EAST-1"), 0, "InvalidSignatureException", "Credential should be scoped to a valid region."},
		{"endless header", set("Authorization", "AWS4-HMAC-SHA256 Credential="+strings.Repeat("a", 8000)), 0, "IncompleteSignatureException", "The Authorization header is longer than 4096 bytes."},
		{"many names", replace("SignedHeaders=", "SignedHeaders="+strings.Repeat("a;", 100)), 0, "IncompleteSignatureException", "SignedHeaders names more than 64 headers."},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := newTestVerifier(suiteTime.Add(test.now), suiteKey).VerifyScope(signed(test.edit), []byte("hi"), Scope{"us-east-1", "execute-api"})
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Code != test.code || !strings.HasPrefix(e.Message, test.text) || e.Status != 403 {
				t.Errorf("error = %#v, want 403 %s: %s", e, test.code, test.text)
			}
		})
	}
}

// TestMismatchText is the text of API Gateway, with the canonical URI of
// https://github.com/okigan/awscurl/issues/61: the wire path encoded once more.
func TestMismatchText(t *testing.T) {
	conformance.Covers(t, "management.signature-mismatch-403", "management.canonical-uri")
	r, _ := parseWire(t, "POST /test/@connections/x= HTTP/1.1\r\nHost: h\r\nX-Amz-Date: 20150830T123600Z\r\n"+
		"Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/r/execute-api/aws4_request, SignedHeaders=host;x-amz-date, Signature=00\r\n\r\n")
	_, err := newTestVerifier(suiteTime, suiteKey).Verify(r, nil, "execute-api")
	canonical := "POST\n/test/%40connections/x%3D\n\nhost:h\nx-amz-date:20150830T123600Z\n\nhost;x-amz-date\n" + hexHash(nil)
	want := "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.\n\n" +
		"The Canonical String for this request should have been\n'" + canonical + "'\n\n" +
		"The String-to-Sign should have been\n'AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/r/execute-api/aws4_request\n" + hexHash([]byte(canonical)) + "'\n"
	if got := messageOf(err); got != want {
		t.Errorf("message\n%q, want\n%q", got, want)
	}
}

// TestClockSkew: five minutes either way are allowed to the second.
func TestClockSkew(t *testing.T) {
	conformance.Covers(t, "management.sigv4-skew")
	for _, off := range []time.Duration{-5 * time.Minute, -time.Second, 0, time.Second, 5 * time.Minute} {
		r := newRequest(t, "GET", "https://h/", nil)
		Sign(r, nil, suiteKey, "r", "s", suiteTime)
		if _, err := newTestVerifier(suiteTime.Add(off), suiteKey).Verify(r, nil, "s"); err != nil {
			t.Errorf("%v off: %v", off, err)
		}
	}
}

// TestRepeatedParts: of repeated parameters the last counts in the header; of
// repeated headers the first does.
func TestRepeatedParts(t *testing.T) {
	r := newRequest(t, "GET", "https://h/", nil)
	Sign(r, nil, suiteKey, "r", "s", suiteTime)
	right := r.Header.Get("Authorization")
	_, parameters, _ := strings.Cut(right, " ")
	for _, test := range []struct {
		name          string
		authorization []string
		ok            bool
	}{
		{"the right signature last", []string{right + ", Signature=00, " + parameters}, true},
		{"a wrong signature last", []string{right + ", Signature=00"}, false},
		{"the right header first", []string{right, "Bearer x"}, true},
		{"another header first", []string{"Bearer x", right}, false},
	} {
		r.Header["Authorization"] = test.authorization
		if _, err := newTestVerifier(suiteTime, suiteKey).Verify(r, nil, "s"); (err == nil) != test.ok {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestSignedPathForms(t *testing.T) {
	conformance.Covers(t, "management.canonical-uri")
	for wire, want := range map[string]string{
		"/test/@connections/x=":            "/test/%40connections/x%3D",
		"/test/@connections/x%3D":          "/test/%40connections/x%253D",
		"/test/%40connections/x%3D?a=1":    "/test/%2540connections/x%253D",
		"http://host:1/test/@connections":  "/test/%40connections",
		"http://host":                      "/",
		"http://host?x=1":                  "/",
		"//@connections/a":                 "//%40connections/a",
		"/a b\u00e9":                       "/a%20b%C3%A9",
		"?x":                               "/",
		"/x/http://elsewhere/@connections": "/x/http%3A//elsewhere/%40connections",
	} {
		path, _ := splitTarget(wire)
		if got := string(appendEscaped(nil, path, true)); got != want {
			t.Errorf("canonical URI of %q = %q, want %q", wire, got, want)
		}
	}
}

func TestSDKSignsDoubleSlash(t *testing.T) {
	r := newRequest(t, "POST", "https://localhost:3001/main//@connections/x%3D", nil)
	sdkSign(t, r, nil, suiteKey, "us-east-1", "execute-api", suiteTime)
	got, body := receive(t, r)
	if _, err := newTestVerifier(suiteTime, suiteKey).Verify(got, body, "execute-api"); err != nil {
		t.Error(err)
	}
}

// TestPayloadHashIsTheBodys: whatever X-Amz-Content-Sha256 claims, the body's
// own hash is what a signature must be over.
func TestPayloadHashIsTheBodys(t *testing.T) {
	conformance.Covers(t, "management.sigv4-body-hash", "management.sigv4-unsigned-payload")
	for _, test := range []struct {
		name, claim, signed string
		ok                  bool
	}{
		{"the body's hash", hexHash([]byte("hi")), hexHash([]byte("hi")), true},
		{"no claim", "", hexHash([]byte("hi")), true},
		{"the payload is left out", "UNSIGNED-PAYLOAD", "UNSIGNED-PAYLOAD", false},
		{"a streamed payload", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", false},
		{"another body's hash", hexHash([]byte("ho")), hexHash([]byte("ho")), false},
		{"no claim, another body's hash", "", hexHash([]byte("ho")), false},
		{"another body's hash in the header alone", hexHash([]byte("ho")), hexHash([]byte("hi")), true},
	} {
		r := newRequest(t, "POST", "https://h/", []byte("hi"))
		if test.claim != "" {
			r.Header.Set("X-Amz-Content-Sha256", test.claim)
		}
		credentials := aws.Credentials{AccessKeyID: suiteKey.AccessKeyID, SecretAccessKey: suiteKey.SecretAccessKey}
		if err := v4.NewSigner().SignHTTP(t.Context(), credentials, r, test.signed, "s", "r", suiteTime); err != nil {
			t.Fatal(err)
		}
		got, body := receive(t, r)
		_, err := newTestVerifier(suiteTime, suiteKey).Verify(got, body, "s")
		if (err == nil) != test.ok || !test.ok && !strings.HasPrefix(messageOf(err), "The request signature we calculated does not match") {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestAcceptUnknownKeys(t *testing.T) {
	v := NewVerifier(lookupIn(suiteKey), VerifierOptions{Now: func() time.Time { return suiteTime }, AcceptUnknownKeys: true})
	verify := func(c Credentials) error {
		r := newRequest(t, "GET", "https://h/", nil)
		Sign(r, nil, c, "r", "sqs", suiteTime)
		got, _ := receive(t, r)
		_, err := v.Verify(got, nil, "sqs")
		return err
	}
	if err := verify(Credentials{"test", "test", ""}); err != nil {
		t.Errorf("unknown key: %v", err)
	}
	if err := verify(Credentials{suiteKey.AccessKeyID, "wrong", ""}); err == nil {
		t.Error("a known key with the wrong secret was accepted")
	}
	if _, err := v.Verify(newRequest(t, "GET", "https://h/", nil), nil, "sqs"); err == nil {
		t.Error("an unsigned request was accepted")
	}
}

// TestRotatedSecret: a key cached for the old secret is not used for the new.
func TestRotatedSecret(t *testing.T) {
	current := suiteKey
	v := NewVerifier(func(string) (Credentials, bool) { return current, true }, VerifierOptions{Now: func() time.Time { return suiteTime }})
	verify := func(secret string) error {
		r := newRequest(t, "GET", "https://h/", nil)
		Sign(r, nil, Credentials{suiteKey.AccessKeyID, secret, ""}, "r", "s", suiteTime)
		_, err := v.Verify(r, nil, "s")
		return err
	}
	if err := verify(suiteKey.SecretAccessKey); err != nil {
		t.Fatal(err)
	}
	current.SecretAccessKey = "new"
	if err := verify(suiteKey.SecretAccessKey); err == nil {
		t.Error("the old secret still counts")
	}
	if err := verify("new"); err != nil {
		t.Errorf("the new secret does not count: %v", err)
	}
}

// TestKeyCacheIsBounded signs for more scopes than are kept.
func TestKeyCacheIsBounded(t *testing.T) {
	v := newTestVerifier(suiteTime, suiteKey)
	for i := range maxSigningKeys + 10 {
		r := newRequest(t, "GET", "https://h/", nil)
		Sign(r, nil, suiteKey, fmt.Sprint("region-", i), "s", suiteTime)
		if _, err := v.Verify(r, nil, "s"); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(v.keys); n == 0 || n > maxSigningKeys {
		t.Errorf("%d keys are cached, the bound is %d", n, maxSigningKeys)
	}
}

func TestNewCredentials(t *testing.T) {
	a, b := NewCredentials(), NewCredentials()
	if a == b || len(a.AccessKeyID) != 20 || len(a.SecretAccessKey) != 40 || a.SessionToken == "" {
		t.Errorf("credentials %+v and %+v", a, b)
	}
}

// FuzzAuthorization: no header panics the verifier, and none but the right one
// is accepted.
func FuzzAuthorization(f *testing.F) {
	r := newRequest(f, "POST", "https://h/main/@connections/x=", []byte("hi"))
	Sign(r, []byte("hi"), suiteKey, "us-east-1", "execute-api", suiteTime)
	right := r.Header.Get("Authorization")
	rightSignature := right[strings.LastIndexByte(right, '=')+1:]
	f.Add(right, "20150830T123600Z", "")
	f.Add("Bearer x", "", "X-Amz-Signature=1&X-Amz-Algorithm=AWS4-HMAC-SHA256")
	f.Add("AWS4-HMAC-SHA256 Credential=////, SignedHeaders=;;host;, Signature=", "20150830T", "%zz")
	f.Add("", "Sun, 30 Aug 2015 12:36:00 GMT", "X-Amz-Signature=0&X-Amz-Algorithm=A&X-Amz-Credential=a/b/c/d/e&X-Amz-SignedHeaders=host&X-Amz-Date=1&X-Amz-Expires=9")
	v := newTestVerifier(suiteTime, suiteKey)
	f.Fuzz(func(t *testing.T, authorization, date, query string) {
		r := newRequest(t, "POST", "https://h/main/@connections/x=", []byte("hi"))
		r.Header.Set("Authorization", authorization)
		r.Header.Set("X-Amz-Date", date)
		r.URL.RawQuery = query
		_, err := v.Verify(r, []byte("hi"), "execute-api")
		if e, ok := errors.AsType[*Error](err); err != nil && (!ok || e.Status != 403 || e.Code == "") {
			t.Fatalf("error %#v is no refusal", err)
		}
		if err == nil && !strings.Contains(strings.ToLower(authorization), rightSignature) {
			t.Fatalf("accepted %q", authorization)
		}
	})
}
