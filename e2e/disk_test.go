package e2e

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// tracedCalls are the system calls that a disk follows, and those that it must
// not meet because it does not.
const tracedCalls = "openat,open,creat,close,write,writev,pwrite64,pwritev,pwritev2,lseek,ftruncate,truncate,fallocate,fsync,fdatasync,sync,syncfs,msync," +
	"rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,link,linkat,symlink,symlinkat,copy_file_range,sendfile,splice"

// disk is a folder as a power cut may leave it, told by what strace saw a program
// do there. Of each file it has what was written and what of it was synced: what
// was not is lost. Names (files made, renamed, removed) and truncations are kept as
// of the last moment, as a journal of the file system may have them; a file of
// which nothing was synced is then an empty one.
type disk struct {
	root       string
	files      map[string]*traced // by path
	folders    map[string]bool
	open       map[string]*opened     // by file descriptor
	unfinished map[string]*systemCall // by thread
	// lost counts the bytes that were written and not synced.
	lost int
}

// traced is a file. changes that are not synced are in order.
type traced struct {
	written, synced []byte
	changes         []edit
	made            int // how many changes there were
}

// edit is a write, or a growth to the length at when data is nil.
type edit struct {
	number int
	at     int64
	data   []byte
}

type opened struct {
	file         *traced
	offset       int64
	append, sync bool
}

// readDisk begins with a folder in which all is synced.
func readDisk(root string) (*disk, error) {
	d := &disk{root: root, files: make(map[string]*traced), folders: make(map[string]bool), open: make(map[string]*opened), unfinished: make(map[string]*systemCall)}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && path == root:
			return nil
		case err != nil:
			return err
		case e.IsDir():
			d.folders[path] = true
			return nil
		}
		text, err := os.ReadFile(path)
		d.files[path] = &traced{written: text, synced: bytes.Clone(text)}
		return err
	})
	return d, err
}

// write makes the folder as it is after the cut.
func (d *disk) write() error {
	if err := os.RemoveAll(d.root); err != nil {
		return err
	}
	for folder := range d.folders {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return err
		}
	}
	for path, f := range d.files {
		if err := os.WriteFile(path, f.synced, 0o600); err != nil {
			return err
		}
		for _, c := range f.changes {
			d.lost += len(c.data)
		}
	}
	return nil
}

// differences compares what was written with what the folder really has: it shows
// whether the trace was understood.
func (d *disk) differences() (all []string, err error) {
	real, err := readDisk(d.root)
	if err != nil {
		return nil, err
	}
	for path, f := range real.files {
		switch is := d.files[path]; {
		case is == nil:
			all = append(all, path+" was not seen")
		case !bytes.Equal(is.written, f.written):
			all = append(all, fmt.Sprintf("%s has %d bytes, and %d were seen, or others", path, len(f.written), len(is.written)))
		}
	}
	for path := range d.files {
		if real.files[path] == nil {
			all = append(all, path+" is not there")
		}
	}
	return all, nil
}

// systemCall is one call as strace shows it, with -f -y -xx.
type systemCall struct {
	name, thread string
	args         []string
	result       string
	// synced is how many changes of its file were made when an fsync began.
	synced int
	file   *traced
}

var (
	straceBegun   = regexp.MustCompile(`^(\d+) +(\w+)\((.*)$`)
	straceResumed = regexp.MustCompile(`^(\d+) +<\.\.\. \w+ resumed>(.*)$`)
	straceResult  = regexp.MustCompile(`\) += (-?\d+|\?)(.*)$`)
)

// follow reads a trace to its end.
func (d *disk) follow(trace io.Reader) error {
	lines := bufio.NewReaderSize(trace, 1<<20)
	for n := 1; ; n++ {
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			return nil // what has no end of line was cut off
		}
		if err == nil {
			err = d.line(strings.TrimSuffix(line, "\n"))
		}
		if err != nil {
			return fmt.Errorf("line %d of the trace, %.200s: %w", n, line, err)
		}
	}
}

func (d *disk) line(line string) error {
	if m := straceResumed.FindStringSubmatch(line); m != nil {
		call := d.unfinished[m[1]]
		delete(d.unfinished, m[1])
		if call == nil {
			return errors.New("a call goes on that has not begun")
		}
		return d.ends(call, m[2])
	}
	m := straceBegun.FindStringSubmatch(line)
	if m == nil {
		return nil // a signal, or an end
	}
	args, unfinished := strings.CutSuffix(m[3], " <unfinished ...>")
	end := args
	if at := straceResult.FindStringIndex(args); at != nil && !unfinished {
		args = args[:at[0]]
	}
	call := &systemCall{name: m[2], thread: m[1], args: strings.Split(args, ", ")}
	if err := d.begins(call); err != nil {
		return err
	}
	if unfinished {
		d.unfinished[m[1]] = call
		return nil
	}
	return d.ends(call, end)
}

// begins is what a call does at once, and the latest moment of which an fsync is
// sure.
func (d *disk) begins(c *systemCall) error {
	fd := descriptor(c.args[0])
	switch c.name {
	case "close":
		delete(d.open, fd)
	case "fsync", "fdatasync":
		if o := d.open[fd]; o != nil {
			c.file, c.synced = o.file, o.file.made
		}
	}
	return nil
}

// ends is what a call has done when it returned.
func (d *disk) ends(c *systemCall, end string) error {
	m := straceResult.FindStringSubmatch(end)
	if m == nil || m[1] == "?" || strings.HasPrefix(m[1], "-") {
		return nil
	}
	c.result = m[1]
	run := map[string]func(*disk, *systemCall) error{
		"openat": (*disk).openAt, "close": nothing, "write": (*disk).appendTo, "pwrite64": (*disk).writeAt, "lseek": (*disk).seek,
		"ftruncate": (*disk).truncate, "fsync": (*disk).sync, "fdatasync": (*disk).sync,
		"renameat": (*disk).rename, "unlinkat": (*disk).remove, "mkdirat": (*disk).mkdir,
	}[c.name]
	if run != nil {
		return run(d, c)
	}
	for _, arg := range c.args {
		if _, path, err := place(arg); err == nil && d.has(path) {
			return fmt.Errorf("%s is not followed", c.name)
		}
		if path, err := text(arg); err == nil && d.has(string(path)) {
			return fmt.Errorf("%s is not followed", c.name)
		}
	}
	return nil
}

func nothing(*disk, *systemCall) error { return nil }

func (d *disk) has(path string) bool { return path == d.root || strings.HasPrefix(path, d.root+"/") }

// descriptor is the file descriptor of `7<\x2f...>`.
func descriptor(arg string) string {
	n, _, _ := strings.Cut(arg, "<")
	return n
}

var straceString = regexp.MustCompile(`^(?:\\x[0-9a-f]{2})*$`)

// text is what `"\x61..."` stands for.
func text(arg string) ([]byte, error) {
	in, ok := strings.CutPrefix(arg, `"`)
	in, closed := strings.CutSuffix(in, `"`)
	if !ok || !closed {
		return nil, errors.New("an argument is no whole text")
	}
	return hexText(in)
}

func hexText(in string) ([]byte, error) {
	if !straceString.MatchString(in[:min(len(in), 4096)]) {
		return nil, errors.New("an argument is not in hexadecimal")
	}
	return hex.DecodeString(strings.ReplaceAll(in, `\x`, ""))
}

// place is the number and path of `7<\x2f...>`.
func place(arg string) (fd, path string, err error) {
	fd, rest, ok := strings.Cut(arg, "<")
	rest, closed := strings.CutSuffix(rest, ">")
	if !ok || !closed {
		return "", "", errors.New("an argument has no path")
	}
	name, err := hexText(rest)
	return fd, string(name), err
}

// pathAt is the path of a folder's descriptor and a name in it.
func pathAt(folder, name string) (string, error) {
	in, err := text(name)
	if err != nil || filepath.IsAbs(string(in)) {
		return filepath.Clean(string(in)), err
	}
	_, at, err := place(folder)
	return filepath.Join(at, string(in)), err
}

func (d *disk) openAt(c *systemCall) error {
	path, err := pathAt(c.args[0], c.args[1])
	if err != nil || !d.has(path) || d.folders[path] {
		return err
	}
	flags := strings.Split(c.args[2], "|")
	f := d.files[path]
	if f == nil {
		if !slices.Contains(flags, "O_CREAT") {
			return errors.New("a file is opened that nobody made")
		}
		f = &traced{}
		d.files[path] = f
	}
	if slices.Contains(flags, "O_TRUNC") {
		f.shrink(0)
	}
	d.open[c.result] = &opened{file: f, append: slices.Contains(flags, "O_APPEND"), sync: slices.Contains(flags, "O_SYNC") || slices.Contains(flags, "O_DSYNC")}
	return nil
}

func (d *disk) appendTo(c *systemCall) error {
	o := d.open[descriptor(c.args[0])]
	if o == nil {
		return nil
	}
	if o.append {
		o.offset = int64(len(o.file.written))
	}
	n, err := o.put(c, o.offset)
	o.offset += n
	return err
}

func (d *disk) writeAt(c *systemCall) error {
	o := d.open[descriptor(c.args[0])]
	if o == nil {
		return nil
	}
	at, err := strconv.ParseInt(c.args[3], 10, 64)
	if err == nil {
		_, err = o.put(c, at)
	}
	return err
}

// put writes as many bytes as the call says it did.
func (o *opened) put(c *systemCall, at int64) (int64, error) {
	data, err := text(c.args[1])
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(c.result)
	if err != nil || n > len(data) {
		return 0, fmt.Errorf("%s bytes of %d are written: %w", c.result, len(data), err)
	}
	o.file.change(edit{at: at, data: data[:n]})
	if o.sync {
		o.file.sync(o.file.made)
	}
	return int64(n), nil
}

func (d *disk) seek(c *systemCall) (err error) {
	if o := d.open[descriptor(c.args[0])]; o != nil {
		o.offset, err = strconv.ParseInt(c.result, 10, 64)
	}
	return err
}

func (d *disk) truncate(c *systemCall) error {
	o := d.open[descriptor(c.args[0])]
	if o == nil {
		return nil
	}
	size, err := strconv.ParseInt(c.args[1], 10, 64)
	switch {
	case err != nil:
		return err
	case size > int64(len(o.file.written)):
		o.file.change(edit{at: size})
	default:
		o.file.shrink(size)
	}
	return nil
}

func (d *disk) sync(c *systemCall) error {
	if c.file != nil {
		c.file.sync(c.synced)
	}
	return nil
}

func (d *disk) rename(c *systemCall) error {
	from, err := pathAt(c.args[0], c.args[1])
	if err != nil || !d.has(from) {
		return err
	}
	to, err := pathAt(c.args[2], c.args[3])
	if err != nil {
		return err
	}
	moved := func(path string) (string, bool) {
		rest, ok := strings.CutPrefix(path, from)
		return to + rest, ok && (rest == "" || rest[0] == '/')
	}
	files, folders := make(map[string]*traced), make(map[string]bool)
	for path, f := range d.files {
		if name, ok := moved(path); ok {
			delete(d.files, path)
			files[name] = f
		}
	}
	for path := range d.folders {
		if name, ok := moved(path); ok {
			delete(d.folders, path)
			folders[name] = true
		}
	}
	for path, f := range files {
		d.files[path] = f
	}
	for path := range folders {
		d.folders[path] = true
	}
	return nil
}

func (d *disk) remove(c *systemCall) error {
	path, err := pathAt(c.args[0], c.args[1])
	delete(d.files, path)
	delete(d.folders, path)
	return err
}

func (d *disk) mkdir(c *systemCall) error {
	path, err := pathAt(c.args[0], c.args[1])
	if err == nil && d.has(path) {
		d.folders[path] = true
	}
	return err
}

func (f *traced) change(c edit) {
	c.number = f.made
	f.made++
	f.written = c.apply(f.written)
	f.changes = append(f.changes, c)
}

func (c edit) apply(to []byte) []byte {
	if end := int(c.at) + len(c.data); end > len(to) {
		to = append(to, make([]byte, end-len(to))...)
	}
	copy(to[c.at:], c.data)
	return to
}

// sync brings the first n changes to the disk.
func (f *traced) sync(n int) {
	for len(f.changes) > 0 && f.changes[0].number < n {
		f.synced = f.changes[0].apply(f.synced)
		f.changes = f.changes[1:]
	}
}

// shrink makes the file shorter at once, and what is yet to be synced too.
func (f *traced) shrink(size int64) {
	f.written = f.written[:size]
	f.synced = f.synced[:min(size, int64(len(f.synced)))]
	var left []edit
	for _, c := range f.changes {
		if c.data != nil && c.at < size {
			c.data = c.data[:min(int64(len(c.data)), size-c.at)]
			left = append(left, c)
		}
	}
	f.changes = left
}
