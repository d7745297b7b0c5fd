package instance

import (
	"os"
	"path/filepath"
	"testing"
)

// Scratch data goes with Close, or with the next Open when nobody closed.
func TestScratch(t *testing.T) {
	folder := t.TempDir()
	for _, killed := range []bool{false, true} {
		d := openFolder(t, folder)
		path, err := d.Scratch()
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%v, %v", info, err)
		}
		if err := os.WriteFile(filepath.Join(path, "data"), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if killed {
			d.lock.Close()
			d = openFolder(t, folder)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("killed %v: the data is still there: %v", killed, err)
		}
		if _, err := os.Stat(filepath.Join(folder, scratchFile)); !os.IsNotExist(err) {
			t.Errorf("killed %v: the note is still there: %v", killed, err)
		}
	}
}

// Nothing else is removed, whatever the note says.
func TestScratchElsewhere(t *testing.T) {
	precious := filepath.Join(t.TempDir(), scratchPrefix+"1")
	if err := os.Mkdir(precious, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, note := range []string{precious, os.TempDir(), "/", "", memoryFolder + "/" + scratchPrefix + "/.."} {
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, scratchFile), []byte(note), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := openFolder(t, folder).Close(); err != nil {
			t.Errorf("%q: %v", note, err)
		}
	}
	if _, err := os.Stat(precious); err != nil {
		t.Error(err)
	}
}

func openFolder(t *testing.T, folder string) *Dir {
	t.Helper()
	d, err := Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
