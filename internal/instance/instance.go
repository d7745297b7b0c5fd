// Package instance owns what one Gatepost keeps on disk about itself: the data
// folder and its lock, run.json with the addresses of what runs, and the
// credentials that it gave out; and it finds a running instance again.
package instance

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Folder is the name of the data folder that lies beside a template.
const Folder = ".gatepost"

// runFile is the name of the file with a running instance's addresses.
const runFile = "run.json"

// Run is the content of run.json: where a running instance is to be found.
// Scripts read it, so names stay.
type Run struct {
	PID int `json:"pid"`
	// APIs are keyed by the API's name.
	APIs map[string]API `json:"apis"`
	// AWS is the URL of the AWS endpoint (DynamoDB, SQS, SNS, Kinesis, Lambda).
	AWS string `json:"aws"`
	// Console is the URL of the console and the admin API.
	Console string `json:"console"`
	// CA is the path of the local certificate authority's certificate.
	CA string `json:"ca"`
	// Bundle is the path of the CA together with the system's roots.
	Bundle string `json:"caBundle"`
	// Region is the AWS region that the instance plays.
	Region string `json:"region"`
	// Data is the absolute path of the data folder.
	Data string `json:"data"`
}

// API is where one API is to be found.
type API struct {
	ID    string `json:"id"`
	Stage string `json:"stage"`
	// URL is where clients connect, "ws://127.0.0.1:3001/main".
	URL string `json:"url"`
	// Callback is the management endpoint, "https://localhost:3001/main".
	Callback string `json:"callback"`
	// Keys are the values of the API keys that open the stage, by name.
	Keys map[string]string `json:"keys,omitempty"`
}

// Dir is an open, locked data folder. Close it when the instance ends.
type Dir struct {
	Path string
	lock *os.File
}

// Open makes the folder (0700) if it is missing and locks it. Two instances
// cannot share a folder: the second gets an error that names it. The lock ends
// with the process, however it ends.
func Open(path string) (*Dir, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find the data folder: %w", err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(path, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the data folder's lock: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("another Gatepost uses the data folder %s; stop it, or choose another folder with --data DIR", path)
		}
		return nil, fmt.Errorf("lock the data folder %s: %w", path, err)
	}
	// What an instance that was killed left behind is not true any more.
	os.Remove(filepath.Join(path, runFile))
	d := &Dir{Path: path, lock: lock}
	if err := d.removeScratch(); err != nil {
		lock.Close()
		return nil, err
	}
	return d, nil
}

// Join returns the path of a file in the folder.
func (d *Dir) Join(elem ...string) string {
	return filepath.Join(append([]string{d.Path}, elem...)...)
}

// Close removes run.json and the scratch data, and unlocks the folder. It may be called twice.
func (d *Dir) Close() error {
	if d.lock == nil {
		return nil
	}
	d.retract()
	err := errors.Join(d.removeScratch(), d.lock.Close())
	d.lock = nil
	return err
}

// Announce writes run.json, and notes the folder for Find: from then on the
// command line finds the instance.
func (d *Dir) Announce(r Run) error {
	r.PID, r.Data = os.Getpid(), d.Path
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode run.json: %w", err)
	}
	if err := writeFile(d.Join(runFile), append(text, '\n'), 0o600); err != nil {
		return err
	}
	return d.register()
}

func (d *Dir) retract() {
	os.Remove(d.Join(runFile))
	d.unregister()
}

// writeFile replaces a file in one step, so that a reader sees the old or the
// new content and never half of it, after a power cut too: on many file systems a
// new name can reach the disk before what the file has in it.
func writeFile(path string, data []byte, mode fs.FileMode) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Chmod(mode), tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
