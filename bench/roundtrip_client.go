package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"sync"
	"time"
)

// The frames of a message of messageSize: the client's, masked with zeros, and
// the server's.
var (
	clientFrame = frameOf(0x80, make([]byte, 4))
	serverFrame = frameOf(0, nil)
)

// frameOf frames the message with a 16-bit length.
func frameOf(masked byte, key []byte) []byte {
	head := binary.BigEndian.AppendUint16([]byte{0x81, masked | 126}, messageSize)
	return slices.Concat(head, key, payload(0, messageSize))
}

// newRoundtripClient returns clients each of which sends a message, waits for
// its echo, and sends the next.
func newRoundtripClient() (handler, error) {
	runtime.GOMAXPROCS(runtime.NumCPU())
	var conns []net.Conn
	return func(r request) (answer, error) {
		switch r.Op {
		case "connect":
			for range r.Connections {
				c, err := upgrade(r.Address)
				if err != nil {
					return answer{}, err
				}
				conns = append(conns, c)
			}
			return answer{}, nil
		case "run":
			return roundtrips(conns, r.Messages/len(conns))
		}
		return answer{}, errors.New("unknown request")
	}, nil
}

func upgrade(address string) (net.Conn, error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write([]byte(upgradeRequest)); err != nil {
		return nil, err
	}
	head, err := readHead(c)
	if err == nil && !bytes.HasPrefix(head, []byte("HTTP/1.1 101")) {
		err = fmt.Errorf("refused: %s", head)
	}
	return c, err
}

// readHead reads up to an empty line, after which nothing comes.
func readHead(c net.Conn) ([]byte, error) {
	var head []byte
	for b := make([]byte, 1024); !bytes.HasSuffix(head, headEnd); {
		n, err := c.Read(b)
		if err != nil {
			return nil, err
		}
		head = append(head, b[:n]...)
	}
	return head, nil
}

// roundtrips has each client send so many messages. Its answer has their number,
// the time for all and the median time of one.
func roundtrips(conns []net.Conn, each int) (answer, error) {
	took := make([][]time.Duration, len(conns))
	errs := make([]error, len(conns))
	var all sync.WaitGroup
	began := monotonic()
	for i, c := range conns {
		all.Go(func() { took[i], errs[i] = echoes(c, each) })
	}
	all.Wait()
	a := answer{Time: monotonic() - began, Bytes: int64(each * len(conns))}
	every := slices.Concat(took...)
	slices.Sort(every)
	if len(every) > 0 {
		a.Latency = int64(every[len(every)/2])
	}
	return a, errors.Join(errs...)
}

func echoes(c net.Conn, n int) ([]time.Duration, error) {
	c.SetDeadline(time.Now().Add(patience))
	took, in := make([]time.Duration, 0, n), make([]byte, len(serverFrame))
	for range n {
		began := time.Now()
		if _, err := c.Write(clientFrame); err != nil {
			return nil, err
		}
		if _, err := io.ReadFull(c, in); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
		if !bytes.Equal(in, serverFrame) {
			return nil, fmt.Errorf("got %q", in)
		}
	}
	return took, nil
}
