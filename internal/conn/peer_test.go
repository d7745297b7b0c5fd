package conn

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/gatepost-dev/gatepost/apigw"
)

// upgrading listens and serves every WebSocket client with the handler, over
// TLS when config is not nil. The upgrade is just enough for a test.
func upgrading(t *testing.T, h Handler, config *tls.Config) (address string, hub *Hub) {
	return upgradingTo(t, Options{Handler: h}, config)
}

// upgradingTo is upgrading with options; Compress lets clients have it that offer
// it.
func upgradingTo(t *testing.T, opts Options, config *tls.Config) (address string, hub *Hub) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	hub = NewHub(apigw.DefaultLimits())
	opts.Hub, opts.Limits = hub, apigw.DefaultLimits()
	var serving sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		hub.Drain(t.Context(), Draining)
		serving.Wait()
	})
	serving.Go(func() {
		for n := 0; ; n++ {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			if config != nil {
				nc = tls.Server(nc, config)
			}
			own := opts
			own.ID = id(n)
			serving.Go(func() { upgrade(nc, own) })
		}
	})
	return l.Addr().String(), hub
}

func upgrade(nc net.Conn, opts Options) {
	r := bufio.NewReader(nc)
	req, err := http.ReadRequest(r)
	if err != nil {
		nc.Close()
		return
	}
	sum := sha1.Sum([]byte(req.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	opts.Greeting = fmt.Appendf(nil, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n",
		base64.StdEncoding.EncodeToString(sum[:]))
	if opts.Compress {
		var answer string
		if answer, opts.Compress = NegotiateDeflate(req.Header.Values("Sec-WebSocket-Extensions")); opts.Compress {
			opts.Greeting = fmt.Appendf(opts.Greeting, "Sec-WebSocket-Extensions: %s\r\n", answer)
		}
	}
	opts.Greeting = append(opts.Greeting, "\r\n"...)
	buffered, _ := r.Peek(r.Buffered())
	New(nc, opts).Serve(buffered)
}

func selfSigned(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{cert}, PrivateKey: key}}}
}

// echo sends every message back.
type echo struct{ *recorder }

func (e echo) Message(c *Conn, data []byte) {
	if err := c.Send(data); err != nil {
		c.Close(ProtocolError(err.Error()))
	}
}

// TestIndependentClient talks to another implementation of RFC 6455, plain and
// over TLS: messages of all sizes, pings, and both directions of closing.
func TestIndependentClient(t *testing.T) {
	for scheme, config := range map[string]*tls.Config{"ws": nil, "wss": selfSigned(t)} {
		t.Run(scheme, func(t *testing.T) {
			h := echo{newRecorder()}
			address, hub := upgrading(t, h, config)
			c := dial(t, scheme, address)
			for _, size := range []int{0, 1, 125, 126, 4096, 65535 / 2, 32<<10 - 100} {
				checkEcho(t, c, strings.Repeat("e", size))
			}
			ping(t, c)
			checkBroadcast(t, hub, c)
			if err := c.Close(4001, "enough"); err != nil {
				t.Errorf("Close: %v", err)
			}
			want(t, "reason", h.wait(t), ClientClosed(4001, "enough"))
		})
	}
}

func TestIndependentClientIsClosed(t *testing.T) {
	for scheme, config := range map[string]*tls.Config{"ws": nil, "wss": selfSigned(t)} {
		t.Run(scheme, func(t *testing.T) {
			h := newRecorder()
			address, hub := upgrading(t, h, config)
			c := dial(t, scheme, address)
			if err := hub.Delete(t.Context(), id(0)); err != nil {
				t.Fatal(err)
			}
			_, _, err := c.Read(t.Context())
			want(t, "status", websocket.CloseStatus(err), websocket.StatusNormalClosure)
			want(t, "reason", h.wait(t), Kicked)
		})
	}
}

// TestIndependentClientBreaksALimit: the client must see the status although it
// was still sending.
func TestIndependentClientBreaksALimit(t *testing.T) {
	tests := map[websocket.StatusCode]struct {
		kind websocket.MessageType
		size int
	}{
		websocket.StatusUnsupportedData: {websocket.MessageBinary, 10},
		websocket.StatusMessageTooBig:   {websocket.MessageText, 32<<10 + 1},
	}
	for status, test := range tests {
		address, _ := upgrading(t, newRecorder(), nil)
		c := dial(t, "ws", address)
		c.Write(t.Context(), test.kind, make([]byte, test.size))
		_, _, err := c.Read(t.Context())
		want(t, "status", websocket.CloseStatus(err), status)
	}
}

func dial(t *testing.T, scheme, address string) *websocket.Conn {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	c, _, err := websocket.Dial(t.Context(), scheme+"://"+address, &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	c.SetReadLimit(1 << 20)
	t.Cleanup(func() { c.CloseNow() })
	return c
}

func checkEcho(t *testing.T, c *websocket.Conn, message string) {
	t.Helper()
	if err := c.Write(t.Context(), websocket.MessageText, []byte(message)); err != nil {
		t.Fatal(err)
	}
	kind, got, err := c.Read(t.Context())
	if err != nil || kind != websocket.MessageText || string(got) != message {
		t.Errorf("echo of %d bytes: got %v, %d bytes, %v", len(message), kind, len(got), err)
	}
}

// ping needs a reader on the client's side, which the next message ends.
func ping(t *testing.T, c *websocket.Conn) {
	t.Helper()
	read := make(chan struct{})
	go func() {
		defer close(read)
		c.Read(t.Context())
	}()
	if err := c.Ping(t.Context()); err != nil {
		t.Errorf("Ping: %v", err)
	}
	c.Write(t.Context(), websocket.MessageText, []byte("end of ping"))
	<-read
}

func checkBroadcast(t *testing.T, hub *Hub, c *websocket.Conn) {
	t.Helper()
	message := strings.Repeat("b", 100<<10) // in four frames
	hub.Broadcast(prepared(t, message))
	if _, got, err := c.Read(t.Context()); err != nil || string(got) != message {
		t.Errorf("broadcast: got %d bytes, %v", len(got), err)
	}
}
