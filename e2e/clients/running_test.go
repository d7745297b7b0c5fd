package clients

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/gatepost-dev/gatepost/internal/conformance"
	"github.com/gatepost-dev/gatepost/internal/instance"
)

// The bounds of the running program: it has time to be ready, and to bring a
// message to a client, on a machine that does much else.
const (
	readyWithin   = 2 * time.Minute
	deliverWithin = 20 * time.Second
)

// running is a `gatepost demo` with a data folder of its own.
type running struct {
	binary, data string
	api          instance.API
	secrets      instance.Credentials
	run          instance.Run
	// seen are the connections of earlier clients; one may still be closing.
	seen map[string]bool
}

// start builds the program and runs its demo until the test ends.
func start(t *testing.T) *running {
	t.Helper()
	dir := t.TempDir()
	r := &running{binary: filepath.Join(dir, "gatepost"), data: filepath.Join(dir, "data"), seen: make(map[string]bool)}
	if out, err := exec.Command("go", "build", "-o", r.binary, "../../cmd/gatepost").CombinedOutput(); err != nil {
		t.Fatalf("build gatepost: %v\n%s", err, out)
	}
	var log bytes.Buffer
	demo := exec.Command(r.binary, "demo", "--gateway", "127.0.0.1:0", "--aws", "127.0.0.1:0", "--console", "127.0.0.1:0", "--data", r.data)
	demo.Stdout, demo.Stderr = &log, &log
	if err := demo.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		demo.Process.Signal(os.Interrupt)
		if err := demo.Wait(); err != nil {
			t.Errorf("gatepost ended with %v", err)
		}
		if t.Failed() {
			t.Log(log.String())
		}
	})
	if out, err := exec.Command(r.binary, "wait", "--data", r.data, "--timeout", readyWithin.String()).CombinedOutput(); err != nil {
		t.Fatalf("gatepost wait: %v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(r.data, "run.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &r.run); err != nil {
		t.Fatal(err)
	}
	if r.secrets, err = instance.ReadCredentials(r.data); err != nil {
		t.Fatal(err)
	}
	for _, api := range r.run.APIs {
		r.api = api // the demo has one
	}
	return r
}

// connect opens a WebSocket over TLS and returns it with its connection id.
func (r *running) connect(t *testing.T) (*websocket.Conn, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deliverWithin)
	defer cancel()
	url := strings.Replace(r.api.Callback, "https:", "wss:", 1)
	ws, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: &http.Client{Transport: &http.Transport{TLSClientConfig: r.trust(t)}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ws.CloseNow() })
	return ws, r.newcomer(t)
}

// newcomer is the id of the connection that `gatepost ls` shows for the first
// time. The program lists a connection before its client knows that it is open.
func (r *running) newcomer(t *testing.T) (id string) {
	t.Helper()
	out, err := exec.Command(r.binary, "ls", "--json", "--data", r.data).Output()
	if err != nil {
		t.Fatal(err)
	}
	var list []struct{ ConnectionID string }
	if err := json.Unmarshal(out, &list); err != nil {
		t.Fatal(err)
	}
	for _, l := range list {
		if !r.seen[l.ConnectionID] {
			r.seen[l.ConnectionID], id = true, l.ConnectionID
		}
	}
	if id == "" {
		t.Fatalf("gatepost ls shows no new connection: %s", out)
	}
	return id
}

func (r *running) trust(t *testing.T) *tls.Config {
	pem, err := os.ReadFile(r.run.CA)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return &tls.Config{RootCAs: pool}
}

// environment is what `gatepost env` tells people to set for certificates.
func (r *running) environment() []string {
	return []string{"AWS_CA_BUNDLE=" + r.run.Bundle, "NODE_EXTRA_CA_CERTS=" + r.run.CA, "SSL_CERT_FILE=" + r.run.Bundle}
}

// TestRunningProgram: each client, over TLS, with the addresses and credentials
// that a user has, posts to a WebSocket, asks about it, closes it, and finds it
// gone.
func TestRunningProgram(t *testing.T) {
	t.Parallel()
	r := start(t)
	for _, c := range []struct {
		name string
		run  client
	}{{"js-v2", jsV2}, {"js-v3", jsV3}, {"boto3", boto3}, {"aws-cli", awsCLI}} {
		t.Run(c.name, func(t *testing.T) {
			ws, id := r.connect(t)
			r.visit(t, ws, id, c.run)
		})
	}
	conformance.Covers(t, "management.post-200", "management.post-text-frame", "management.get-200", "management.delete-closes", "management.gone-empty-body")
}

func (r *running) visit(t *testing.T, ws *websocket.Conn, id string, run client) {
	message := fmt.Sprintf("hello to %s, h\u00e9llo", id)
	var steps []step
	for _, op := range []string{"post", "get", "delete", "post", "get"} {
		steps = append(steps, step{
			Endpoint: r.api.Callback, Region: r.run.Region, AccessKeyID: r.secrets.AccessKeyID, SecretAccessKey: r.secrets.SecretAccessKey, SessionToken: r.secrets.SessionToken,
			Op: op, ID: id, Data: []byte(message),
		})
	}
	received := make(chan string, 1)
	ctx, cancel := context.WithTimeout(t.Context(), runWithin+deliverWithin)
	defer cancel()
	go func() {
		kind, data, err := ws.Read(ctx)
		_, _, end := ws.Read(ctx)
		received <- fmt.Sprintf("%v %s %v, then %v", kind, data, err, websocket.CloseStatus(end))
	}()
	results := run(t, r.environment(), steps)
	for i, want := range []string{"", "", "", "GoneException", "GoneException"} {
		if results[i].Code != want {
			t.Errorf("%s: %+v, want the code %q", steps[i].Op, results[i], want)
		}
	}
	if results[1].SourceIP != "127.0.0.1" || results[1].ConnectedAt == "" {
		t.Errorf("get: %+v", results[1])
	}
	if got, want := <-received, fmt.Sprintf("MessageText %s <nil>, then StatusNormalClosure", message); got != want {
		t.Errorf("the client received %s, want %s", got, want)
	}
}
