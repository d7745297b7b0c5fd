//go:build !unix

package conn

import "net"

// socket is the way past net.Conn that only Unix descriptors allow; here every
// connection takes the way of streams.
type socket struct{}

func (*socket) init(net.Conn) bool { return false }

func (*socket) plain() bool { return false }

func (*socket) first() ([]byte, error) { panic("conn: no sockets on this system") }

func (*socket) write(*Conn, bool) (n int, full bool, err error) {
	panic("conn: no sockets on this system")
}
