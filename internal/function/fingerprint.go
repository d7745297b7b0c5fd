package function

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// fingerprint tells two versions of a function's code apart.
type fingerprint [sha256.Size]byte

// name is a fingerprint for the name of a folder.
func (f fingerprint) name() string { return hex.EncodeToString(f[:16]) }

func fingerprintOf(h hash.Hash) (sum fingerprint) {
	h.Sum(sum[:0])
	return sum
}

// fileFingerprint is the hash of a file. Times do not tell two versions of a
// binary apart: the go command touches one that it finds up to date. It is zero
// for a file that cannot be read.
func fileFingerprint(path string) (sum fingerprint) {
	file, err := os.Open(path)
	if err != nil {
		return sum
	}
	defer file.Close()
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return sum
	}
	return fingerprintOf(h)
}

// maxFiles bounds the files of a folder that are looked at.
const maxFiles = 200_000

// treeFingerprint changes with the names, sizes and times of a folder's files,
// and with the words that are given beside it. Contents are not read: packages
// of JavaScript and Python have many files.
func treeFingerprint(folder string, words ...string) fingerprint {
	h := sha256.New()
	fmt.Fprintf(h, "%q\n", words)
	files := 0
	// What cannot be looked at now can be different then.
	_ = filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			fmt.Fprintf(h, "%q %v\n", path, err)
			return nil
		case e.IsDir() && (e.Name() == ".git" || e.Name() == "__pycache__"):
			return fs.SkipDir
		case e.IsDir():
			return nil
		}
		if files++; files > maxFiles {
			return fs.SkipAll
		}
		if info, err := e.Info(); err == nil {
			fmt.Fprintf(h, "%q %v %d %d\n", path, info.Mode(), info.Size(), info.ModTime().UnixNano())
		}
		return nil
	})
	return fingerprintOf(h)
}

// contentFingerprint is the hash of all files of a folder, with their names and
// modes. It fails on a folder of more than maxUnzipped bytes, which Lambda
// would not take.
func contentFingerprint(folder string) (fingerprint, error) {
	h, size := sha256.New(), int64(0)
	err := filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if size += info.Size(); size > maxUnzipped {
			return errTooMuchCode
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%q %v %d\n", name, info.Mode(), info.Size())
		return hashContents(h, path, info.Mode())
	})
	return fingerprintOf(h), err
}

func hashContents(h hash.Hash, path string, mode fs.FileMode) error {
	if mode.Type() == fs.ModeSymlink {
		target, err := os.Readlink(path)
		fmt.Fprintf(h, "%q\n", target)
		return err
	}
	if !mode.IsRegular() {
		return fmt.Errorf("%s is neither a file nor a folder", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(h, file)
	return err
}
