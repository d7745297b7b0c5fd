// Package watch tells which files have changed: it watches files and folders,
// with the folders below them where that is asked for, and gathers what an
// editor, a formatter or a checkout does in a moment into one change.
//
// It watches through the system's notifications (inotify and its like), which
// know single folders only, and looks at the files itself where there are none to
// be had.
package watch

import (
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Defaults of Options.
const (
	// DefaultQuiet is how long nothing may have happened before a change is told.
	DefaultQuiet = 100 * time.Millisecond
	// DefaultMost is how many folders are watched.
	DefaultMost = 10_000
	// DefaultPoll is how often files are looked at without notifications.
	DefaultPoll = 500 * time.Millisecond
)

// Root is a place that is watched.
type Root struct {
	// Path is the absolute path of a file or a folder. It need not exist: it is
	// watched as soon as it does.
	Path string
	// Deep says that the folders below a folder are watched too, but for those
	// that Ignored names.
	Deep bool
}

// Options say how to watch. The zero value is ready for use.
type Options struct {
	// Quiet is how long nothing may have happened before a change is told; zero
	// means DefaultQuiet. A change is told after ten times that in any case.
	Quiet time.Duration
	// Most bounds the folders; zero means DefaultMost.
	Most int
	// Poll is how often files are looked at where there are no notifications;
	// zero means DefaultPoll.
	Poll time.Duration
	// Polling does without notifications.
	Polling bool
	// Without is a folder whose contents are never watched; "" for none.
	Without string
	// Warn is told, in a sentence each, what keeps changes from being seen, or
	// from being seen at once. Nil drops it.
	Warn func(sentence string)
}

// Change is what happened in a moment.
type Change struct {
	// Paths are the files and folders that were written, made, renamed or
	// removed, sorted, each once.
	Paths []string
	// All says that more happened than Paths tells: everything may have changed.
	All bool
}

// Has reports whether a change touches a root.
func (c Change) Has(r Root) bool {
	return c.All || slices.ContainsFunc(c.Paths, r.Has)
}

// Has reports whether a path is the root, or lies in it as far as it is watched.
func (r Root) Has(path string) bool {
	if path == r.Path {
		return true
	}
	if r.Deep {
		return strings.HasPrefix(path, strings.TrimSuffix(r.Path, string(filepath.Separator))+string(filepath.Separator))
	}
	return filepath.Dir(path) == r.Path
}

// Watcher watches roots. Its methods may be called together.
type Watcher struct {
	options  Options
	settings chan setting
	changes  chan Change
	stop     chan struct{}
	ended    chan struct{}
}

// New returns a watcher of nothing yet. It must be closed.
func New(o Options) *Watcher {
	if o.Quiet <= 0 {
		o.Quiet = DefaultQuiet
	}
	if o.Most <= 0 {
		o.Most = DefaultMost
	}
	if o.Poll <= 0 {
		o.Poll = DefaultPoll
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	w := &Watcher{options: o, settings: make(chan setting), changes: make(chan Change), stop: make(chan struct{}), ended: make(chan struct{})}
	go w.run()
	return w
}

// Set replaces what is watched, and returns the number of watched folders once
// they are watched: what happens afterwards is told. What is watched already
// stays so without a gap. Of roots that are new, files that were written after
// since are told too, unless that is zero. After Close it does nothing.
func (w *Watcher) Set(roots []Root, since time.Time) (folders int) {
	wanted := setting{slices.Clone(roots), since, make(chan int, 1)}
	select {
	case w.settings <- wanted:
		return <-wanted.folders
	case <-w.ended:
		return 0
	}
}

// setting is a call of Set.
type setting struct {
	roots   []Root
	since   time.Time
	folders chan int // gets the answer
}

// Changes is where changes are told; it is closed by Close. While nobody
// receives, what happens is gathered.
func (w *Watcher) Changes() <-chan Change { return w.changes }

// Close ends the watching and returns when nothing is left of it. It may be
// called once.
func (w *Watcher) Close() {
	close(w.stop)
	<-w.ended
}

// run watches until Close.
func (w *Watcher) run() {
	defer close(w.ended)
	defer close(w.changes)
	events := make(chan event)
	gathered := make(chan struct{})
	go func() {
		defer close(gathered)
		gather(w.stop, events, w.changes, w.options.Quiet)
	}()
	defer func() { <-gathered }()
	s := &session{Options: w.options, events: events, stop: w.stop}
	if !s.Polling {
		s.notify()
	}
	s.run(w.settings)
}
