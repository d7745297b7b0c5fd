package elsewhere_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/internal/aws/elsewhere"
	"github.com/gatepost-dev/gatepost/internal/awswire"
)

// keeper is the other program: it verifies signatures against credentials of its
// own and tells what reached it.
type keeper struct {
	credentials awswire.Credentials
	got         []string
}

func (k *keeper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	verifier := awswire.NewVerifier(func(id string) (awswire.Credentials, bool) { return k.credentials, id == k.credentials.AccessKeyID }, awswire.VerifierOptions{})
	if _, err := verifier.VerifyScope(r, body, awswire.Scope{Region: "eu-west-1", Service: "dynamodb"}); err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	k.got = append(k.got, r.URL.RequestURI()+" "+r.Header.Get("X-Amz-Target")+" "+string(body))
	w.Header().Set("X-Amz-Crc32", "42")
	io.WriteString(w, `{"here":true}`)
}

// gateTo returns a gate in front of a keeper of DynamoDB; the caller's own
// credentials are what it checks.
func gateTo(t *testing.T, at string, signWith, caller awswire.Credentials) *elsewhere.Gate {
	t.Helper()
	target, err := elsewhere.ParseTarget("dynamodb="+at, "eu-west-1")
	if err != nil {
		t.Fatal(err)
	}
	target.Credentials = func(context.Context) (awswire.Credentials, error) { return signWith, nil }
	verifier := awswire.NewVerifier(func(id string) (awswire.Credentials, bool) { return caller, id == caller.AccessKeyID }, awswire.VerifierOptions{})
	return &elsewhere.Gate{
		Check:   func(r *http.Request, body []byte) error { _, err := verifier.Verify(r, body, ""); return err },
		Targets: map[string]elsewhere.Target{"dynamodb": target},
		Next:    http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "next") }),
		Log:     slog.New(slog.DiscardHandler),
	}
}

// call makes a signed call of a service at a gate.
func call(t *testing.T, gate http.Handler, service string, with awswire.Credentials, body string) *httptest.ResponseRecorder {
	t.Helper()
	server := httptest.NewServer(gate)
	defer server.Close()
	r, err := http.NewRequest(http.MethodPost, server.URL+"/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", "DynamoDB_20120810.GetItem")
	awswire.Sign(r, []byte(body), with, "us-east-1", service, time.Now())
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	w := httptest.NewRecorder()
	w.Code = resp.StatusCode
	maps.Copy(w.Header(), resp.Header)
	if _, err := io.Copy(w.Body, resp.Body); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestACallIsSignedAnew(t *testing.T) {
	theirs, ours := awswire.NewCredentials(), awswire.NewCredentials()
	k := &keeper{credentials: theirs}
	there := httptest.NewServer(k)
	defer there.Close()
	gate := gateTo(t, there.URL, theirs, ours)

	w := call(t, gate, "dynamodb", ours, `{"a":1}`)
	if w.Code != 200 || w.Body.String() != `{"here":true}` || w.Header().Get("X-Amz-Crc32") != "42" {
		t.Errorf("answered %d %s, %v", w.Code, w.Body, w.Header())
	}
	if len(k.got) != 1 || k.got[0] != `/ DynamoDB_20120810.GetItem {"a":1}` {
		t.Errorf("the service got %q", k.got)
	}
}

func TestACallThatIsNotSignedWellStaysHere(t *testing.T) {
	ours := awswire.NewCredentials()
	forged := ours
	forged.SecretAccessKey = "guessed"
	k := &keeper{credentials: ours}
	there := httptest.NewServer(k)
	defer there.Close()
	w := call(t, gateTo(t, there.URL, ours, ours), "dynamodb", forged, `{}`)
	if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "InvalidSignatureException") || len(k.got) != 0 {
		t.Errorf("answered %d %s, and the service got %q", w.Code, w.Body, k.got)
	}
}

func TestOtherServicesAreServedHere(t *testing.T) {
	ours := awswire.NewCredentials()
	w := call(t, gateTo(t, "http://127.0.0.1:1", ours, ours), "sqs", ours, `{}`)
	if w.Body.String() != "next" {
		t.Errorf("answered %d %s", w.Code, w.Body)
	}
}

func TestABodyThatIsTooLargeIsRefused(t *testing.T) {
	ours := awswire.NewCredentials()
	r := httptest.NewRequest(http.MethodPost, "http://localhost/", bytes.NewReader(make([]byte, awswire.MaxBody+1)))
	r.Header.Set("X-Amz-Target", "DynamoDB_20120810.PutItem")
	w := httptest.NewRecorder()
	gateTo(t, "http://127.0.0.1:1", ours, ours).ServeHTTP(w, r)
	if w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("answered %d %s", w.Code, w.Body)
	}
}

// TestErrorsOfAnotherService: those in the service's own words reach the caller,
// others say who does not answer.
func TestErrorsOfAnotherService(t *testing.T) {
	for _, tt := range []struct{ name, body, code string }{
		{"AWS's form", `{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"no such table"}`, "ResourceNotFoundException"},
		{"no JSON", `<html>Bad Gateway</html>`, "ServiceUnavailable"},
		{"no type", `{}`, "ServiceUnavailable"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			there := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(400)
				io.WriteString(w, tt.body)
			}))
			defer there.Close()
			u, _ := url.Parse(there.URL)
			target := elsewhere.Target{Service: "dynamodb", URL: u, Region: "eu-west-1",
				Credentials: func(context.Context) (awswire.Credentials, error) { return awswire.NewCredentials(), nil }}
			err := target.Call(t.Context(), "DynamoDB_20120810.DescribeTable", map[string]string{}, &struct{}{})
			if reported, ok := errors.AsType[*awswire.Error](err); !ok || reported.Code != tt.code {
				t.Errorf("Call = %v, want %s", err, tt.code)
			}
		})
	}
}

func TestAWSItself(t *testing.T) {
	for text, want := range map[string]string{
		"sqs=aws":                    "https://sqs.eu-west-1.amazonaws.com",
		"kinesis=aws":                "https://kinesis.eu-west-1.amazonaws.com",
		"dynamodb=http://[::1]:8000": "http://[::1]:8000",
	} {
		target, err := elsewhere.ParseTarget(text, "eu-west-1")
		if err != nil || target.URL.String() != want || target.IsAWS() != strings.HasSuffix(text, "=aws") {
			t.Errorf("%s is %v (AWS: %v), %v", text, target.URL, target.IsAWS(), err)
		}
	}
}

func TestAWSInChina(t *testing.T) {
	target, err := elsewhere.ParseTarget("dynamodb=aws", "cn-north-1")
	if err != nil || target.URL.String() != "https://dynamodb.cn-north-1.amazonaws.com.cn" || !target.IsAWS() {
		t.Errorf("%v, %v", target.URL, err)
	}
}

// asked notes the hosts that requests would have gone to, and answers them.
type asked []string

func (a *asked) RoundTrip(r *http.Request) (*http.Response, error) {
	*a = append(*a, r.URL.Host+" "+r.Host)
	return &http.Response{StatusCode: 200, Body: http.NoBody, Request: r}, nil
}

// TestStreamsOfTablesElsewhere: AWS has a host of their own for them, other
// programs have not. The signature's service is that of the tables.
func TestStreamsOfTablesElsewhere(t *testing.T) {
	ours := awswire.NewCredentials()
	for _, tt := range []struct{ at, operation, want string }{
		{"aws", "DynamoDB_20120810.GetItem", "dynamodb.eu-west-1.amazonaws.com"},
		{"aws", "DynamoDBStreams_20120810.GetRecords", "streams.dynamodb.eu-west-1.amazonaws.com"},
		{"https://dynamodb-fips.us-east-1.amazonaws.com", "DynamoDBStreams_20120810.GetRecords", "streams.dynamodb-fips.us-east-1.amazonaws.com"},
		{"https://dynamodb.eu-west-1.api.aws", "DynamoDBStreams_20120810.GetRecords", "streams-dynamodb.eu-west-1.api.aws"},
		{"https://vpce-1.dynamodb.eu-west-1.vpce.amazonaws.com", "DynamoDBStreams_20120810.GetRecords", "vpce-1.dynamodb.eu-west-1.vpce.amazonaws.com"},
		{"http://127.0.0.1:8000", "DynamoDBStreams_20120810.GetRecords", "127.0.0.1:8000"},
	} {
		var hosts asked
		gate := gateTo(t, tt.at, ours, ours)
		gate.Transport = &hosts
		r := httptest.NewRequest(http.MethodPost, "http://localhost/", strings.NewReader("{}"))
		r.Header.Set("X-Amz-Target", tt.operation)
		awswire.Sign(r, []byte("{}"), ours, "eu-west-1", "dynamodb", time.Now())
		w := httptest.NewRecorder()
		gate.ServeHTTP(w, r)
		if w.Code != 200 || len(hosts) != 1 || hosts[0] != tt.want+" "+tt.want {
			t.Errorf("%s of %s goes to %q: %d %s", tt.operation, tt.at, hosts, w.Code, w.Body)
		}
	}
}
