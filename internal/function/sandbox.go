package function

import (
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/gatepost-dev/gatepost/internal/telemetry"
)

// sandbox is one process of a function, with its Runtime API, its temporary
// folder and its log. It handles one event at a time, or several if the
// function's environment says so.
type sandbox struct {
	host     *Host
	function *function
	program  program
	stream   string // the name of its log stream, which no other sandbox has
	dir      string // its own temporary folder, and its home
	logs     *logs
	api      *runtimeAPI
	bridge   *bridge // nil for a program that speaks to the Runtime API
	usage    usage

	// standing belongs to the pool. deliveries counts events on their way out.
	standing   standing
	deliveries sync.WaitGroup

	mu      sync.Mutex
	process *process // nil until it runs
	stopped bool     // it was told to end
	frozen  bool     // its process group is stopped
	killer  *time.Timer
}

// run lives a sandbox's whole life. It returns when nothing is left of it.
func (s *sandbox) run() {
	why := s.live()
	name := s.function.spec.Name
	s.host.log.Debug("sandbox ended", "function", name, "reason", why.text)
	if failed := s.function.pool.gone(s, why); failed != nil {
		s.host.log.Warn("the function did not start; for a while its events fail at once", "function", name, "reason", failed.why.text, "while", failed.pause)
	}
	if s.dir == "" {
		return
	}
	// After the outcome is told: to look through all processes takes a while.
	s.host.strays.end(s.mark())
	if err := os.RemoveAll(s.dir); err != nil {
		s.host.log.Warn("sandbox leaves its temporary folder behind", "function", name, "error", err)
	}
}

// live starts the process, waits for its end and returns how it ended.
func (s *sandbox) live() failure {
	p, err := s.start()
	if err != nil {
		return failure{typ: typeEntrypoint, text: err.Error()}
	}
	status := p.wait()
	s.mu.Lock()
	if s.killer != nil {
		s.killer.Stop()
	}
	s.mu.Unlock()
	s.function.pool.retire(s)
	// Answers and lines that the process sent before its end still count.
	s.api.close()
	if s.bridge != nil {
		s.bridge.close()
	}
	s.deliveries.Wait()
	s.logs.close()
	return s.unbound(exited(status))
}

// start makes all that a process needs, and the process. When it fails,
// nothing is left but the folder.
func (s *sandbox) start() (p *process, err error) {
	if s.dir, err = s.host.sandboxFolder(); err != nil {
		return nil, fmt.Errorf("make a folder for the sandbox: %w", err)
	}
	var out *os.File
	if s.logs, out, err = newLogs(s.logLine); err != nil {
		return nil, fmt.Errorf("make a pipe for the log: %w", err)
	}
	// The process gets its own descriptor. The log ends when nobody holds one.
	defer func() {
		out.Close()
		if err != nil {
			s.logs.close()
			if s.bridge != nil {
				s.host.ports.giveBack(s.bridge.port)
			}
		}
	}()
	if s.program.rpc {
		if s.bridge, err = newBridge(s); err != nil {
			return nil, err
		}
	}
	if s.api, err = newRuntimeAPI(s); err != nil {
		return nil, err
	}
	p, err = startProcess(s.host.starter, command{
		argv: s.program.argv, mark: s.mark(), dir: s.program.taskRoot(s.dir), environment: s.environment(), output: out,
	})
	if err != nil {
		s.api.close()
		return nil, err
	}
	s.bound(p)
	s.host.log.Debug("sandbox started", "function", s.function.spec.Name, "pid", p.cmd.Process.Pid)
	s.started(p)
	s.api.begin()
	if s.bridge != nil {
		s.host.sandboxes.Go(s.bridge.run)
	}
	return p, nil
}

// mark is the variable by which the processes of this sandbox are known.
func (s *sandbox) mark() string { return "AWS_LAMBDA_LOG_STREAM_NAME=" + s.stream }

// started publishes the process to stop and kill. One that was told to end
// before it existed ends now.
func (s *sandbox) started(p *process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.process = p
	if s.stopped {
		p.signal(syscall.SIGKILL)
	}
	s.followLocked() // it may have asked for an event already
}

// follow freezes the process if the pool says that it rests, and continues it
// if not: SIGSTOP or SIGCONT to its whole group. It returns at once. Whoever
// comes last acts on what the pool has said last; see DESIGN.md.
func (s *sandbox) follow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.followLocked()
}

func (s *sandbox) followLocked() {
	rest := s.standing.resting.Load()
	if s.process == nil || s.stopped || rest == s.frozen {
		return
	}
	s.frozen = rest
	if rest {
		s.process.signal(syscall.SIGSTOP)
	} else {
		s.process.signal(syscall.SIGCONT)
	}
}

// stop ends the process: SIGTERM, and after the grace period SIGKILL, both to
// its whole group. It returns at once and may be called again.
func (s *sandbox) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return
	}
	s.stopped = true
	if s.process != nil {
		s.process.signal(syscall.SIGTERM)
		if s.frozen { // it sees the first signal only with this one
			s.frozen = false
			s.process.signal(syscall.SIGCONT)
		}
		s.killer = time.AfterFunc(s.host.limits.stop, s.kill)
	}
}

// kill ends the process and its group now.
func (s *sandbox) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	if s.process != nil {
		s.process.signal(syscall.SIGKILL)
	}
}

// attribute names the invocation that the log lines from now on belong to; an
// empty id is none. Where several run at a time, nobody can tell.
func (s *sandbox) attribute(requestID string) {
	s.host.warden.touch()
	if s.function.pool.limits.seats == 1 {
		s.logs.begin(requestID)
	}
}

// logLine publishes a line that the process wrote. It does not block.
func (s *sandbox) logLine(requestID string, line []byte) {
	name := s.function.spec.Name
	s.host.config.Feed.Record(telemetry.Event{
		Kind: telemetry.LogLine, Function: name, RequestID: requestID, Text: string(line), Logging: s.function.logging,
	})
	s.host.output.line(name, requestID, line)
}
