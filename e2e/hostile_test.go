package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// hostileWithin bounds every wait for the gateway while it is under attack. What it
// promises takes much less, on a quiet machine.
const hostileWithin = 60 * time.Second

// raced tells whether the binary under test has the race detector, which makes
// everything slower and larger: counts are smaller then, and memory may be more.
func raced() bool { return slices.Contains(buildFlags, "-race") }

// count is how many of something a script asks for, in an argument.
func count(ts *testscript.TestScript, text string) int {
	n, err := strconv.Atoi(text)
	ts.Check(err)
	if raced() {
		n = max(1, n/4)
	}
	return n
}

// hostileKey finds what hostile clients a script has.
type hostileKey struct{}

// hostile is what the hostile clients of one script have open and have seen.
type hostile struct {
	sockets  []net.Conn
	measures map[string]measure
	crowd    *crowd
	trickles []*trickle
}

func (h *hostile) closeSockets() {
	for _, c := range h.sockets {
		c.Close()
	}
	h.sockets = nil
}

func (h *hostile) close() {
	h.closeSockets()
	if h.crowd != nil {
		h.crowd.close()
	}
}

func attack(ts *testscript.TestScript) *hostile { return ts.Value(hostileKey{}).(*hostile) }

// measure is what the process under test takes at a moment.
type measure struct {
	rss, peak   int // resident memory, in bytes
	threads     int
	descriptors int
}

func (m measure) String() string {
	return fmt.Sprintf("%.1f MB resident (at most %.1f MB so far), %d descriptors, %d threads", mb(m.rss), mb(m.peak), m.descriptors, m.threads)
}

func mb(bytes int) float64 { return float64(bytes) / (1 << 20) }

// measured reads /proc of the running gatepost.
func measured(ts *testscript.TestScript) measure {
	proc := fmt.Sprintf("/proc/%d/", onStage(ts).process.Process.Pid)
	status, err := os.ReadFile(proc + "status")
	ts.Check(err)
	fds, err := os.ReadDir(proc + "fd")
	ts.Check(err)
	m := measure{descriptors: len(fds)}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		n, _ := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")))
		switch name {
		case "VmRSS":
			m.rss = n << 10
		case "VmHWM":
			m.peak = n << 10
		case "Threads":
			m.threads = n
		}
	}
	return m
}

// others is how many descriptors come and go beside those that a test counts: the
// pipes and sockets of functions' processes, and connections that are closing.
const others = 200

// takeMeasure NAME notes and prints what gatepost takes now.
func takeMeasure(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: measure NAME")
	}
	m := measured(ts)
	attack(ts).measures[args[0]] = m
	ts.Logf("%s: %s", args[0], m)
}

// grew holds that gatepost takes at most so much more than at a measure, in
// resident memory and in descriptors, and waits for that if need be:
//
//	grew BEFORE 64MB 0               more than at BEFORE; 200 descriptors, of
//	                                 functions' processes, do not count
//	grew BEFORE 16KB 1 per $SOCKETS  the same for each of so many
func grew(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 && len(args) != 5 {
		ts.Fatalf("usage: grew BEFORE SIZE DESCRIPTORS [per N]")
	}
	before, known := attack(ts).measures[args[0]]
	if !known {
		ts.Fatalf("there is no measure %s", args[0])
	}
	number, unit := args[1][:len(args[1])-2], map[string]int{"KB": 1 << 10, "MB": 1 << 20}[args[1][len(args[1])-2:]]
	bytes, err := strconv.Atoi(number)
	ts.Check(err)
	bytes *= unit
	descriptors, err := strconv.Atoi(args[2])
	ts.Check(err)
	n := 1
	if len(args) == 5 {
		n, err = strconv.Atoi(args[4])
		ts.Check(err)
	}
	if raced() {
		bytes *= 8
	}
	eventually(ts, hostileWithin, func() error {
		now := measured(ts)
		if now.rss-before.rss > n*bytes || now.descriptors-before.descriptors > n*descriptors+others {
			return fmt.Errorf("%s; that is more than %d times %d bytes and %d descriptors above %s", now, n, bytes, descriptors, before)
		}
		ts.Logf("%+.1f MB, %+d descriptors since %s: %.1f KB for each of %d", mb(now.rss-before.rss), now.descriptors-before.descriptors, args[0], float64(now.rss-before.rss)/1024/float64(n), n)
		return nil
	})
}

// retreat closes what mute and halfopen have open, and waits until gatepost has
// closed its side.
func retreat(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: retreat")
	}
	before, open := measured(ts).descriptors, len(attack(ts).sockets)
	attack(ts).closeSockets()
	eventually(ts, hostileWithin, func() error {
		if has := measured(ts).descriptors; has > before-open+others {
			return fmt.Errorf("gatepost has %d descriptors of %d left, %d sockets were closed", has, before, open)
		}
		return nil
	})
}

// sees PATTERN waits for a line of gatepost's output.
func sees(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: sees PATTERN")
	}
	logged(ts, "("+args[0]+")")
}

// logged waits for a line of gatepost's output, and returns the pattern's first
// group.
func logged(ts *testscript.TestScript, pattern string) string {
	found, err := (&talk{ts: ts}).logged(pattern)
	ts.Check(err)
	return found[1]
}

// admin asks the running instance's admin API.
func admin(ts *testscript.TestScript, path string, out any) {
	s := onStage(ts)
	req, err := http.NewRequest(http.MethodGet, s.run.Console+path, nil)
	ts.Check(err)
	req.Header.Set("Authorization", "Bearer "+s.secrets.AdminToken)
	resp, err := (&http.Client{Timeout: hostileWithin}).Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	ts.Check(json.NewDecoder(resp.Body).Decode(out))
}

// connections are the ids of all that are connected.
func connections(ts *testscript.TestScript) []string {
	var list []struct{ ConnectionID string }
	admin(ts, "/api/connections", &list)
	ids := make([]string, len(list))
	for i := range list {
		ids[i] = list[i].ConnectionID
	}
	return ids
}

// invocations is how often a function was invoked.
func invocations(ts *testscript.TestScript, function string) int {
	var list []struct {
		Name        string
		Invocations int
	}
	admin(ts, "/api/functions", &list)
	for _, f := range list {
		if f.Name == function {
			return f.Invocations
		}
	}
	ts.Fatalf("there is no function %s", function)
	return 0
}

// handshakeHead is a WebSocket handshake by hand.
func handshakeHead(target string, extra ...string) string {
	lines := append([]string{"GET " + target + " HTTP/1.1", "Host: x", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}, extra...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// dialRaw opens a socket to a WebSocket URL's host, with a receive buffer of a
// size if one is given, and returns the URL's target. The script closes it in
// the end.
func dialRaw(ts *testscript.TestScript, address string, receive int) (c *net.TCPConn, target string) {
	u, err := url.Parse(address)
	ts.Check(err)
	dialer := net.Dialer{Timeout: hostileWithin, Control: func(_, _ string, raw syscall.RawConn) error {
		if receive == 0 {
			return nil
		}
		var set error
		err := raw.Control(func(fd uintptr) { set = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, receive) })
		return errors.Join(err, set)
	}}
	nc, err := dialer.Dial("tcp", u.Host)
	ts.Check(err)
	c = nc.(*net.TCPConn)
	attack(ts).sockets = append(attack(ts).sockets, c)
	ts.Check(c.SetDeadline(time.Now().Add(hostileWithin)))
	return c, u.RequestURI()
}

// shake does the handshake on a raw socket and reads nothing past it.
func shake(ts *testscript.TestScript, c net.Conn, target string, extra ...string) {
	_, err := io.WriteString(c, handshakeHead(target, extra...))
	ts.Check(err)
	var head []byte
	for b := make([]byte, 1); !bytes.HasSuffix(head, []byte("\r\n\r\n")); {
		_, err := io.ReadFull(c, b)
		ts.Check(err)
		head = append(head, b...)
	}
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 101 ")) {
		ts.Fatalf("the handshake of a hostile client got %q", head)
	}
}

// reset ends a socket so that the other side sees a reset.
func reset(c *net.TCPConn) error { return errors.Join(c.SetLinger(0), c.Close()) }
