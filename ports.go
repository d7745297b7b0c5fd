package gatepost

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"

	"github.com/gatepost-dev/gatepost/internal/intercept"
	"github.com/gatepost-dev/gatepost/stack"
)

// listen takes a port, or says which flag to change.
func (h *house) listen(what, flag, address string) (net.Listener, error) {
	ln, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("the %s cannot listen on %s because another program does; stop that program or choose another address with %s HOST:PORT (port 0 takes a free one)", what, address, flag)
	}
	if err != nil {
		return nil, fmt.Errorf("the %s cannot listen on %s: %w; choose another address with %s HOST:PORT", what, address, err, flag)
	}
	h.onClose(func() error {
		if err := ln.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	return ln, nil
}

// nextPort returns the address for the next API: the port after this one, or a
// free one again.
func nextPort(address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("%q is not HOST:PORT", address)
	}
	n, err := strconv.Atoi(port)
	if err != nil || n == 0 {
		return address, nil
	}
	return net.JoinHostPort(host, strconv.Itoa(n+1)), nil
}

// port returns a listener's port.
func port(ln net.Listener) int { return ln.Addr().(*net.TCPAddr).Port }

// openFiles raises the soft limit of open files to the hard limit: every
// connection is one.
func openFiles() {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil && limit.Cur < limit.Max {
		limit.Cur = limit.Max
		syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	}
}

// apiOfHost returns the API that an execute-api host of AWS names, or whose
// custom domain the host is, or nil.
func (h *house) apiOfHost(host string) *api {
	aws, _ := intercept.ParseAWSHost(host)
	for _, a := range h.apis {
		if aws.API != "" && a.declared.ID == aws.API {
			return a
		}
		for _, d := range a.declared.Domains {
			if strings.EqualFold(d.Name, host) {
				return a
			}
		}
	}
	return nil
}

// deadLettersFirst orders queues so that a queue comes after the one that its
// redrive policy names.
func deadLettersFirst(queues []stack.Queue) []stack.Queue {
	var out []stack.Queue
	placed := make(map[string]bool)
	var place func(q stack.Queue)
	place = func(q stack.Queue) {
		if placed[q.ARN] {
			return
		}
		placed[q.ARN] = true
		if q.Redrive != nil {
			for _, target := range queues {
				if target.ARN == q.Redrive.DeadLetterARN {
					place(target)
				}
			}
		}
		out = append(out, q)
	}
	for _, q := range queues {
		place(q)
	}
	return out
}
