package watch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

// event is one thing that happened. An empty path means that anything may have.
type event struct{ path string }

// session is the watching itself, in one goroutine.
type session struct {
	Options
	events   chan<- event
	stop     <-chan struct{}
	notifier *fsnotify.Watcher // nil while polling
	roots    []Root
	folders  map[string]bool // that are watched
	seen     snapshot        // while polling
	warned   map[string]bool // what was told, by kind: each once
}

// notify asks the system for notifications, and goes without when there are none.
func (s *session) notify() {
	notifier, err := fsnotify.NewBufferedWatcher(4096)
	if err != nil {
		s.poll(err)
		return
	}
	s.notifier = notifier
}

// poll goes on without notifications.
func (s *session) poll(why error) {
	if s.notifier != nil {
		s.notifier.Close()
		s.notifier = nil
	}
	s.warn("polling", fmt.Sprintf("The system gives no notifications of changed files (%s); the files are looked at every %s instead.", reason(why), s.Poll))
	s.seen = s.look(s.roots)
}

// reason says what to do about a limit of the system.
func reason(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return "its limit of watched folders is reached: raise it with sudo sysctl fs.inotify.max_user_watches=524288"
	case errors.Is(err, syscall.EMFILE):
		return "its limit of watchers is reached: raise it with sudo sysctl fs.inotify.max_user_instances=512"
	}
	return err.Error()
}

// warn tells a sentence, of each kind the first one.
func (s *session) warn(kind, sentence string) {
	if !s.warned[kind] {
		if s.warned == nil {
			s.warned = make(map[string]bool)
		}
		s.warned[kind] = true
		s.Warn(sentence)
	}
}

// tell reports an event to who gathers them.
func (s *session) tell(path string) {
	select {
	case s.events <- event{path}:
	case <-s.stop:
	}
}

// run deals with notifications, with the time and with new roots. The timer looks
// for roots that are not there, and at all files while polling.
func (s *session) run(settings <-chan setting) {
	defer func() {
		if s.notifier != nil {
			s.notifier.Close()
		}
	}()
	timer := time.NewTimer(s.Poll)
	defer timer.Stop()
	for {
		var events chan fsnotify.Event
		var errs chan error
		if s.notifier != nil {
			events, errs = s.notifier.Events, s.notifier.Errors
		}
		select {
		case <-s.stop:
			return
		case next := <-settings:
			next.folders <- s.set(next)
		case e := <-events:
			s.notified(e)
		case <-errs: // the system lost count
			s.follow()
			s.tell("")
		case <-timer.C:
			started := time.Now()
			s.tick()
			// A large tree takes a tenth of the time at most.
			timer.Reset(max(s.Poll, 10*time.Since(started)))
		}
	}
}

// set watches other roots and returns in how many folders that is.
func (s *session) set(next setting) (folders int) {
	before := s.roots
	s.roots = next.roots
	if s.notifier != nil {
		s.follow()
	} else {
		s.compare(s.look(s.roots), false)
	}
	if !next.since.IsZero() {
		s.tellSince(next.since, slices.DeleteFunc(slices.Clone(next.roots), func(r Root) bool { return slices.Contains(before, r) }))
	}
	if s.notifier != nil {
		return len(s.folders)
	}
	return s.seen.folders()
}

// tellSince tells which files of the roots were written after a time.
func (s *session) tellSince(since time.Time, roots []Root) {
	for path, is := range s.look(roots) {
		if is.time.After(since) {
			s.tell(path)
		}
	}
}

// tick looks for what nobody tells.
func (s *session) tick() {
	if s.notifier == nil {
		s.compare(s.look(s.roots), true)
		return
	}
	for _, r := range s.roots {
		if at := s.folderOf(r); !s.folders[at] && exists(at) {
			s.follow()
			s.tell(r.Path)
		}
	}
}

// notified deals with a notification.
func (s *session) notified(e fsnotify.Event) {
	if e.Has(fsnotify.Remove) || e.Has(fsnotify.Rename) {
		s.leave(e.Name)
	}
	if e.Op == fsnotify.Chmod || Ignored(e.Name) {
		return
	}
	if e.Has(fsnotify.Create) && s.isDeep(e.Name) {
		if info, err := os.Lstat(e.Name); err == nil && info.IsDir() {
			s.follow() // what was written before it was watched is told with the folder itself
		}
	}
	if slices.ContainsFunc(s.roots, func(r Root) bool { return r.Has(e.Name) }) {
		s.tell(e.Name)
	}
}

// leave forgets a folder that has gone, or has another name now, with those below.
func (s *session) leave(path string) {
	gone := Root{Path: path, Deep: true}
	for folder := range s.folders {
		if gone.Has(folder) {
			_ = s.notifier.Remove(folder) // the system has mostly done so itself
			delete(s.folders, folder)
		}
	}
}

func (s *session) isDeep(path string) bool {
	return slices.ContainsFunc(s.roots, func(r Root) bool { return r.Deep && r.Has(path) })
}

// folderOf is the folder that has to be watched for a root: of a file the one
// that it lies in, because editors put another file in its place.
func (s *session) folderOf(r Root) string {
	if info, err := os.Stat(r.Path); err == nil && !info.IsDir() {
		return filepath.Dir(r.Path)
	}
	return r.Path
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// follow watches the folders of the roots, and no others any more. What was made
// in a folder after it was read and before it was watched, nobody tells: so it
// reads them again until there is nothing new.
func (s *session) follow() {
	for s.notifier != nil && s.followOnce() {
	}
}

// followOnce reports whether it watches a folder more than before.
func (s *session) followOnce() (more bool) {
	wanted := make(map[string]bool)
	for _, r := range s.roots {
		s.want(wanted, r)
	}
	for path := range s.folders {
		if !wanted[path] {
			_ = s.notifier.Remove(path) // it may have gone by itself
			delete(s.folders, path)
		}
	}
	if s.folders == nil {
		s.folders = make(map[string]bool)
	}
	for path := range wanted {
		if s.folders[path] {
			continue
		}
		if err := s.notifier.Add(path); err != nil && exists(path) {
			s.poll(err)
			return false
		} else if err == nil {
			s.folders[path], more = true, true
		}
	}
	return more
}

// want adds the folders of a root that are there.
func (s *session) want(wanted map[string]bool, r Root) {
	at := s.folderOf(r)
	if !r.Deep || at != r.Path {
		if exists(at) {
			s.wantOne(wanted, at)
		}
		return
	}
	_ = filepath.WalkDir(at, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil || !e.IsDir():
			return nil // what cannot be read now cannot be built either
		case path != at && (Ignored(path) || path == s.Without), !s.wantOne(wanted, path):
			return fs.SkipDir
		}
		return nil
	})
}

func (s *session) wantOne(wanted map[string]bool, path string) bool {
	if len(wanted) >= s.Most && !wanted[path] {
		s.warn("folders", fmt.Sprintf("More than %d folders would have to be watched; changes in %s and further ones are not seen.", s.Most, path))
		return false
	}
	wanted[path] = true
	return true
}
