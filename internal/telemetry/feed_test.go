package telemetry

import (
	"fmt"
	"testing"
)

func TestRecentKeepsTheLatest(t *testing.T) {
	f := NewFeed()
	if got := f.Recent(5); len(got) != 0 {
		t.Errorf("an empty feed has %d events", len(got))
	}
	for i := range ringSize + 10 {
		f.Record(Event{Text: fmt.Sprint(i)})
	}
	got := f.Recent(3)
	if len(got) != 3 || got[0].Text != fmt.Sprint(ringSize+7) || got[2].Text != fmt.Sprint(ringSize+9) {
		t.Errorf("the latest three are %v", got)
	}
	if got := f.Recent(10 * ringSize); len(got) != ringSize || got[0].Text != "10" {
		t.Errorf("%d events from %q, want %d from 10", len(got), got[0].Text, ringSize)
	}
	if got := f.Recent(-1); len(got) != 0 {
		t.Errorf("Recent(-1) gave %d events", len(got))
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
	if f.Recent(1) != nil {
		t.Error("a nil feed remembers")
	}
	_, cancel := f.Subscribe()
	cancel()
}
