//go:build unix && !solaris && !illumos && !aix

package intercept

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// lockWait is how long another process may hold the lock. It needs milliseconds.
const lockWait = 10 * time.Second

// lock holds a file's lock against other processes until unlock is called. The
// kernel lets go of it when a process dies.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	deadline := time.Now().Add(lockWait)
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		busy := errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR)
		if !busy || time.Now().After(deadline) {
			f.Close()
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
