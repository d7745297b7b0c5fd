package console

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
)

type fixed struct{ feed *telemetry.Feed }

func (fixed) Connections() []Connection {
	return []Connection{{API: "a", ConnectionInfo: apigw.ConnectionInfo{ID: apigw.ConnectionID{1}}}}
}
func (fixed) Functions() []Function                         { return nil }
func (f fixed) Recent(n int) []telemetry.Event              { return f.feed.Recent(n) }
func (f fixed) Logs(q telemetry.Query) []telemetry.Event    { return f.feed.Logs(q) }
func (f fixed) Subscribe() (<-chan telemetry.Event, func()) { return f.feed.Subscribe() }

func TestAdminAPI(t *testing.T) {
	feed := telemetry.NewFeed()
	for range 3 {
		feed.Record(telemetry.Event{Kind: telemetry.Connected})
	}
	h := Handler(fixed{feed}, "secret")
	for _, tt := range []struct {
		name, host, path, token string
		status                  int
		contains                string
	}{
		{"connections", "127.0.0.1:4400", "/api/connections", "secret", 200, `"connectionId": "AQAAAAAAAAAAAAA="`},
		{"functions", "localhost:4400", "/api/functions", "secret", 200, "[]"},
		{"events", "[::1]:4400", "/api/events?n=2", "secret", 200, `"connected"`},
		{"wrong token", "127.0.0.1:4400", "/api/connections", "secre", 401, "Authorization: Bearer"},
		{"no token", "127.0.0.1:4400", "/api/connections", "", 401, "token"},
		{"a name that points here", "evil.example:4400", "/api/connections", "secret", 403, "loopback"},
		{"unknown path", "127.0.0.1:4400", "/api/nothing", "secret", 404, ""},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://"+tt.host+tt.path, nil)
		if tt.token != "" {
			r.Header.Set("Authorization", "Bearer "+tt.token)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.contains) {
			t.Errorf("%s: %d %q; want %d with %q", tt.name, w.Code, w.Body, tt.status, tt.contains)
		}
		if tt.name == "events" && strings.Count(w.Body.String(), `"kind"`) != 2 {
			t.Errorf("asked for 2 events, got %s", w.Body)
		}
	}
}
