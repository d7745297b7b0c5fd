package telemetry

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestRecentKeepsTheLatest(t *testing.T) {
	f := NewFeed()
	if got := f.Recent(5); len(got) != 0 {
		t.Errorf("an empty feed has %d events", len(got))
	}
	for i := range maxEvents + 10 {
		f.Record(Event{Text: fmt.Sprint(i)})
	}
	got := f.Recent(3)
	if len(got) != 3 || got[0].Text != fmt.Sprint(maxEvents+7) || got[2].Text != fmt.Sprint(maxEvents+9) {
		t.Errorf("the latest three are %v", got)
	}
	if got := f.Recent(10 * maxEvents); len(got) != maxEvents || got[0].Text != "10" {
		t.Errorf("%d events from %q, want %d from 10", len(got), got[0].Text, maxEvents)
	}
	if got := f.Recent(-1); len(got) != 0 {
		t.Errorf("Recent(-1) gave %d events", len(got))
	}
}

func TestRecentKeepsTheOrderOfAllSources(t *testing.T) {
	f := NewFeed()
	for i := range 1000 {
		switch rand.IntN(3) {
		case 0:
			f.Record(Event{Kind: Connected, Bytes: i})
		case 1:
			f.Record(Event{Kind: LogLine, Function: "a", Bytes: i})
		case 2:
			f.Record(Event{Kind: Invoked, Function: "b", Bytes: i})
		}
	}
	for i, e := range f.Recent(500) {
		if e.Bytes != 500+i || e.Seq != uint64(501+i) {
			t.Fatalf("event %d is number %d, the %dth recorded", i, e.Seq, e.Bytes)
		}
	}
}

// A function that floods its log pushes out its own lines and nobody else's.
func TestAFloodLeavesTheOthers(t *testing.T) {
	for name, line := range map[string]string{"short lines": "x", "long lines": strings.Repeat("x", 20<<10)} {
		f := NewFeed()
		for i := range 500 {
			f.Record(Event{Kind: LogLine, Function: "quiet", RequestID: "1", Text: fmt.Sprint(i)})
			f.Record(Event{Kind: Connected})
		}
		for i := range 3 * maxEvents {
			f.Record(Event{Kind: LogLine, Function: "chatty", RequestID: "2", Text: line, Bytes: i})
			if f.bytes > maxBytes || f.count > maxEvents {
				t.Fatalf("%s: %d events of %d bytes are remembered", name, f.count, f.bytes)
			}
		}
		if got := f.Logs(Query{Function: "quiet"}); len(got) != 500 || got[0].Text != "0" || got[499].Text != "499" {
			t.Errorf("%s: %d lines are left of the quiet function", name, len(got))
		}
		chatty := f.Logs(Query{Function: "chatty"})
		if n := len(chatty); n < 300 || chatty[n-1].Bytes != 3*maxEvents-1 || chatty[0].Bytes != 3*maxEvents-n {
			t.Errorf("%s: %d lines are left of the chatty function", name, n)
		}
		if n := len(f.Recent(maxEvents)); n != len(chatty)+1000 {
			t.Errorf("%s: %d events in all", name, n)
		}
	}
}

// What two sources have is shared out between them, and a source of which
// nothing is left is forgotten.
func TestSourcesComeAndGo(t *testing.T) {
	f := NewFeed()
	for i := range 5 {
		f.Record(Event{Kind: LogLine, Function: fmt.Sprint("f", i)})
	}
	for i := range maxEvents {
		f.Record(Event{Kind: LogLine, Function: "first", Bytes: i})
	}
	for i := range maxEvents {
		f.Record(Event{Kind: LogLine, Function: "second", Bytes: i})
	}
	first, second := f.Logs(Query{Function: "first"}), f.Logs(Query{Function: "second"})
	if d := len(first) - len(second); d < -1 || d > 1 || len(first)+len(second)+5 != maxEvents {
		t.Errorf("%d and %d lines", len(first), len(second))
	}
	if l := f.byName["first"]; len(l.ring) > 4*l.n {
		t.Errorf("a ring of %d for %d events", len(l.ring), l.n)
	}
	for i := range maxEvents {
		f.Record(Event{Kind: LogLine, Function: fmt.Sprint("g", i)})
	}
	if len(f.lanes) != len(f.byName) || f.count != maxEvents {
		t.Errorf("%d lanes, %d names, %d events", len(f.lanes), len(f.byName), f.count)
	}
}

func TestLogsFinds(t *testing.T) {
	f := NewFeed()
	start := time.Now()
	for i := range 10 {
		at := start.Add(time.Duration(i) * time.Second)
		f.Record(Event{Time: at, Kind: LogLine, Function: fmt.Sprint("f", i%2), RequestID: fmt.Sprintf("%d-id", i/2), Text: fmt.Sprint(i)})
		f.Record(Event{Time: at, Kind: Posted, RequestID: fmt.Sprintf("%d-id", i/2)})
	}
	for _, tt := range []struct {
		name string
		q    Query
		want string
	}{
		{"everything", Query{}, "0123456789"},
		{"one function", Query{Function: "f1"}, "13579"},
		{"no function", Query{Function: "f2"}, ""},
		{"one request", Query{RequestID: "3-id"}, "67"},
		{"the beginning of a request's id", Query{RequestID: "3"}, "67"},
		{"since then", Query{Since: start.Add(7 * time.Second)}, "789"},
		{"all of it", Query{Function: "f0", RequestID: "4", Since: start}, "8"},
	} {
		got := ""
		for _, e := range f.Logs(tt.q) {
			got += e.Text
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestALongTextIsCutBetweenCharacters(t *testing.T) {
	for _, n := range []int{maxText - 1, maxText, maxText + 1, 3 * maxText} {
		f := NewFeed()
		f.Record(Event{Text: strings.Repeat("ä", n/2+1)})
		got := f.Recent(1)[0].Text
		if len(got) > maxText || len(got) < min(n, maxText)-1 || strings.Trim(got, "ä") != "" {
			t.Errorf("of %d bytes %d are left", n, len(got))
		}
	}
}

func TestASlowSubscriberHoldsNobodyUp(t *testing.T) {
	f := NewFeed()
	events, cancel := f.Subscribe()
	for i := range subscriberBuffer + 5 {
		f.Record(Event{Text: fmt.Sprint(i)})
	}
	cancel()
	cancel() // twice is fine
	n := 0
	for e := range events {
		if e.Text != fmt.Sprint(n) {
			t.Fatalf("event %d is %q", n, e.Text)
		}
		n++
	}
	if n != subscriberBuffer {
		t.Errorf("%d events waited, want %d", n, subscriberBuffer)
	}
	f.Record(Event{}) // nobody listens any more
}

func TestANilFeedDropsEverything(t *testing.T) {
	var f *Feed
	f.Record(Event{})
	if f.Recent(1) != nil || f.Logs(Query{}) != nil {
		t.Error("a nil feed remembers")
	}
	_, cancel := f.Subscribe()
	cancel()
}

func BenchmarkRecord(b *testing.B) {
	f := NewFeed()
	r := &Report{}
	b.ReportAllocs()
	for b.Loop() {
		f.Record(Event{Kind: Invoked, Function: "f", RequestID: "8ab7c6d5-0000-4000-8000-000000000000", Report: r})
	}
}
