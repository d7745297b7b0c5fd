// Package console owns the admin API of a running Gatepost, which the command
// line speaks: what runs, who is connected, what happened last.
package console

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
)

// Connection is one live connection as `gatepost ls` shows it.
type Connection struct {
	API string `json:"api"`
	apigw.ConnectionInfo
}

// Function is the state of one function.
type Function struct {
	Name        string        `json:"name"`
	State       string        `json:"state"`
	Built       string        `json:"built,omitempty"`
	BuildTime   time.Duration `json:"buildTime,omitempty"`
	Sandboxes   int           `json:"sandboxes"`
	Invocations uint64        `json:"invocations"`
	Errors      uint64        `json:"errors"`
}

// ScheduleCall is how a schedule's call of one target ended.
type ScheduleCall struct {
	// Target is the ARN of a function, queue or topic.
	Target string `json:"target"`
	// Error is empty when the target has the event: the function's queue, that is,
	// and not yet the function.
	Error string `json:"error,omitempty"`
}

// Source is what the admin API shows.
type Source interface {
	// Connections returns the live connections of all APIs.
	Connections() []Connection
	// Functions returns the state of the functions.
	Functions() []Function
	// Recent returns the latest events, oldest first.
	Recent(n int) []telemetry.Event
	// Logs returns what is remembered of the functions' logs, oldest first.
	Logs(telemetry.Query) []telemetry.Event
	// Subscribe returns the events from now on, and what ends that.
	Subscribe() (events <-chan telemetry.Event, cancel func())
	// RunSchedule calls the targets of a schedule now, as if it were due; it may
	// be a disabled one. The error is a sentence about the name, which is that of
	// a schedule, its logical id or its ARN.
	RunSchedule(ctx context.Context, name string) ([]ScheduleCall, error)
}

// maxEvents bounds one answer of /api/events.
const maxEvents = 1000

// Handler serves the admin API to callers that know the token:
//
//	GET /api/connections   the live connections
//	GET /api/functions     the functions
//	GET /api/events?n=100  the latest events
//	GET /api/logs          the functions' logs as a JSON object a line; with
//	                       function=NAME, request=ID (or its beginning), since=10m,
//	                       n=100 (lines), and follow=true for those to come
//	POST /api/schedules/{name}/run
//	                       call the targets of a schedule now
//
// Requests whose Host is not a loopback name are refused, so that a web page
// cannot reach the API by a name of its own that resolves to 127.0.0.1.
func Handler(src Source, token string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/connections", func(w http.ResponseWriter, r *http.Request) {
		answer(w, src.Connections())
	})
	mux.HandleFunc("GET /api/functions", func(w http.ResponseWriter, r *http.Request) {
		answer(w, src.Functions())
	})
	mux.HandleFunc("GET /api/events", func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.URL.Query().Get("n"))
		if err != nil || n < 1 {
			n = 100
		}
		answer(w, src.Recent(min(n, maxEvents)))
	})
	mux.Handle("GET /api/logs", newLogs(src))
	mux.HandleFunc("POST /api/schedules/{name}/run", func(w http.ResponseWriter, r *http.Request) {
		calls, err := src.RunSchedule(r.Context(), r.PathValue("name"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		answer(w, calls)
	})
	return guard(mux, token)
}

func guard(next http.Handler, token string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		switch {
		case !IsLoopback(r.Host):
			http.Error(w, "The admin API answers on loopback names only.", http.StatusForbidden)
		case subtle.ConstantTimeCompare([]byte(given), []byte(token)) != 1:
			http.Error(w, "The admin API needs the token of the data folder's credentials.json: Authorization: Bearer TOKEN.", http.StatusUnauthorized)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// IsLoopback reports whether a request's Host names this machine alone: localhost
// or a loopback address, with a port or without.
func IsLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return ip != nil && ip.IsLoopback()
}

// answer writes a list; an empty one is [], not null.
func answer[T any](w http.ResponseWriter, list []T) {
	if list == nil {
		list = []T{}
	}
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.Encode(list)
}
