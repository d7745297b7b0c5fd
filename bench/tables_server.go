package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/intercept"
	"github.com/gatepost-dev/gatepost/stack"
)

// tableServer is a variant of a server that takes calls of DynamoDB.
type tableServer interface {
	listen() (address string, err error)
	credentials() awswire.Credentials
}

// takeCalls answers the parent's requests to a tableServer.
func takeCalls(s tableServer) (handler, error) {
	runtime.GOMAXPROCS(runtime.NumCPU())
	address, err := s.listen()
	if err != nil {
		return nil, err
	}
	return profiled(func(r request) (answer, error) {
		switch r.Op {
		case "address":
			return answer{Address: address}, nil
		case "calling":
			return answer{Calling: &calling{Credentials: s.credentials()}}, nil
		case "cpu":
			return answer{CPU: clock(unix.CLOCK_PROCESS_CPUTIME_ID)}, nil
		case "memory":
			a, err := memoryAnswer()
			a.Mapped = mappedFile()
			return a, err
		case "fill":
			if g, ok := s.(*tablesGatepost); ok {
				return g.fill(r.Messages)
			}
		case "pipeline":
			if p, ok := s.(pipeline); ok {
				return runPipeline(p, r.Messages)
			}
		}
		return answer{}, errors.New("unknown request")
	}), nil
}

// mappedFile is the part of the resident set that is pages of files, in bytes.
func mappedFile() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "RssFile:")
	var kilobytes int64
	fmt.Sscan(rest, &kilobytes)
	return kilobytes << 10
}

// benchTable is the one table, as push systems have it.
var benchTable = stack.Table{
	Name:       "Bench",
	Key:        []stack.KeyElement{{Attribute: "PK", Type: "HASH"}, {Attribute: "SK", Type: "RANGE"}},
	Attributes: []stack.Attribute{{Name: "PK", Type: "S"}, {Name: "SK", Type: "S"}},
}

// benchItem is an item of some 130 bytes.
func benchItem(partition string, i int) string {
	return fmt.Sprintf(`{"PK":{"S":"%s"},"SK":{"S":"CONN#%07d"},"ConnectionId":{"S":"L0SM9cOFvHcCIhw="},"EstablishedTime":{"S":"2026-11-20T10:00:00Z"},"TTL":{"N":"4102444800"}}`, partition, i)
}

// tablesGatepost is the AWS endpoint with the tables alone, wired as package
// gatepost wires it, in a file.
type tablesGatepost struct {
	sync  bool
	file  *os.File // to ask for its size
	given awswire.Credentials
	s     *dynamodb.Service
}

func newTablesGatepost() (handler, error) { return takeCalls(&tablesGatepost{}) }
func newTablesSynced() (handler, error)   { return takeCalls(&tablesGatepost{sync: true}) }

func (g *tablesGatepost) credentials() awswire.Credentials { return g.given }

func (g *tablesGatepost) listen() (string, error) {
	dir, err := os.MkdirTemp("", "gatepost-bench-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "tables.db")
	g.given = awswire.NewCredentials()
	if g.s, err = dynamodb.Open(dynamodb.Config{Path: path, Sync: g.sync}); err != nil {
		return "", err
	}
	if g.file, err = os.Open(path); err != nil {
		return "", err
	}
	if err := errors.Join(g.s.EnsureTable(benchTable), g.fillPartitions()); err != nil {
		return "", err
	}
	// It is kept for as long as it is open, and nobody need clean up.
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	return serveService(g.s, g.given)
}

// serveService is the AWS endpoint with one service, wired as package gatepost
// wires it: it verifies signatures, on a port that takes TLS and plain.
func serveService(s awswire.Service, given awswire.Credentials) (string, error) {
	lookup := func(id string) (awswire.Credentials, bool) { return given, id == given.AccessKeyID }
	verifier := awswire.NewVerifier(lookup, awswire.VerifierOptions{})
	endpoint := &awswire.Endpoint{Check: func(r *http.Request, body []byte) error {
		_, err := verifier.Verify(r, body, "")
		return err
	}}
	endpoint.Register(s)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	ca, err := temporaryCA()
	if err != nil {
		return "", err
	}
	plain := intercept.NewHTTPListener(ln.Addr())
	server := &http.Server{Handler: endpoint, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute}
	go must("serve", func() error { return server.Serve(plain) })
	go must("accept", func() error {
		return intercept.Serve(context.Background(), ln, ca.TLSConfig(), func(c net.Conn, first []byte) { plain.Hand(c, first) })
	})
	return ln.Addr().String(), nil
}

// fillPartitions makes what the queries find.
func (g *tablesGatepost) fillPartitions() error {
	for p := range tablePartitions {
		if err := g.batch(fmt.Sprintf("QUERY#%d", p), 0); err != nil {
			return err
		}
	}
	return nil
}

// batch writes queryItems items, which is also the most that a batch may have.
func (g *tablesGatepost) batch(partition string, from int) error {
	puts := make([]string, queryItems)
	for i := range puts {
		puts[i] = `{"PutRequest":{"Item":` + benchItem(partition, from+i) + `}}`
	}
	body := `{"RequestItems":{"Bench":[` + strings.Join(puts, ",") + `]}}`
	_, err := g.s.Do(context.Background(), &awswire.Call{Operation: "BatchWriteItem", Body: []byte(body)})
	return err
}

// fillers write batches together, as many callers would: they share commits.
const fillers = 32

// fill writes n items, each in a partition of a thousand, and returns the CPU
// that it took and the size of the file.
func (g *tablesGatepost) fill(n int) (answer, error) {
	before := clock(unix.CLOCK_PROCESS_CPUTIME_ID)
	var group sync.WaitGroup
	errs := make([]error, fillers)
	for f := range fillers {
		group.Go(func() {
			for at := f * queryItems; at < n && errs[f] == nil; at += fillers * queryItems {
				errs[f] = g.batch(fmt.Sprintf("CONN#%05d", at/1000), at)
			}
		})
	}
	group.Wait()
	spent := clock(unix.CLOCK_PROCESS_CPUTIME_ID) - before
	info, err := g.file.Stat()
	if err := errors.Join(append(errs, err)...); err != nil {
		return answer{}, err
	}
	return answer{CPU: spent, Bytes: info.Size()}, nil
}

// tablesMap is the peer: what one writes with net/http and encoding/json in an
// hour, without signatures, checks, a file or answers for queries.
type tablesMap struct {
	mu    sync.Mutex
	items map[string]json.RawMessage
	found []byte
}

func newTablesMap() (handler, error) {
	return takeCalls(&tablesMap{items: make(map[string]json.RawMessage), found: queryAnswer()})
}

func (*tablesMap) credentials() awswire.Credentials { return awswire.Credentials{} }

func (s *tablesMap) listen() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go must("serve", func() error { return http.Serve(l, s) })
	return l.Addr().String(), nil
}

func (s *tablesMap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	type key struct{ PK, SK struct{ S string } }
	var in struct {
		Item json.RawMessage
		Key  key
	}
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &in)
	}
	if err == nil && in.Item != nil {
		err = json.Unmarshal(in.Item, &in.Key)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	name := in.Key.PK.S + "\x00" + in.Key.SK.S
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".Query"):
		w.Header().Set("Content-Length", strconv.Itoa(len(s.found)))
		w.Write(s.found)
	case in.Item != nil:
		s.items[name] = in.Item
		io.WriteString(w, "{}")
	default:
		fmt.Fprintf(w, `{"Item":%s}`, s.items[name])
	}
}

// queryAnswer is what a query finds, ready-made.
func queryAnswer() []byte {
	items := make([]string, queryItems)
	for i := range items {
		items[i] = benchItem("QUERY#1", i)
	}
	return fmt.Appendf(nil, `{"Count":%d,"Items":[%s],"ScannedCount":%d}`, queryItems, strings.Join(items, ","), queryItems)
}

// tablesFloor is the least that a server can do for a call: one epoll loop over
// raw descriptors that reads the request and writes a ready-made answer of
// the right size. It looks for nothing but the operation.
type tablesFloor struct {
	file            *os.File // keeps the listener open
	listener, epoll int
	answers         map[string][]byte // by the end of X-Amz-Target
	buf             [8 << 10]byte
}

func newTablesFloor() (handler, error) {
	ready := func(body []byte) []byte {
		return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Crc32: 2745614147\r\n"+
			"X-Amzn-Requestid: 9R3KMTCUVOOV0VCB9RAIPDUV13VKLJ1HB7GT2S2Q0EGBVUJCGAR0\r\nDate: Tue, 15 Nov 1994 08:12:31 GMT\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
	return takeCalls(&tablesFloor{answers: map[string][]byte{
		".PutItem\r": ready([]byte("{}")), ".GetItem\r": ready([]byte(`{"Item":` + benchItem("CONN#00001", 1) + `}`)), ".Query\r": ready(queryAnswer()), ".SendMessage\r": ready([]byte(sendAnswer)),
	}})
}

func (*tablesFloor) credentials() awswire.Credentials { return awswire.Credentials{} }

func (s *tablesFloor) listen() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	if s.file, err = l.(*net.TCPListener).File(); err != nil {
		return "", err
	}
	s.listener = int(s.file.Fd())
	if s.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return "", err
	}
	if err := s.watch(s.listener); err != nil {
		return "", err
	}
	go must("serve", s.serve)
	return l.Addr().String(), nil
}

func (s *tablesFloor) watch(fd int) error {
	return unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
}

func (s *tablesFloor) serve() error {
	events := make([]unix.EpollEvent, tableConnections)
	for {
		n, err := unix.EpollWait(s.epoll, events, -1)
		if err != nil && err != unix.EINTR {
			return err
		}
		for _, ev := range events[:max(n, 0)] {
			if err := s.handle(int(ev.Fd)); err != nil {
				return err
			}
		}
	}
}

func (s *tablesFloor) handle(fd int) error {
	if fd == s.listener {
		conn, _, err := unix.Accept(fd)
		if err != nil {
			return err
		}
		unix.SetsockoptInt(conn, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		return s.watch(conn)
	}
	n, err := unix.Read(fd, s.buf[:])
	if err != nil || n == 0 {
		return unix.Close(fd)
	}
	for operation, ready := range s.answers {
		if bytes.Contains(s.buf[:n], []byte(operation)) {
			_, err := unix.Write(fd, ready)
			return err
		}
	}
	return fmt.Errorf("no call: %s", s.buf[:n])
}
