package awswire

import (
	"bytes"
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"pgregory.net/rapid"

	"github.com/gatepost-dev/gatepost/internal/conformance"
)

// genRequest draws requests such as clients of AWS send.
func genRequest(t *rapid.T) (r *http.Request, body []byte) {
	segment := rapid.StringMatching(`[A-Za-z0-9@=_.~!$&'()*+,:;-]{1,12}|@connections|[A-Za-z0-9_-]{15}=|é %/`)
	segments := rapid.SliceOfN(segment, 0, 4).Draw(t, "segments")
	u := url.URL{Scheme: "https", Host: rapid.SampledFrom([]string{"localhost:3001", "abc.execute-api.us-east-1.amazonaws.com", "[::1]:99"}).Draw(t, "host")}
	for _, s := range segments {
		u.Path += "/" + s
		u.RawPath += "/" + url.PathEscape(s)
	}
	q := url.Values{}
	for range rapid.IntRange(0, 3).Draw(t, "parameters") {
		q.Add(rapid.StringMatching(`[a-z]{1,3}`).Draw(t, "key"), rapid.StringN(0, 8, -1).Draw(t, "value"))
	}
	u.RawQuery = q.Encode()
	body = rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "body")
	r, err := http.NewRequest(rapid.SampledFrom([]string{"GET", "POST", "DELETE"}).Draw(t, "method"), u.String(), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for range rapid.IntRange(0, 3).Draw(t, "headers") {
		name := rapid.SampledFrom([]string{"Content-Type", "X-Amz-Target", "X-Amz-Meta-A", "X-Other", "Amz-Sdk-Request"}).Draw(t, "name")
		r.Header.Add(name, rapid.StringMatching(`[a-zA-Z0-9/;= ,]{0,20}`).Draw(t, "header value"))
	}
	return r, body
}

func genCredentials(t *rapid.T) Credentials {
	c := Credentials{
		AccessKeyID:     rapid.StringMatching(`AKIA[A-Z2-7]{16}`).Draw(t, "access key"),
		SecretAccessKey: rapid.StringMatching(`[A-Za-z0-9/+]{40}`).Draw(t, "secret"),
	}
	if rapid.Bool().Draw(t, "temporary") {
		c.SessionToken = rapid.StringMatching(`[A-Za-z0-9/+=]{1,80}`).Draw(t, "token")
	}
	return c
}

// TestVerifyAcceptsSDK: what the real signer signs, we accept; a flipped byte
// in the head's signed parts or the body, we refuse.
func TestVerifyAcceptsSDK(t *testing.T) {
	conformance.Covers(t, "management.sigv4-header", "management.sigv4-body-hash")
	rapid.Check(t, func(rt *rapid.T) {
		r, body := genRequest(rt)
		c := genCredentials(rt)
		if rapid.Bool().Draw(rt, "sha256 header") {
			r.Header.Set("X-Amz-Content-Sha256", hexHash(body))
		}
		sdkSign(t, r, body, c, "eu-west-1", "execute-api", suiteTime)
		got, gotBody := receive(t, r)
		v := newTestVerifier(suiteTime, c)
		for range 2 { // the second time with a cached key
			if _, err := v.Verify(got, gotBody, "execute-api"); err != nil {
				rt.Fatalf("refused: %v", err)
			}
		}
		if len(body) > 0 {
			changed := bytes.Clone(gotBody)
			changed[rapid.IntRange(0, len(body)-1).Draw(rt, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(rt, "bit")
			mustRefuse(rt, v, got, changed)
		}
		other := got.Clone(context.Background())
		other.RequestURI = flip(rt, got.RequestURI, 1)
		mustRefuse(rt, v, other, gotBody)
		other = got.Clone(context.Background())
		name := rapid.SampledFrom(slices.Sorted(maps.Keys(signedOf(got)))).Draw(rt, "signed header")
		if name == "Host" {
			other.Host += "x"
		} else {
			other.Header[name] = append([]string{"x"}, other.Header[name]...)
		}
		mustRefuse(rt, v, other, gotBody)
		other = got.Clone(context.Background())
		other.Method += "X"
		mustRefuse(rt, v, other, gotBody)
	})
}

func mustRefuse(t *rapid.T, v *Verifier, r *http.Request, body []byte) {
	t.Helper()
	if _, err := v.Verify(r, body, "execute-api"); err == nil {
		t.Fatalf("accepted a changed request: %s %s %v", r.Method, r.RequestURI, r.Header)
	}
}

// flip changes one character to another letter.
func flip(t *rapid.T, s string, from int) string {
	if len(s) <= from {
		return s + "z"
	}
	i := rapid.IntRange(from, len(s)-1).Draw(t, "character")
	c := byte('q')
	if s[i] == c {
		c = 'r'
	}
	return s[:i] + string(c) + s[i+1:]
}

func signedOf(r *http.Request) map[string]bool {
	_, list, _ := strings.Cut(r.Header.Get("Authorization"), "SignedHeaders=")
	list, _, _ = strings.Cut(list, ",")
	names := map[string]bool{}
	for name := range strings.SplitSeq(list, ";") {
		if key := http.CanonicalHeaderKey(name); name != "content-length" {
			names[key] = true
		}
	}
	return names
}

// TestFlippedAuthorization: no single changed byte of the header is accepted,
// except where it does not change what the header says.
func TestFlippedAuthorization(t *testing.T) {
	r := newRequest(t, "POST", "https://localhost:3001/main/@connections/abc=", []byte("hi"))
	sdkSign(t, r, []byte("hi"), suiteKey, "eu-west-1", "execute-api", suiteTime)
	got, body := receive(t, r)
	v := newTestVerifier(suiteTime, suiteKey)
	authorization := got.Header.Get("Authorization")
	hexAt := strings.Index(authorization, "Signature=") + len("Signature=")
	for i := range len(authorization) {
		for bit := range 8 {
			changed := []byte(authorization)
			changed[i] ^= 1 << bit
			if i >= hexAt && strings.EqualFold(string(changed), authorization) {
				continue // upper-case hexadecimal is the same number
			}
			if authorization[i] == ',' || authorization[i] == ' ' || changed[i] == ',' || changed[i] == ' ' {
				continue // separators: covered by the fuzz target
			}
			got.Header.Set("Authorization", string(changed))
			if _, err := v.Verify(got, body, "execute-api"); err == nil {
				t.Fatalf("accepted with byte %d changed: %s", i, changed)
			}
		}
	}
}

// TestSignMatchesSDK: for the headers that both sign, our signature is the
// SDK's, and we accept our own.
func TestSignMatchesSDK(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r, body := genRequest(rt)
		r.Header.Del("X-Other")         // the SDK signs every header,
		r.Header.Del("Amz-Sdk-Request") // we sign those that matter
		r.ContentLength = 0
		c := genCredentials(rt)
		theirs := r.Clone(context.Background())
		theirs.Host = r.URL.Host
		sdkSign(t, theirs, body, c, "eu-west-1", "execute-api", suiteTime)
		Sign(r, body, c, "eu-west-1", "execute-api", suiteTime)
		if got, want := r.Header.Get("Authorization"), theirs.Header.Get("Authorization"); got != want {
			rt.Fatalf("signed\n%s, the SDK\n%s", got, want)
		}
		r.ContentLength = int64(len(body))
		received, receivedBody := receive(t, r)
		if _, err := newTestVerifier(suiteTime, c).Verify(received, receivedBody, "execute-api"); err != nil {
			rt.Fatalf("own signature refused: %v", err)
		}
	})
}

func TestVerifyAcceptsPresigned(t *testing.T) {
	conformance.Covers(t, "management.sigv4-query", "access.iam-expired-403")
	c := Credentials{"AKIDEXAMPLE", "secret", "a+session/token="}
	sign := func(target string) *http.Request {
		r := newRequest(t, "GET", target, nil)
		uri, _, err := v4.NewSigner().PresignHTTP(t.Context(), aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}, r, hexHash(nil), "execute-api", "us-east-1", suiteTime)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := parseWire(t, "GET "+strings.TrimPrefix(uri, "https://localhost:3001")+" HTTP/1.1\r\nHost: localhost:3001\r\n\r\n")
		return got
	}
	const day = "https://localhost:3001/main?X-Amz-Expires=86400&b=2&a=1%202"
	for _, test := range []struct {
		name, target string
		after        time.Duration
		want         string
	}{
		{"now", day, 0, ""},
		{"five minutes later", day, 5 * time.Minute, ""},
		{"a day was asked for", day, 5*time.Minute + time.Second, "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - 5 min.)"},
		{"a minute, and it is over", "https://localhost:3001/main?X-Amz-Expires=60", 61 * time.Second, "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T123701Z - 1 min.)"},
		{"a minute, and it is not", "https://localhost:3001/main?X-Amz-Expires=60", time.Minute, ""},
		{"half a minute", "https://localhost:3001/main?X-Amz-Expires=30", time.Minute, "Signature expired: 20150830T123600Z is now earlier than 20150830T123630Z (20150830T123700Z - 30 sec.)"},
		{"from the future", day, -6 * time.Minute, "Signature not yet current: 20150830T123600Z is still later than 20150830T123500Z (20150830T123000Z + 5 min.)"},
		{"five minutes without X-Amz-Expires", "https://localhost:3001/main", 5 * time.Minute, ""},
		{"and no more", "https://localhost:3001/main", 301 * time.Second, "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - 5 min.)"},
		{"too long", "https://localhost:3001/main?X-Amz-Expires=604801", 0, "X-Amz-Expires must be a number of seconds from 1 to 604800."},
		{"no time at all", "https://localhost:3001/main?X-Amz-Expires=0", 0, "X-Amz-Expires must be a number of seconds from 1 to 604800."},
		{"no number", "https://localhost:3001/main?X-Amz-Expires=1h", 0, "X-Amz-Expires must be a number of seconds from 1 to 604800."},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := newTestVerifier(suiteTime.Add(test.after), c).Verify(sign(test.target), nil, "execute-api")
			if got := messageOf(err); got != test.want {
				t.Errorf("message = %q, want %q", got, test.want)
			}
		})
	}
	changed := sign(day)
	changed.RequestURI = strings.Replace(changed.RequestURI, "b=2", "b=3", 1)
	if _, err := newTestVerifier(suiteTime, c).Verify(changed, nil, "execute-api"); err == nil {
		t.Error("a changed parameter was accepted")
	}
}

// postLikeSDK is a POST to @connections as the Go SDK sends it, 128 bytes.
func postLikeSDK(b *testing.B, c Credentials) (*http.Request, []byte) {
	body := bytes.Repeat([]byte("x"), 128)
	r := newRequest(b, "POST", "https://localhost:3001/main/@connections/TXzPWdnOjoECGjA%3D", body)
	r.Header.Set("Content-Type", "application/octet-stream")
	r.Header.Set("User-Agent", "aws-sdk-go-v2/1.47.6 ua/2.1 os/linux lang/go#1.26 md/GOOS#linux md/GOARCH#amd64 api/apigatewaymanagementapi#1.28.5")
	r.Header.Set("Amz-Sdk-Invocation-Id", "6e9a3c7e-6f39-4f36-9f4e-0e6c0a6a2c1c")
	r.Header.Set("Amz-Sdk-Request", "attempt=1; max=3")
	sdkSign(b, r, body, c, "us-east-1", "execute-api", suiteTime)
	return receive(b, r)
}

func BenchmarkVerify(b *testing.B) {
	for _, bench := range []struct {
		name string
		key  Credentials
	}{{"long-lived", suiteKey}, {"temporary", NewCredentials()}} {
		b.Run(bench.name, func(b *testing.B) {
			r, body := postLikeSDK(b, bench.key)
			v := newTestVerifier(suiteTime, bench.key)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(r, body, "execute-api"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSign(b *testing.B) {
	r, body := postLikeSDK(b, suiteKey)
	b.ReportAllocs()
	for b.Loop() {
		Sign(r, body, suiteKey, "us-east-1", "execute-api", suiteTime)
	}
}
