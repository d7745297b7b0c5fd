package watch

import (
	"maps"
	"slices"
	"time"
)

const (
	// mostPaths bounds what one change names.
	mostPaths = 1000
	// patience is how many times the quiet a change is held back at most.
	patience = 10
)

// gather makes changes of events: each is offered once nothing has happened for
// quiet, or patience times that after its first event. What happens while nobody
// takes it is added to it. It returns when stop is closed.
func gather(stop <-chan struct{}, events <-chan event, changes chan<- Change, quiet time.Duration) {
	var g gathered
	due := time.NewTimer(quiet)
	due.Stop()
	var first time.Time
	var ready chan<- Change // nil until the change may be told
	for {
		select {
		case <-stop:
			return
		case e := <-events:
			if g.empty() {
				first = time.Now()
			}
			g.add(e)
			ready = nil
			due.Reset(min(quiet, max(0, patience*quiet-time.Since(first))))
		case <-due.C:
			ready = changes
		case ready <- g.change():
			g, ready = gathered{}, nil
			due.Stop()
		}
	}
}

// gathered is what has happened so far.
type gathered struct {
	paths map[string]bool
	all   bool
}

func (g *gathered) empty() bool { return len(g.paths) == 0 && !g.all }

func (g *gathered) add(e event) {
	switch {
	case g.all:
	case e.path == "" || len(g.paths) == mostPaths && !g.paths[e.path]:
		g.all, g.paths = true, nil
	default:
		if g.paths == nil {
			g.paths = make(map[string]bool)
		}
		g.paths[e.path] = true
	}
}

func (g *gathered) change() Change {
	return Change{Paths: slices.Sorted(maps.Keys(g.paths)), All: g.all}
}
