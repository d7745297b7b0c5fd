package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// postFloor is the least that a server can do for a post: one epoll loop over
// raw descriptors that reads the request, writes a frame to the connection that
// its path names, and writes a ready-made answer. It checks nothing.
type postFloor struct {
	file            *os.File // keeps the listener open
	listener, epoll int
	thread          atomic.Int64 // whose CPU counts; without Go's runtime
	receivers       atomic.Int64

	// The loop alone uses these.
	fds   []int // the receivers by number
	buf   [4 << 10]byte
	frame []byte
}

// postAnswer is what Gatepost answers, ready-made.
const postAnswer = "HTTP/1.1 200 OK\r\nX-Amzn-Requestid: 6dd0a6a4-5a0a-4d3e-9d52-7d3cd1a4b9a4\r\n" +
	"Date: Tue, 15 Nov 1994 08:12:31 GMT\r\nContent-Length: 0\r\n\r\n"

func newPostFloor() (handler, error) { return takePosts(&postFloor{fds: make([]int, postReceivers)}) }

func (s *postFloor) listen() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	if s.file, err = l.(*net.TCPListener).File(); err != nil {
		return "", err
	}
	s.listener = int(s.file.Fd())
	if s.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return "", err
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(s.listener)}
	if err := unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, s.listener, &ev); err != nil {
		return "", err
	}
	go must("serve", s.serve)
	return l.Addr().String(), nil
}

func (s *postFloor) posting() (*posting, error) {
	return &posting{IDs: numbers(int(s.receivers.Load()))}, nil
}

// cpu is the loop's thread's.
func (s *postFloor) cpu() int64 { return threadClock(int(s.thread.Load())) }

// threadClock reads the CPU clock of any thread of this process, whose id the
// kernel forms like this (clock_getcpuclockid(3)).
func threadClock(thread int) int64 { return clock(^int32(thread)<<3 | 6) }

func (s *postFloor) serve() error {
	runtime.LockOSThread()
	s.thread.Store(int64(unix.Gettid()))
	events := make([]unix.EpollEvent, 128)
	for {
		n, err := unix.EpollWait(s.epoll, events, -1)
		if err != nil && err != unix.EINTR {
			return err
		}
		for _, ev := range events[:max(n, 0)] {
			if err := s.ready(int(ev.Fd)); err != nil {
				return err
			}
		}
	}
}

func (s *postFloor) ready(fd int) error {
	if fd == s.listener {
		return s.accept()
	}
	n, err := rawCall(syscall.SYS_READ, fd, s.buf[:])
	if err != nil || n == 0 {
		unix.Close(fd)
		return nil
	}
	if bytes.HasPrefix(s.buf[:n], []byte("GET ")) {
		return s.upgrade(fd, s.buf[:n])
	}
	return s.post(fd, s.buf[:n])
}

func (s *postFloor) accept() error {
	fd, _, err := unix.Accept4(s.listener, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
	if err != nil {
		return err
	}
	unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
	return unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, fd, &ev)
}

// upgrade notes the receiver by its number.
func (s *postFloor) upgrade(fd int, head []byte) error {
	_, agent, _ := bytes.Cut(head, []byte("User-Agent: "))
	number, _, _ := bytes.Cut(agent, []byte("\r\n"))
	i, err := strconv.Atoi(string(number))
	if err != nil || i < 0 || i >= len(s.fds) {
		return fmt.Errorf("a receiver calls itself %q", number)
	}
	s.fds[i] = fd
	s.receivers.Add(1)
	_, err = rawCall(syscall.SYS_WRITE, fd, []byte(upgradeAnswer))
	return err
}

var readyPostAnswer = []byte(postAnswer)

// post reads "POST /main/@connections/NUMBER HTTP/1.1", in one segment with its
// body.
func (s *postFloor) post(fd int, request []byte) error {
	const before = len("POST /main/@connections/")
	receiver := 0
	for _, digit := range request[before : before+bytes.IndexByte(request[before:], ' ')] {
		receiver = receiver*10 + int(digit-'0')
	}
	s.frame = appendFrame(s.frame[:0], request[bytes.Index(request, []byte("\r\n\r\n"))+4:])
	if n, err := rawCall(syscall.SYS_WRITE, s.fds[receiver], s.frame); err != nil || n != int(wireSize(messageSize)) {
		return fmt.Errorf("write a frame: %d bytes, %w", n, err)
	}
	_, err := rawCall(syscall.SYS_WRITE, fd, readyPostAnswer)
	return err
}

// rawCall is read(2) or write(2) without Go's scheduler: the descriptor is
// ready.
func rawCall(call uintptr, fd int, b []byte) (int, error) {
	n, _, errno := syscall.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
