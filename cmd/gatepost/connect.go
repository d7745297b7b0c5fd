package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/instance"
)

type connectCommand struct {
	target
	URL         string        `arg:"" optional:"" help:"Where to connect; by default the running instance's API." placeholder:"URL"`
	API         string        `name:"api" help:"The API to connect to, when several run."`
	Query       string        `help:"Query string for $connect, such as 'user=ann'."`
	Header      []string      `short:"H" sep:"none" help:"A request header, 'Name: value'; may be repeated."`
	Subprotocol []string      `help:"Subprotocol to offer; may be repeated."`
	Frames      int           `help:"Leave after that many frames came in."`
	Linger      time.Duration `default:"1s" help:"Without --frames: how long to listen on after the input has ended."`
}

// Help gives the examples.
func (connectCommand) Help() string {
	return `Each line of the input is sent as one message; each message that comes in is printed as one line. Ctrl-D leaves.

Examples:
  gatepost connect
  echo '{"action":"echo","data":"hi"}' | gatepost connect --frames 1
  gatepost connect wss://localhost:3001/main -H 'Authorization: Bearer t'`
}

// Run connects and copies in both directions until one side ends.
func (c connectCommand) Run(ctx context.Context, std streams) error {
	url, roots, err := c.destination()
	if err != nil {
		return err
	}
	ws, err := c.dial(ctx, url, roots)
	if err != nil {
		return err
	}
	defer ws.CloseNow()
	fmt.Fprintf(std.err, "Connected to %s. Type a message and press Enter; Ctrl-D leaves.\n", url)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go c.send(ctx, ws, std)
	return c.receive(ctx, ws, std)
}

// destination returns the URL to connect to and the CA to trust beside the
// system's, when an instance runs.
func (c connectCommand) destination() (url string, roots *x509.CertPool, err error) {
	r, err := instance.Find(c.Data)
	switch {
	case c.URL != "" && err != nil:
		url = c.URL
	case err != nil:
		return "", nil, err
	default:
		if roots, err = trust(r); err != nil {
			return "", nil, err
		}
		if url = c.URL; url == "" {
			a, err := c.api(r, c.API)
			if err != nil {
				return "", nil, err
			}
			url = a.URL
		}
	}
	if c.Query != "" {
		sign := "?"
		if strings.Contains(url, "?") {
			sign = "&"
		}
		url += sign + c.Query
	}
	return url, roots, nil
}

// trust returns the system's roots with an instance's CA.
func trust(r *instance.Run) (*x509.CertPool, error) {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	pem, err := os.ReadFile(r.CA)
	if err != nil {
		return nil, fmt.Errorf("read the local certificate authority: %w", err)
	}
	roots.AppendCertsFromPEM(pem)
	return roots, nil
}

func (c connectCommand) dial(ctx context.Context, url string, roots *x509.CertPool) (*websocket.Conn, error) {
	header := http.Header{}
	for _, line := range c.Header {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, usageError{fmt.Errorf("the header %q has no colon; write it as 'Name: value'", line)}
		}
		header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	ws, resp, err := websocket.Dial(ctx, url, &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: transport}, HTTPHeader: header, Subprotocols: c.Subprotocol,
	})
	if err == nil {
		ws.SetReadLimit(int64(apigw.DefaultLimits().MaxMessage))
		return ws, nil
	}
	if resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return nil, fmt.Errorf("%s refused the connection: %s %s", url, resp.Status, strings.TrimSpace(string(body)))
	}
	return nil, fmt.Errorf("connect to %s: %w", url, err)
}

// maxLine is the longest input line, in bytes: a message's limit.
const maxLine = 128 << 10

// send sends the input's lines. At its end the connection is closed, after the
// time to linger; with --frames the frames decide.
func (c connectCommand) send(ctx context.Context, ws *websocket.Conn, std streams) {
	lines := bufio.NewScanner(std.in)
	lines.Buffer(make([]byte, 4096), maxLine)
	for lines.Scan() {
		if err := ws.Write(ctx, websocket.MessageText, lines.Bytes()); err != nil {
			return // the receiver reports why
		}
	}
	if err := lines.Err(); err != nil {
		fmt.Fprintf(std.err, "gatepost: read the input: %v\n", err)
	}
	if c.Frames > 0 {
		return
	}
	select {
	case <-time.After(c.Linger):
		ws.Close(websocket.StatusNormalClosure, "")
	case <-ctx.Done():
	}
}

// receive prints what comes in, until the connection or ctx ends.
func (c connectCommand) receive(ctx context.Context, ws *websocket.Conn, std streams) error {
	for n := 0; c.Frames == 0 || n < c.Frames; n++ {
		_, data, err := ws.Read(ctx)
		if err != nil {
			return c.ending(ctx, err, std)
		}
		fmt.Fprintf(std.out, "%s\n", data)
	}
	ws.Close(websocket.StatusNormalClosure, "")
	return nil
}

func (c connectCommand) ending(ctx context.Context, err error, std streams) error {
	if ctx.Err() != nil || websocket.CloseStatus(err) == websocket.StatusNormalClosure || errors.Is(err, io.EOF) && c.Frames == 0 {
		return nil
	}
	if closed, ok := errors.AsType[websocket.CloseError](err); ok {
		return fmt.Errorf("the connection was closed: %d %s", closed.Code, closed.Reason)
	}
	return fmt.Errorf("the connection was lost: %w", err)
}
