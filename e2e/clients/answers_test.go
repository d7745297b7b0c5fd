package clients

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/management"
)

// The callers of the tests: one who may do all, and one who may do nothing.
var (
	owner    = awswire.Credentials{AccessKeyID: "ASIAOWNER", SecretAccessKey: "secret", SessionToken: "a+session/token="}
	stranger = awswire.Credentials{AccessKeyID: "AKIASTRANGER", SecretAccessKey: "other"}
)

const (
	region        = "eu-west-1"
	connectedText = "2025-02-03T01:46:33.523Z"
)

// shelf is connections of a test, by what happens to those who call them.
type shelf struct {
	mu   sync.Mutex
	fate map[apigw.ConnectionID]error
	got  map[apigw.ConnectionID][]byte
}

func (s *shelf) Send(_ context.Context, id apigw.ConnectionID, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got[id] = data
	return s.find(id)
}

func (s *shelf) Info(_ context.Context, id apigw.ConnectionID) (apigw.ConnectionInfo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, _ := time.Parse(time.RFC3339, connectedText)
	return apigw.ConnectionInfo{ID: id, ConnectedAt: at, LastActiveAt: at, Identity: apigw.Identity{SourceIP: "203.0.113.7"}}, s.find(id)
}

func (s *shelf) Delete(_ context.Context, id apigw.ConnectionID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.find(id)
}

// sent is the last message to a connection.
func (s *shelf) sent(idText string) []byte {
	id, _ := apigw.ParseConnectionID(idText) // one that is malformed got nothing
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got[id]
}

// find needs the mutex.
func (s *shelf) find(id apigw.ConnectionID) error {
	if err, known := s.fate[id]; known {
		return err
	}
	return apigw.ErrGone
}

// counting counts the requests for each connection id.
type counting struct {
	http.Handler
	mu       sync.Mutex
	requests map[string]int
}

func (c *counting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	c.requests[r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]]++
	c.mu.Unlock()
	c.Handler.ServeHTTP(w, r)
}

func (c *counting) of(id string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests[id]
}

// endpoint serves @connections and returns where.
func endpoint(t *testing.T, s *shelf) (url string, count *counting) {
	t.Helper()
	keys := map[string]awswire.Credentials{owner.AccessKeyID: owner, stranger.AccessKeyID: stranger}
	lookup := func(id string) (awswire.Credentials, bool) { c, ok := keys[id]; return c, ok }
	count = &counting{requests: make(map[string]int), Handler: &management.Handler{
		API:         &apigw.API{ID: "a1b2c3d4e5", Name: "sockets-api", Stage: apigw.Stage{Name: "main"}},
		Connections: s, Verifier: awswire.NewVerifier(lookup, awswire.VerifierOptions{}), Region: region, Account: "123456781380",
		Permit: func(caller awswire.Identity, _ string) (string, bool) {
			return "arn:aws:iam::123456781380:user/stranger", caller.AccessKeyID == owner.AccessKeyID
		},
		Log: slog.New(slog.DiscardHandler),
	}}
	server := httptest.NewServer(count)
	t.Cleanup(server.Close)
	return server.URL, count
}

// call is one line of the table of answers.
type call struct {
	name string
	op   string
	fate error // of the connection; nil for one that is open
	data []byte
	edit func(*step)
	// What the client must show. Not every client tells the status.
	status     int
	code, text string
	retried    bool
}

func same(*step) {}

func calls(message []byte) []call {
	return []call{
		{name: "POST", op: "post", data: message, edit: same, status: 200},
		{name: "GET", op: "get", edit: same, status: 200},
		{name: "DELETE", op: "delete", edit: same, status: 204},
		{name: "without the stage", op: "post", data: message, edit: func(s *step) { s.Endpoint = strings.TrimSuffix(s.Endpoint, "/main") }, status: 200},
		{name: "a slash after the stage", op: "post", data: message, edit: func(s *step) { s.Endpoint += "/" }, status: 200},
		{name: "an empty message", op: "post", data: []byte{}, edit: same, status: 200},
		{name: "128 KB", op: "post", data: bytes.Repeat([]byte("x"), 128<<10), edit: same, status: 200},
		{name: "POST to one that is gone", op: "post", fate: apigw.ErrGone, data: message, edit: same, status: 410, code: "GoneException"},
		{name: "GET of one that is gone", op: "get", fate: apigw.ErrGone, edit: same, status: 410, code: "GoneException"},
		{name: "DELETE of one that is gone", op: "delete", fate: apigw.ErrGone, edit: same, status: 410, code: "GoneException"},
		{name: "a full buffer", op: "post", fate: apigw.ErrBacklog, data: message, edit: same, status: 429, code: "LimitExceededException",
			text: "The client is sending more than the allowed number of requests per unit of time or the WebSocket client side buffer is full.", retried: true},
		{name: "too large", op: "post", data: bytes.Repeat([]byte("x"), 128<<10+1), edit: same, status: 413, code: "PayloadTooLargeException", text: "The data has exceeded the maximum size allowed."},
		{name: "a malformed id", op: "post", data: message, edit: func(s *step) { s.ID = "test-connection-123" }, status: 400, code: "BadRequestException", text: "Invalid connectionId: test-connection-123"},
		{name: "a wrong stage", op: "post", data: message, edit: func(s *step) { s.Endpoint = strings.Replace(s.Endpoint, "/main", "/prod", 1) }, status: 403, code: "ForbiddenException", text: "Forbidden"},
		{name: "no permission", op: "post", data: message, edit: func(s *step) {
			s.AccessKeyID, s.SecretAccessKey, s.SessionToken = stranger.AccessKeyID, stranger.SecretAccessKey, ""
		}, status: 403, code: "AccessDeniedException", text: "User: arn:aws:iam::123456781380:user/stranger is not authorized to perform: execute-api:ManageConnections on resource: " +
			"arn:aws:execute-api:eu-west-1:********1380:a1b2c3d4e5/main/POST/@connections/{connectionId}"},
		{name: "an unknown key", op: "post", data: message, edit: func(s *step) { s.AccessKeyID = "AKIANOBODY" }, status: 403, code: "UnrecognizedClientException", text: "The security token included in the request is invalid."},
		{name: "no session token", op: "get", edit: func(s *step) { s.SessionToken = "" }, status: 403, code: "UnrecognizedClientException", text: "The security token included in the request is invalid."},
		{name: "a wrong secret", op: "delete", edit: func(s *step) { s.SecretAccessKey = "wrong" }, status: 403, code: "InvalidSignatureException", text: "The request signature we calculated does not match"},
		{name: "another region", op: "get", edit: func(s *step) { s.Region = "us-east-1" }, status: 403, code: "InvalidSignatureException", text: "Credential should be scoped to a valid region."},
	}
}

// traits are how a client differs from the others.
type traits struct {
	run client
	// attempts is how often a call is made in all that is answered 429.
	attempts int
	// invalidSignature is the same for InvalidSignatureException, which one SDK
	// takes for a wrong clock.
	invalidSignature int
	// gone is the message of a 410, whose body is empty.
	gone string
	// silent are the codes whose message the client does not read.
	silent []string
	// noStatus: the client does not tell the status.
	noStatus bool
	// only are the names of the lines to try, for a client that is slow to
	// start; nil means all.
	only []string
}

// answers holds one client against the table.
func answers(t *testing.T, c traits) {
	message := []byte("h\u00e9llo \x00\xff")
	s := &shelf{fate: make(map[apigw.ConnectionID]error), got: make(map[apigw.ConnectionID][]byte)}
	url, count := endpoint(t, s)
	table, ids := calls(message), apigw.NewIDs()
	table = slices.DeleteFunc(table, func(line call) bool { return c.only != nil && !slices.Contains(c.only, line.name) })
	var steps []step
	for _, call := range table {
		id := ids.Connection()
		s.fate[id] = call.fate
		next := step{Endpoint: url + "/main", Region: region, AccessKeyID: owner.AccessKeyID, SecretAccessKey: owner.SecretAccessKey, SessionToken: owner.SessionToken, Op: call.op, ID: id.String(), Data: call.data}
		call.edit(&next)
		steps = append(steps, next)
	}
	for i, got := range c.run(t, nil, steps) {
		call, id := table[i], steps[i].ID
		t.Run(call.name, func(t *testing.T) {
			if err := c.judge(call, got); err != nil {
				t.Error(err)
			}
			attempts := 1
			switch {
			case call.retried:
				attempts = c.attempts
			case call.code == "InvalidSignatureException":
				attempts = c.invalidSignature
			}
			if n := count.of(id); n != attempts {
				t.Errorf("%d attempts, want %d", n, attempts)
			}
			if sent := s.sent(id); call.op == "post" && call.code == "" && !bytes.Equal(sent, call.data) {
				t.Errorf("sent %.100q, want %.100q", sent, call.data)
			}
		})
	}
}

func (c traits) judge(want call, got result) error {
	text := want.text
	if want.code == "GoneException" {
		text = c.gone
	}
	if slices.Contains(c.silent, want.code) {
		text = ""
	}
	status := want.status
	if c.noStatus || got.Status == 0 && want.code == "" {
		status = 0
	}
	if got.Status != status || got.Code != want.code || !strings.HasPrefix(got.Message, text) || text == "" && got.Message != "" {
		return fmt.Errorf("got %d %q %q, want %d %q %q", got.Status, got.Code, got.Message, status, want.code, text)
	}
	if want.op == "get" && want.code == "" && (got.ConnectedAt != connectedText && got.ConnectedAt != strings.Replace(connectedText, "Z", "+00:00", 1) && got.ConnectedAt != strings.Replace(connectedText, "Z", "000+00:00", 1) || got.SourceIP != "203.0.113.7") {
		return fmt.Errorf("GET shows connectedAt %q and sourceIp %q", got.ConnectedAt, got.SourceIP)
	}
	return nil
}
