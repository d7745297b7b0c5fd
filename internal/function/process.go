package function

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// starter starts processes on one operating system thread that lives as long
// as the host does. Linux kills a child with PR_SET_PDEATHSIG when the thread
// that started it ends, not the process; goroutines' threads may end earlier.
type starter struct {
	requests chan func()
	done     chan struct{}
	guard    *guard
}

// newStarter also starts the guard; the error says why there is none, and the
// starter works without it.
func newStarter() (*starter, error) {
	muteStops()
	s := &starter{requests: make(chan func()), done: make(chan struct{})}
	go s.run()
	var err error
	s.guard, err = newGuard()
	return s, err
}

func (s *starter) run() {
	defer close(s.done)
	runtime.LockOSThread() // for good: nobody else is to have what follows
	slacken()
	queueUp()
	for start := range s.requests {
		start()
	}
}

// start runs cmd.Start on the starter's thread.
func (s *starter) start(cmd *exec.Cmd) error {
	result := make(chan error, 1)
	s.requests <- func() { result <- cmd.Start() }
	return <-result
}

// close ends the thread's duty. All processes must have ended.
func (s *starter) close() {
	close(s.requests)
	<-s.done
	s.guard.close()
}

// process is a running process with a session and a process group of its own, which ends
// when Gatepost ends, however that comes about.
type process struct {
	cmd   *exec.Cmd
	guard *guard
	mark  string

	mu     sync.Mutex
	reaped bool // its id may belong to somebody else by now
}

// command describes a process to be started by startProcess. Both outputs go
// to the same file, or nowhere when it is nil.
type command struct {
	argv        []string
	mark        string // the variable by which the guard knows strays; "" for none
	dir         string
	environment []string
	output      *os.File
}

func startProcess(s *starter, c command) (*process, error) {
	cmd := exec.Command(c.argv[0], c.argv[1:]...)
	cmd.Dir = c.dir
	cmd.Env = c.environment
	if c.output != nil {
		cmd.Stdout, cmd.Stderr = c.output, c.output
	}
	cmd.SysProcAttr = ownGroup()
	if err := s.start(cmd); err != nil {
		return nil, err
	}
	s.guard.began(cmd.Process.Pid, c.mark)
	return &process{cmd: cmd, guard: s.guard, mark: c.mark}, nil
}

// signal sends a signal to the whole process group.
func (p *process) signal(sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		// It fails when the group has ended, which is no failure.
		_ = syscall.Kill(-p.cmd.Process.Pid, sig)
	}
}

// wait waits for the process to end, kills what is left of its group and
// returns how it ended: "exit status 1", "signal: killed".
func (p *process) wait() string {
	awaitExit(p.cmd.Process.Pid)
	// The id still belongs to the dead process here, so no other group is hit.
	p.signal(syscall.SIGKILL)
	p.guard.ended(p.cmd.Process.Pid, p.mark)
	p.mu.Lock()
	p.reaped = true
	p.mu.Unlock()
	err := p.cmd.Wait()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		return fmt.Sprintf("wait for the process: %v", err)
	}
	return p.cmd.ProcessState.String()
}
