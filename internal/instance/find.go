package instance

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// ErrNotRunning: no running instance was found. The error that wraps it says
// where it was looked for.
var ErrNotRunning = errors.New("no running Gatepost was found")

// Find returns the running instance that a command means: the one of the data
// folder dir, if dir is not empty; else the one of ./.gatepost or of a parent
// folder's; else the only one that this user runs. Several are an error that
// lists them.
func Find(dir string) (*Run, error) {
	if dir != "" {
		r, err := read(dir)
		if err != nil {
			return nil, fmt.Errorf("%w in %s; start it with: gatepost dev --data %s", ErrNotRunning, dir, dir)
		}
		return r, nil
	}
	if r := findAbove(); r != nil {
		return r, nil
	}
	switch found := registered(); len(found) {
	case 0:
		return nil, fmt.Errorf("%w; start one with: gatepost dev PATH, or gatepost demo", ErrNotRunning)
	case 1:
		return found[0], nil
	default:
		var list strings.Builder
		for _, r := range found {
			fmt.Fprintf(&list, "\n  --data %s", r.Data)
		}
		return nil, fmt.Errorf("several Gateposts run; say which:%s", list.String())
	}
}

// findAbove looks in the working directory and its parents.
func findAbove() *Run {
	here, err := os.Getwd()
	if err != nil {
		return nil
	}
	for {
		if r, err := read(filepath.Join(here, Folder)); err == nil {
			return r
		}
		parent := filepath.Dir(here)
		if parent == here {
			return nil
		}
		here = parent
	}
}

// read reads run.json of a data folder whose process is alive.
func read(dir string) (*Run, error) {
	text, err := os.ReadFile(filepath.Join(dir, runFile))
	if err != nil {
		return nil, err
	}
	var r Run
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("read %s: %w", filepath.Join(dir, runFile), err)
	}
	if r.PID <= 0 || syscall.Kill(r.PID, 0) == syscall.ESRCH {
		return nil, ErrNotRunning
	}
	return &r, nil
}

// registry is the folder of this user in which running instances are noted,
// one file each, so that a command finds them from any working directory.
func registry() (string, error) {
	base := os.Getenv("XDG_RUNTIME_DIR")
	if base == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		base = cache
	}
	return filepath.Join(base, "gatepost", "running"), nil
}

func (d *Dir) entry() (string, error) {
	dir, err := registry()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(d.Path))
	return filepath.Join(dir, hex.EncodeToString(sum[:8])), nil
}

// register notes the folder. A machine without a home or cache folder has no
// registry, which only means that --data must be given.
func (d *Dir) register() error {
	file, err := d.entry()
	if err != nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil
	}
	return writeFile(file, []byte(d.Path+"\n"), 0o600)
}

func (d *Dir) unregister() {
	if file, err := d.entry(); err == nil {
		os.Remove(file)
	}
}

// registered returns the instances that are noted and alive, and removes the
// notes of those that are not.
func registered() []*Run {
	dir, err := registry()
	if err != nil {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var found []*Run
	for _, e := range entries {
		file := filepath.Join(dir, e.Name())
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if r, err := read(strings.TrimSpace(string(text))); err == nil {
			found = append(found, r)
		} else {
			os.Remove(file)
		}
	}
	return found
}
