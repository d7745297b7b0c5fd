package function

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

const (
	// maxUnzipped is the most that the files of a function may have together, in
	// bytes ("Lambda quotas": 250 MB, unzipped).
	maxUnzipped = 250 << 20
	// maxLink bounds the target of a symbolic link in an archive, in bytes.
	maxLink = 4096
)

var errTooMuchCode = fmt.Errorf("the code is larger than the %d bytes that Lambda takes", int64(maxUnzipped))

// unpack unpacks a zip archive into the cache, unless it is there already, and
// returns the folder.
func (b *builder) unpack(archive string, size int64) (string, error) {
	if size > maxUnzipped {
		return "", fmt.Errorf("its code %s: %w", archive, errTooMuchCode)
	}
	cache, err := b.codeFolder(archive, "zip")
	if err != nil {
		return "", err
	}
	sum := fileFingerprint(archive)
	if folder, there := cache.version(sum); there {
		return folder, nil
	}
	fresh, err := cache.fresh()
	if err != nil {
		return "", err
	}
	left := int64(maxUnzipped)
	if err := unzip(archive, fresh, &left); err != nil {
		return "", errors.Join(fmt.Errorf("unpack its code %s: %w", archive, err), os.RemoveAll(fresh))
	}
	return cache.settle(fresh, sum)
}

// unzip unpacks an archive into an empty folder. Nothing of it comes to lie
// outside of the folder, whatever its names and links say. *left is what it may
// have in bytes, and what is left of that afterwards.
func unzip(archive, folder string, left *int64) error {
	r, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer r.Close()
	if len(r.File) > maxFiles {
		return fmt.Errorf("it has %d entries, and may have %d", len(r.File), maxFiles)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, f := range r.File {
		if err := unzipEntry(root, f, left); err != nil {
			return fmt.Errorf("%q: %w", clip([]byte(f.Name)), err)
		}
	}
	return nil
}

// unzipEntry unpacks one entry. left is what all further ones may have.
func unzipEntry(root *os.Root, f *zip.File, left *int64) error {
	name := strings.TrimSuffix(f.Name, "/")
	if strings.ContainsAny(name, "\\\x00") || !filepath.IsLocal(name) {
		return errors.New("the name leads out of the archive, or has a backslash or a zero byte in it")
	}
	if f.FileInfo().IsDir() {
		return root.MkdirAll(name, 0o755)
	}
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	content, err := f.Open()
	if err != nil {
		return err
	}
	defer content.Close()
	switch f.Mode().Type() {
	case 0:
		return unzipFile(root, name, f.Mode().Perm(), content, left)
	case fs.ModeSymlink:
		return unzipLink(root, name, content)
	}
	return errors.New("it is neither a file, a folder nor a symbolic link")
}

func unzipFile(root *os.Root, name string, mode fs.FileMode, content io.Reader, left *int64) error {
	// On Lambda another user's rights count; here the owner must be able to read.
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode|0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(file, io.LimitReader(content, *left+1))
	err = errors.Join(err, file.Close())
	if *left -= n; *left < 0 {
		return errTooMuchCode
	}
	return err
}

func unzipLink(root *os.Root, name string, content io.Reader) error {
	target, err := io.ReadAll(io.LimitReader(content, maxLink+1))
	switch {
	case err != nil:
		return err
	case len(target) > maxLink:
		return fmt.Errorf("the link's target has more than %d bytes", maxLink)
	case path.IsAbs(string(target)) || !filepath.IsLocal(path.Join(path.Dir(name), string(target))):
		return fmt.Errorf("the link to %q leads out of the archive", clip(target))
	}
	return root.Symlink(string(target), name)
}
