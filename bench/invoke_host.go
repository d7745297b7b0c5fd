package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/function"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
	"github.com/gatepost-dev/gatepost/stack"
)

// invoker is a variant of a host of function processes.
type invoker interface {
	// start makes the function runnable in so many sandboxes.
	start(path string, sandboxes int) error
	// call runs it n times with an event, one after the other, and returns how
	// long each took; caller numbers who calls.
	call(caller, n int, event []byte) ([]time.Duration, error)
	// running is the number of sandboxes.
	running() int
	// end ends all processes.
	end() error
}

// host answers the parent's requests to an invoker.
func host(v invoker) (handler, error) {
	runtime.GOMAXPROCS(runtime.NumCPU())
	event, err := messageEvent()
	if err != nil {
		return nil, err
	}
	sandboxes := 0
	return profiled(func(r request) (answer, error) {
		switch r.Op {
		case "start":
			sandboxes = r.Connections
			return answer{}, v.start(r.Address, sandboxes)
		case "invoke":
			a, err := invokeAll(v, sandboxes, r.Messages, event)
			if n := v.running(); err == nil && n != sandboxes {
				err = fmt.Errorf("%d sandboxes ran instead of %d", n, sandboxes)
			}
			return a, err
		case "end":
			return answer{}, v.end()
		}
		return answer{}, errors.New("unknown request")
	}), nil
}

// invokeAll runs n invocations from so many callers. Its answer has the CPU of
// this process, the time for all and the median time of one.
func invokeAll(v invoker, callers, n int, event []byte) (answer, error) {
	took := make([][]time.Duration, callers)
	errs := make([]error, callers)
	var all sync.WaitGroup
	cpu, began := clock(unix.CLOCK_PROCESS_CPUTIME_ID), monotonic()
	for i := range callers {
		all.Go(func() {
			took[i], errs[i] = v.call(i, n/callers, event)
		})
	}
	all.Wait()
	a := answer{CPU: clock(unix.CLOCK_PROCESS_CPUTIME_ID) - cpu, Time: monotonic() - began}
	every := slices.Concat(took...)
	slices.Sort(every)
	if len(every) > 0 {
		a.Latency = int64(every[len(every)/2])
	}
	return a, errors.Join(errs...)
}

// waiting is call for a variant whose caller waits for each answer.
func waiting(invoke func(caller int, event []byte) ([]byte, error), caller, n int, event []byte) ([]time.Duration, error) {
	took := make([]time.Duration, 0, n)
	for range n {
		began := time.Now()
		response, err := invoke(caller, event)
		if err != nil {
			return nil, err
		}
		if len(response) == 0 {
			return nil, errors.New("an empty response")
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}

// messageEvent is the event of a message of messageSize.
func messageEvent() ([]byte, error) {
	ids, body := apigw.NewIDs(), string(payload(0, messageSize))
	now, request := time.Now(), ids.Request()
	e := apigw.Event{Body: &body, RequestContext: apigw.RequestContext{
		RouteKey: apigw.RouteDefault, MessageID: ids.Message(), EventType: apigw.EventMessage, ExtendedRequestID: request,
		RequestTime: apigw.RequestTime(now), MessageDirection: "IN", Stage: "main", ConnectedAt: now.UnixMilli(),
		RequestTimeEpoch: now.UnixMilli(), Identity: apigw.Identity{SourceIP: "127.0.0.1"}, RequestID: request,
		DomainName: "localhost", ConnectionID: ids.Connection(), APIID: "bench00000",
	}}
	return e.JSON()
}

// gatepostHost is the real Host, with the Feed.
type gatepostHost struct{ *function.Host }

func newInvokeGatepost() (handler, error) {
	return host(gatepostHost{function.NewHost(function.Config{Feed: telemetry.NewFeed()})})
}

func (h gatepostHost) start(path string, sandboxes int) error {
	return h.Add(stack.Function{Name: "echo", Runtime: "provided.al2023", Command: []string{path}, MaxConcurrency: sandboxes})
}

// call goes on as the gateway does, which does not wait: whoever has read an
// answer begins the next invocation.
func (h gatepostHost) call(_, n int, event []byte) ([]time.Duration, error) {
	took := make([]time.Duration, 0, n)
	end := make(chan error, 1)
	var next func()
	next = func() {
		began := time.Now()
		h.InvokeThen(context.Background(), "echo", event, func(response []byte, err error) {
			took = append(took, time.Since(began))
			switch {
			case err != nil:
				end <- err
			case len(response) == 0:
				end <- errors.New("an empty response")
			case len(took) == n:
				end <- nil
			default:
				next()
			}
		})
	}
	next()
	err := <-end
	return took, err
}

func (h gatepostHost) running() int { return h.Functions()[0].Sandboxes }

func (h gatepostHost) end() error { return h.Close(context.Background()) }
