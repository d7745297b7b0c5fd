package conn

import (
	"io"
	"net"
)

// source is where a client's bytes come from.
type source interface {
	// first waits until the client has sent something, holding no buffer
	// meanwhile, and returns it in a buffer from borrowRead.
	first() ([]byte, error)
}

// streamSource reads any net.Conn, such as a *tls.Conn: what comes after a
// silence is read into bytes of its own before a buffer is borrowed.
type streamSource struct {
	nc net.Conn
	// start holds a usual frame whole, which saves a second read and its
	// deadline; under TLS, which holds far more, it does not weigh.
	start [256]byte
}

func (s *streamSource) first() ([]byte, error) {
	n, err := readAny(s.nc, s.start[:])
	if n == 0 {
		return nil, err
	}
	b := borrowRead()
	return b[:copy(b, s.start[:n])], nil
}

// readAny reads at least one byte or fails. A Read of nothing without an error
// is discouraged but allowed; one that goes on is not.
func readAny(r io.Reader, p []byte) (int, error) {
	for range 100 {
		if n, err := r.Read(p); n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.ErrNoProgress
}
