package function

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func init() {
	behaviours["rlimits"] = handle(func() (map[string]unix.Rlimit, error) {
		got := make(map[string]unix.Rlimit)
		for name, resource := range map[string]int{"files": unix.RLIMIT_NOFILE, "core": unix.RLIMIT_CORE, "size": unix.RLIMIT_FSIZE} {
			var limit unix.Rlimit
			if err := unix.Getrlimit(resource, &limit); err != nil {
				return nil, err
			}
			got[name] = limit
		}
		return got, nil
	})
	behaviours["large file"] = handle(func() error {
		return os.WriteFile(filepath.Join(os.TempDir(), "large"), make([]byte, 3<<20), 0o600)
	})
	behaviours["map a file"] = handle(mapFile)
}

// mapFile maps a file of 200 MB and reads all of it: memory that the system can
// have back at any time.
func mapFile() (int, error) {
	f, err := os.Create(filepath.Join(os.TempDir(), "mapped"))
	if err != nil {
		return 0, err
	}
	if err := f.Truncate(200 << 20); err != nil {
		return 0, err
	}
	data, err := syscall.Mmap(int(f.Fd()), 0, 200<<20, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return 0, err
	}
	sum := 0
	for i := 0; i < len(data); i += 512 {
		sum += int(data[i])
	}
	return sum, nil
}

func TestLimitsOfTheProcess(t *testing.T) {
	f := acting("f", "rlimits", nil)
	many := acting("many", "rlimits", map[string]string{concurrencyVariable: "10"})
	many.EphemeralMB = 1024
	h := newTestHost(t, nil, f, many)
	for _, tt := range []struct {
		function    string
		files, size uint64
	}{{"f", 1024, 512 << 20}, {"many", 1044, 1024 << 20}} {
		var got map[string]unix.Rlimit
		if err := json.Unmarshal([]byte(h.invoke(tt.function, "{}")), &got); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]uint64{"files": tt.files, "core": 0, "size": tt.size} {
			if got[name].Cur != want || got[name].Max != want {
				t.Errorf("%s: %s: %+v, want %d", tt.function, name, got[name], want)
			}
		}
	}
}

// One file cannot be larger than the whole folder may be.
func TestAFileHasALimit(t *testing.T) {
	f := acting("f", "large file", nil)
	f.EphemeralMB = 2
	h := newTestHost(t, nil, f)
	e := h.invokeError("f", "{}")
	if !strings.Contains(e.Message, "file too large") {
		t.Errorf("%s: %s", e.Type, e.Message)
	}
}

// Files that are mapped count as resident, but the system can have them back.
func TestMappedFilesAreNoLeak(t *testing.T) {
	h := newTestHost(t, nil, limited("f", "map a file"))
	h.invoke("f", "{}")
	sandboxes := h.warden.list()
	lookAtGroups(sandboxes)
	s := sandboxes[0]
	if peak := s.usage.peak.Load(); peak < 200<<20 {
		t.Errorf("the file was not resident: %d bytes", peak)
	}
	if s.usage.passed.Load() != nil {
		t.Error("the sandbox was ended")
	}
	h.invoke("f", "{}")
	h.awaitInvoked()
	if r := h.awaitInvoked().Report; r.MaxMemoryMB != 128 {
		t.Errorf("report %+v: never more than the limit", r)
	}
}

func TestParseStat(t *testing.T) {
	rest := " S 1 42 43 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 9 0 12345 1000000 77 18446744073709551615 1"
	for _, tt := range []struct {
		text string
		want processNumbers
		ok   bool
	}{
		{"7 (name)" + rest, processNumbers{42, 43, 77 * pageSize}, true},
		{"7 (a) S 1 1 1 (b))" + rest, processNumbers{42, 43, 77 * pageSize}, true},
		{"7 (name)" + strings.Replace(rest, " 77 ", " x ", 1), processNumbers{group: 42, session: 43}, false},
		{"7 (name) S 1 42 43", processNumbers{group: 42, session: 43}, false},
		{"7 name S 1 42 43", processNumbers{}, false},
		{"", processNumbers{}, false},
	} {
		if got, ok := parseStat([]byte(tt.text)); ok != tt.ok || ok && got != tt.want {
			t.Errorf("%q: %+v, %v", tt.text, got, ok)
		}
	}
	for text, want := range map[string]int64{"\nVmHWM:\t    1692 kB\n": 1692 << 10, "a\nVmHWM: 1 kB": 1 << 10, "VmHWM: 1 kB": -1, "\nVmHWM: x kB": -1, "\nVmHWM: -1 kB": -1, "": -1,
		"\nVmHWM: 99999999999999999 kB": -1} {
		if got, ok := kilobytes([]byte(text), "\nVmHWM:"); ok != (want >= 0) || ok && got != want {
			t.Errorf("%q: %d, %v", text, got, ok)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("7 (a) S 1 1 1 (b)) S 1 42 43 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 9 0 12345 1000000 77 18446744073709551615"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if p, ok := parseStat(text); ok && p.resident < 0 {
			t.Errorf("%+v", p)
		}
		if n, ok := kilobytes(text, "\nVmHWM:"); ok && n < 0 {
			t.Errorf("%d", n)
		}
	})
}

// BenchmarkPeak is what reading a process's peak costs, BenchmarkGroups a look at
// all processes of the machine.
func BenchmarkPeak(b *testing.B) {
	status := openPeak(os.Getpid())
	defer status.Close()
	for b.Loop() {
		if _, ok := readPeak(status); !ok {
			b.Fatal("there is no peak")
		}
	}
}

func BenchmarkGroups(b *testing.B) {
	for b.Loop() {
		readGroups(map[int]*group{os.Getpid(): {}})
	}
}
