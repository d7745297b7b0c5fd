package function

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// keptVersions is how many versions of a function's code stay in the cache:
	// sandboxes of the last one may still run when the next is there.
	keptVersions = 3
	// freshPrefix begins the names of folders that are being filled, and
	// staleAfter is when nobody fills one any more.
	freshPrefix = "new-"
	staleAfter  = time.Hour
)

// codeFolder is the folder of one function in the cache. In it lie versions of
// its code, each in a folder that is named after its contents.
type codeFolder string

// codeFolder makes the folder for what is made of a source, and returns its
// absolute path.
func (b *builder) codeFolder(source, kind string) (codeFolder, error) {
	if b.cacheDir == "" {
		return "", fmt.Errorf("%s needs a folder to be unpacked or built into, and there is none", source)
	}
	cacheDir, err := filepath.Abs(b.cacheDir)
	if err != nil {
		return "", fmt.Errorf("find the folder for code: %w", err)
	}
	folder := filepath.Join(cacheDir, cacheName(source)+"-"+kind)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", fmt.Errorf("make a folder for code: %w", err)
	}
	return codeFolder(folder), nil
}

// version returns the folder of a version and whether it is there.
func (c codeFolder) version(sum fingerprint) (string, bool) {
	folder := filepath.Join(string(c), sum.name())
	if !isFolder(folder) {
		return folder, false
	}
	// The newest ones are kept. A time that cannot be set makes it no worse.
	now := time.Now()
	_ = os.Chtimes(folder, now, now)
	return folder, true
}

// fresh makes an empty folder for a version that is not there yet.
func (c codeFolder) fresh() (string, error) {
	folder, err := os.MkdirTemp(string(c), freshPrefix)
	if err != nil {
		return "", fmt.Errorf("make a folder for code: %w", err)
	}
	// It is the code's own folder later, which others may look into.
	return folder, os.Chmod(folder, 0o755)
}

// settle gives a filled folder its name, in one step, and forgets the oldest
// versions. It returns the version's folder.
func (c codeFolder) settle(fresh string, sum fingerprint) (string, error) {
	defer c.forget()
	folder, there := c.version(sum)
	if there {
		return folder, os.RemoveAll(fresh)
	}
	err := os.Rename(fresh, folder)
	if errors.Is(err, fs.ErrExist) { // another Gatepost was faster
		return folder, os.RemoveAll(fresh)
	}
	return folder, err
}

// forget removes all but the newest versions, and what was left half done.
func (c codeFolder) forget() {
	entries, err := os.ReadDir(string(c))
	if err != nil {
		return
	}
	type version struct {
		name string
		time time.Time
	}
	var versions []version
	for _, e := range entries {
		info, err := e.Info()
		switch {
		case err != nil:
		case !strings.HasPrefix(e.Name(), freshPrefix):
			versions = append(versions, version{e.Name(), info.ModTime()})
		case time.Since(info.ModTime()) > staleAfter:
			_ = os.RemoveAll(filepath.Join(string(c), e.Name()))
		}
	}
	slices.SortFunc(versions, func(a, b version) int { return b.time.Compare(a.time) })
	for _, v := range versions[min(len(versions), keptVersions):] {
		// What cannot be removed now is tried again next time.
		_ = os.RemoveAll(filepath.Join(string(c), v.name))
	}
}
