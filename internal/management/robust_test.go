package management

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/conformance"
)

// patience bounds every wait of a test.
const patience = 20 * time.Second

// signedHead is a request's head without the end, signed over a body.
func signedHead(method, path, body string, more ...string) string {
	r := httptest.NewRequest(method, path, nil)
	r.Host = "h"
	awswire.Sign(r, []byte(body), testKey, "us-east-1", SigningName, time.Now())
	head := method + " " + path + " HTTP/1.1\r\nHost: h\r\n"
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		head += name + ": " + r.Header.Get(name) + "\r\n"
	}
	return head + strings.Join(more, "")
}

// converse writes bytes to a server, one piece after the other, and reads
// answers until the server closes or the last one has come.
func converse(t *testing.T, address string, answers int, pieces ...string) (statuses []int, bodies []string) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	for _, p := range pieces {
		if _, err := io.WriteString(c, p); err != nil {
			t.Fatal(err)
		}
	}
	in := bufio.NewReader(c)
	method, _, _ := strings.Cut(pieces[0], " ")
	for range answers {
		resp, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			t.Fatalf("after %d answers: %v", len(statuses), err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		statuses, bodies = append(statuses, resp.StatusCode), append(bodies, string(body))
	}
	return statuses, bodies
}

// TestWire: signed requests in every form that HTTP/1.1 allows, and in some
// that it does not, through the server that answers in production.
func TestWire(t *testing.T) {
	id := testIDs.Connection()
	path := "/main/@connections/" + id.String()
	var mu sync.Mutex
	var sent []string
	h := newHandler(connections{
		send: func(_ apigw.ConnectionID, data []byte) error {
			mu.Lock()
			defer mu.Unlock()
			sent = append(sent, string(data))
			return nil
		},
		info: accepting().info, delete: accepting().delete,
	})
	address := serve(t, &Server{Handler: h, Log: discard()})
	post := func(body string) string {
		return signedHead("POST", path, body, fmt.Sprintf("Content-Length: %d\r\n\r\n", len(body)), body)
	}
	split := func(s string) []string {
		var pieces []string
		for i := range len(s) {
			pieces = append(pieces, s[i:i+1])
		}
		return pieces
	}
	long := strings.Repeat("€", 40_000)
	for _, test := range []struct {
		name     string
		pieces   []string
		statuses []int
		sent     []string
	}{
		{"a body with its length", []string{post("hello")}, []int{200}, []string{"hello"}},
		{"an empty body", []string{post("")}, []int{200}, []string{""}},
		{"no Content-Length at all", []string{signedHead("POST", path, "", "\r\n")}, []int{200}, []string{""}},
		{"a byte at a time", split(post("hello")), []int{200}, []string{"hello"}},
		{"chunks", []string{signedHead("POST", path, "hello", "Transfer-Encoding: chunked\r\n\r\n", "2\r\nhe\r\n", "3\r\nllo\r\n0\r\n\r\n")}, []int{200}, []string{"hello"}},
		{"chunks with a trailer", []string{signedHead("POST", path, "hello", "Transfer-Encoding: chunked\r\nTrailer: X-A\r\n\r\n5;x=y\r\nhello\r\n0\r\nX-A: b\r\n\r\n")}, []int{200}, []string{"hello"}},
		{"120 KB", []string{post(long)}, []int{200}, []string{long}},
		{"three behind each other", []string{post("1") + post("2") + post("3")}, []int{200, 200, 200}, []string{"1", "2", "3"}},
		{"a refused one before a good one", []string{signedHead("POST", path, "other", "Content-Length: 1\r\n\r\n1") + post("2")}, []int{403, 200}, []string{"2"}},
		{"an unsigned one, whose body nobody reads, before a good one", []string{"POST " + path + " HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody" + post("2")}, []int{403, 200}, []string{"2"}},
		{"too large before a good one", []string{post(strings.Repeat("x", 128<<10+1)) + post("2")}, []int{413, 200}, []string{"2"}},
		{"Expect: 100-continue", []string{signedHead("POST", path, "hello", "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"), "hello"}, []int{100, 200}, []string{"hello"}},
		{"GET and DELETE with a body", []string{signedHead("GET", path, "a", "Content-Length: 1\r\n\r\na") + signedHead("DELETE", path, "b", "Content-Length: 1\r\n\r\nb") + post("c")}, []int{200, 204, 200}, []string{"c"}},
		{"HEAD", []string{signedHead("HEAD", path, "", "\r\n")}, []int{404}, nil},
		{"OPTIONS", []string{signedHead("OPTIONS", path, "", "\r\n") + post("2")}, []int{404, 200}, []string{"2"}},
		{"PATCH", []string{signedHead("PATCH", path, "x", "Content-Length: 1\r\n\r\nx") + post("2")}, []int{404, 200}, []string{"2"}},
		{"a method in another case", []string{signedHead("post", path, "x", "Content-Length: 1\r\n\r\nx")}, []int{404}, nil},
		{"the target in absolute form", []string{strings.Replace(post("hello"), "POST ", "POST http://h", 1)}, []int{200}, []string{"hello"}},
		{"headers of 12 KB", []string{signedHead("POST", path, "hello", "X-Pad: "+strings.Repeat("x", 12<<10)+"\r\nContent-Length: 5\r\n\r\nhello")}, []int{200}, []string{"hello"}},
		{"headers of 20 KB", []string{signedHead("POST", path, "hello", "X-Pad: "+strings.Repeat("x", 20<<10)+"\r\nContent-Length: 5\r\n\r\nhello")}, []int{431}, nil},
		{"two Content-Lengths", []string{signedHead("POST", path, "hello", "Content-Length: 5\r\nContent-Length: 4\r\n\r\nhello")}, []int{400}, nil},
		{"a length and chunks", []string{signedHead("POST", path, "hello", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")}, []int{200}, []string{"hello"}},
		{"broken chunks", []string{signedHead("POST", path, "hello", "Transfer-Encoding: chunked\r\n\r\nhello\r\n")}, []int{400}, nil},
		{"a host in the target that is not the signed one", []string{strings.Replace(post("hello"), "POST ", "POST http://other", 1)}, []int{403}, nil},
		{"a path that cannot be decoded", []string{strings.Replace(post("hello"), "@connections", "%zzconnections", 1)}, []int{400}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			sent = nil
			statuses, bodies := converse(t, address, len(test.statuses), test.pieces...)
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(statuses, test.statuses) || !slices.Equal(sent, test.sent) {
				t.Errorf("answers %d %.200q, sent %d messages; want %d and %d messages", statuses, bodies, len(sent), test.statuses, len(test.sent))
			}
		})
	}
}

// TestCutOff: of a request that ends early nothing is sent.
func TestCutOff(t *testing.T) {
	h := newHandler(connections{send: func(apigw.ConnectionID, []byte) error { t.Error("sent"); return nil }})
	address := serve(t, &Server{Handler: h, Log: discard()})
	path := "/main/@connections/" + testIDs.Connection().String()
	whole := signedHead("POST", path, "hello", "Content-Length: 5\r\n\r\nhello")
	for n := 1; n < len(whole); n += 7 {
		out := exchangeRaw(t, address, whole[:n])
		if !strings.HasPrefix(out, "HTTP/1.1 400 Bad Request\r\n") || !strings.Contains(out, "Connection: close") {
			t.Fatalf("the first %d bytes are answered %q", n, out)
		}
	}
}

// TestExpectTooLarge: a client that asks before it sends a body that is too
// large is told so, and its connection is closed rather than read for long.
func TestExpectTooLarge(t *testing.T) {
	h := newHandler(connections{})
	address := serve(t, &Server{Handler: h, Log: discard()})
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	path := "/main/@connections/" + testIDs.Connection().String()
	io.WriteString(c, signedHead("POST", path, "", "Expect: 100-continue\r\nContent-Length: 1048576\r\n\r\n"))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 413 || !resp.Close {
		t.Errorf("answer %s, close %v, want 413 without waiting for the body", resp.Status, resp.Close)
	}
}

// TestAnswerHeaders: what every answer has, and how its names are spelt.
func TestAnswerHeaders(t *testing.T) {
	conformance.Covers(t, "management.request-id")
	address := serve(t, &Server{Handler: newHandler(accepting()), Log: discard()})
	path := "/main/@connections/" + testIDs.Connection().String()
	for _, test := range []struct {
		request string
		want    []string
		not     string
	}{
		{signedHead("POST", path, "x", "Content-Length: 1\r\n\r\nx"), []string{"HTTP/1.1 200 OK\r\n", "\r\nContent-Length: 0\r\n"}, "x-amzn-ErrorType"},
		{signedHead("GET", path, "", "\r\n"), []string{"HTTP/1.1 200 OK\r\n", "\r\nContent-Type: application/json\r\n"}, "x-amzn-ErrorType"},
		{signedHead("DELETE", path, "", "\r\n"), []string{"HTTP/1.1 204 No Content\r\n"}, "Content-Length"},
		{"GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n", []string{"HTTP/1.1 403 Forbidden\r\n", "\r\nx-amzn-ErrorType: MissingAuthenticationTokenException\r\n", "\r\nContent-Type: application/json\r\n", "\r\n\r\n{\"message\":\"Missing Authentication Token\"}"}, ""},
	} {
		out := exchangeRaw(t, address, test.request)
		for _, want := range append(test.want, "\r\nx-amzn-RequestId: ", "\r\nDate: ") {
			if !strings.Contains(out, want) {
				t.Errorf("no %q in\n%s", want, out)
			}
		}
		if test.not != "" && strings.Contains(out, test.not) {
			t.Errorf("%q in\n%s", test.not, out)
		}
	}
}

// FuzzHandler holds that no request makes the handler panic, that all it says
// is one of its statuses, and that nothing which is not signed is sent.
func FuzzHandler(f *testing.F) {
	f.Add("POST", "/main/@connections/TXzPWdnOjoECGjA=", "h", "Bearer x", []byte("hi"))
	f.Add("GET", "/%6dain/%40connections/%00?X-Amz-Signature=1&X-Amz-Algorithm=1", "a1b2c3d4e5.execute-api.x.amazonaws.com", "", []byte{})
	f.Add("DELETE", "//@connections//", "ws.example.com:", "AWS4-HMAC-SHA256 Credential=a/b/c/d/e", []byte{0xff})
	h := newHandler(connections{})
	h.API, h.Log = domains(unchanged), discard()
	f.Fuzz(func(t *testing.T, method, target, host, authorization string, body []byte) {
		wire := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\nContent-Length: %d\r\n\r\n%s", method, target, host, authorization, len(body), body)
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader([]byte(wire))))
		if err != nil {
			return // net/http refuses it before
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if !slices.Contains([]int{400, 403, 404, 413}, w.Code) || errorType(w) == "" {
			t.Fatalf("%q is answered %d %s", wire, w.Code, w.Body)
		}
	})
}
