package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatepost-dev/gatepost/internal/awswire"
)

// postClient posts ready-made requests and reads what the receivers get, in one
// loop that asks epoll again and again and never sleeps: the server's writes
// should not be charged with waking up a client that would be far away.
type postClient struct {
	epoll     int
	receivers []*rawSocket
	senders   []*sender
}

func newPostClient() (handler, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	c := &postClient{epoll: epoll}
	return func(r request) (answer, error) {
		switch r.Op {
		case "receivers":
			return answer{}, c.openReceivers(r.Address, r.Connections)
		case "senders":
			return answer{}, c.openSenders(r)
		case "post":
			return c.post(r.Messages)
		}
		return answer{}, errors.New("unknown request")
	}, err
}

// openReceivers opens WebSocket connections that number themselves.
func (c *postClient) openReceivers(address string, n int) error {
	for i := range n {
		s, err := dialRaw(address)
		if err != nil {
			return err
		}
		head := strings.Replace(upgradeRequest, "\r\n\r\n", "\r\nUser-Agent: "+strconv.Itoa(i)+"\r\n\r\n", 1)
		if _, err := io.WriteString(s, head); err != nil {
			return err
		}
		if err := readAnswer(s, make([]byte, 1024), "HTTP/1.1 101 "); err != nil {
			return err
		}
		c.receivers = append(c.receivers, s)
	}
	return nil
}

// sender is one keep-alive connection with the posts that go over it in turn.
type sender struct {
	conn  io.ReadWriter
	posts []post
	buf   []byte
	at    int // the post that is under way
	left  int // posts to be sent
}

// post is a request as it goes over the wire, and who gets its message.
type post struct {
	request  []byte
	receiver *rawSocket
}

func (c *postClient) openSenders(r request) error {
	for i := range r.Connections {
		raw, err := dialRaw(r.Address)
		if err != nil {
			return err
		}
		ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}
		if err := unix.EpollCtl(c.epoll, unix.EPOLL_CTL_ADD, raw.fd, &ev); err != nil {
			return err
		}
		s := &sender{conn: raw, buf: make([]byte, 1024)}
		if r.Posting.TLS {
			// Whose certificate it is does not change what a post costs.
			s.conn = tls.Client(raw, &tls.Config{ServerName: "localhost", InsecureSkipVerify: true})
		}
		c.senders = append(c.senders, s)
	}
	for i, id := range r.Posting.IDs {
		wire, err := postRequest(r.Address, id, payload(i, r.Size), r.Posting.Credentials)
		if err != nil {
			return err
		}
		s := c.senders[i%len(c.senders)]
		s.posts = append(s.posts, post{wire, c.receivers[i]})
	}
	return nil
}

// postRequest returns a request with the headers that AWS's SDK for Go sends,
// signed for the next five minutes.
func postRequest(address, id string, body []byte, credentials awswire.Credentials) ([]byte, error) {
	target := "http://" + address + "/main/@connections/" + strings.ReplaceAll(id, "=", "%3D")
	r, err := http.NewRequest(http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", "aws-sdk-go-v2/1.47.6 ua/2.1 os/linux lang/go#1.26.8 md/GOOS#linux md/GOARCH#amd64 api/apigatewaymanagementapi#1.28.5 m/E")
	r.Header.Set("Content-Type", "application/octet-stream")
	r.Header.Set("Accept-Encoding", "identity")
	r.Header.Set("Amz-Sdk-Invocation-Id", "6dd0a6a4-5a0a-4d3e-9d52-7d3cd1a4b9a4")
	r.Header.Set("Amz-Sdk-Request", "attempt=1; max=3")
	if credentials.AccessKeyID != "" {
		awswire.Sign(r, body, credentials, "us-east-1", "execute-api", time.Now())
	}
	var wire bytes.Buffer
	err = r.Write(&wire)
	return wire.Bytes(), err
}

// post sends n messages, the same number over each connection, and returns how
// long it took until all had arrived.
func (c *postClient) post(n int) (answer, error) {
	began := monotonic()
	for _, s := range c.senders {
		s.left = n / len(c.senders)
		if err := s.send(); err != nil {
			return answer{}, err
		}
	}
	events := make([]unix.EpollEvent, len(c.senders))
	for missing := n / len(c.senders) * len(c.senders); missing > 0; {
		ready, err := unix.EpollWait(c.epoll, events, 0)
		if err != nil && err != unix.EINTR {
			return answer{}, err
		}
		for _, ev := range events[:max(ready, 0)] {
			if err := c.senders[ev.Fd].next(); err != nil {
				return answer{}, err
			}
			missing--
		}
		if time.Duration(monotonic()-began) > 2*patience {
			return answer{}, fmt.Errorf("%d of %d answers are missing after %v", missing, n, 2*patience)
		}
	}
	return answer{Time: monotonic() - began}, nil
}

func (s *sender) send() error {
	_, err := s.conn.Write(s.posts[s.at].request)
	return err
}

// next takes an answer and its message, and sends another post.
func (s *sender) next() error {
	if err := readAnswer(s.conn, s.buf, "HTTP/1.1 200 "); err != nil {
		return err
	}
	if _, err := io.ReadFull(s.posts[s.at].receiver, s.buf[:wireSize(messageSize)]); err != nil {
		return fmt.Errorf("read the message: %w", err)
	}
	s.at = (s.at + 1) % len(s.posts)
	if s.left--; s.left == 0 {
		return nil
	}
	return s.send()
}

// readAnswer reads an answer without a body.
func readAnswer(c io.Reader, buf []byte, want string) error {
	for have := 0; ; {
		n, err := c.Read(buf[have:])
		if err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
		have += n
		if bytes.HasSuffix(buf[:have], []byte("\r\n\r\n")) {
			if !bytes.HasPrefix(buf[:have], []byte(want)) {
				return fmt.Errorf("want %s, got: %s", want, buf[:have])
			}
			return nil
		}
		if have == len(buf) {
			return fmt.Errorf("a long answer: %s", buf)
		}
	}
}

// patience is how long a client waits for what has to come.
const patience = 10 * time.Second

// rawSocket is a connection outside Go's scheduler. Read and Write go on
// asking until the kernel has or takes something; the other methods of a
// net.Conn are not there.
type rawSocket struct {
	net.Conn // nil, for crypto/tls
	fd       int
}

func dialRaw(address string) (*rawSocket, error) {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}); err != nil {
		return nil, err
	}
	unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	return &rawSocket{fd: fd}, unix.SetNonblock(fd, true)
}

func (s *rawSocket) Read(b []byte) (int, error) {
	n, err := unix.Read(s.fd, b)
	for end := int64(0); err == unix.EAGAIN; n, err = unix.Read(s.fd, b) {
		if end == 0 {
			end = monotonic() + int64(patience)
		}
		if monotonic() > end {
			return 0, fmt.Errorf("nothing came for %v", patience)
		}
	}
	if n == 0 && err == nil {
		err = io.EOF
	}
	return max(n, 0), err
}

func (s *rawSocket) Write(b []byte) (int, error) {
	n, err := unix.Write(s.fd, b)
	for err == unix.EAGAIN {
		n, err = unix.Write(s.fd, b)
	}
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return max(n, 0), err
}
