package management

import (
	"net"
	"time"
)

// How long and how many reads a client gets to take a last answer.
const (
	lingerFor   = 500 * time.Millisecond
	lingerReads = 128
)

// CloseGently closes a connection whose last answer was just written. It ends
// the sending side first and reads a little of what the client still sends, so
// that the kernel does not answer that with a reset, which would take the
// answer back.
func CloseGently(c net.Conn) {
	defer c.Close()
	half, ok := c.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	c.SetReadDeadline(time.Now().Add(lingerFor))
	var sink [512]byte
	for range lingerReads {
		if _, err := c.Read(sink[:]); err != nil {
			return
		}
	}
}
