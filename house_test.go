package gatepost

import (
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/stack"
)

// TestWhoMayCallAWS holds that credentials of one's own pass on loopback only,
// and that those which were given out are verified everywhere.
func TestWhoMayCallAWS(t *testing.T) {
	h := &house{cfg: Config{Data: filepath.Join(t.TempDir(), "data")}}
	if err := h.openData(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer h.close()
	given, forged, own := h.secrets.Credentials, h.secrets.Credentials, awswire.NewCredentials()
	forged.SecretAccessKey = "guessed"
	for _, tt := range []struct {
		name  string
		at    string
		with  *awswire.Credentials
		taken bool
	}{
		{"given out, loopback", "127.0.0.1", &given, true},
		{"given out, network", "192.0.2.1", &given, true},
		{"forged, loopback", "127.0.0.1", &forged, false},
		{"forged, network", "192.0.2.1", &forged, false},
		{"own, loopback", "127.0.0.1", &own, true},
		{"own, IPv6 loopback", "::1", &own, true},
		{"own, network", "192.0.2.1", &own, false},
		{"own, every address", "0.0.0.0", &own, false},
		{"unsigned, loopback", "127.0.0.1", nil, false},
	} {
		r := httptest.NewRequest(http.MethodPost, "http://localhost/", nil)
		r.RequestURI = "/"
		r.Header.Set("X-Amz-Target", "AmazonSQS.ListQueues")
		if tt.with != nil {
			awswire.Sign(r, []byte("{}"), *tt.with, "us-east-1", "sqs", time.Now())
		}
		err := h.checkAWS(&net.TCPAddr{IP: net.ParseIP(tt.at)})(r, []byte("{}"))
		if (err == nil) != tt.taken {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestNextPort(t *testing.T) {
	for address, want := range map[string]string{"127.0.0.1:3001": "127.0.0.1:3002", "[::1]:9": "[::1]:10", "127.0.0.1:0": "127.0.0.1:0"} {
		if got, err := nextPort(address); err != nil || got != want {
			t.Errorf("nextPort(%s) = %s, %v; want %s", address, got, err, want)
		}
	}
	if _, err := nextPort("nonsense"); err == nil || !strings.Contains(err.Error(), "HOST:PORT") {
		t.Errorf("nextPort(nonsense) = %v", err)
	}
}

func TestDeadLettersFirst(t *testing.T) {
	to := func(arn string) *stack.Redrive { return &stack.Redrive{DeadLetterARN: arn, MaxReceiveCount: 1} }
	queues := []stack.Queue{{ARN: "a", Redrive: to("b")}, {ARN: "b", Redrive: to("c")}, {ARN: "c"}, {ARN: "x", Redrive: to("y")}, {ARN: "y", Redrive: to("x")}}
	var order []string
	for _, q := range deadLettersFirst(queues) {
		order = append(order, q.ARN)
	}
	if want := []string{"c", "b", "a", "y", "x"}; !slices.Equal(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := New(Config{}); err == nil || !strings.Contains(err.Error(), "LoadStack") {
		t.Errorf("without a stack: %v", err)
	}
	bad := &stack.Stack{Mappings: []stack.EventSourceMapping{{Function: "missing", SourceARN: "arn", BatchSize: 10}}}
	if _, err := New(Config{Stack: bad}); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("with a mapping to a missing function: %v", err)
	}
}
