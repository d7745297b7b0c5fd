package watch

import (
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// mostFiles bounds the files that are looked at while polling.
const mostFiles = 100_000

// snapshot is what was seen of files and folders, by path.
type snapshot map[string]seen

// seen is what shows that a file has changed.
type seen struct {
	size int64
	time time.Time
	mode fs.FileMode
}

// compare tells what is different from what was seen before. Unless entries is
// set, files that have come or gone are left out: what is watched has changed.
func (s *session) compare(next snapshot, entries bool) {
	before := s.seen
	s.seen = next
	for path, now := range next {
		if old, known := before[path]; known && old != now || !known && entries {
			s.tell(path)
		}
	}
	for path := range before {
		if _, there := next[path]; !there && entries {
			s.tell(path)
		}
	}
}

// folders is the number of folders in it.
func (s snapshot) folders() (n int) {
	for _, is := range s {
		if is.mode.IsDir() {
			n++
		}
	}
	return n
}

// look looks at the files of roots.
func (s *session) look(roots []Root) snapshot {
	found := make(snapshot)
	for _, r := range roots {
		_ = filepath.WalkDir(r.Path, func(path string, e fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return nil // it is not there, or not to be read
			case path != r.Path && (Ignored(path) || path == s.Without):
				return skip(e)
			case len(found) >= mostFiles:
				s.warn("files", "There are more than 100,000 files to be looked at; changes in "+path+" and further ones are not seen.")
				return fs.SkipAll
			}
			if info, err := os.Stat(path); err == nil {
				found[path] = stateOf(info)
			}
			if e.IsDir() && path != r.Path && !r.Deep {
				return fs.SkipDir
			}
			return nil
		})
	}
	return found
}

func skip(e fs.DirEntry) error {
	if e.IsDir() {
		return fs.SkipDir
	}
	return nil
}

// stateOf is what is seen of a file. The time of a folder changes with what is
// ignored in it too.
func stateOf(info fs.FileInfo) seen {
	if info.IsDir() {
		return seen{mode: info.Mode().Type()}
	}
	return seen{info.Size(), info.ModTime(), info.Mode()}
}
