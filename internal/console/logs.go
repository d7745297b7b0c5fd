package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost/internal/telemetry"
)

const (
	// defaultLines and maxLines bound the recent lines of one answer.
	defaultLines = 100
	maxLines     = 50_000
	// maxFollowers is how many answers that follow there may be at one time.
	maxFollowers = 32
	// followerStall is how long a follower may leave its lines unread.
	followerStall = 30 * time.Second
)

// MissedLine is the type of a line that says how much a slow follower missed.
const MissedLine telemetry.LineType = "gatepost.missed"

// logs answers with the functions' logs: a JSON object a line, which is a
// telemetry.Line.
type logs struct {
	source    Source
	followers chan struct{} // a token for each
}

func newLogs(src Source) *logs {
	return &logs{source: src, followers: make(chan struct{}, maxFollowers)}
}

// logQuery is what is asked for.
type logQuery struct {
	telemetry.Query
	lines  int
	follow bool
}

// parseLogQuery reads the parameters; an error is for who asks.
func parseLogQuery(v url.Values, now time.Time) (q logQuery, err error) {
	q = logQuery{Query: telemetry.Query{Function: v.Get("function"), RequestID: v.Get("request")}, lines: defaultLines}
	if text := v.Get("since"); text != "" {
		ago, err := time.ParseDuration(text)
		if err != nil || ago < 0 {
			return q, fmt.Errorf("since is a time such as 90s, 10m or 2h, not %q", text)
		}
		q.Since = now.Add(-ago)
	}
	if text := v.Get("n"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return q, fmt.Errorf("n is a number of lines, not %q", text)
		}
		q.lines = min(n, maxLines)
	}
	if text := v.Get("follow"); text != "" {
		if q.follow, err = strconv.ParseBool(text); err != nil {
			return q, fmt.Errorf("follow is true or false, not %q", text)
		}
	}
	return q, nil
}

// ServeHTTP writes the recent lines, and goes on as new ones come if that is
// asked for, until the caller or the server ends.
func (l *logs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q, err := parseLogQuery(r.URL.Query(), time.Now())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if text := l.unknown(q.Function); text != "" {
		http.Error(w, text, http.StatusNotFound)
		return
	}
	out := newLineWriter(w)
	if !q.follow {
		var log telemetry.Transcript
		out.write(latest(log.All(l.source.Logs(q.Query)), q.lines))
		return
	}
	select {
	case l.followers <- struct{}{}:
		defer func() { <-l.followers }()
	default:
		http.Error(w, fmt.Sprintf("There are %d followers already; end one of them.", maxFollowers), http.StatusServiceUnavailable)
		return
	}
	l.follow(r, q, out)
}

// unknown says which functions there are when there is none of this name.
func (l *logs) unknown(name string) string {
	if name == "" {
		return ""
	}
	var names []string
	for _, f := range l.source.Functions() {
		if f.Name == name {
			return ""
		}
		names = append(names, f.Name)
	}
	if len(names) == 0 {
		return fmt.Sprintf("there is no function %q; the running template has none", name)
	}
	return fmt.Sprintf("there is no function %q; there are: %s", name, strings.Join(names, ", "))
}

// follow writes the recent lines and then those that come.
func (l *logs) follow(r *http.Request, q logQuery, out *lineWriter) {
	events, cancel := l.source.Subscribe()
	defer cancel()
	recent := l.source.Logs(q.Query)
	var log telemetry.Transcript
	lines := latest(log.All(recent), q.lines)
	var last uint64
	if n := len(recent); n > 0 {
		last = recent[n-1].Seq
	}
	var before uint64 // the number of the last event of the subscription
	for out.write(lines) {
		select {
		case e, open := <-events:
			if !open {
				return
			}
			lines = lines[:0]
			if before != 0 && e.Seq > before+1 {
				lines = append(lines, missed(e, e.Seq-before-1))
			}
			before = e.Seq
			if e.Seq > last && q.Matches(&e) {
				lines = append(lines, log.Next(e)...)
			}
		case <-r.Context().Done():
			return
		}
	}
}

func missed(e telemetry.Event, n uint64) telemetry.Line {
	return telemetry.Line{Time: e.Time, Type: MissedLine, Message: fmt.Sprintf("up to %d lines were left out: they came faster than they were read", n)}
}

// latest returns the last n lines.
func latest(lines []telemetry.Line, n int) []telemetry.Line { return lines[max(0, len(lines)-n):] }

// lineWriter writes lines as they come.
type lineWriter struct {
	control *http.ResponseController
	enc     *json.Encoder
	began   bool
}

func newLineWriter(w http.ResponseWriter) *lineWriter {
	w.Header().Set("Content-Type", "application/x-ndjson")
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return &lineWriter{control: http.NewResponseController(w), enc: enc}
}

// write writes lines, and reports whether there is still somebody to write to.
func (l *lineWriter) write(lines []telemetry.Line) bool {
	if len(lines) == 0 && l.began {
		return true
	}
	l.began = true
	// Where there is no such deadline nobody can stall.
	_ = l.control.SetWriteDeadline(time.Now().Add(followerStall))
	for i := range lines {
		if l.enc.Encode(&lines[i]) != nil {
			return false
		}
	}
	return l.control.Flush() == nil
}
