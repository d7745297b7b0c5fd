//go:build !unix

package intercept

import "net"

// readFirst waits for the first bytes of a connection.
func readFirst(c net.Conn) ([]byte, error) { return readFirstBuffered(c) }
