package function

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// maxSource is the most that the folder of a Makefile may have, in bytes: it is
// copied for every build. Compiled dependencies and data may lie in it.
const maxSource = 1 << 30

// notCopied are the names of folders that belong to no code: those that the AWS
// SAM CLI leaves out, and Gatepost's own.
var notCopied = []string{".git", ".aws-sam", ".gatepost"}

// copying copies a folder into an empty one.
type copying struct {
	from string // absolute
	to   *os.Root
	// without is a folder that may lie in from and is left out: the one that the
	// copy lies in.
	without string
	left    int64 // bytes
	files   int
}

// copyFolder copies a folder with modes, times and symbolic links, and nothing
// of it is written to. A link that leads out of it leads to the same place.
// *left is what it may have in bytes, and what is left of that afterwards.
func copyFolder(from, to, without string, left *int64) error {
	from, err := filepath.Abs(from)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(to)
	if err != nil {
		return err
	}
	defer root.Close()
	if without != "" {
		if without, err = filepath.Abs(without); err != nil {
			return err
		}
	}
	c := &copying{from: from, to: root, without: without, left: *left, files: maxFiles}
	err = filepath.WalkDir(from, c.visit)
	*left = c.left
	return err
}

// visit copies one entry.
func (c *copying) visit(path string, e fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	name, err := filepath.Rel(c.from, path)
	if err != nil {
		return err
	}
	if c.files--; c.files < 0 {
		return fmt.Errorf("%s has more than %d files", c.from, maxFiles)
	}
	switch {
	case e.IsDir() && name != "." && (slices.Contains(notCopied, e.Name()) || path == c.without):
		return fs.SkipDir
	case e.IsDir():
		return c.to.MkdirAll(name, 0o755)
	case e.Type() == fs.ModeSymlink:
		return c.link(path, name)
	case e.Type().IsRegular():
		return c.file(path, name)
	}
	return nil // sockets and the like are no code
}

func (c *copying) file(path, name string) error {
	from, err := os.Open(path)
	if err != nil {
		return err
	}
	defer from.Close()
	info, err := from.Stat()
	if err != nil {
		return err
	}
	to, err := c.to.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm()|0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(to, io.LimitReader(from, c.left+1))
	if err := errors.Join(err, to.Close()); err != nil {
		return err
	}
	if c.left -= n; c.left < 0 {
		return errTooMuchCode
	}
	// make compares times.
	return c.to.Chtimes(name, info.ModTime(), info.ModTime())
}

func (c *copying) link(path, name string) error {
	target, err := os.Readlink(path)
	if err != nil {
		return err
	}
	if !filepath.IsAbs(target) && !filepath.IsLocal(filepath.Join(filepath.Dir(name), target)) {
		target = filepath.Join(filepath.Dir(path), target)
	}
	return c.to.Symlink(target, name)
}
