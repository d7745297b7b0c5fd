package instance

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	// scratchFile names the folder of scratch data of the instance that runs, or
	// of one that was killed.
	scratchFile   = "scratch"
	scratchPrefix = "gatepost-scratch-"
	// memoryFolder is where Linux keeps files in memory. It is used when it has
	// room for enoughMemory bytes: in a container it may have 64 MB.
	memoryFolder = "/dev/shm"
	enoughMemory = 1 << 30
)

// Scratch makes a folder (0700) for data that ends with the instance: in memory
// on Linux, if there is a gigabyte of it for files, and else among the system's
// temporary files. Close removes it; what an instance left that was killed is
// removed by the next Open of the same data folder.
func (d *Dir) Scratch() (string, error) {
	path, err := os.MkdirTemp(scratchParent(), scratchPrefix+"*")
	if err != nil {
		return "", fmt.Errorf("make a folder for data that is not kept: %w", err)
	}
	if err := writeFile(d.Join(scratchFile), []byte(path), 0o600); err != nil {
		os.Remove(path)
		return "", err
	}
	return path, nil
}

func scratchParent() string {
	var st unix.Statfs_t
	if unix.Statfs(memoryFolder, &st) == nil && uint64(st.Bavail)*uint64(st.Bsize) >= enoughMemory && unix.Access(memoryFolder, unix.W_OK|unix.X_OK) == nil {
		return memoryFolder
	}
	return os.TempDir()
}

// removeScratch removes the scratch data that the folder's last instance made. A
// note that names anything else is not believed.
func (d *Dir) removeScratch() error {
	text, err := os.ReadFile(d.Join(scratchFile))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find the data that was not to be kept: %w", err)
	}
	path := filepath.Clean(string(text))
	parent := filepath.Dir(path)
	if strings.HasPrefix(filepath.Base(path), scratchPrefix) && (parent == memoryFolder || parent == filepath.Clean(os.TempDir())) {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("remove the data that was not to be kept: %w", err)
		}
	}
	return os.Remove(d.Join(scratchFile))
}
