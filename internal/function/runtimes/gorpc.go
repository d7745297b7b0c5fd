package runtimes

import (
	"debug/buildinfo"
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"strings"
	"sync/atomic"
	"time"
)

// lambdaModule is the library of functions in Go. Until version 1.17 it has no
// client of the Runtime API: it serves Go's RPC on the port in
// _LAMBDA_SERVER_PORT. From 1.18 on it has both, and takes RPC where that
// variable is set, unless it is built with the tag lambda.norpc.
const lambdaModule = "github.com/aws/aws-lambda-go"

// PortVariable tells a function in Go the port on which to serve RPC.
const PortVariable = "_LAMBDA_SERVER_PORT"

// OnlyRPC reports whether a program is built with a version of aws-lambda-go
// that knows nothing but Go's RPC. A file that is no Go program, or does not
// say what it is made of, is none.
func OnlyRPC(path string) bool {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return false
	}
	for _, module := range info.Deps {
		if module.Path != lambdaModule {
			continue
		}
		if module.Replace != nil {
			module = module.Replace
		}
		numbers, ok := parseVersion(strings.TrimPrefix(module.Version, "v"))
		return ok && strings.HasPrefix(module.Version, "v") && (numbers[0] < 1 || numbers[0] == 1 && numbers[1] < 18)
	}
	return false
}

// The messages of the RPC. Gob matches them with the library's by the names of
// their fields.
type (
	// Timestamp is a moment since 1970.
	Timestamp struct{ Seconds, Nanos int64 }

	// InvokeRequest is one event.
	InvokeRequest struct {
		Payload               []byte
		RequestId             string
		XAmznTraceId          string
		Deadline              Timestamp
		InvokedFunctionArn    string
		CognitoIdentityId     string
		CognitoIdentityPoolId string
		ClientContext         []byte
	}

	// InvokeResponse is what came of it.
	InvokeResponse struct {
		Payload []byte
		Error   *InvokeError
	}

	// InvokeError is a function's error. Its JSON is the error's payload.
	InvokeError struct {
		Message    string       `json:"errorMessage"`
		Type       string       `json:"errorType"`
		StackTrace []StackFrame `json:"stackTrace,omitempty"`
		// ShouldExit says that the function panicked, and that its process must
		// not get another event.
		ShouldExit bool `json:"-"`
	}

	// StackFrame is one call.
	StackFrame struct {
		Path  string `json:"path"`
		Line  int32  `json:"line"`
		Label string `json:"label"`
	}

	pingRequest  struct{}
	pingResponse struct{}
)

// RPC is a connection to a function that serves Go's RPC.
type RPC struct {
	client *rpc.Client
	budget *budget
}

// maxReply bounds what a function may send for one call, in bytes. A response
// past Lambda's 6 MB is still read, to be refused by its name.
const maxReply = 32 << 20

// ErrReplyTooLarge is a reply of more than 32 MB. The connection is of no use
// after it.
var ErrReplyTooLarge = errors.New("the function's RPC reply is larger than 32 MB")

// pingLimit bounds connecting and the ping.
const pingLimit = time.Second

// DialRPC connects to a function and pings it, within a second.
func DialRPC(address string) (*RPC, error) {
	conn, err := net.DialTimeout("tcp", address, pingLimit)
	if err != nil {
		return nil, fmt.Errorf("connect to the function: %w", err)
	}
	// It fails on a closed connection only, which the ping finds out.
	_ = conn.SetDeadline(time.Now().Add(pingLimit))
	r := &RPC{budget: &budget{Conn: conn}}
	r.budget.left.Store(maxReply)
	r.client = rpc.NewClient(r.budget)
	if err := r.client.Call("Function.Ping", pingRequest{}, &pingResponse{}); err != nil {
		r.client.Close()
		return nil, fmt.Errorf("ping the function: %w", err)
	}
	_ = conn.SetDeadline(time.Time{})
	return r, nil
}

// Invoke gives the function one event and waits for what comes of it. An error
// means that the connection has ended, or that the function speaks otherwise.
// It is called from one goroutine at a time.
func (r *RPC) Invoke(request *InvokeRequest) (*InvokeResponse, error) {
	r.budget.left.Store(maxReply)
	response := new(InvokeResponse)
	err := r.client.Call("Function.Invoke", request, response)
	switch {
	case r.budget.left.Load() <= 0:
		return nil, ErrReplyTooLarge
	case err != nil:
		return nil, fmt.Errorf("invoke the function: %w", err)
	}
	return response, nil
}

// Close ends the connection, and with it an Invoke that waits. It may be called
// again, and together with Invoke.
func (r *RPC) Close() {
	// It fails when it is closed already.
	_ = r.client.Close()
}

// budget is a connection that ends when more is read from it than one reply may
// have.
type budget struct {
	net.Conn
	left atomic.Int64
}

func (b *budget) Read(p []byte) (int, error) {
	left := b.left.Load()
	if left <= 0 {
		return 0, ErrReplyTooLarge
	}
	n, err := b.Conn.Read(p[:min(int64(len(p)), left)])
	b.left.Add(-int64(n))
	return n, err
}
