package synth

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// program is one that makes templates.
type program struct {
	name, brand string // "the CDK app in chat", "CDK"
	folder      string
	environment []string
	// limit is for each command.
	limit time.Duration
	tell  func(sentence string) // or nil
}

const (
	defaultLimit = 5 * time.Minute
	tick         = 10 * time.Second
)

// run runs a command in the program's folder, told as shown, and tells how it goes.
func (p program) run(ctx context.Context, shown string, command ...string) error {
	ctx, cancel := context.WithTimeout(ctx, p.limit)
	defer cancel()
	said := &lastBytes{}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir, cmd.Env = p.folder, p.environment
	cmd.Stdout, cmd.Stderr = said, said
	// The processes that it has started end with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	p.progress(shown)
	ended := make(chan error, 1)
	started := time.Now()
	go func() { ended <- cmd.Run() }()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case err := <-ended:
			return p.outcome(ctx, shown, err, said)
		case <-ticker.C:
			p.progress(fmt.Sprintf("still running after %s", time.Since(started).Round(time.Second)))
		}
	}
}

func (p program) progress(text string) {
	if p.tell != nil {
		p.tell(p.brand + ": " + text)
	}
}

// done tells that everything has ended well.
func (p program) done(started time.Time) {
	p.progress(fmt.Sprintf("done after %s", time.Since(started).Round(100*time.Millisecond)))
}

// outcome is the error of a command that failed.
func (p program) outcome(ctx context.Context, shown string, err error, said *lastBytes) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("%s has not ended within %s (%s):\n%s", p.name, p.limit, shown, said)
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", p.name, ctx.Err())
	}
	return fmt.Errorf("%s failed (%s): %w\n%s", p.name, shown, err, said)
}

// lastBytes keeps the end of what is written to it, where programs say why they
// gave up.
type lastBytes struct{ kept []byte }

const maxOutput = 16 << 10

func (l *lastBytes) Write(p []byte) (int, error) {
	l.kept = append(l.kept, p...)
	if over := len(l.kept) - maxOutput; over > 0 {
		l.kept = append(l.kept[:0], l.kept[over:]...)
	}
	return len(p), nil
}

func (l *lastBytes) String() string { return strings.TrimSpace(string(l.kept)) }
