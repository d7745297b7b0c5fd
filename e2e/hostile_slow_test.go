package e2e

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/coder/websocket"
	"github.com/rogpeppe/go-internal/testscript"
)

// mute URL opens a connection that never reads a frame, with a receive buffer
// as small as the system has one.
func mute(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: mute URL")
	}
	c, target := dialRaw(ts, args[0], 4096)
	shake(ts, c, target)
	ts.Check(c.SetDeadline(time.Time{}))
}

// crowd is a number of well-behaved clients. What each has received is kept by
// the number at its beginning.
type crowd struct {
	clients []*websocket.Conn
	reading sync.WaitGroup

	mu     sync.Mutex
	change chan struct{} // closed at every message
	got    []map[string]bool
	closed []error
}

func (c *crowd) close() {
	for _, ws := range c.clients {
		ws.CloseNow()
	}
	c.reading.Wait()
}

func (c *crowd) read(i int, ws *websocket.Conn) {
	for {
		_, data, err := ws.Read(context.Background())
		c.mu.Lock()
		if err != nil {
			c.closed[i] = err
		} else {
			number, _, _ := strings.Cut(string(data[:min(len(data), 16)]), " ")
			c.got[i][number] = true
		}
		close(c.change)
		c.change = make(chan struct{})
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// behind says who has not got all of n messages, or nil.
func (c *crowd) behind(n int) (change <-chan struct{}, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.got {
		if c.closed[i] != nil {
			return nil, fmt.Errorf("client %d was closed: %w", i, c.closed[i])
		}
		if len(c.got[i]) < n && err == nil {
			err = fmt.Errorf("client %d got %d of %d messages", i, len(c.got[i]), n)
		}
	}
	return c.change, err
}

// await waits until everybody has n messages, then forgets them.
func (c *crowd) await(ts *testscript.TestScript, n int) {
	late := time.After(hostileWithin)
	for {
		change, err := c.behind(n)
		switch {
		case err == nil:
			c.mu.Lock()
			defer c.mu.Unlock()
			for i := range c.got {
				clear(c.got[i])
			}
			return
		case change == nil:
			ts.Fatalf("%v", err)
		}
		select {
		case <-change:
		case <-late:
			ts.Fatalf("after %s: %v", hostileWithin, err)
		}
	}
}

// crowded drives the crowd:
//
//	crowd open N URL            open N connections that read
//	crowd posted COUNT SIZE     post COUNT messages to everyone through @connections,
//	                            and hold that the crowd gets all of them
//	crowd queued COUNT SIZE     send COUNT messages to the queue socket-queue, and
//	                            hold the same
func crowded(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: crowd open N URL | crowd posted|queued COUNT SIZE")
	}
	switch args[0] {
	case "open":
		openCrowd(ts, count(ts, args[1]), args[2])
	case "posted":
		attack(ts).crowd.posted(ts, number(ts, args[1]), number(ts, args[2]))
	case "queued":
		attack(ts).crowd.queued(ts, number(ts, args[1]), number(ts, args[2]))
	default:
		ts.Fatalf("the crowd cannot %s", args[0])
	}
}

func openCrowd(ts *testscript.TestScript, n int, url string) {
	c := &crowd{change: make(chan struct{}), got: make([]map[string]bool, n), closed: make([]error, n)}
	for i := range n {
		c.got[i] = make(map[string]bool)
	}
	if former := attack(ts).crowd; former != nil {
		former.close()
	}
	attack(ts).crowd = c
	ctx, cancel := context.WithTimeout(context.Background(), hostileWithin)
	defer cancel()
	for i := range n {
		ws, _, err := websocket.Dial(ctx, url, nil)
		ts.Check(err)
		ws.SetReadLimit(1 << 20)
		c.clients = append(c.clients, ws)
		c.reading.Go(func() { c.read(i, ws) })
	}
}

func numbered(i, size int) []byte {
	return fmt.Appendf(nil, "%d %s", i, strings.Repeat("x", max(0, size-8)))
}

// posted posts to everyone who is connected, one after the other, as a function
// would. Somebody outside the crowd does not read, and is refused in the end.
func (c *crowd) posted(ts *testscript.TestScript, count, size int) {
	cfg := config(ts)
	cfg.BaseEndpoint = aws.String(ts.Getenv("CALLBACK"))
	cfg.RetryMaxAttempts = 1
	client := apigatewaymanagementapi.NewFromConfig(cfg)
	ctx, cancel := context.WithTimeout(context.Background(), hostileWithin)
	defer cancel()
	ids, begun := connections(ts), time.Now()
	refused := make(map[string]int)
	var slowest time.Duration
	for i := range count {
		data := numbered(i, size)
		for _, id := range ids {
			called := time.Now()
			_, err := client.PostToConnection(ctx, &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: &id, Data: data})
			slowest = max(slowest, time.Since(called))
			var typed interface{ ErrorCode() string }
			if err != nil && (!errors.As(err, &typed) || typed.ErrorCode() != "LimitExceededException" && typed.ErrorCode() != "GoneException") {
				ts.Fatalf("post %d to %s: %v", i, id, err)
			}
			if err != nil {
				refused[id]++
			}
		}
	}
	took := time.Since(begun)
	c.await(ts, count)
	if strangers := len(ids) - len(c.clients); len(refused) == 0 || len(refused) > strangers {
		ts.Fatalf("posts to %d connections were refused; at least one must be, and no more than the %d that are not of the crowd: %v", len(refused), strangers, refused)
	}
	ts.Logf("%d posts of %d bytes to each of %d connections in %s, the slowest call %s; delivered to all %d that read after %s; refused to the rest: %v",
		count, size, len(ids), took.Round(time.Millisecond), slowest.Round(time.Millisecond), len(c.clients), time.Since(begun).Round(time.Millisecond), refused)
}

// queued broadcasts through the queue and its function.
func (c *crowd) queued(ts *testscript.TestScript, count, size int) {
	client := sqs.NewFromConfig(config(ts))
	ctx, cancel := context.WithTimeout(context.Background(), hostileWithin)
	defer cancel()
	queue, err := client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String("socket-queue")})
	ts.Check(err)
	begun := time.Now()
	for i := range count {
		_, err := client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: queue.QueueUrl, MessageBody: aws.String(string(numbered(i, size)))})
		ts.Check(err)
	}
	c.await(ts, count)
	ts.Logf("%d queued messages of %d bytes reached all %d clients that read after %s", count, size, len(c.clients), time.Since(begun).Round(time.Millisecond))
}

// trickle is a client that sends a byte a second.
type trickle struct {
	what  string
	ended chan struct{}
	took  time.Duration
	said  string
}

// trickleWithin bounds what a trickling client may take: the gateway gives a
// frame 30 s, and the machine may be busy.
const trickleWithin = 2 * hostileWithin

// trickling sends a byte a second in the background, of what is named, until
// the gateway ends the connection:
//
//	trickle head|header|payload|tls URL
func trickling(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: trickle head|header|payload|tls URL")
	}
	c, target := dialRaw(ts, args[1], 0)
	var bytes []byte
	switch args[0] {
	case "head":
		bytes = []byte(handshakeHead(target))
	case "tls":
		bytes = hello(ts)
	case "header":
		shake(ts, c, target)
		// A length of 4,096 and the mask; the payload never comes.
		bytes = []byte{0x81, 0x80 | 126, 0x10, 0, 0, 0, 0, 0}
	case "payload":
		shake(ts, c, target)
		bytes = append([]byte{0x81, 0x80 | 126, 0x10, 0, 0, 0, 0, 0}, make([]byte, 4096)...)
	default:
		ts.Fatalf("nothing is called %s", args[0])
	}
	ts.Check(c.SetDeadline(time.Now().Add(trickleWithin)))
	t := &trickle{what: args[0], ended: make(chan struct{})}
	attack(ts).trickles = append(attack(ts).trickles, t)
	go t.run(c, bytes)
}

// hello is the first message of a TLS client.
func hello(ts *testscript.TestScript) []byte {
	near, far := net.Pipe()
	go tls.Client(near, &tls.Config{ServerName: "localhost", RootCAs: roots(ts)}).Handshake()
	defer near.Close()
	defer far.Close()
	buf := make([]byte, 4096)
	n, err := far.Read(buf)
	ts.Check(err)
	return buf[:n]
}

func (t *trickle) run(c net.Conn, bytes []byte) {
	defer close(t.ended)
	begun := time.Now()
	over := make(chan struct{})
	var sending sync.WaitGroup
	defer sending.Wait()
	defer close(over)
	sending.Go(func() {
		for i := range bytes {
			if _, err := c.Write(bytes[i : i+1]); err != nil {
				return
			}
			select {
			case <-over:
				return
			case <-time.After(time.Second):
			}
		}
	})
	said, err := io.ReadAll(c)
	t.took = time.Since(begun)
	t.said = string(said)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.said = "HTTP/ the gateway still waits"
	}
	c.Close()
}

// lastWord is the HTTP status, or the last frame, that the gateway has sent.
func (t *trickle) lastWord() string {
	if t.said == "" || strings.HasPrefix(t.said, "HTTP/") {
		return readAnswer([]byte(t.said))
	}
	frames := readFrames(strings.NewReader(t.said))
	if len(frames) == 0 {
		return "half a frame"
	}
	return frames[len(frames)-1]
}

// trickled holds within what time a trickle ended, and how: with an HTTP status,
// with "close CODE", or with "nothing".
//
//	trickled head 20s 408
func trickled(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: trickled WHAT TIME ANSWER")
	}
	most, err := time.ParseDuration(args[1])
	ts.Check(err)
	for _, t := range attack(ts).trickles {
		if t.what != args[0] {
			continue
		}
		<-t.ended
		got := t.lastWord()
		if want := strings.Join(args[2:], " "); got != want || t.took > most {
			ts.Fatalf("a byte a second in the %s ended with %.300s after %s, want %s", t.what, got, t.took, want)
		}
		ts.Logf("a byte a second in the %s: %s after %s", t.what, got, t.took.Round(time.Millisecond))
		return
	}
	ts.Fatalf("nobody trickles in the %s", args[0])
}

func number(ts *testscript.TestScript, text string) int {
	var n int
	_, err := fmt.Sscan(text, &n)
	ts.Check(err)
	return n
}
