package console

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/internal/telemetry"
)

// withFunctions is a source that has the functions a and b.
type withFunctions struct{ fixed }

func (withFunctions) Functions() []Function { return []Function{{Name: "a"}, {Name: "b"}} }

// logServer serves the admin API over a feed with some lines of a and b.
func logServer(t *testing.T) (*telemetry.Feed, *httptest.Server) {
	feed := telemetry.NewFeed()
	server := httptest.NewUnstartedServer(Handler(withFunctions{fixed{feed}}, "secret"))
	server.Config.ReadTimeout = 50 * time.Millisecond // following takes longer
	server.Start()
	t.Cleanup(server.Close)
	return feed, server
}

func ask(t *testing.T, server *httptest.Server, query string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/api/logs?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer secret")
	resp, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func wrote(function, id, text string) telemetry.Event {
	return telemetry.Event{Kind: telemetry.LogLine, Function: function, RequestID: id, Text: text}
}

func ran(function, id string) telemetry.Event {
	return telemetry.Event{Kind: telemetry.Invoked, Function: function, RequestID: id, Duration: time.Millisecond,
		Report: &telemetry.Report{Billed: time.Millisecond, MemoryMB: 128, Status: telemetry.Success}}
}

// messages returns the beginnings of the lines of an answer.
func messages(t *testing.T, body io.Reader) string {
	t.Helper()
	var all []string
	for in := json.NewDecoder(body); ; {
		var l telemetry.Line
		if err := in.Decode(&l); err == io.EOF {
			return strings.Join(all, " ")
		} else if err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(l.Message, " ")
		all = append(all, first)
	}
}

func TestLogs(t *testing.T) {
	feed, server := logServer(t)
	old := wrote("a", "1-a", "old")
	old.Time = time.Now().Add(-time.Hour)
	feed.Record(old)
	feed.Record(telemetry.Event{Kind: telemetry.Connected, Text: "no log"})
	feed.Record(wrote("a", "2-a", "one"))
	feed.Record(wrote("b", "3-b", "two"))
	feed.Record(ran("a", "2-a"))
	feed.Record(ran("b", "3-b"))
	for _, tt := range []struct {
		query  string
		status int
		want   string
	}{
		{"", 200, "START old START one START two END REPORT END REPORT"},
		{"function=b", 200, "START two END REPORT"},
		{"since=10m&function=a", 200, "START one END REPORT"},
		{"request=3", 200, "START two END REPORT"},
		{"n=3&function=a", 200, "one END REPORT"},
		{"n=0", 200, ""},
		{"n=99999999999", 200, "START old START one START two END REPORT END REPORT"},
		{"function=b&request=2", 200, ""},
		{"function=c", 404, `there is no function "c"; there are: a, b`},
		{"since=10", 400, `since is a time such as 90s, 10m or 2h, not "10"`},
		{"since=-1m", 400, `since is a time such as 90s, 10m or 2h, not "-1m"`},
		{"n=x", 400, `n is a number of lines, not "x"`},
		{"n=-1", 400, `n is a number of lines, not "-1"`},
		{"follow=maybe", 400, `follow is true or false, not "maybe"`},
	} {
		resp := ask(t, server, tt.query)
		var got string
		if resp.StatusCode == 200 {
			got = messages(t, resp.Body)
		} else {
			text, _ := io.ReadAll(resp.Body)
			got = strings.TrimSpace(string(text))
		}
		if resp.StatusCode != tt.status || got != tt.want {
			t.Errorf("%s: %d %q, want %d %q", tt.query, resp.StatusCode, got, tt.status, tt.want)
		}
	}
}

// Following gives the recent lines and then each new one once, for longer than
// the server gives a request.
func TestFollow(t *testing.T) {
	feed, server := logServer(t)
	feed.Record(wrote("a", "1", "before"))
	body := bufio.NewReader(ask(t, server, "follow=true&function=a").Body)
	next := func() (l telemetry.Line) {
		t.Helper()
		text, err := body.ReadBytes('\n')
		if err != nil {
			t.Fatalf("the answer ends: %v", err)
		}
		if err := json.Unmarshal(text, &l); err != nil {
			t.Fatal(err)
		}
		return l
	}
	if a, b := next(), next(); a.Type != telemetry.StartLine || b.Message != "before" {
		t.Errorf("recent lines: %+v, %+v", a, b)
	}
	began := time.Now()
	for i := 0; i < 10 || time.Since(began) < 200*time.Millisecond; i++ {
		feed.Record(wrote("b", "2", "of another"))
		feed.Record(wrote("a", "1", fmt.Sprint(i)))
		if l := next(); l.Message != fmt.Sprint(i) || l.Type != telemetry.FunctionLine || l.RequestID != "1" {
			t.Fatalf("line %d is %+v", i, l)
		}
	}
	feed.Record(ran("a", "1"))
	if a, b := next(), next(); a.Type != telemetry.EndLine || b.Type != telemetry.ReportLine || b.Record == nil || b.Record.Metrics.MemorySizeMB != 128 {
		t.Errorf("the end: %+v, %+v", a, b)
	}
}

// What a follower is too slow for is counted.
func TestFollowSaysWhatIsMissing(t *testing.T) {
	feed, server := logServer(t)
	resp := ask(t, server, "follow=true")
	done := make(chan struct{})
	go func() { // until the answer is read, more is written than can wait
		defer close(done)
		text := strings.Repeat("x", 60<<10)
		for range 4000 {
			feed.Record(wrote("a", "1", text))
		}
		feed.Record(wrote("a", "1", "last"))
	}()
	<-done
	in := json.NewDecoder(resp.Body)
	missed, read := 0, 0
	for {
		// The last line may be among the missed; another comes until one is not.
		feed.Record(wrote("a", "1", "last"))
		var l telemetry.Line
		if err := in.Decode(&l); err != nil {
			t.Fatal(err)
		}
		if l.Type == MissedLine {
			var n int
			if _, err := fmt.Sscanf(l.Message, "up to %d lines were left out", &n); err != nil {
				t.Fatalf("%q: %v", l.Message, err)
			}
			missed += n
		}
		if read++; l.Message == "last" {
			break
		}
	}
	if missed < 1000 || missed+read < 4000 {
		t.Errorf("%d lines were read and %d missed, of 4001", read, missed)
	}
}

func TestFollowersAreBounded(t *testing.T) {
	_, server := logServer(t)
	for range maxFollowers {
		if resp := ask(t, server, "follow=true"); resp.StatusCode != 200 {
			t.Fatal(resp.Status)
		}
	}
	resp := ask(t, server, "follow=true")
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(text), "followers already") {
		t.Errorf("%s %q", resp.Status, text)
	}
	if resp := ask(t, server, ""); resp.StatusCode != 200 {
		t.Errorf("without following: %s", resp.Status)
	}
}

// hasty is a source to which something happens between Subscribe and Logs.
type hasty struct{ withFunctions }

func (h hasty) Logs(q telemetry.Query) []telemetry.Event {
	h.feed.Record(wrote("a", "1", "meanwhile"))
	return h.feed.Logs(q)
}

// A line that comes while following begins is told once.
func TestFollowTellsNothingTwice(t *testing.T) {
	feed := telemetry.NewFeed()
	server := httptest.NewServer(Handler(hasty{withFunctions{fixed{feed}}}, "secret"))
	t.Cleanup(server.Close)
	in := json.NewDecoder(ask(t, server, "follow=true").Body)
	var got []string
	for len(got) == 0 || got[len(got)-1] != "after" {
		var l telemetry.Line
		if err := in.Decode(&l); err != nil {
			t.Fatal(err)
		}
		if got = append(got, l.Message); l.Message == "meanwhile" {
			feed.Record(wrote("a", "1", "after"))
		}
	}
	if len(got) != 3 {
		t.Errorf("%q", got)
	}
}
