package management

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/conformance"
	"github.com/gatepost-dev/gatepost/internal/conn"
)

// silent is a connection's handler that does nothing.
type silent struct{}

func (silent) Message(*conn.Conn, []byte)     {}
func (silent) Closed(*conn.Conn, conn.Reason) {}

// open puts a connection into a hub and returns the client's side.
func open(t *testing.T, hub *conn.Hub, limits apigw.Limits, id apigw.ConnectionID) net.Conn {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c := conn.New(server, conn.Options{ID: id, Limits: limits, Handler: silent{}, Hub: hub, Greeting: []byte("hello\n"), Identity: apigw.Identity{SourceIP: "127.0.0.1", UserAgent: "test"}})
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Serve(nil)
	}()
	t.Cleanup(func() {
		client.Close()
		<-done
	})
	// The greeting has come: the connection is in the hub.
	client.SetDeadline(time.Now().Add(3 * patience))
	if _, err := io.ReadFull(client, make([]byte, len("hello\n"))); err != nil {
		t.Fatal(err)
	}
	return client
}

// post sends one signed message over the wire and returns the status.
func post(t *testing.T, server *httptest.Server, id apigw.ConnectionID, data string) int {
	t.Helper()
	r, err := http.NewRequest("POST", server.URL+"/main/@connections/"+id.String(), strings.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	awswire.Sign(r, []byte(data), testKey, "us-east-1", SigningName, time.Now())
	client := &http.Client{Transport: server.Client().Transport, Timeout: patience}
	response, err := client.Do(r)
	if err != nil {
		t.Fatalf("POST is not answered: %v", err)
	}
	defer response.Body.Close()
	io.Copy(io.Discard, response.Body)
	return response.StatusCode
}

// TestStuckSocket: a client that never reads. Its posts are answered at once,
// with 200 until its buffer is full and 429 from then on; a client beside it
// gets its messages all the while, and when the stuck one reads at last, what
// was taken comes.
func TestStuckSocket(t *testing.T) {
	conformance.Covers(t, "management.post-answers-at-once", "management.backlog-429", "management.post-accepted")
	limits := apigw.DefaultLimits()
	limits.MaxPending = 256 << 10
	limits.WriteStall = time.Hour // the end of slow clients is the hub's matter
	hub := conn.NewHub(limits)
	server := httptest.NewServer(newHandler(hub))
	defer server.Close()
	ids := [2]apigw.ConnectionID{testIDs.Connection(), testIDs.Connection()}
	stuck, healthy := open(t, hub, limits, ids[0]), open(t, hub, limits, ids[1])

	// The kernel's buffers take some megabytes before ours fills.
	message := strings.Repeat("x", 60<<10)
	taken, full := 0, false
	for range 2000 {
		status := post(t, server, ids[0], message)
		if full = status == 429; full {
			break
		}
		if status != 200 {
			t.Fatalf("post %d = %d, want 200 or 429", taken+1, status)
		}
		taken++
	}
	if taken == 0 || !full {
		t.Fatalf("%d posts of %d bytes were taken for a client that reads nothing, full: %v", taken, len(message), full)
	}
	for range 5 {
		if status := post(t, server, ids[0], message); status != 429 {
			t.Errorf("a post to a full connection = %d, want 429", status)
		}
	}
	if status := post(t, server, ids[1], "beside"); status != 200 {
		t.Errorf("a post to the client beside = %d", status)
	}
	frame := make([]byte, 2+len("beside"))
	if _, err := io.ReadFull(healthy, frame); err != nil || string(frame[2:]) != "beside" {
		t.Errorf("the client beside got %q, %v", frame, err)
	}
	bytes, err := io.CopyN(io.Discard, bufio.NewReader(stuck), int64(taken*len(message)))
	if err != nil {
		t.Errorf("of %d messages that were taken %d bytes came: %v", taken, bytes, err)
	}
}

// TestGoneWithTheHub: 410 before a connection is in the hub, as during its
// $connect, and after it has been closed; in between GET shows it and POST
// renews its activity.
func TestGoneWithTheHub(t *testing.T) {
	limits := apigw.DefaultLimits()
	hub := conn.NewHub(limits)
	h := newHandler(hub)
	id := testIDs.Connection()
	path := "/main/@connections/" + id.String()
	gone := func(when string) {
		for _, method := range []string{"POST", "GET", "DELETE"} {
			if w := at(h, method, "localhost", path, ""); w.Code != 410 || w.Body.Len() > 0 || errorType(w) != "GoneException" {
				t.Errorf("%s %s = %d %v %s", method, when, w.Code, w.Header(), w.Body)
			}
		}
	}
	gone("before $connect has finished")
	client := open(t, hub, limits, id)
	if w := at(h, "GET", "localhost", path, ""); w.Code != 200 || !strings.Contains(w.Body.String(), `"identity":{"sourceIp":"127.0.0.1","userAgent":"test"}`) {
		t.Errorf("GET = %d %s", w.Code, w.Body)
	}
	if w := at(h, "POST", "localhost", path, "hi"); w.Code != 200 {
		t.Errorf("POST = %d %s", w.Code, w.Body)
	}
	if w := at(h, "DELETE", "localhost", path, ""); w.Code != 204 {
		t.Errorf("DELETE = %d %s", w.Code, w.Body)
	}
	gone("after DELETE")
	rest, err := io.ReadAll(client)
	// A text frame "hi", then a close frame with 1000 (RFC 6455 section 5.5.1).
	if err != nil || !strings.HasPrefix(string(rest), "\x81\x02hi\x88") || !strings.Contains(string(rest), "\x03\xe8") {
		t.Errorf("the client got %q, %v", rest, err)
	}
}
