package function

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// maxToolOutput bounds what is kept of a compiler's output, in bytes.
const maxToolOutput = 64 << 10

// tool says how a build's command is run.
type tool struct {
	folder      string
	shown       string   // what its error calls the folder; "" is its own name
	environment []string // beside this process's own
	// out gets the standard output; when it is nil that goes, with the standard
	// error, into the error.
	out io.Writer
}

// runTool runs a command of a build in a folder. Its error shows what the
// command said, as it said it.
func runTool(ctx context.Context, t tool, name string, args ...string) error {
	said := &firstBytes{}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = t.folder
	cmd.Env = append(append(os.Environ(), "PWD="+t.folder), t.environment...)
	cmd.Stdout, cmd.Stderr = said, said
	if t.out != nil {
		cmd.Stdout = t.out
	}
	// The processes that it has started end with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s %s: %w", name, args[0], ctx.Err())
	}
	shown := cmp.Or(t.shown, t.folder)
	return fmt.Errorf("%s %s failed in %s: %w\n%s", name, args[0], shown, err, strings.ReplaceAll(said.text(), t.folder, shown))
}

// firstBytes keeps the beginning of what is written to it.
type firstBytes struct{ kept []byte }

func (f *firstBytes) Write(p []byte) (int, error) {
	f.kept = append(f.kept, p[:min(len(p), maxToolOutput-len(f.kept))]...)
	return len(p), nil
}

func (f *firstBytes) text() string { return strings.TrimSpace(string(f.kept)) }

// keyedMutex is a mutex for each key.
type keyedMutex struct {
	mu    sync.Mutex
	locks map[string]*sync.Mutex
}

// lock locks a key and returns what unlocks it.
func (k *keyedMutex) lock(key string) (unlock func()) {
	k.mu.Lock()
	if k.locks == nil {
		k.locks = make(map[string]*sync.Mutex)
	}
	m := k.locks[key]
	if m == nil {
		m = new(sync.Mutex)
		k.locks[key] = m
	}
	k.mu.Unlock()
	m.Lock()
	return m.Unlock
}
