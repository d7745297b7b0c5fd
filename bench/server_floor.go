package main

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// floorServer is the least that a server can do: raw descriptors in one epoll
// set and a ready-made frame written to each with write(2).
type floorServer struct {
	listener int
	epoll    int

	mu  sync.Mutex
	fds []int
	// spent is the CPU of the thread that pushes, without Go's runtime.
	spent int64
}

func newFloorServer() (handler, error) { return serve(&floorServer{}) }

func (s *floorServer) listen() (string, error) {
	var err error
	if s.listener, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return "", err
	}
	if err := unix.Bind(s.listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return "", err
	}
	if err := unix.Listen(s.listener, 4096); err != nil {
		return "", err
	}
	if s.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return "", err
	}
	name, err := unix.Getsockname(s.listener)
	if err != nil {
		return "", err
	}
	go s.accept()
	go s.read()
	return fmt.Sprintf("127.0.0.1:%d", name.(*unix.SockaddrInet4).Port), nil
}

func (s *floorServer) accept() {
	head := make([]byte, 1024)
	for {
		fd, _, err := unix.Accept4(s.listener, unix.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		if err := s.admit(fd, head); err != nil {
			unix.Close(fd)
		}
	}
}

func (s *floorServer) admit(fd int, head []byte) error {
	if _, err := unix.Read(fd, head); err != nil { // the whole request is one small segment
		return err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return err
	}
	unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET&0xffffffff, Fd: int32(fd)}
	if err := unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		return err
	}
	s.mu.Lock()
	s.fds = append(s.fds, fd)
	s.mu.Unlock()
	_, err := unix.Write(fd, []byte(upgradeAnswer))
	return err
}

// read is the epoll loop: these clients say nothing, so it only closes.
func (s *floorServer) read() {
	events := make([]unix.EpollEvent, 128)
	for {
		n, err := unix.EpollWait(s.epoll, events, -1)
		if err != nil && err != unix.EINTR {
			return
		}
		for _, ev := range events[:max(n, 0)] {
			if ev.Events&unix.EPOLLRDHUP != 0 {
				unix.Close(int(ev.Fd))
			}
		}
	}
}

func (s *floorServer) open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.fds)
}

// push writes all messages to a connection in one write.
func (s *floorServer) push(messages, size int) error {
	var wire []byte
	for i := range messages {
		wire = appendFrame(wire, payload(i, size))
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s.mu.Lock()
	defer s.mu.Unlock()
	began := clock(unix.CLOCK_THREAD_CPUTIME_ID)
	defer func() { s.spent += clock(unix.CLOCK_THREAD_CPUTIME_ID) - began }()
	for _, fd := range s.fds {
		n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&wire[0])), uintptr(len(wire)))
		if errno != 0 || int(n) != len(wire) {
			return fmt.Errorf("write: %d of %d bytes: %w", n, len(wire), errno)
		}
	}
	return nil
}

func (s *floorServer) cpu() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.spent
}

// appendFrame appends an unmasked text frame of up to 64 KB.
func appendFrame(b, payload []byte) []byte {
	if len(payload) < 126 {
		b = append(b, 0x81, byte(len(payload)))
	} else {
		b = binary.BigEndian.AppendUint16(append(b, 0x81, 126), uint16(len(payload)))
	}
	return append(b, payload...)
}
