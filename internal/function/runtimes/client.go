package runtimes

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// clients are the Runtime API clients, a folder for each language. The file
// named bootstrap is the one that is run.
//
//go:embed node/*.mjs python/*.py
var clients embed.FS

// bootstraps are the files to run.
var bootstraps = map[Family]string{Node: "node/bootstrap.mjs", Python: "python/bootstrap.py"}

// install writes the client of a family below dir, where it stays from one run
// to the next, and returns the absolute path of the file to run. The folder's
// name tells its contents, so that two versions of Gatepost can share dir.
func install(family Family, dir string) (string, error) {
	bootstrap := bootstraps[family]
	language := filepath.Dir(bootstrap)
	files, err := clientFiles(language)
	if err != nil {
		return "", err
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find the folder for the runtime client: %w", err)
	}
	folder := filepath.Join(dir, "runtime-"+language+"-"+sumOf(files))
	if complete(folder, files) {
		return filepath.Join(folder, filepath.Base(bootstrap)), nil
	}
	if err := write(dir, folder, files); err != nil {
		return "", fmt.Errorf("write the runtime client: %w", err)
	}
	return filepath.Join(folder, filepath.Base(bootstrap)), nil
}

// file is one file of a client.
type file struct {
	name string
	text []byte
}

func clientFiles(language string) ([]file, error) {
	entries, err := clients.ReadDir(language)
	if err != nil {
		return nil, fmt.Errorf("read the runtime client: %w", err)
	}
	files := make([]file, len(entries))
	for i, e := range entries {
		text, err := clients.ReadFile(language + "/" + e.Name())
		if err != nil {
			return nil, fmt.Errorf("read the runtime client: %w", err)
		}
		files[i] = file{e.Name(), text}
	}
	return files, nil
}

func sumOf(files []file) string {
	hash := sha256.New()
	for _, f := range files {
		fmt.Fprintf(hash, "%s %d\n", f.name, len(f.text))
		hash.Write(f.text)
	}
	return hex.EncodeToString(hash.Sum(nil)[:6])
}

// complete reports whether a folder holds the files, unchanged: it is code that
// will run, in a place that others may write to.
func complete(folder string, files []file) bool {
	for _, f := range files {
		if text, err := os.ReadFile(filepath.Join(folder, f.name)); err != nil || string(text) != string(f.text) {
			return false
		}
	}
	return true
}

// write makes the folder in one step, so that nobody sees half of it.
func write(dir, folder string, files []file) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	fresh, err := os.MkdirTemp(dir, "new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(fresh)
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(fresh, f.name), f.text, 0o644); err != nil {
			return err
		}
	}
	// What is there already is of this name and yet not complete.
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	err = os.Rename(fresh, folder)
	if errors.Is(err, fs.ErrExist) && complete(folder, files) { // another Gatepost was faster
		return nil
	}
	return err
}
