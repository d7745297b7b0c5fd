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
	"sync"

	"golang.org/x/sys/unix"

	"github.com/gatepost-dev/gatepost/internal/aws/sqs"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/bus"
	"github.com/gatepost-dev/gatepost/stack"
)

// pipeline takes messages from many callers at once.
type pipeline interface {
	// empty forgets what was sent.
	empty() error
	// send stores a batch of messages; from numbers its first one.
	send(from, count int) error
}

// The callers of a pipeline, and how many messages each sends with one call.
const (
	pipelineCallers = 16
	pipelineBatch   = 10
)

// runPipeline sends n messages and returns the CPU and the time that it took.
func runPipeline(p pipeline, n int) (answer, error) {
	if err := p.empty(); err != nil {
		return answer{}, err
	}
	cpu, began := clock(unix.CLOCK_PROCESS_CPUTIME_ID), monotonic()
	var group sync.WaitGroup
	errs := make([]error, pipelineCallers)
	for c := range pipelineCallers {
		group.Go(func() {
			for at := c * pipelineBatch; at < n && errs[c] == nil; at += pipelineCallers * pipelineBatch {
				errs[c] = p.send(at, min(pipelineBatch, n-at))
			}
		})
	}
	group.Wait()
	return answer{CPU: clock(unix.CLOCK_PROCESS_CPUTIME_ID) - cpu, Time: monotonic() - began}, errors.Join(errs...)
}

// queuesGatepost is the AWS endpoint with the queues alone, wired as package
// gatepost wires it, in files.
type queuesGatepost struct {
	sync, fifo bool
	given      awswire.Credentials
	s          *sqs.Service
}

func newQueuesGatepost() (handler, error) { return takeCalls(&queuesGatepost{}) }
func newQueuesSynced() (handler, error)   { return takeCalls(&queuesGatepost{sync: true}) }
func newQueuesFIFO() (handler, error)     { return takeCalls(&queuesGatepost{fifo: true}) }

func (g *queuesGatepost) credentials() awswire.Credentials { return g.given }

func (g *queuesGatepost) listen() (string, error) {
	dir, err := os.MkdirTemp("", "gatepost-bench-")
	if err != nil {
		return "", err
	}
	g.given = awswire.NewCredentials()
	b, err := bus.Open(bus.Config{Dir: dir, Sync: g.sync})
	if err != nil {
		return "", err
	}
	if g.s, err = sqs.New(sqs.Config{Bus: b}); err != nil {
		return "", err
	}
	queue := stack.Queue{Name: "bench"}
	if g.fifo {
		queue = stack.Queue{Name: "bench.fifo", FIFO: new(stack.FIFO)}
	}
	if err := g.s.EnsureQueue(queue); err != nil {
		return "", err
	}
	return serveService(g.s, g.given)
}

func (g *queuesGatepost) empty() error { return g.s.Reset(context.Background()) }

// send is one SendMessageBatch, from its JSON to that of its answer.
func (g *queuesGatepost) send(from, count int) error {
	queue, order := "bench", ""
	body := []byte(`{"QueueUrl":"/000000000000/`)
	if g.fifo {
		queue = "bench.fifo"
	}
	body = append(body, queue...)
	body = append(body, `","Entries":[`...)
	for i := range count {
		if i > 0 {
			body = append(body, ',')
		}
		if g.fifo {
			order = fmt.Sprintf(`,"MessageGroupId":"g%d","MessageDeduplicationId":"%d"`, from%64, from+i)
		}
		body = fmt.Appendf(body, `{"Id":"%d","MessageBody":"%s"%s}`, i, benchMessage, order)
	}
	body = append(body, "]}"...)
	out, err := g.s.Do(context.Background(), &awswire.Call{Operation: "SendMessageBatch", Body: body})
	if err != nil {
		return err
	}
	if text := awswire.MarshalJSON(out); bytes.Contains(text, []byte(`"Failed"`)) {
		return fmt.Errorf("some messages failed: %s", text)
	}
	return nil
}

// queuesFile is the least that storing a message costs: one write to the end of a
// file.
type queuesFile struct {
	mu   sync.Mutex
	file *os.File
	line []byte
}

func newQueuesFile() (handler, error) {
	file, err := os.CreateTemp("", "gatepost-bench-")
	if err != nil {
		return nil, err
	}
	return takeCalls(&queuesFile{file: file, line: []byte(sendBody + "\n")})
}

func (*queuesFile) credentials() awswire.Credentials { return awswire.Credentials{} }

func (*queuesFile) listen() (string, error) { return "", nil }

func (f *queuesFile) empty() error {
	_, err := f.file.Seek(0, io.SeekStart)
	return errors.Join(err, f.file.Truncate(0))
}

func (f *queuesFile) send(_, count int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for range count {
		if _, err := f.file.Write(f.line); err != nil {
			return err
		}
	}
	return nil
}

// queuesSlice is the peer: what one writes with net/http and encoding/json in an
// hour, without signatures, checks, a file or anybody to receive.
type queuesSlice struct {
	mu       sync.Mutex
	messages []string
}

func newQueuesSlice() (handler, error) { return takeCalls(new(queuesSlice)) }

func (*queuesSlice) credentials() awswire.Credentials { return awswire.Credentials{} }

func (s *queuesSlice) listen() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go must("serve", func() error { return http.Serve(l, s) })
	return l.Addr().String(), nil
}

// keptMessages bounds what the slice holds.
const keptMessages = 100_000

func (s *queuesSlice) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct{ MessageBody string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	if len(s.messages) == keptMessages {
		s.messages = s.messages[:0]
	}
	s.messages = append(s.messages, in.MessageBody)
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	io.WriteString(w, sendAnswer)
}
