package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	gobwas "github.com/gobwas/ws"
	"github.com/rogpeppe/go-internal/testscript"
)

// dialers is how many sockets are opened at once.
const dialers = 32

// halfOpen N URL opens N sockets that do not finish a handshake: they send
// nothing, a byte, half a head or the beginning of TLS. $SOCKETS is how many the
// system let it open. They stay open until `retreat`.
//
// With "full" behind the URL, N is the limit: it opens some more and holds that
// those are closed at once.
func halfOpen(ts *testscript.TestScript, neg bool, args []string) {
	switch {
	case !neg && len(args) == 2:
		n := openHalf(ts, min(count(ts, args[0]), descriptorsLeft(ts)-1000), args[1], "", "G", halfHead, "\x16\x03\x01\x02\x00\x01")
		ts.Setenv("SOCKETS", strconv.Itoa(n))
	case !neg && len(args) == 3 && args[2] == "full":
		pastLimit(ts, number(ts, args[0]), args[1])
	default:
		ts.Fatalf("usage: halfopen N URL [full]")
	}
}

const halfHead = "GET /main HTTP/1.1\r\nHost: x\r\nUpgrade: websock"

// pastLimit opens some half-open handshakes more than the limit of n, and holds
// that exactly those are closed at once, which otherwise would wait.
func pastLimit(ts *testscript.TestScript, n int, address string) {
	const more = 50
	u, err := url.Parse(address)
	ts.Check(err)
	sockets, err := openMany(u.Host, n+more, []string{halfHead})
	attack(ts).sockets = append(attack(ts).sockets, sockets...)
	ts.Check(err)
	closed := make(chan struct{}, len(sockets))
	for _, c := range sockets {
		go func() {
			c.Read(make([]byte, 1)) // until the gateway closes it, or the script does
			closed <- struct{}{}
		}()
	}
	eventually(ts, hostileWithin, func() error {
		if len(closed) != more {
			return fmt.Errorf("%d of %d half-open handshakes were closed, want %d", len(closed), len(sockets), more)
		}
		return nil
	})
	ts.Logf("of %d half-open handshakes %d wait, %d were closed", len(sockets), n, more)
}

// openHalf opens n sockets with the beginnings in turn, and waits until gatepost
// has accepted them.
func openHalf(ts *testscript.TestScript, n int, address string, beginnings ...string) int {
	h := attack(ts)
	u, err := url.Parse(address)
	ts.Check(err)
	begun, before := time.Now(), measured(ts).descriptors
	// Some at a time: the kernel's queue of sockets to accept has an end.
	const some = 1000
	for open := 0; open < n; {
		sockets, err := openMany(u.Host, min(some, n-open), beginnings)
		h.sockets = append(h.sockets, sockets...)
		ts.Check(err)
		open += len(sockets)
		eventually(ts, hostileWithin, func() error {
			if has := measured(ts).descriptors - before; has < open-others {
				return fmt.Errorf("gatepost has accepted %d of %d sockets", has, open)
			}
			return nil
		})
	}
	ts.Logf("%d half-open handshakes after %s; a process may have %d descriptors", n, time.Since(begun).Round(time.Millisecond), descriptorLimit(ts))
	return n
}

// descriptorLimit is how many descriptors this process may have, and one that it
// starts.
func descriptorLimit(ts *testscript.TestScript) int {
	var limit syscall.Rlimit
	ts.Check(syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	return int(min(limit.Cur, 1<<20))
}

func descriptorsLeft(ts *testscript.TestScript) int {
	used, err := os.ReadDir("/proc/self/fd")
	ts.Check(err)
	return descriptorLimit(ts) - len(used)
}

// openMany opens n sockets and sends one of the beginnings on each.
func openMany(address string, n int, beginnings []string) ([]net.Conn, error) {
	sockets, errs := make([]net.Conn, n), make([]error, dialers)
	var all sync.WaitGroup
	for d := range dialers {
		all.Go(func() {
			for i := d; i < n; i += dialers {
				c, err := net.DialTimeout("tcp", address, hostileWithin)
				if err == nil {
					sockets[i] = c
					_, err = io.WriteString(c, beginnings[i%len(beginnings)])
				}
				if err != nil {
					errs[d] = fmt.Errorf("socket %d: %w", i, err)
					return
				}
			}
		})
	}
	all.Wait()
	var open []net.Conn
	for _, c := range sockets {
		if c != nil {
			open = append(open, c)
		}
	}
	for _, err := range errs {
		if err != nil {
			return open, err
		}
	}
	return open, nil
}

// flood sends messages at once on one connection of the demo, in one write:
//
//	flood answered N URL    hold that each of N messages is answered
//	flood closing N URL     close right behind them, and hold that each of N has
//	                        reached the function all the same
func flood(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: flood answered|closing N URL")
	}
	n := number(ts, args[1])
	var wire bytes.Buffer
	for i := range n {
		wire.WriteString(masked(gobwas.NewTextFrame(fmt.Appendf(nil, `{"action":"echo","data":"%d"}`, i))))
	}
	if args[0] == "closing" {
		wire.WriteString(goodbyeFrame)
	}
	c, target := dialRaw(ts, args[2], 0)
	shake(ts, c, target)
	before, begun := invocations(ts, "echo"), time.Now()
	var sending sync.WaitGroup
	sending.Go(func() { c.Write(wire.Bytes()) })
	defer sending.Wait()
	defer c.Close()
	answers := readAnswers(c, n)
	took := time.Since(begun)
	if args[0] == "answered" && len(answers) != n {
		ts.Fatalf("%d of %d messages were answered", len(answers), n)
	}
	var ran int
	eventually(ts, hostileWithin, func() error {
		if ran = invocations(ts, "echo") - before; ran != n {
			return fmt.Errorf("%d of %d messages have reached the function", ran, n)
		}
		return nil
	})
	ts.Logf("%d messages at once: %d answered after %s, %d invocations by %d processes; %s", n, len(answers), took.Round(time.Millisecond), ran, sandboxes(ts, "echo"), measured(ts))
}

// readAnswers reads until n different messages have come, or the close frame.
func readAnswers(c io.Reader, n int) map[string]bool {
	got := make(map[string]bool)
	for len(got) < n {
		f, err := readFrame(c)
		if err != nil || f.Header.OpCode == gobwas.OpClose {
			break
		}
		got[string(f.Payload)] = true
	}
	return got
}

// sandboxes is how many processes a function has.
func sandboxes(ts *testscript.TestScript, function string) int {
	var list []struct {
		Name      string
		Sandboxes int
	}
	admin(ts, "/api/functions", &list)
	for _, f := range list {
		if f.Name == function {
			return f.Sandboxes
		}
	}
	return 0
}

// churn N URL connects N times to the demo, each time to end in one of five
// ways, and holds that each $connect that let somebody in has its $disconnect.
func churn(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: churn N URL")
	}
	n := count(ts, args[0])
	u, err := url.Parse(args[1])
	ts.Check(err)
	connects, disconnects, begun := invocations(ts, "connect"), invocations(ts, "disconnect"), time.Now()
	errs := make(chan error, dialers)
	var all sync.WaitGroup
	for d := range dialers {
		all.Go(func() {
			for i := d; i < n; i += dialers {
				if err := comeAndGo(u, endings[i%len(endings)]); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	all.Wait()
	close(errs)
	for err := range errs {
		ts.Fatalf("churn: %v", err)
	}
	took := time.Since(begun)
	var came, went int
	eventually(ts, hostileWithin, func() error {
		came, went = invocations(ts, "connect")-connects, invocations(ts, "disconnect")-disconnects
		if open := connections(ts); len(open) > 0 || came != went {
			return fmt.Errorf("%d connections are left, $connect ran %d times, $disconnect %d", len(open), came, went)
		}
		return nil
	})
	if came < n*(len(endings)-1)/len(endings) {
		ts.Fatalf("only %d of %d connections came to $connect", came, n)
	}
	ts.Logf("%d connections came and went within %s; $connect and $disconnect ran %d times each, the last after %s", n, took.Round(time.Millisecond), came, time.Since(begun).Round(time.Millisecond))
}

// ending is what a client does after it has sent its handshake.
type ending func(c *net.TCPConn) error

var endings = []ending{
	func(c *net.TCPConn) error { // politely
		if err := await101(c); err != nil {
			return err
		}
		if _, err := io.WriteString(c, goodbyeFrame); err != nil {
			return err
		}
		_, err := io.ReadAll(c)
		return err
	},
	func(c *net.TCPConn) error { return await101(c) },                    // without a close frame
	func(c *net.TCPConn) error { return firstOf(await101(c), reset(c)) }, // by a reset
	func(c *net.TCPConn) error { // by a reset within a frame
		err := await101(c)
		if err == nil {
			_, err = io.WriteString(c, "\x81\xfe\x10")
		}
		return firstOf(err, reset(c))
	},
	func(c *net.TCPConn) error { return reset(c) }, // by a reset while $connect runs, or before
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func comeAndGo(u *url.URL, end ending) error {
	nc, err := net.DialTimeout("tcp", u.Host, hostileWithin)
	if err != nil {
		return err
	}
	c := nc.(*net.TCPConn)
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(hostileWithin)); err != nil {
		return err
	}
	if _, err := io.WriteString(c, handshakeHead(u.RequestURI())); err != nil {
		return err
	}
	return end(c)
}

// await101 reads the answer to the handshake.
func await101(c net.Conn) error {
	head := make([]byte, 0, 512)
	for !bytes.HasSuffix(head, []byte("\r\n\r\n")) && len(head) < cap(head) {
		n, err := c.Read(head[len(head) : len(head)+1])
		head = head[:len(head)+n]
		if err != nil {
			return fmt.Errorf("read the answer to the handshake: %w", err)
		}
	}
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 101 ")) {
		return fmt.Errorf("the handshake got %q", head)
	}
	return nil
}

// gone is a client of the system under clients/ws/system that vanishes, by a
// reset, while something is under way, and holds that $disconnect is told 1006:
//
//	gone connect URL    while $connect runs
//	gone message URL    while a message's function runs
//	gone frame URL      within a frame
func gone(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: gone connect|message|frame URL")
	}
	who := "gone-" + args[0]
	c, target := dialRaw(ts, args[1]+"?who="+who+map[string]string{"connect": "&wait=1s"}[args[0]], 0)
	_, err := io.WriteString(c, handshakeHead(target))
	ts.Check(err)
	id := logged(ts, `hello `+who+` (\S+) `)
	switch args[0] {
	case "message":
		ts.Check(await101(c))
		_, err := io.WriteString(c, masked(gobwas.NewTextFrame([]byte(`{"action":"slow"}`))))
		ts.Check(err)
		logged(ts, `busy (`+regexp.QuoteMeta(id)+`)`)
	case "frame":
		ts.Check(await101(c))
		_, err := io.WriteString(c, masked(gobwas.NewTextFrame([]byte(strings.Repeat("x", 4096))))[:2000])
		ts.Check(err)
	}
	ts.Check(reset(c))
	if said := logged(ts, `goodbye `+regexp.QuoteMeta(id)+` (.*)\n`); said != `1006 ""` {
		ts.Fatalf("$disconnect was told %s, want 1006", said)
	}
	if args[0] == "message" {
		logged(ts, `rested (`+regexp.QuoteMeta(id)+`)`)
	}
}
