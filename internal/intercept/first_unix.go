//go:build unix

package intercept

import (
	"io"
	"net"
	"syscall"

	"github.com/gatepost-dev/gatepost/internal/nonblock"
)

// readFirst waits for the first bytes of a connection and returns a copy of
// what one read gives. A socket that is silent holds no buffer meanwhile.
func readFirst(c net.Conn) (first []byte, err error) {
	socket, ok := c.(syscall.Conn)
	if !ok {
		return readFirstBuffered(c)
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil, err
	}
	var failed error
	err = raw.Read(func(fd uintptr) (done bool) {
		buffer := firstBuffers.Get().(*[firstRead]byte)
		defer firstBuffers.Put(buffer)
		n, err := nonblock.Read(fd, buffer[:])
		switch {
		case err == syscall.EAGAIN:
			return false
		case err != nil:
			failed = err
		case n == 0:
			failed = io.EOF
		}
		first = append([]byte(nil), buffer[:max(n, 0)]...)
		return true
	})
	if err == nil {
		err = failed
	}
	return first, err
}
