package main

import (
	"strings"
	"testing"

	"github.com/gatepost-dev/gatepost"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
)

// Where no line is wanted nobody watches: a watcher has a thread woken for each
// event, whatever it does with it.
func TestQuietWatchesNothing(t *testing.T) {
	if (&narrator{quiet: true}).events() != nil {
		t.Error("--quiet watches the events")
	}
	var out strings.Builder
	(&narrator{out: &out}).events()(gatepost.Event{Kind: telemetry.Disconnected, ConnectionID: "c=", Text: "a\nb"})
	if got := out.String(); !strings.HasSuffix(got, "c= disconnected: a b\n") {
		t.Errorf("without --quiet an event is %q", got)
	}
}
