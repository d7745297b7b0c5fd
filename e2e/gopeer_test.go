package e2e

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"

	"github.com/coder/websocket"
	"github.com/rogpeppe/go-internal/testscript"
)

// goPeer is github.com/coder/websocket as a peer.
type goPeer struct {
	transport *http.Transport
	socket    net.Conn
	ws        *websocket.Conn
	events    chan happening
	reading   sync.WaitGroup
}

func startGo(ts *testscript.TestScript) (peer, error) {
	p := &goPeer{events: make(chan happening, 1024)}
	p.transport = &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots(ts)},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			var err error
			p.socket, err = (&net.Dialer{}).DialContext(ctx, network, address)
			return p.socket, err
		},
	}
	return p, nil
}

func (p *goPeer) happenings() <-chan happening { return p.events }

func (p *goPeer) end() {
	if p.ws != nil {
		p.ws.CloseNow()
	}
	p.reading.Wait()
	p.transport.CloseIdleConnections()
	close(p.events)
}

func (p *goPeer) tell(o order) error {
	ctx, cancel := context.WithTimeout(context.Background(), talkWithin)
	defer cancel()
	switch o.Do {
	case "open":
		p.open(ctx, o)
		return nil
	case "send":
		return p.ws.Write(ctx, websocket.MessageText, []byte(o.Text))
	case "binary":
		return p.ws.Write(ctx, websocket.MessageBinary, []byte(o.Text))
	case "fragments":
		return p.fragments(ctx, []byte(o.Text), o.Size)
	case "ping":
		if err := p.ws.Ping(ctx); err != nil {
			return err
		}
		p.events <- happening{Event: "pong", Text: o.Text}
		return nil
	case "close":
		code := websocket.StatusCode(o.Code)
		if code == 0 {
			code = websocket.StatusNoStatusRcvd
		}
		// Whether the reading side sees the answer to our own close is a race
		// within the library: hold what $disconnect was told.
		p.ws.Close(code, o.Reason)
		return nil
	case "vanish":
		return errors.Join(p.socket.(*net.TCPConn).SetLinger(0), p.socket.Close())
	}
	return errors.New("this client cannot " + o.Do)
}

func (p *goPeer) open(ctx context.Context, o order) {
	ws, resp, err := websocket.Dial(ctx, o.URL, &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: p.transport}, Subprotocols: o.Protocols, CompressionMode: websocket.CompressionContextTakeover,
	})
	if err != nil {
		failed := happening{Event: "failed", Text: err.Error()}
		if resp != nil {
			failed.Status = resp.StatusCode
		}
		p.events <- failed
		return
	}
	p.ws = ws
	ws.SetReadLimit(1 << 20)
	p.events <- happening{Event: "open", Protocol: ws.Subprotocol(), Extensions: resp.Header.Get("Sec-WebSocket-Extensions")}
	p.reading.Go(p.read)
}

func (p *goPeer) read() {
	for {
		kind, data, err := p.ws.Read(context.Background())
		if err != nil {
			closed := happening{Event: "closed", Code: int(websocket.StatusAbnormalClosure)}
			var frame websocket.CloseError
			if errors.As(err, &frame) {
				closed.Code, closed.Reason = int(frame.Code), frame.Reason
			}
			p.events <- closed
			return
		}
		p.events <- happening{Event: "message", Text: string(data), Binary: kind == websocket.MessageBinary}
	}
}

// fragments sends a message in frames of size bytes and an empty last one.
func (p *goPeer) fragments(ctx context.Context, data []byte, size int) error {
	w, err := p.ws.Writer(ctx, websocket.MessageText)
	if err != nil {
		return err
	}
	for ; len(data) > 0; data = data[min(size, len(data)):] {
		if _, err := w.Write(data[:min(size, len(data))]); err != nil {
			return err
		}
	}
	return w.Close()
}
