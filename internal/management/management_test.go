package management

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/conformance"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
)

var (
	testKey = awswire.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "wJalrTheSecretOfTheTests", SessionToken: "token"}
	testIDs = apigw.NewIDs()
)

// connections are the three calls as functions.
type connections struct {
	send   func(id apigw.ConnectionID, data []byte) error
	info   func(id apigw.ConnectionID) (apigw.ConnectionInfo, error)
	delete func(id apigw.ConnectionID) error
}

func (c connections) Send(_ context.Context, id apigw.ConnectionID, data []byte) error {
	return c.send(id, data)
}

func (c connections) Info(_ context.Context, id apigw.ConnectionID) (apigw.ConnectionInfo, error) {
	return c.info(id)
}

func (c connections) Delete(_ context.Context, id apigw.ConnectionID) error { return c.delete(id) }

func newHandler(c Connections) *Handler {
	lookup := func(id string) (awswire.Credentials, bool) { return testKey, id == testKey.AccessKeyID }
	return &Handler{
		API:         &apigw.API{ID: "a1b2c3d4e5", Name: "sockets-api", Stage: apigw.Stage{Name: "main"}},
		Connections: c,
		Verifier:    awswire.NewVerifier(lookup, awswire.VerifierOptions{}),
		Feed:        telemetry.NewFeed(),
	}
}

// call sends one signed request over a socket and returns the raw answer.
func call(t *testing.T, server *httptest.Server, method, path string, body []byte, edit ...func(*http.Request)) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, server.URL, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.URL.RawPath = path // exactly this path on the wire
	if r.URL.Path, err = url.PathUnescape(path); err != nil {
		t.Fatal(err)
	}
	awswire.Sign(r, body, testKey, "us-east-1", SigningName, time.Now())
	for _, e := range edit {
		e(r)
	}
	response, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(text)
}

func TestPost(t *testing.T) {
	conformance.Covers(t, "management.post-200", "management.encoded-path", "management.canonical-uri")
	id := testIDs.Connection()
	var got []byte
	h := newHandler(connections{send: func(to apigw.ConnectionID, data []byte) error {
		if to != id {
			return apigw.ErrGone
		}
		got = data
		return nil
	}})
	server := httptest.NewServer(h)
	defer server.Close()
	escaped := strings.Replace(id.String(), "=", "%3D", 1)
	for i, path := range []string{
		"/main/@connections/" + id.String(),
		"/main/@connections/" + escaped,
		"/main/%40connections/" + escaped,
		"/main//@connections//" + escaped,
		"//main/@connections/" + escaped,
		"/@connections/" + escaped,
		"//@connections/" + escaped,
		"/main/@connections/" + escaped + "/",
	} {
		body := fmt.Sprintf("{\"n\":%d}\x00\xff", i)
		response, text := call(t, server, "POST", path, []byte(body))
		if response.StatusCode != 200 || text != "" || response.Header.Get("Content-Length") != "0" {
			t.Errorf("POST %s = %s %q", path, response.Status, text)
		}
		if string(got) != body {
			t.Errorf("POST %s sent %q, want %q", path, got, body)
		}
	}
}

func TestPostFeed(t *testing.T) {
	fail := errors.New("node unreachable")
	var answer error
	h := newHandler(connections{send: func(apigw.ConnectionID, []byte) error { return answer }})
	h.Log = discard()
	server := httptest.NewServer(h)
	defer server.Close()
	id := testIDs.Connection()
	for _, answer = range []error{nil, apigw.ErrGone, fail} {
		call(t, server, "POST", "/main/@connections/"+id.String(), []byte("12345"))
	}
	events := h.Feed.Recent(10)
	if len(events) != 3 {
		t.Fatalf("%d events, want 3", len(events))
	}
	for i, want := range []telemetry.Event{{}, {Failed: true, Text: apigw.ErrGone.Error()}, {Failed: true, Text: fail.Error()}} {
		want.Kind, want.API, want.ConnectionID, want.Bytes, want.Time = telemetry.Posted, "sockets-api", id.String(), 5, events[i].Time
		want.Seq = events[i].Seq
		if events[i] != want {
			t.Errorf("event %+v, want %+v", events[i], want)
		}
	}
}

func TestGet(t *testing.T) {
	conformance.Covers(t, "management.get-200", "management.get-times", "management.get-user-agent-null")
	info := apigw.ConnectionInfo{
		ConnectedAt:  time.Date(2025, 2, 3, 2, 46, 33, 523_999_999, time.FixedZone("CET", 3600)),
		LastActiveAt: time.Date(2025, 2, 3, 1, 47, 0, 0, time.UTC),
		Identity:     apigw.Identity{SourceIP: "203.0.113.7", UserAgent: `a "b" <c>`},
	}
	server := httptest.NewServer(newHandler(connections{info: func(apigw.ConnectionID) (apigw.ConnectionInfo, error) { return info, nil }}))
	defer server.Close()
	path := "/main/@connections/" + testIDs.Connection().String()
	for agent, want := range map[string]string{
		`a "b" <c>`: `{"connectedAt":"2025-02-03T01:46:33.523Z","identity":{"sourceIp":"203.0.113.7","userAgent":"a \"b\" <c>"},"lastActiveAt":"2025-02-03T01:47:00.000Z"}`,
		"":          `{"connectedAt":"2025-02-03T01:46:33.523Z","identity":{"sourceIp":"203.0.113.7","userAgent":null},"lastActiveAt":"2025-02-03T01:47:00.000Z"}`,
	} {
		info.Identity.UserAgent = agent
		response, text := call(t, server, "GET", path, nil)
		if response.StatusCode != 200 || text != want || response.Header.Get("Content-Type") != "application/json" {
			t.Errorf("GET = %s %v\n%s\nwant\n%s", response.Status, response.Header, text, want)
		}
	}
}

func TestDelete(t *testing.T) {
	conformance.Covers(t, "management.delete-204")
	var deleted apigw.ConnectionID
	server := httptest.NewServer(newHandler(connections{delete: func(id apigw.ConnectionID) error { deleted = id; return nil }}))
	defer server.Close()
	id := testIDs.Connection()
	response, text := call(t, server, "DELETE", "/main/@connections/"+id.String(), nil)
	if response.StatusCode != 204 || text != "" || deleted != id {
		t.Errorf("DELETE = %s %q, deleted %v", response.Status, text, deleted)
	}
}

// TestErrors is the table of errors of @connections, for every method that it
// holds for.
func TestErrors(t *testing.T) {
	conformance.Covers(t, "management.gone-empty-body", "management.invalid-id-400", "management.invalid-id-text", "management.payload-text", "management.forbidden-403", "management.no-method-404", "management.request-id")
	id := testIDs.Connection().String()
	const all = "POST GET DELETE"
	for _, test := range []struct {
		name, methods, path string
		err                 error
		status              int
		errorType, body     string
	}{
		{"gone", all, "/main/@connections/" + id, fmt.Errorf("hub: %w", apigw.ErrGone), 410, "GoneException", ""},
		{"malformed id", all, "/main/@connections/test-connection-123", nil, 400, "BadRequestException", `{"message":"Invalid connectionId: test-connection-123"}`},
		{"hostile id", all, "/main/@connections/%22%3Cx%0A", nil, 400, "BadRequestException", `{"message":"Invalid connectionId: \"<x\n"}`},
		{"id refused below", all, "/main/@connections/" + id, apigw.ErrInvalidConnectionID, 400, "BadRequestException", `{"message":"Invalid connectionId"}`},
		{"too large below", "POST", "/main/@connections/" + id, apigw.ErrTooLarge, 413, "PayloadTooLargeException", `{"message":"The data has exceeded the maximum size allowed."}`},
		{"slow client", "POST", "/main/@connections/" + id, apigw.ErrBacklog, 429, "LimitExceededException", `{"message":"The client is sending more than the allowed number of requests per unit of time or the WebSocket client side buffer is full."}`},
		{"internal", all, "/main/@connections/" + id, errors.New("disk on fire"), 500, "InternalServerErrorException", `{"message":"Internal server error"}`},
		{"wrong stage", all, "/prod/@connections/" + id, nil, 403, "ForbiddenException", `{"message":"Forbidden"}`},
		{"stage in another case", all, "/Main/@connections/" + id, nil, 403, "ForbiddenException", `{"message":"Forbidden"}`},
		{"no path", all, "/", nil, 403, "ForbiddenException", `{"message":"Forbidden"}`},
		{"dots", all, "/x/../main/@connections/" + id, nil, 403, "ForbiddenException", `{"message":"Forbidden"}`},
		{"no id", "POST", "/main/@connections", nil, 404, "NotFoundException", `{"message":"No method found matching route @connections for http method POST."}`},
		{"stage twice", "GET", "/main/main/@connections/" + id, nil, 404, "NotFoundException", `{"message":"No method found matching route main/@connections/` + id + ` for http method GET."}`},
		{"more path", "POST", "/main/@connections/" + id + "/x", nil, 404, "NotFoundException", `{"message":"No method found matching route @connections/` + id + `/x for http method POST."}`},
		{"another path", all[:4], "/main/connections/" + id, nil, 404, "NotFoundException", `{"message":"No method found matching route connections/` + id + ` for http method POST."}`},
		{"another method", "PUT", "/main/@connections/" + id, nil, 404, "NotFoundException", `{"message":"No method found matching route @connections/` + id + ` for http method PUT."}`},
		{"stage only", "GET", "/main", nil, 404, "NotFoundException", `{"message":"No method found matching route  for http method GET."}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			calls := 0
			count := func() error { calls++; return test.err }
			h := newHandler(connections{
				send:   func(apigw.ConnectionID, []byte) error { return count() },
				info:   func(apigw.ConnectionID) (apigw.ConnectionInfo, error) { return apigw.ConnectionInfo{}, count() },
				delete: func(apigw.ConnectionID) error { return count() },
			})
			h.Log = discard()
			server := httptest.NewServer(h)
			defer server.Close()
			for method := range strings.FieldsSeq(test.methods) {
				response, text := call(t, server, method, test.path, nil)
				if response.StatusCode != test.status || text != test.body || response.Header.Get("X-Amzn-Errortype") != test.errorType {
					t.Errorf("%s %s = %s %s %s\nwant %d %s %s", method, test.path, response.Status, response.Header.Get("X-Amzn-Errortype"), text, test.status, test.errorType, test.body)
				}
				if len(response.Header.Get("X-Amzn-Requestid")) != 36 {
					t.Errorf("%s %s has the request id %q", method, test.path, response.Header.Get("X-Amzn-Requestid"))
				}
			}
			if test.err == nil && calls > 0 {
				t.Error("the call reached the connections")
			}
		})
	}
}

func TestUnsignedAndWronglySigned(t *testing.T) {
	conformance.Covers(t, "management.missing-token-403", "management.signature-mismatch-403", "management.signature-first", "management.sigv4-header", "management.sigv4-session-token", "management.sigv4-body-hash")
	h := newHandler(connections{send: func(apigw.ConnectionID, []byte) error { t.Error("sent"); return nil }})
	server := httptest.NewServer(h)
	defer server.Close()
	// A malformed id: a stranger is not even told that.
	const path = "/main/@connections/malformed"
	for _, test := range []struct {
		name      string
		edit      func(*http.Request)
		errorType string
		text      string
	}{
		{"unsigned", func(r *http.Request) { r.Header.Del("Authorization") }, "MissingAuthenticationTokenException", `{"message":"Missing Authentication Token"}`},
		{"changed body", func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader("other"))
		}, "InvalidSignatureException", `{"message":"The request signature we calculated does not match the signature you provided.`},
		{"unknown key", func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "AKIDEXAMPLE", "AKIDNOBODY", 1))
		}, "UnrecognizedClientException", `{"message":"The security token included in the request is invalid."}`},
		{"no token", func(r *http.Request) { r.Header.Del("X-Amz-Security-Token") }, "UnrecognizedClientException", `{"message":"The security token included in the request is invalid."}`},
		{"bearer", func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, "IncompleteSignatureException", `{"message":"Invalid key=value pair (missing equal-sign)`},
		{"another service", func(r *http.Request) {
			awswire.Sign(r, []byte("hello"), testKey, "us-east-1", "sqs", time.Now())
		}, "InvalidSignatureException", `{"message":"Credential should be scoped to correct service: 'execute-api'. "}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			response, text := call(t, server, "POST", path, []byte("hello"), test.edit)
			if response.StatusCode != 403 || response.Header.Get("X-Amzn-Errortype") != test.errorType || !strings.HasPrefix(text, test.text) {
				t.Errorf("answer = %s %s %s", response.Status, response.Header.Get("X-Amzn-Errortype"), text)
			}
		})
	}
}

// TestHeaderSpelling looks at the bytes: AWS writes these names so.
func TestHeaderSpelling(t *testing.T) {
	server := httptest.NewServer(newHandler(connections{}))
	defer server.Close()
	answer := raw(t, server, "GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	for _, want := range []string{"HTTP/1.1 403 Forbidden\r\n", "\r\nx-amzn-RequestId: ", "\r\nx-amzn-ErrorType: ForbiddenException\r\n", "\r\nContent-Type: application/json\r\n", "\r\nContent-Length: 23\r\n"} {
		if !strings.Contains(answer, want) {
			t.Errorf("no %q in\n%s", want, answer)
		}
	}
}

// raw writes bytes to a server and returns all that comes back.
func raw(t *testing.T, server *httptest.Server, request string) string {
	t.Helper()
	c, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	c.(*net.TCPConn).CloseWrite()
	answer, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

func TestTruncatedBody(t *testing.T) {
	h := newHandler(connections{send: func(apigw.ConnectionID, []byte) error { t.Error("sent"); return nil }})
	server := httptest.NewServer(h)
	defer server.Close()
	r := httptest.NewRequest("POST", "http://h/main/@connections/"+testIDs.Connection().String(), nil)
	awswire.Sign(r, []byte("hello"), testKey, "us-east-1", SigningName, time.Now())
	head := "POST " + r.RequestURI[len("http://h"):] + " HTTP/1.1\r\nHost: h\r\n"
	for name := range r.Header {
		head += name + ": " + r.Header.Get(name) + "\r\n"
	}
	for _, rest := range []string{
		"Content-Length: 10\r\n\r\nhello",
		"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"Transfer-Encoding: chunked\r\n\r\nhello",
	} {
		response, err := http.ReadResponse(bufio.NewReader(strings.NewReader(raw(t, server, head+rest))), nil)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(response.Body)
		if response.StatusCode != 400 || string(text) != `{"message":"The request body ended before its Content-Length."}` {
			t.Errorf("answer = %s %s", response.Status, text)
		}
	}
}

// TestUnsignedIsNotRead: a caller without a signature is answered before its
// body is there.
func TestUnsignedIsNotRead(t *testing.T) {
	h := newHandler(connections{})
	r := httptest.NewRequest("POST", "/main/@connections/"+testIDs.Connection().String(), nil)
	r.ContentLength, r.Body = 100, io.NopCloser(unreadable{t})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 403 || w.Body.String() != `{"message":"Missing Authentication Token"}` {
		t.Errorf("answer = %d %s", w.Code, w.Body)
	}
}

// unreadable is a body that must not be read.
type unreadable struct{ t *testing.T }

func (u unreadable) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

func TestBodyLimit(t *testing.T) {
	conformance.Covers(t, "management.payload-413")
	var got atomic.Int64
	server := httptest.NewServer(newHandler(connections{send: func(_ apigw.ConnectionID, data []byte) error {
		got.Store(int64(len(data)))
		return nil
	}}))
	defer server.Close()
	path := "/main/@connections/" + testIDs.Connection().String()
	chunked := func(r *http.Request) { r.ContentLength = -1 }
	for _, test := range []struct {
		size, status int
	}{{0, 200}, {1, 200}, {128 << 10, 200}, {128<<10 + 1, 413}, {900 << 10, 413}} {
		for _, edit := range []func(*http.Request){func(*http.Request) {}, chunked} {
			got.Store(-1)
			response, text := call(t, server, "POST", path, make([]byte, test.size), edit)
			if response.StatusCode != test.status {
				t.Errorf("%d bytes: %s %s", test.size, response.Status, text)
			}
			if test.status == 200 && got.Load() != int64(test.size) || test.status != 200 && got.Load() != -1 {
				t.Errorf("%d bytes: %d were sent", test.size, got.Load())
			}
		}
	}
}

// TestSecretsStayOutOfTheLog: whatever goes wrong, neither a key nor a token nor
// a signature is logged or answered.
func TestSecretsStayOutOfTheLog(t *testing.T) {
	conformance.Covers(t, "management.sigv4-constant-time")
	var log bytes.Buffer
	h := newHandler(connections{send: func(apigw.ConnectionID, []byte) error { return errors.New("disk on fire") }})
	h.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	path := "/main/@connections/" + testIDs.Connection().String()
	for _, edit := range []func(*http.Request){
		func(*http.Request) {},
		func(r *http.Request) { r.Header.Set("Authorization", r.Header.Get("Authorization")[:150]) },
		func(r *http.Request) { r.Header.Set("Authorization", r.Header.Get("Authorization")+" x") },
		func(r *http.Request) { r.Header.Set("X-Amz-Date", "20150830T123600Z") },
	} {
		r := httptest.NewRequest("POST", path, nil)
		awswire.Sign(r, nil, testKey, "us-east-1", SigningName, time.Now())
		_, signature, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
		edit(r)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code < 400 {
			t.Errorf("status %d", w.Code)
		}
		for _, secret := range []string{testKey.SecretAccessKey, signature} {
			if strings.Contains(log.String()+w.Body.String(), secret) {
				t.Errorf("%q is in the log %q or in the answer %q", secret, log.String(), w.Body)
			}
		}
	}
	if !strings.Contains(log.String(), "disk on fire") {
		t.Errorf("the log %q does not say what went wrong", log.String())
	}
}

// TestStoppedServerNeverAcknowledges: a call that ends because the server
// stops must not look like a success.
func TestStoppedServerNeverAcknowledges(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	h := newHandler(connections{send: func(apigw.ConnectionID, []byte) error { cancel(); return context.Canceled }})
	h.Log = discard()
	r := httptest.NewRequestWithContext(ctx, "POST", "/main/@connections/"+testIDs.Connection().String(), nil)
	awswire.Sign(r, nil, testKey, "us-east-1", SigningName, time.Now())
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 500 {
		t.Errorf("status = %d", w.Code)
	}
}
