package nonblock

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// pair returns both ends of a TCP connection.
func pair(t testing.TB) (*Conn, *net.TCPConn) {
	t.Helper()
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	other, err := net.DialTCP("tcp4", nil, l.Addr().(*net.TCPAddr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	accepted, err := l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewConn(accepted)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, other
}

// What is written at one end is read at the other, in order: short pieces, which
// the scheduler is not told of, and long ones, which it is.
func TestEcho(t *testing.T) {
	for _, size := range []int{1, 100, large, large + 1, 8 << 20} {
		c, other := pair(t)
		sent := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
		go func() {
			b := make([]byte, size)
			if _, err := io.ReadFull(c, b); err != nil {
				t.Errorf("%d bytes did not arrive: %v", size, err)
			}
			if n, err := c.Write(b); n != size || err != nil {
				t.Errorf("%d of %d bytes were written: %v", n, size, err)
			}
		}()
		go other.Write(sent)
		got := make([]byte, size)
		if _, err := io.ReadFull(other, got); err != nil || !bytes.Equal(got, sent) {
			t.Errorf("%d bytes did not come back as they were: %v", size, err)
		}
	}
}

// A write waits for a reader who is slow, and takes up where it stopped.
func TestWriteWaits(t *testing.T) {
	c, other := pair(t)
	const size = 32 << 20 // more than both sockets hold
	done := make(chan error, 1)
	go func() {
		n, err := c.Write(make([]byte, size))
		if err == nil && n != size {
			err = io.ErrShortWrite
		}
		done <- err
	}()
	if n, err := io.CopyN(io.Discard, other, size); err != nil {
		t.Fatalf("%d of %d bytes arrived: %v", n, size, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// The end of a connection is io.EOF, a deadline os.ErrDeadlineExceeded, a
// connection that this side has closed net.ErrClosed, one that is broken an error.
func TestEnds(t *testing.T) {
	b := make([]byte, 16)
	c, other := pair(t)
	if n, err := c.Read(nil); n != 0 || err != nil {
		t.Errorf("a read of nothing: %d, %v", n, err)
	}
	c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := c.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the read deadline: %v", err)
	}
	much := make([]byte, 64<<20)
	c.SetDeadline(time.Now().Add(100 * time.Millisecond))
	if n, err := c.Write(much); !errors.Is(err, os.ErrDeadlineExceeded) || n == len(much) {
		t.Errorf("after the write deadline: %d bytes, %v", n, err)
	}
	c.SetDeadline(time.Time{})
	other.CloseWrite()
	if n, err := c.Read(b); n != 0 || err != io.EOF {
		t.Errorf("at the end: %d, %v", n, err)
	}
	other.SetLinger(0)
	other.Close() // resets
	if _, err := c.Read(b); !errors.Is(err, syscall.ECONNRESET) && err != io.EOF {
		t.Errorf("after a reset: %v", err)
	}
	if _, err := c.Write(b); err == nil {
		t.Error("a write to a connection that was reset did not fail")
	}
	c.Close()
	if _, err := c.Read(b); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a read after Close: %v", err)
	}
	if _, err := c.Write(b); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a write after Close: %v", err)
	}
	if _, err := NewConn(new(net.TCPConn)); err == nil {
		t.Error("what is no connection was taken")
	}
}

// Close ends a Read that waits.
func TestCloseEndsRead(t *testing.T) {
	c, _ := pair(t)
	done := make(chan error, 1)
	go func() {
		_, err := c.Read(make([]byte, 1))
		done <- err
	}()
	c.Close()
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

// Writes of several goroutines do not mix.
func TestWritesTogether(t *testing.T) {
	c, other := pair(t)
	const each, size = 50, 4 << 10
	for _, letter := range []byte("abcd") {
		go func() {
			for range each {
				c.Write(bytes.Repeat([]byte{letter}, size))
			}
		}()
	}
	got := make([]byte, size)
	for range 4 * each {
		if _, err := io.ReadFull(other, got); err != nil {
			t.Fatal(err)
		}
		if i := bytes.IndexFunc(got, func(r rune) bool { return r != rune(got[0]) }); i >= 0 {
			t.Fatalf("%d bytes of %c are followed by %c", i, got[0], got[i])
		}
	}
}

// Read and Write on a bare descriptor: what is not there now is EAGAIN, the end
// no bytes and no error.
func TestDescriptor(t *testing.T) {
	r, w, err := os.Pipe() // both in the runtime's poller, so O_NONBLOCK
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	control := func(f *os.File, try func(fd uintptr)) {
		raw, err := f.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		if err := raw.Control(try); err != nil {
			t.Fatal(err)
		}
	}
	b := make([]byte, 8)
	control(r, func(fd uintptr) {
		if _, err := Read(fd, b); err != syscall.EAGAIN {
			t.Errorf("an empty pipe: %v", err)
		}
	})
	filled := 0
	control(w, func(fd uintptr) {
		if n, err := Write(fd, []byte("hello")); n != 5 || err != nil {
			t.Errorf("a write: %d, %v", n, err)
		}
		if n, err := Write(fd, nil); n != 0 || err != nil {
			t.Errorf("a write of nothing: %d, %v", n, err)
		}
		for {
			n, err := Write(fd, make([]byte, 4096))
			if err == syscall.EAGAIN {
				return
			}
			filled += n
		}
	})
	if filled == 0 {
		t.Error("the pipe took nothing")
	}
	w.Close()
	control(r, func(fd uintptr) {
		if n, err := Read(fd, b); string(b[:n]) != "hello\x00\x00\x00" || err != nil {
			t.Errorf("a read: %q, %v", b[:n], err)
		}
		for left := filled - 3; left > 0; {
			n, err := Read(fd, b)
			if err != nil {
				t.Fatal(err)
			}
			left -= n
		}
		if n, err := Read(fd, b); n != 0 || err != nil {
			t.Errorf("the end: %d, %v", n, err)
		}
	})
	bad := ^uintptr(0)
	if _, err := Read(bad, b); err != syscall.EBADF {
		t.Errorf("no descriptor: %v", err)
	}
}

// Neither Read nor Write allocates.
func TestNoAllocations(t *testing.T) {
	c, other := pair(t)
	b := make([]byte, 64)
	n := testing.AllocsPerRun(100, func() {
		c.Write(b)
		other.Read(b)
		other.Write(b)
		c.Read(b)
	})
	if n > 0 {
		t.Errorf("%v allocations", n)
	}
}
