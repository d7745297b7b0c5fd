package watch

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// gathering runs gather in a bubble.
func gathering(t *testing.T, test func(t *testing.T, events chan<- event, changes <-chan Change)) {
	synctest.Test(t, func(t *testing.T) {
		stop, events, changes := make(chan struct{}), make(chan event), make(chan Change)
		go gather(stop, events, changes, 100*time.Millisecond)
		test(t, events, changes)
		close(stop)
	})
}

func TestAChangeIsToldOnceItIsQuiet(t *testing.T) {
	gathering(t, func(t *testing.T, events chan<- event, changes <-chan Change) {
		started := time.Now()
		for _, path := range []string{"/b", "/a", "/b"} {
			events <- event{path}
			time.Sleep(50 * time.Millisecond)
		}
		c := <-changes
		if took := time.Since(started); took != 200*time.Millisecond {
			t.Errorf("told after %s, want 100ms after the last event", took)
		}
		if !slices.Equal(c.Paths, []string{"/a", "/b"}) || c.All {
			t.Errorf("told %+v", c)
		}
		select {
		case c := <-changes:
			t.Errorf("told %+v, and nothing has happened", c)
		case <-time.After(time.Minute):
		}
	})
}

func TestAChangeIsToldWhenItIsNeverQuiet(t *testing.T) {
	gathering(t, func(t *testing.T, events chan<- event, changes <-chan Change) {
		started := time.Now()
		tick := time.NewTicker(50 * time.Millisecond)
		for {
			select {
			case <-tick.C:
				events <- event{"/a"}
				continue
			case <-changes:
			}
			break
		}
		if took := time.Since(started); took > 1100*time.Millisecond {
			t.Errorf("told after %s", took)
		}
	})
}

func TestWhatHappensMeanwhileIsAdded(t *testing.T) {
	gathering(t, func(t *testing.T, events chan<- event, changes <-chan Change) {
		events <- event{"/a"}
		time.Sleep(time.Second) // as long as a build
		events <- event{"/b"}
		time.Sleep(time.Second)
		if c := <-changes; !slices.Equal(c.Paths, []string{"/a", "/b"}) {
			t.Errorf("told %+v", c)
		}
	})
}

func TestAChangeIsBounded(t *testing.T) {
	gathering(t, func(t *testing.T, events chan<- event, changes <-chan Change) {
		for i := range mostPaths + 1 {
			events <- event{fmt.Sprint("/", i)}
		}
		if c := <-changes; !c.All || len(c.Paths) != 0 || !c.Has(Root{Path: "/elsewhere"}) {
			t.Errorf("told %d paths, All %t", len(c.Paths), c.All)
		}
	})
}
