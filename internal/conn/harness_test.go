package conn

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
)

// TestMain fails when a goroutine of this package outlives the tests.
func TestMain(m *testing.M) {
	code := m.Run()
	if left := leftovers(5 * time.Second); left != "" && code == 0 {
		fmt.Fprintf(os.Stderr, "goroutines were left behind:\n%s\n", left)
		code = 1
	}
	os.Exit(code)
}

func leftovers(patience time.Duration) (left string) {
	buf := make([]byte, 1<<20)
	for end := time.Now().Add(patience); ; runtime.Gosched() {
		left = ""
		for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if strings.Contains(g, "internal/conn.") && !strings.Contains(g, "TestMain") {
				left += g + "\n\n"
			}
		}
		if left == "" || time.Now().After(end) {
			return left
		}
	}
}

// recorder is a Handler that remembers.
type recorder struct {
	onMessage func(c *Conn, data []byte)

	mu       sync.Mutex
	messages []string
	closed   []Reason
	end      chan struct{}
}

func newRecorder() *recorder { return &recorder{end: make(chan struct{})} }

func (r *recorder) Message(c *Conn, data []byte) {
	r.mu.Lock()
	r.messages = append(r.messages, string(data))
	r.mu.Unlock()
	if r.onMessage != nil {
		r.onMessage(c, data)
	}
}

func (r *recorder) Closed(c *Conn, why Reason) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = append(r.closed, why)
	if len(r.closed) == 1 {
		close(r.end)
	}
}

// wait returns the reason that Closed was called with.
func (r *recorder) wait(t testing.TB) Reason {
	t.Helper()
	select {
	case <-r.end:
	case <-time.After(20 * time.Second):
		t.Fatal("the connection has not ended after 20 s")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.closed) != 1 {
		t.Fatalf("Closed was called %d times", len(r.closed))
	}
	return r.closed[0]
}

func (r *recorder) got() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.messages...)
}

// transports are the kinds of connections that Serve has different ways for.
var transports = map[string]func(testing.TB) (server, client net.Conn){
	"tcp":  tcpPair,
	"unix": unixPair,
	"pipe": func(testing.TB) (server, client net.Conn) { return net.Pipe() },
}

func onEveryTransport(t *testing.T, f func(t *testing.T, server, client net.Conn)) {
	for name, pair := range transports {
		t.Run(name, func(t *testing.T) {
			server, client := pair(t)
			f(t, server, client)
		})
	}
}

func tcpPair(t testing.TB) (server, client net.Conn) { return pair(t, "tcp", "127.0.0.1:0") }

func unixPair(t testing.TB) (server, client net.Conn) {
	dir, err := os.MkdirTemp("", "conn") // t.TempDir may be too long for an address
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	return pair(t, "unix", dir+"/s")
}

func pair(t testing.TB, network, address string) (server, client net.Conn) {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err = net.Dial(network, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return server, client
}

// id returns the n-th connection id of the tests.
func id(n int) apigw.ConnectionID {
	var id apigw.ConnectionID
	binary.BigEndian.PutUint32(id[:], uint32(n)*0x9E3779B1)
	return id
}

// serve starts a connection and sees to its end when the test ends.
func serve(t testing.TB, server net.Conn, opts Options, buffered []byte) *Conn {
	t.Helper()
	if opts.Limits == (apigw.Limits{}) {
		opts.Limits = apigw.DefaultLimits()
	}
	c := New(server, opts)
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Serve(buffered)
	}()
	t.Cleanup(func() {
		c.reset(Lost)
		<-done
	})
	return c
}

// frame is a frame as the tests' own client writes and reads it.
type frame struct {
	fin, rsv, unmasked bool
	// long: the length is in two bytes more than it needs.
	long    bool
	op      byte
	payload string
}

func (f frame) String() string {
	payload := f.payload
	if len(payload) > 40 {
		payload = payload[:40] + "..."
	}
	return fmt.Sprintf("{op %d fin %v %d %q}", f.op, f.fin, len(f.payload), payload)
}

// wire returns the frame as a client sends it.
func (f frame) wire() []byte {
	b := []byte{f.op, 0}
	if f.fin {
		b[0] |= 0x80
	}
	if f.rsv {
		b[0] |= 0x40
	}
	switch n := len(f.payload); {
	case n < 126 && !f.long:
		b[1] = byte(n)
	case n < 1<<16:
		b[1] = 126
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b[1] = 127
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	if f.unmasked {
		return append(b, f.payload...)
	}
	b[1] |= 0x80
	mask := [4]byte{0x37, 0xfa, 0x21, 0x3d} // the key of RFC 6455, section 5.7
	b = append(b, mask[:]...)
	for i := range len(f.payload) {
		b = append(b, f.payload[i]^mask[i%4])
	}
	return b
}

func text(payload string) frame { return frame{fin: true, op: 1, payload: payload} }

// closing is a close frame; without a status when code is 0.
func closing(code int, text string) frame {
	f := frame{fin: true, op: 8}
	if code != 0 {
		f.payload = string(binary.BigEndian.AppendUint16(nil, uint16(code))) + text
	}
	return f
}

func wires(frames ...frame) []byte {
	var b []byte
	for _, f := range frames {
		b = append(b, f.wire()...)
	}
	return b
}

// readFrame reads a frame of the server's, which must be unmasked and have no
// reserved bit set.
func readFrame(r *bufio.Reader) (frame, error) {
	f, err := readMarkedFrame(r)
	if err == nil && f.rsv {
		err = fmt.Errorf("the server sent %v with a reserved bit", f)
	}
	return f, err
}

// readMarkedFrame is readFrame for a frame that may be the first of a compressed
// message.
func readMarkedFrame(r *bufio.Reader) (frame, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return frame{}, err
	}
	f := frame{fin: head[0]&0x80 != 0, rsv: head[0]&0x40 != 0, op: head[0] & 0x0f, unmasked: head[1]&0x80 == 0}
	if !f.unmasked || head[0]&0x30 != 0 {
		return f, fmt.Errorf("the server sent a frame beginning %x", head)
	}
	n := uint64(head[1])
	for size := map[uint64]int{126: 2, 127: 8}[n]; size > 0; size = 0 {
		var ext [8]byte
		if _, err := io.ReadFull(r, ext[8-size:]); err != nil {
			return f, err
		}
		n = binary.BigEndian.Uint64(ext[:])
	}
	payload := make([]byte, n)
	_, err := io.ReadFull(r, payload)
	f.payload = string(payload)
	return f, err
}

// peer reads what the server sends in the background, answers its close frame
// and closes.
type peer struct {
	nc   net.Conn
	done chan struct{}

	mu     sync.Mutex
	frames []frame
	err    error
}

func newPeer(t testing.TB, nc net.Conn) *peer {
	p := &peer{nc: nc, done: make(chan struct{})}
	go p.read()
	t.Cleanup(func() {
		nc.Close()
		<-p.done
	})
	return p
}

func (p *peer) read() {
	defer close(p.done)
	r := bufio.NewReader(p.nc)
	for {
		f, err := readFrame(r)
		p.mu.Lock()
		if err != nil {
			p.err = err
		} else {
			p.frames = append(p.frames, f)
		}
		p.mu.Unlock()
		if err != nil {
			p.nc.Close()
			return
		}
		if f.op == 8 {
			p.nc.SetWriteDeadline(time.Now().Add(5 * time.Second))
			p.nc.Write(frame{fin: true, op: 8, payload: f.payload}.wire())
		}
	}
}

// wait returns all frames once the server has closed the transport.
func (p *peer) wait(t testing.TB) []frame {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
		t.Fatal("the server has not closed the transport after 20 s")
	}
	return p.frames
}

// want asserts one value.
func want[T comparable](t testing.TB, what string, got, wanted T) {
	t.Helper()
	if got != wanted {
		t.Errorf("%s: got %v, want %v", what, got, wanted)
	}
}
