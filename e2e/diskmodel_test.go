package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDisk: what a power cut leaves of what strace saw.
func TestDisk(t *testing.T) {
	t.Parallel()
	hex := func(text string) (all string) {
		for _, b := range []byte(text) {
			all += fmt.Sprintf(`\x%02x`, b)
		}
		return all
	}
	for _, tt := range []struct {
		name  string
		trace []string // FD<a> is a descriptor of the file a, 'x' the text x
		want  map[string]string
	}{
		{"what is synced stays", []string{"write(3<a>, 'one', 3) = 3", "fsync(3<a>) = 0"}, map[string]string{"a": "one"}},
		{"what is written later goes", []string{"write(3<a>, 'one', 3) = 3", "fdatasync(3<a>) = 0", "write(3<a>, 'two', 3) = 3"}, map[string]string{"a": "one"}},
		{"a file that was never synced is empty", []string{"write(3<a>, 'one', 3) = 3"}, map[string]string{"a": ""}},
		{"an overwritten place is as it was", []string{"pwrite64(3<a>, 'old', 3, 2) = 3", "fsync(3<a>) = 0", "pwrite64(3<a>, 'new', 3, 2) = 3"}, map[string]string{"a": "\x00\x00old"}},
		{"a sync that fails brings nothing", []string{"write(3<a>, 'one', 3) = 3", "fsync(3<a>) = -1 EIO (Input/output error)"}, map[string]string{"a": ""}},
		{"a short write is a short one", []string{"write(3<a>, 'one', 3) = 2", "fsync(3<a>) = 0"}, map[string]string{"a": "on"}},
		{"a sync brings what was written when it began", []string{"fsync(3<a> <unfinished ...>", "2 write(3<a>, 'one', 3) = 3", "<... fsync resumed>) = 0"}, map[string]string{"a": ""}},
		{"a sync that has not ended brings nothing", []string{"write(3<a>, 'one', 3) = 3", "fsync(3<a> <unfinished ...>"}, map[string]string{"a": ""}},
		{"a new name stays", []string{"write(3<a>, 'one', 3) = 3", "fsync(3<a>) = 0", "renameat(AT_FDCWD<.>, 'a', AT_FDCWD<.>, 'b') = 0"}, map[string]string{"b": "one"}},
		{"a removed file is gone", []string{"unlinkat(AT_FDCWD<.>, 'a', 0) = 0"}, map[string]string{}},
		{"what is cut off is gone at once", []string{"write(3<a>, 'one', 3) = 3", "fsync(3<a>) = 0", "ftruncate(3<a>, 1) = 0", "write(3<a>, 'x', 1) = 1"}, map[string]string{"a": "o"}},
		{"a file opened to be synced always is", []string{"openat(AT_FDCWD<.>, 'b', O_WRONLY|O_CREAT|O_SYNC, 0600) = 4<b>", "write(4<b>, 'one', 3) = 3"}, map[string]string{"a": "", "b": "one"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := filepath.Join(t.TempDir(), "data")
			d, err := readDisk(root)
			if err != nil {
				t.Fatal(err)
			}
			d.folders[root] = true
			var trace strings.Builder
			for _, line := range append([]string{"openat(AT_FDCWD<.>, 'a', O_RDWR|O_CREAT, 0600) = 3<a>"}, tt.trace...) {
				thread := "1 "
				if strings.HasPrefix(line, "2 ") {
					thread, line = "2 ", line[2:]
				}
				for i, part := range strings.Split(line, "'") { // every second one is in quotes
					if i%2 == 1 {
						line = strings.Replace(line, "'"+part+"'", `"`+hex(part)+`"`, 1)
					}
				}
				line = strings.ReplaceAll(line, "<.>", "<"+hex(root)+">")
				trace.WriteString(thread + line + "\n")
			}
			if err := d.follow(strings.NewReader(trace.String())); err != nil {
				t.Fatal(err)
			}
			if err := d.write(); err != nil {
				t.Fatal(err)
			}
			got := make(map[string]string)
			names, err := os.ReadDir(root)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				text, err := os.ReadFile(filepath.Join(root, name.Name()))
				if err != nil {
					t.Fatal(err)
				}
				got[name.Name()] = string(text)
			}
			if fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("the disk has %q, want %q", got, tt.want)
			}
		})
	}
	d, _ := readDisk("/data")
	if err := d.follow(strings.NewReader(`1 symlinkat("` + hex("/x") + `", AT_FDCWD<` + hex("/") + `>, "` + hex("/data/b") + "\") = 0\n")); err == nil {
		t.Error("a call that is not followed is not told")
	}
}
