//go:build !race

package nonblock

import (
	"syscall"
	"unsafe"
)

func read(fd uintptr, b []byte) (int, error) {
	if len(b) == 0 || len(b) > large {
		return readAnnounced(fd, b)
	}
	return result(syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b))))
}

func write(fd uintptr, b []byte) (int, error) {
	if len(b) == 0 || len(b) > large {
		return writeAnnounced(fd, b)
	}
	return result(syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b))))
}

func result(n, _ uintptr, errno syscall.Errno) (int, error) {
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil
}
