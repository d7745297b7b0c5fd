package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// client holds many connections and counts the bytes that arrive on them, in
// one epoll loop over raw descriptors.
type client struct {
	epoll    int
	fds      []int
	received []int64 // by index into fds
	events   []unix.EpollEvent
	buf      []byte
}

func newClient() (handler, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	c := &client{epoll: epoll, events: make([]unix.EpollEvent, 512), buf: make([]byte, 64<<10)}
	return c.handle, nil
}

func (c *client) handle(r request) (answer, error) {
	switch r.Op {
	case "connect":
		return answer{}, c.connect(r.Address, r.Connections)
	case "receive":
		return c.receive(r.Bytes)
	}
	return answer{}, errors.New("unknown request")
}

func (c *client) connect(address string, n int) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	for range n {
		fd, err := c.dial(to)
		if err != nil {
			return fmt.Errorf("connection %d: %w", len(c.fds)+1, err)
		}
		ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(len(c.fds))}
		if err := unix.EpollCtl(c.epoll, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
			return err
		}
		c.fds = append(c.fds, fd)
		c.received = append(c.received, 0)
	}
	return nil
}

// connectionsPerSource keeps within the ports that one source address has.
const connectionsPerSource = 20_000

func (c *client) dial(to netip.AddrPort) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	if source := len(c.fds) / connectionsPerSource; source > 0 {
		if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(1 + source)}}); err != nil {
			return 0, err
		}
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}); err != nil {
		return 0, err
	}
	if _, err := unix.Write(fd, []byte(upgradeRequest)); err != nil {
		return 0, err
	}
	if err := c.readUpgrade(fd); err != nil {
		return 0, err
	}
	return fd, unix.SetNonblock(fd, true)
}

func (c *client) readUpgrade(fd int) error {
	for have := 0; ; {
		n, err := unix.Read(fd, c.buf[have:1024])
		if err != nil || n == 0 {
			return fmt.Errorf("read the upgrade: %d bytes, %w", n, err)
		}
		have += n
		if bytes.HasSuffix(c.buf[:have], []byte("\r\n\r\n")) {
			if !bytes.HasPrefix(c.buf, []byte("HTTP/1.1 101")) {
				return fmt.Errorf("refused: %s", c.buf[:have])
			}
			return nil
		}
	}
}

// receive reads until every connection has got so many bytes, and answers when
// the last of them came.
func (c *client) receive(each int64) (answer, error) {
	for missing := len(c.fds); missing > 0; {
		n, err := unix.EpollWait(c.epoll, c.events, 10_000)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return answer{}, err
		}
		if n == 0 {
			return answer{}, fmt.Errorf("%d connections still wait for bytes after 10 s of silence", missing)
		}
		for _, ev := range c.events[:n] {
			done, err := c.read(int(ev.Fd), each)
			if err != nil {
				return answer{}, err
			}
			if done {
				missing--
			}
		}
	}
	last := monotonic()
	clear(c.received)
	return answer{Time: last}, nil
}

func (c *client) read(i int, each int64) (done bool, err error) {
	n, err := unix.Read(c.fds[i], c.buf)
	if err == unix.EAGAIN {
		return false, nil
	}
	if err != nil || n == 0 {
		return false, fmt.Errorf("connection %d ended: %d bytes, %w", i, n, err)
	}
	c.received[i] += int64(n)
	if c.received[i] > each {
		return false, fmt.Errorf("connection %d got %d bytes of %d", i, c.received[i], each)
	}
	return c.received[i] == each, nil
}
