package console

import (
	"context"
	"errors"
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
func (fixed) RunSchedule(_ context.Context, name string) ([]ScheduleCall, error) {
	if name != "rule/nightly" {
		return nil, errors.New("there is no schedule " + name)
	}
	return []ScheduleCall{{Target: "arn:f"}, {Target: "arn:q", Error: "gone"}}, nil
}

func TestAdminAPI(t *testing.T) {
	feed := telemetry.NewFeed()
	for range 3 {
		feed.Record(telemetry.Event{Kind: telemetry.Connected})
	}
	h := Handler(fixed{feed}, "secret")
	for _, tt := range []struct {
		name, host, path, token string // the path of a POST has the method before it
		status                  int
		contains                string
	}{
		{"connections", "127.0.0.1:4400", "/api/connections", "secret", 200, `"connectionId": "AQAAAAAAAAAAAAA="`},
		{"functions", "localhost:4400", "/api/functions", "secret", 200, "[]"},
		{"events", "[::1]:4400", "/api/events?n=2", "secret", 200, `"connected"`},
		{"a schedule, now", "localhost:4400", "POST /api/schedules/rule%2Fnightly/run", "secret", 200, `"error": "gone"`},
		{"no such schedule", "localhost:4400", "POST /api/schedules/other/run", "secret", 404, "there is no schedule other"},
		{"a page cannot run one", "localhost:4400", "POST /api/schedules/rule%2Fnightly/run", "", 401, "token"},
		{"nor can a link", "localhost:4400", "/api/schedules/rule%2Fnightly/run", "secret", 405, ""},
		{"wrong token", "127.0.0.1:4400", "/api/connections", "secre", 401, "Authorization: Bearer"},
		{"no token", "127.0.0.1:4400", "/api/connections", "", 401, "token"},
		{"a name that points here", "evil.example:4400", "/api/connections", "secret", 403, "loopback"},
		{"unknown path", "127.0.0.1:4400", "/api/nothing", "secret", 404, ""},
	} {
		method, path := http.MethodGet, tt.path
		if post, ok := strings.CutPrefix(path, "POST "); ok {
			method, path = http.MethodPost, post
		}
		r := httptest.NewRequest(method, "http://"+tt.host+path, nil)
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
