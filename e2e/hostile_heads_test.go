package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	gobwas "github.com/gobwas/ws"
	"github.com/rogpeppe/go-internal/testscript"
)

// masked is a client's frame with a mask of zeros, so that it reads as it is.
func masked(f gobwas.Frame) string {
	return string(gobwas.MustCompileFrame(gobwas.MaskFrameWith(f, [4]byte{})))
}

var goodbyeFrame = masked(gobwas.NewCloseFrame(gobwas.NewCloseFrameBody(gobwas.StatusNormalClosure, "")))

// probes are what a client sends that wants to find a hole in the reading of
// heads; TARGET stands for the stage.
var probes = map[string]string{
	// Too much.
	"10000-headers":   "GET TARGET HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X-A: b\r\n", 10_000) + "\r\n",
	"header-of-1MB":   "GET TARGET HTTP/1.1\r\nHost: x\r\nX-A: " + strings.Repeat("b", 1<<20) + "\r\n\r\n",
	"1MB-and-no-CRLF": strings.Repeat("A", 1<<20),
	"target-of-4096":  handshakeHead("TARGET?x=" + strings.Repeat("y", 4096-len("/main?x="))),
	"target-of-4097":  handshakeHead("TARGET?x=" + strings.Repeat("y", 4097-len("/main?x="))),
	"target-of-1MB":   handshakeHead("TARGET?x=" + strings.Repeat("y", 1<<20)),
	// No HTTP.
	"folded-header":    handshakeHead("TARGET", "X-A: b", " folded: c"),
	"NUL-in-value":     handshakeHead("TARGET", "X-A: b\x00c"),
	"NUL-in-name":      handshakeHead("TARGET", "X\x00A: b"),
	"LF-in-value":      handshakeHead("TARGET", "X-A: b\nX-B: c"),
	"CR-in-value":      handshakeHead("TARGET", "X-A: b\rX-B: c"),
	"space-in-name":    handshakeHead("TARGET", "X-A : b"),
	"no-name":          handshakeHead("TARGET", ": b"),
	"no-colon":         handshakeHead("TARGET", "X-A"),
	"double-space":     handshakeHead(" TARGET"),
	"space-in-target":  handshakeHead("TARGET TARGET"),
	"LF-in-target":     handshakeHead("TARGET?\nx"),
	"HTTP/1.0":         strings.Replace(handshakeHead("TARGET"), "HTTP/1.1", "HTTP/1.0", 1),
	"HTTP/2.0":         strings.Replace(handshakeHead("TARGET"), "HTTP/1.1", "HTTP/2.0", 1),
	"no-host":          strings.Replace(handshakeHead("TARGET"), "Host: x\r\n", "", 1),
	"absolute-target":  handshakeHead("http://elsewhere" + "TARGET"),
	"path-with-dots":   handshakeHead("/elsewhere/.." + "TARGET"),
	"encoded-slash":    handshakeHead("/elsewhere%2f..TARGET"),
	"nothing-but-LFs":  strings.ReplaceAll(handshakeHead("TARGET"), "\r\n", "\n"),
	"half-a-head":      "GET TARGET HTTP/1.1\r\nHost: x\r\n",
	"half-a-method":    "GE",
	"TLS-of-4-bytes":   "\x16\x03\x01\x02",
	"HTTP/2-preface":   "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	"SOCKS":            "\x05\x01\x00",
	"header-injection": handshakeHead("TARGET?protocol=chat%0d%0aSet-Cookie:%20a=b", "Sec-WebSocket-Protocol: chat"),
	// Two requests that may be taken for one, or one for two.
	"frames-behind-head":      handshakeHead("TARGET") + masked(gobwas.NewTextFrame([]byte(`{"action":"echo","data":"early"}`))),
	"close-behind-head":       handshakeHead("TARGET") + goodbyeFrame,
	"two-handshakes":          handshakeHead("TARGET") + handshakeHead("TARGET"),
	"handshake-with-length":   handshakeHead("TARGET", "Content-Length: 4") + "body",
	"handshake-with-chunks":   handshakeHead("TARGET", "Transfer-Encoding: chunked") + "4\r\nbody\r\n0\r\n\r\n",
	"refused-then-handshake":  handshakeHead("/elsewhere") + handshakeHead("TARGET"),
	"length-hides-handshake":  "GET TARGET HTTP/1.1\r\nHost: x\r\nContent-Length: 160\r\n\r\n" + fmt.Sprintf("%-160s", handshakeHead("TARGET")),
	"length-and-chunks":       "POST TARGET HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
	"two-lengths":             "POST TARGET HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nbody!",
	"negative-length":         "POST TARGET HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
	"length-with-plus":        "POST TARGET HTTP/1.1\r\nHost: x\r\nContent-Length: +4\r\n\r\nbody",
	"chunks-spelled-wrong":    "POST TARGET HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
	"post-then-handshake":     "POST TARGET HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n" + handshakeHead("TARGET"),
	"handshake-by-POST":       strings.Replace(handshakeHead("TARGET"), "GET", "POST", 1),
	"handshake-by-lower-case": strings.Replace(handshakeHead("TARGET"), "GET", "get", 1),
}

// waits are the probes whose sender does not end its side: the gateway has to
// end the wait.
var waits = map[string]bool{"nothing-but-LFs": true, "half-a-head": true, "half-a-method": true, "TLS-of-4-bytes": true, "SOCKS": true}

// stays are the probes behind which the connection stays open.
var stays = map[string]bool{"frames-behind-head": true}

// probe sends what probes has under a name, and holds what the gateway answers:
// the HTTP statuses in their order, and behind 101 a text frame as its text and
// a close frame as "close CODE"; "nothing" when it ends the connection without a
// word. Several answers may be right, with "or" between them.
//
//	probe NAME ANSWER...
func probe(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: probe NAME ANSWER...")
	}
	text, known := probes[args[0]]
	if !known {
		ts.Fatalf("there is no probe %s", args[0])
	}
	c, target := dialRaw(ts, ts.Getenv("WS"), 0)
	begun := time.Now()
	var sending sync.WaitGroup
	sending.Go(func() {
		// The gateway may end the connection in the middle; that is its answer.
		io.WriteString(c, strings.ReplaceAll(text, "TARGET", target))
		if !waits[args[0]] && !stays[args[0]] {
			c.CloseWrite()
		}
	})
	wanted := strings.Split(strings.Join(args[1:], " "), " or ")
	var answer []byte
	for buf := make([]byte, 4096); ; {
		n, err := c.Read(buf)
		answer = append(answer, buf[:n]...)
		// A reset ends an answer as an end does.
		if err != nil || stays[args[0]] && slices.Contains(wanted, readAnswer(answer)) {
			break
		}
	}
	c.Close()
	sending.Wait()
	if took := time.Since(begun); took >= hostileWithin {
		ts.Fatalf("%s: the gateway let a connection wait for %s; it has answered %q", args[0], took, answer)
	}
	got := readAnswer(answer)
	if !slices.Contains(wanted, got) {
		ts.Fatalf("%s: the gateway answered %s, want %s:\n%.600q", args[0], got, strings.Join(args[1:], " "), answer)
	}
	ts.Logf("%s (%d bytes): %s after %s", args[0], len(text), got, time.Since(begun).Round(time.Millisecond))
}

// readAnswer puts what a gateway said into words.
func readAnswer(raw []byte) string {
	var words []string
	in := bufio.NewReader(bytes.NewReader(raw))
	for {
		if _, err := in.Peek(1); err != nil {
			break
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			words = append(words, fmt.Sprintf("nonsense (%v)", err))
			break
		}
		words = append(words, fmt.Sprint(resp.StatusCode))
		if len(resp.Cookies()) > 0 {
			words = append(words, "with a cookie")
		}
		if resp.StatusCode == http.StatusSwitchingProtocols {
			words = append(words, readFrames(in)...)
			break
		}
		io.Copy(io.Discard, resp.Body)
	}
	if len(words) == 0 {
		return "nothing"
	}
	return strings.Join(words, " ")
}

func readFrames(in io.Reader) (words []string) {
	for {
		f, err := readFrame(in)
		switch {
		case err != nil:
			return words
		case f.Header.OpCode == gobwas.OpClose:
			code, _ := gobwas.ParseCloseFrameData(f.Payload)
			words = append(words, fmt.Sprintf("close %d", code))
		default:
			words = append(words, string(f.Payload))
		}
	}
}

// readFrame reads a frame of at most a megabyte.
func readFrame(in io.Reader) (f gobwas.Frame, err error) {
	if f.Header, err = gobwas.ReadHeader(in); err != nil {
		return f, err
	}
	if f.Header.Length > 1<<20 {
		return f, fmt.Errorf("a frame of %d bytes", f.Header.Length)
	}
	f.Payload = make([]byte, f.Header.Length)
	_, err = io.ReadFull(in, f.Payload)
	return f, err
}
