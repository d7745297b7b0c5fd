package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// processes are function processes without a sandbox around them.
type processes struct {
	commands    []*exec.Cmd
	environment []string // of each, beside what it needs
}

// launch starts one that asks for events at the address.
func (p *processes) launch(path, address string) error {
	cmd := exec.Command(path)
	cmd.Env = append([]string{"AWS_LAMBDA_RUNTIME_API=" + address, "GOMAXPROCS=1"}, p.environment...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := startOn(cmd, anyCore); err != nil {
		return err
	}
	p.commands = append(p.commands, cmd)
	return nil
}

func (p *processes) running() int { return len(p.commands) }

func (p *processes) end() error {
	for _, cmd := range p.commands {
		cmd.Process.Kill()
		cmd.Wait()
	}
	return nil
}

// The answers of a Runtime API. All events have the same request id.
const (
	benchRequestID = "6dd0a6a4-5a0a-4d3e-9d52-7d3cd1a4b9a4"
	benchDeadline  = "9999999999999"
	eventHead      = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: " + benchRequestID +
		"\r\nLambda-Runtime-Deadline-Ms: " + benchDeadline + "\r\nContent-Length: "
	eventAccepted = "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"status\":\"OK\"}\n"
)

// invokeFloor is the least that a Runtime API does: the caller itself writes
// the event to the process and reads the response. Nothing else happens, and
// nothing is checked.
type invokeFloor struct {
	processes
	conns []*floorConn // by caller
}

func newInvokeFloor() (handler, error) { return host(&invokeFloor{}) }

func (f *invokeFloor) start(path string, sandboxes int) error {
	for range sandboxes {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return err
		}
		if err := f.launch(path, l.Addr().String()); err != nil {
			return err
		}
		c, err := l.Accept()
		if err != nil {
			return err
		}
		l.Close()
		f.conns = append(f.conns, &floorConn{conn: c, in: make([]byte, 16<<10)})
	}
	return nil
}

func (f *invokeFloor) call(caller, n int, event []byte) ([]time.Duration, error) {
	return waiting(f.invoke, caller, n, event)
}

func (f *invokeFloor) invoke(caller int, event []byte) ([]byte, error) {
	return f.conns[caller].invoke(event)
}

// floorConn is the one connection that a process uses.
type floorConn struct {
	conn    net.Conn
	in, out []byte
	have    int // bytes in in that were read too early
}

// The ends of the two requests that aws-lambda-go sends in turn: a GET without
// a body, a POST with a chunked one.
var (
	headEnd = []byte("\r\n\r\n")
	bodyEnd = []byte("\r\n0\r\n\r\n")
)

func (c *floorConn) invoke(event []byte) ([]byte, error) {
	if _, err := c.read(headEnd); err != nil {
		return nil, fmt.Errorf("read the question: %w", err)
	}
	c.out = strconv.AppendInt(append(c.out[:0], eventHead...), int64(len(event)), 10)
	c.out = append(append(c.out, headEnd...), event...)
	if _, err := c.conn.Write(c.out); err != nil {
		return nil, err
	}
	request, err := c.read(bodyEnd)
	if err != nil {
		return nil, fmt.Errorf("read the response: %w", err)
	}
	_, chunk, _ := bytes.Cut(request, headEnd)
	_, body, _ := bytes.Cut(chunk, []byte("\r\n"))
	body = bytes.Clone(body)
	_, err = c.conn.Write([]byte(eventAccepted))
	return body, err
}

// read reads a request up to its end. It is valid until the next read.
func (c *floorConn) read(end []byte) ([]byte, error) {
	for {
		if i := bytes.Index(c.in[:c.have], end); i >= 0 {
			i += len(end)
			request := c.in[:i]
			if c.have > i {
				return nil, errors.New("a request before the last one's answer")
			}
			c.have = 0
			return request, nil
		}
		if c.have == len(c.in) {
			return nil, errors.New("a long request")
		}
		n, err := c.conn.Read(c.in[c.have:])
		if err != nil {
			return nil, err
		}
		c.have += n
	}
}

// invokeHTTP is the peer: a Runtime API as it is written with net/http.
type invokeHTTP struct {
	processes
	servers []*http.Server
	events  []chan []byte // by caller
	answers []chan []byte
	serving sync.WaitGroup
}

func newInvokeHTTP() (handler, error) { return host(&invokeHTTP{}) }

func (h *invokeHTTP) start(path string, sandboxes int) error {
	for range sandboxes {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return err
		}
		events, answers := make(chan []byte), make(chan []byte)
		server := &http.Server{Handler: runtimeMux(events, answers)}
		h.serving.Go(func() { server.Serve(l) })
		h.servers, h.events, h.answers = append(h.servers, server), append(h.events, events), append(h.answers, answers)
		if err := h.launch(path, l.Addr().String()); err != nil {
			return err
		}
	}
	return nil
}

func runtimeMux(events <-chan []byte, answers chan<- []byte) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", func(w http.ResponseWriter, r *http.Request) {
		select {
		case event := <-events:
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", benchRequestID)
			w.Header().Set("Lambda-Runtime-Deadline-Ms", benchDeadline)
			w.Header().Set("Content-Length", strconv.Itoa(len(event)))
			w.Write(event)
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		answers <- body
		w.WriteHeader(http.StatusAccepted)
	})
	return mux
}

func (h *invokeHTTP) call(caller, n int, event []byte) ([]time.Duration, error) {
	return waiting(h.invoke, caller, n, event)
}

func (h *invokeHTTP) invoke(caller int, event []byte) ([]byte, error) {
	h.events[caller] <- event
	return <-h.answers[caller], nil
}

func (h *invokeHTTP) end() error {
	err := h.processes.end()
	for _, s := range h.servers {
		err = errors.Join(err, s.Shutdown(context.Background()))
	}
	h.serving.Wait()
	return err
}
