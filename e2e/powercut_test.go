package e2e

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// cuts is how often TestPowerCut cuts; GATEPOST_CUTS says another number.
const cuts = 3

// TestPowerCut has the load of TestKilled on a gatepost with --sync, and takes
// away, each time it is killed, all that it had written and not synced: strace
// tells what. What was acknowledged is there all the same, in tables, queues of
// both kinds and topics, and what was deleted does not come back.
func TestPowerCut(t *testing.T) {
	if underRace {
		t.Skip("strace makes it slow: the run without the race detector has it")
	}
	t.Parallel()
	strace(t)
	n := cuts
	if text := os.Getenv("GATEPOST_CUTS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatalf("GATEPOST_CUTS=%s: %v", text, err)
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "template.yaml"), []byte(killedTemplate), 0o600); err != nil {
		t.Fatal(err)
	}
	l := newLoad(t)
	lost := 0
	for range n {
		d, p := startTraced(t, dir)
		l.check(p.calls(t))
		stop := l.begin(p.calls(t))
		time.Sleep(300*time.Millisecond + rand.N(time.Second))
		p.kill()
		stop()
		followTrace(t, d, dir)
		if err := d.write(); err != nil {
			t.Fatal(err)
		}
		lost += d.lost
		if t.Failed() {
			break
		}
	}
	d, p := startTraced(t, dir)
	l.check(p.calls(t))
	l.drain(p.calls(t))
	p.cmd.Process.Signal(os.Interrupt)
	<-p.ended
	followTrace(t, d, dir)
	if different, err := d.differences(); err != nil || len(different) > 0 {
		t.Errorf("the trace was not understood: %q, %v", different, err)
	}
	t.Logf("%d cuts, which took %d bytes; %d operations acknowledged, %d messages received", n, lost, l.acknowledged.Load(), l.received.Load())
}

// strace skips a test where there is no strace, or where nobody may use it.
func strace(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("strace, which tells what is synced, is missing: apt-get install strace (Linux)")
	}
	if out, err := exec.Command("strace", "-f", "-D", "--seccomp-bpf", "-e", "trace=close", "-o", os.DevNull, "true").CombinedOutput(); err != nil {
		t.Skipf("strace (6 or newer) may not trace here: %v\n%s", err, out)
	}
}

// startTraced starts gatepost under strace, with what is on its disk until then.
func startTraced(t *testing.T, dir string) (*disk, *program) {
	t.Helper()
	d, err := readDisk(filepath.Join(dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	// With -D gatepost is this program's child, and strace that of gatepost.
	return d, startProgramWith(t, dir, []string{"strace", "-f", "-D", "-y", "-xx", "-s", "16777216", "-o", filepath.Join(dir, "trace"), "--seccomp-bpf", "-e", "trace=" + tracedCalls, binary}, "--sync")
}

func followTrace(t *testing.T, d *disk, dir string) {
	t.Helper()
	trace, err := os.Open(filepath.Join(dir, "trace"))
	if err != nil {
		t.Fatal(err)
	}
	defer trace.Close()
	if err := d.follow(trace); err != nil {
		t.Fatal(err)
	}
}
