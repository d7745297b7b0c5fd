package function

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// guardScript reads "+ID/MARK" and "-ID/MARK", the process groups that begin and
// end, and kills those that are left when its input ends: that is when Gatepost
// has ended, however that came about. Then it kills the processes that have one
// of the marks in their environment, where that can be told.
const guardScript = `trap '' INT TERM HUP
set -f
groups=' '
while read -r line; do
	id=${line#?}
	case $line in
	+*) groups="$groups$id " ;;
	-*) groups="${groups%%" $id "*} ${groups#*" $id "}" ;;
	esac
done
marks=
for id in $groups; do
	kill -s KILL -- "-${id%%/*}" 2>/dev/null
	mark=${id#*/}
	[ -n "$mark" ] && marks="$marks$mark
"
done
set +f
[ -n "$marks" ] && for file in $(grep -lsaF -- "${marks%?}" /proc/[0-9]*/environ 2>/dev/null); do
	id=${file#/proc/}
	kill -s KILL "${id%/environ}" 2>/dev/null
done
exit 0`

// guardWrite bounds a note to the guard: one that does not read is given up.
const guardWrite = time.Second

// guard is a shell that outlives a Gatepost that is killed, to end the process
// groups of its sandboxes and what has left them. The kernel ends the functions'
// own processes then; their children have nobody else. Without a shell there is no guard.
type guard struct {
	mu    sync.Mutex
	cmd   *exec.Cmd
	input *os.File // nil when there is no guard
}

// newGuard starts the shell in a session of its own, where no Ctrl-C reaches it.
func newGuard() (*guard, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return &guard{}, fmt.Errorf("make a pipe to the guard: %w", err)
	}
	defer read.Close()
	cmd := exec.Command("/bin/sh", "-c", guardScript)
	cmd.Stdin, cmd.Env, cmd.Dir = read, []string{"PATH=/usr/bin:/bin"}, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		write.Close()
		return &guard{}, fmt.Errorf("start the guard of the functions' children: %w", err)
	}
	return &guard{cmd: cmd, input: write}, nil
}

// began tells of a process group that lives, ended of one that does not. The mark
// has no white space.
func (g *guard) began(group int, mark string) { g.note('+', group, mark) }
func (g *guard) ended(group int, mark string) { g.note('-', group, mark) }

func (g *guard) note(sign rune, group int, mark string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.input == nil {
		return
	}
	g.input.SetWriteDeadline(time.Now().Add(guardWrite))
	if _, err := fmt.Fprintf(g.input, "%c%d/%s\n", sign, group, mark); err != nil {
		// Half a line may be in the pipe: it would be read as another group's.
		g.cmd.Process.Kill()
		g.input.Close()
		g.input = nil
	}
}

// close ends the guard. All process groups have ended.
func (g *guard) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cmd == nil {
		return
	}
	if g.input != nil {
		g.input.Close()
		g.input = nil
	}
	g.cmd.Wait()
	g.cmd = nil
}
