package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/coder/websocket"
	"github.com/rogpeppe/go-internal/testscript"
)

// client is one WebSocket client of a script.
type client struct {
	ws     *websocket.Conn
	socket net.Conn
	frames chan string
	ended  chan error
}

// callWithin bounds one call of a client.
const callWithin = 10 * time.Second

// ws drives WebSocket clients by name:
//
//	ws open NAME URL [HEADER:VALUE...]        connect
//	ws deflated NAME URL                      connect, and hold that the server
//	                           agrees to compress messages
//	ws refused STATUS URL [HEADER:VALUE...]   hold that a handshake is refused
//	                           with a status; its body goes to the file refused.out
//	ws send NAME TEXT          send a text message
//	ws binary NAME TEXT        send a binary message
//	ws expect NAME TEXT [1s]   hold that the next message is TEXT (or, with a
//	                           leading ~, contains it), within a time
//	ws expectfile NAME FILE [1s]  the same with a file's bytes
//	ws eventually NAME TEXT    hold that such a message comes, after any others
//	ws none NAME 200ms         hold that no message comes for a time
//	ws closed NAME CODE        hold that the server closes with a code
//	ws close NAME              close with 1000
//	ws kill NAME               reset the socket without a close frame
func ws(ts *testscript.TestScript, neg bool, args []string) {
	verbs := map[string]func(*testscript.TestScript, []string){
		"open": wsOpen, "deflated": wsDeflated, "refused": wsRefused, "send": wsSend, "binary": wsBinary, "expect": wsExpect, "expectfile": wsExpectFile, "eventually": wsEventually,
		"none": wsNone, "closed": wsClosed, "close": wsClose, "kill": wsKill,
	}
	if neg || len(args) < 2 || verbs[args[0]] == nil {
		ts.Fatalf("usage: ws VERB NAME [ARG...]")
	}
	verbs[args[0]](ts, args[1:])
}

func dial(ts *testscript.TestScript, url string, headers []string, compression ...websocket.CompressionMode) (*client, *http.Response, error) {
	ctx, cancel := context.WithTimeout(context.Background(), callWithin)
	defer cancel()
	c := &client{frames: make(chan string, 1024), ended: make(chan error, 1)}
	dialer := &net.Dialer{}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots(ts)},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			var err error
			c.socket, err = dialer.DialContext(ctx, network, address)
			return c.socket, err
		},
	}
	opts := &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}, HTTPHeader: make(http.Header)}
	for _, mode := range compression {
		opts.CompressionMode, opts.CompressionThreshold = mode, 1
	}
	for _, h := range headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok {
			ts.Fatalf("%q is not HEADER:VALUE", h)
		}
		if strings.EqualFold(name, "Host") {
			opts.Host = value
		}
		if name == "Subprotocols" { // offered, and one of them is awaited
			opts.Subprotocols = strings.Split(value, ",")
			continue
		}
		opts.HTTPHeader[name] = []string{value}
	}
	ws, resp, err := websocket.Dial(ctx, url, opts)
	if err != nil {
		return nil, resp, err
	}
	ws.SetReadLimit(1 << 20)
	c.ws = ws
	go c.read()
	return c, resp, nil
}

func roots(ts *testscript.TestScript) *x509.CertPool {
	pool := x509.NewCertPool()
	pem, err := os.ReadFile(onStage(ts).run.CA)
	ts.Check(err)
	pool.AppendCertsFromPEM(pem)
	return pool
}

func (c *client) read() {
	for {
		_, data, err := c.ws.Read(context.Background())
		if err != nil {
			c.ended <- err
			close(c.frames)
			return
		}
		c.frames <- string(data)
	}
}

func named(ts *testscript.TestScript, name string) *client {
	c := onStage(ts).clients[name]
	if c == nil {
		ts.Fatalf("no client %s is open", name)
	}
	return c
}

func wsOpen(ts *testscript.TestScript, args []string) {
	c, _, err := dial(ts, args[1], args[2:])
	ts.Check(err)
	onStage(ts).clients[args[0]] = c
}

func wsDeflated(ts *testscript.TestScript, args []string) {
	c, resp, err := dial(ts, args[1], nil, websocket.CompressionNoContextTakeover)
	ts.Check(err)
	if got := resp.Header.Get("Sec-WebSocket-Extensions"); !strings.HasPrefix(got, "permessage-deflate") {
		ts.Fatalf("the server answered the extensions %q", got)
	}
	onStage(ts).clients[args[0]] = c
}

func wsRefused(ts *testscript.TestScript, args []string) {
	_, resp, err := dial(ts, args[1], args[2:])
	if err == nil || resp == nil {
		ts.Fatalf("the handshake was not refused: %v", err)
	}
	body, _ := io.ReadAll(resp.Body)
	ts.Check(os.WriteFile(ts.MkAbs("refused.out"), body, 0o600))
	if got := strconv.Itoa(resp.StatusCode); got != args[0] {
		ts.Fatalf("refused with %s, want %s", got, args[0])
	}
}

func wsSend(ts *testscript.TestScript, args []string)   { wsWrite(ts, args, websocket.MessageText) }
func wsBinary(ts *testscript.TestScript, args []string) { wsWrite(ts, args, websocket.MessageBinary) }

func wsWrite(ts *testscript.TestScript, args []string, kind websocket.MessageType) {
	ctx, cancel := context.WithTimeout(context.Background(), callWithin)
	defer cancel()
	ts.Check(named(ts, args[0]).ws.Write(ctx, kind, []byte(args[1])))
}

func wsExpect(ts *testscript.TestScript, args []string) {
	expect(ts, args[0], within(ts, args, callWithin), like(args[1]), args[1])
}

// like matches frames that are a text or, with a leading ~, contain it.
func like(text string) func(frame string) bool {
	if part, ok := strings.CutPrefix(text, "~"); ok {
		return func(frame string) bool { return strings.Contains(frame, part) }
	}
	return func(frame string) bool { return frame == text }
}

func wsExpectFile(ts *testscript.TestScript, args []string) {
	want := ts.ReadFile(args[1])
	expect(ts, args[0], within(ts, args, deliverWithin), func(frame string) bool { return frame == want }, fmt.Sprintf("the %d bytes of %s", len(want), args[1]))
}

func wsEventually(ts *testscript.TestScript, args []string) {
	c, end := named(ts, args[0]), time.After(2*callWithin)
	is := like(args[1])
	for {
		select {
		case frame, ok := <-c.frames:
			if !ok {
				ts.Fatalf("%s was closed: %v", args[0], <-c.ended)
			}
			if is(frame) {
				return
			}
		case <-end:
			ts.Fatalf("%s did not get %s within %s", args[0], args[1], 2*callWithin)
		}
	}
}

// within is the third argument, or else a default.
func within(ts *testscript.TestScript, args []string, otherwise time.Duration) time.Duration {
	if len(args) < 3 {
		return otherwise
	}
	d, err := time.ParseDuration(args[2])
	ts.Check(err)
	return d
}

func expect(ts *testscript.TestScript, name string, within time.Duration, is func(string) bool, want string) {
	c := named(ts, name)
	select {
	case frame, ok := <-c.frames:
		if !ok {
			ts.Fatalf("%s was closed: %v", name, <-c.ended)
		}
		if !is(frame) {
			ts.Fatalf("%s got %.300q, want %s", name, frame, want)
		}
	case <-time.After(within):
		ts.Fatalf("%s got nothing within %s, want %s", name, within, want)
	}
}

func wsNone(ts *testscript.TestScript, args []string) {
	d, err := time.ParseDuration(args[1])
	ts.Check(err)
	select {
	case frame := <-named(ts, args[0]).frames:
		ts.Fatalf("%s got %.300q, want nothing", args[0], frame)
	case <-time.After(d):
	}
}

func wsClosed(ts *testscript.TestScript, args []string) {
	select {
	case err := <-named(ts, args[0]).ended:
		if got := strconv.Itoa(int(websocket.CloseStatus(err))); got != args[1] {
			ts.Fatalf("%s was closed with %s (%v), want %s", args[0], got, err, args[1])
		}
	case <-time.After(callWithin):
		ts.Fatalf("%s is still open", args[0])
	}
}

func wsClose(ts *testscript.TestScript, args []string) {
	ts.Check(named(ts, args[0]).ws.Close(websocket.StatusNormalClosure, ""))
}

func wsKill(ts *testscript.TestScript, args []string) {
	c := named(ts, args[0])
	ts.Check(c.socket.(*net.TCPConn).SetLinger(0))
	ts.Check(c.socket.Close())
}

// config points the SDK at the running instance.
func config(ts *testscript.TestScript) aws.Config {
	s := onStage(ts)
	return aws.Config{
		Region:       s.run.Region,
		Credentials:  credentials.NewStaticCredentialsProvider(s.secrets.AccessKeyID, s.secrets.SecretAccessKey, s.secrets.SessionToken),
		BaseEndpoint: &s.run.AWS,
		HTTPClient: awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
			t.TLSClientConfig = &tls.Config{RootCAs: roots(ts)}
		}),
	}
}

// roster N [TABLE] waits until a table, SocketRoster or the one given, holds N
// rows, asked with the AWS SDK. The push house's notes of what it has removed do
// not count.
func roster(ts *testscript.TestScript, neg bool, args []string) {
	client, table := dynamodb.NewFromConfig(config(ts)), "SocketRoster"
	if len(args) > 1 {
		table = args[1]
	}
	eventually(ts, callWithin, func() error {
		out, err := client.Scan(context.Background(), &dynamodb.ScanInput{TableName: &table, FilterExpression: aws.String("attribute_not_exists(EndedTime)")})
		if err == nil && strconv.Itoa(len(out.Items)) != args[0] {
			err = fmt.Errorf("%s has %d rows, want %s", table, len(out.Items), args[0])
		}
		return err
	})
}

// send QUEUE FILE sends a file's bytes as one message, with the AWS SDK.
func send(ts *testscript.TestScript, neg bool, args []string) {
	client := sqs.NewFromConfig(config(ts))
	ctx := context.Background()
	queue, err := client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &args[0]})
	ts.Check(err)
	_, err = client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: queue.QueueUrl, MessageBody: aws.String(ts.ReadFile(args[1]))})
	ts.Check(err)
}

// queued QUEUE FILE waits until a message with a file's bytes comes out of a
// queue, asked with the AWS SDK.
func queued(ts *testscript.TestScript, neg bool, args []string) {
	client := sqs.NewFromConfig(config(ts))
	ctx := context.Background()
	queue, err := client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &args[0]})
	ts.Check(err)
	want := ts.ReadFile(args[1])
	eventually(ts, 30*time.Second, func() error {
		out, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: queue.QueueUrl, WaitTimeSeconds: 5})
		if err != nil {
			return err
		}
		if len(out.Messages) != 1 || *out.Messages[0].Body != want {
			return fmt.Errorf("%d messages in %s, want the one of %s", len(out.Messages), args[0], args[1])
		}
		return nil
	})
}

// fill FILE SIZE writes a file of SIZE bytes.
func fill(ts *testscript.TestScript, neg bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), bytes.Repeat([]byte("x"), n), 0o600))
}

// manage calls @connections with the AWS SDK for the first connection that
// `gatepost ls` shows, or for the id given, and prints the outcome:
//
//	manage post ID|first TEXT, manage get ID|first, manage delete ID|first
//
// The credentials are the instance's; "wrong-secret" or "unknown-key" as a last
// argument spoils them.
func manage(ts *testscript.TestScript, neg bool, args []string) {
	cfg := config(ts)
	s := onStage(ts)
	switch args[len(args)-1] {
	case "wrong-secret":
		cfg.Credentials = credentials.NewStaticCredentialsProvider(s.secrets.AccessKeyID, "wrong", s.secrets.SessionToken)
	case "unknown-key":
		cfg.Credentials = credentials.NewStaticCredentialsProvider("AKIAUNKNOWN", "wrong", "")
	}
	cfg.BaseEndpoint = aws.String(ts.Getenv("CALLBACK"))
	client := apigatewaymanagementapi.NewFromConfig(cfg)
	id := args[1]
	if id == "first" {
		id = firstConnection(ts)
	}
	ctx, cancel := context.WithTimeout(context.Background(), callWithin)
	defer cancel()
	var err error
	switch args[0] {
	case "post":
		_, err = client.PostToConnection(ctx, &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: &id, Data: []byte(args[2])})
	case "get":
		var out *apigatewaymanagementapi.GetConnectionOutput
		if out, err = client.GetConnection(ctx, &apigatewaymanagementapi.GetConnectionInput{ConnectionId: &id}); err == nil {
			fmt.Fprintf(ts.Stdout(), "sourceIp %s\n", *out.Identity.SourceIp)
		}
	case "delete":
		_, err = client.DeleteConnection(ctx, &apigatewaymanagementapi.DeleteConnectionInput{ConnectionId: &id})
	default:
		ts.Fatalf("usage: manage post|get|delete ID [TEXT]")
	}
	if err != nil {
		fmt.Fprintf(ts.Stdout(), "error: %v\n", err)
		var typed interface{ ErrorCode() string }
		if errors.As(err, &typed) {
			fmt.Fprintf(ts.Stdout(), "code: %s\n", typed.ErrorCode())
		}
		return
	}
	fmt.Fprintln(ts.Stdout(), "done")
}

func firstConnection(ts *testscript.TestScript) string {
	s := onStage(ts)
	req, err := http.NewRequest(http.MethodGet, s.run.Console+"/api/connections", nil)
	ts.Check(err)
	req.Header.Set("Authorization", "Bearer "+s.secrets.AdminToken)
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	ts.Check(err)
	var list []struct{ ConnectionID string }
	ts.Check(json.Unmarshal(text, &list))
	if len(list) == 0 {
		ts.Fatalf("nobody is connected")
	}
	return list[0].ConnectionID
}
