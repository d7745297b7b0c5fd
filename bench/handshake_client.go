package main

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// handshakesAtOnce is how many upgrades are under way together.
const handshakesAtOnce = 64

// closeFrame is a client's close frame (1000, masked with zeros).
var closeFrame = []byte{0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8}

// newHandshakeClient returns a client that opens connections in batches over
// raw descriptors, and says goodbye on all of them.
func newHandshakeClient() (handler, error) {
	c := &client{epoll: -1, buf: make([]byte, 4<<10)}
	return func(r request) (answer, error) {
		switch r.Op {
		case "open":
			return answer{}, c.open(r.Address, r.Connections)
		case "goodbye":
			return answer{}, c.goodbye()
		case "close":
			return answer{}, c.closeAll()
		}
		return answer{}, errors.New("unknown request")
	}, nil
}

func (c *client) open(address string, n int) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	for len(c.fds) < n {
		first := len(c.fds)
		for range min(handshakesAtOnce, n-first) {
			fd, err := c.ask(to, upgradeRequest)
			if err != nil {
				return fmt.Errorf("connection %d: %w", len(c.fds)+1, err)
			}
			c.fds = append(c.fds, fd)
		}
		for _, fd := range c.fds[first:] {
			if err := c.readUpgrade(fd); err != nil {
				return err
			}
		}
	}
	return nil
}

// ask connects and sends an upgrade without waiting for its answer.
func (c *client) ask(to netip.AddrPort, head string) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	limit := unix.NsecToTimeval(int64(patience))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
		return 0, err
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}); err != nil {
		return 0, err
	}
	_, err = unix.Write(fd, []byte(head))
	return fd, err
}

func (c *client) goodbye() error {
	for i, fd := range c.fds {
		if _, err := unix.Write(fd, closeFrame); err != nil {
			return fmt.Errorf("say goodbye on connection %d: %w", i, err)
		}
	}
	return nil
}

// closeAll expects the server's close frame and its end of each connection.
func (c *client) closeAll() error {
	for i, fd := range c.fds {
		n, err := unix.Read(fd, c.buf)
		if err != nil || n < 2 || c.buf[0] != 0x88 {
			return fmt.Errorf("connection %d: no close frame: % x, %w", i, c.buf[:max(n, 0)], err)
		}
		if n, err := unix.Read(fd, c.buf); n != 0 || err != nil {
			return fmt.Errorf("connection %d goes on after the close frame: %d bytes, %w", i, n, err)
		}
		unix.Close(fd)
	}
	c.fds = c.fds[:0]
	return nil
}
