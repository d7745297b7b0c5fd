package intercept

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

var tunnelBuffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// tunnel copies bytes both ways, untouched, until both sides have ended. An end
// in one direction is passed on and leaves the other open; an error, or idle
// time without a byte in either direction, ends both. The connections are
// closed when it returns.
func tunnel(a, b net.Conn, idle time.Duration) {
	t := &tunnelling{idle: idle}
	t.touch()
	var back sync.WaitGroup
	back.Go(func() { t.copy(a, b) })
	t.copy(b, a)
	back.Wait()
	a.Close()
	b.Close()
}

// tunnelling is the state that both directions share.
type tunnelling struct {
	idle time.Duration
	last atomic.Int64 // when a byte last passed, in Unix nanoseconds
}

func (t *tunnelling) touch() { t.last.Store(time.Now().UnixNano()) }

// left returns how long the tunnel may still stay silent.
func (t *tunnelling) left() time.Duration {
	return t.idle - time.Duration(time.Now().UnixNano()-t.last.Load())
}

func (t *tunnelling) copy(to, from net.Conn) {
	buffer := tunnelBuffers.Get().(*[32 << 10]byte)
	defer tunnelBuffers.Put(buffer)
	for {
		from.SetReadDeadline(time.Now().Add(max(t.left(), time.Millisecond)))
		n, err := from.Read(buffer[:])
		if n > 0 {
			t.touch()
			to.SetWriteDeadline(time.Now().Add(t.idle))
			if _, err := to.Write(buffer[:n]); err != nil {
				break
			}
			t.touch()
		}
		if err == nil || errors.Is(err, os.ErrDeadlineExceeded) && t.left() > 0 {
			continue // the other direction was busy meanwhile
		}
		if errors.Is(err, io.EOF) && closeWrite(to) == nil {
			return
		}
		break
	}
	to.Close()
	from.Close()
}
