package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatepost-dev/gatepost/internal/awswire"
)

// tablesClient makes ready-made calls and reads their answers, in one loop. It
// sleeps when there is nothing to read: the cores are the server's, too.
type tablesClient struct {
	epoll   int
	callers []*caller
}

// caller is one keep-alive connection with the calls that go over it in turn.
type caller struct {
	conn  *rawSocket
	calls [][]byte
	buf   []byte
	have  int // bytes of an answer in buf
	at    int // the call that is under way
	left  int // calls to be made
}

func newTablesClient() (handler, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	c := &tablesClient{epoll: epoll}
	return func(r request) (answer, error) {
		switch r.Op {
		case "prepare":
			return answer{}, c.prepare(r)
		case "call":
			return c.call(r.Messages)
		}
		return answer{}, errors.New("unknown request")
	}, err
}

// prepare opens the connections, once, and signs their calls, for which there
// are five minutes.
func (c *tablesClient) prepare(r request) error {
	for i := len(c.callers); i < tableConnections; i++ {
		raw, err := dialRaw(r.Address)
		if err != nil {
			return err
		}
		if err := unix.EpollCtl(c.epoll, unix.EPOLL_CTL_ADD, raw.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}); err != nil {
			return err
		}
		c.callers = append(c.callers, &caller{conn: raw, buf: make([]byte, 16<<10)})
	}
	for i, s := range c.callers {
		s.calls, s.at = nil, 0
		for k := range tableCalls {
			wire, err := tableRequest(r.Address, r.Calling, i*tableCalls+k)
			if err != nil {
				return err
			}
			s.calls = append(s.calls, wire)
		}
	}
	return nil
}

// tableRequest is a call with the headers that AWS's SDK for Go sends.
func tableRequest(address string, c *calling, i int) ([]byte, error) {
	body, target, service := []byte(tableBody(c.Operation, i)), "DynamoDB_20120810.", "dynamodb"
	if c.Operation == "SendMessage" {
		body, target, service = []byte(sendBody), "AmazonSQS.", "sqs"
	}
	r, err := http.NewRequest(http.MethodPost, "http://"+address+"/", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", "aws-sdk-go-v2/1.47.6 ua/2.1 os/linux lang/go#1.26.8 md/GOOS#linux md/GOARCH#amd64 api/"+service+"#1.73.0 m/E")
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", target+c.Operation)
	r.Header.Set("Accept-Encoding", "identity")
	r.Header.Set("Amz-Sdk-Invocation-Id", "6dd0a6a4-5a0a-4d3e-9d52-7d3cd1a4b9a4")
	r.Header.Set("Amz-Sdk-Request", "attempt=1; max=3")
	if c.Credentials.AccessKeyID != "" {
		awswire.Sign(r, body, c.Credentials, "us-east-1", service, time.Now())
	}
	var wire bytes.Buffer
	err = r.Write(&wire)
	return wire.Bytes(), err
}

func tableBody(operation string, i int) string {
	partition := fmt.Sprintf("CONN#%05d", i)
	switch operation {
	case "PutItem":
		return `{"TableName":"Bench","Item":` + benchItem(partition, i) + `}`
	case "GetItem":
		return fmt.Sprintf(`{"TableName":"Bench","Key":{"PK":{"S":"%s"},"SK":{"S":"CONN#%07d"}}}`, partition, i)
	}
	return fmt.Sprintf(`{"TableName":"Bench","KeyConditionExpression":"PK = :p","ExpressionAttributeValues":{":p":{"S":"QUERY#%d"}}}`, i%tablePartitions)
}

// call makes n calls, the same number over each connection, and returns how long
// it took until all were answered.
func (c *tablesClient) call(n int) (answer, error) {
	began := monotonic()
	for _, s := range c.callers {
		s.left = n / len(c.callers)
		if err := s.send(); err != nil {
			return answer{}, err
		}
	}
	events := make([]unix.EpollEvent, len(c.callers))
	for missing := n / len(c.callers) * len(c.callers); missing > 0; {
		ready, err := unix.EpollWait(c.epoll, events, int(patience/time.Millisecond))
		if err != nil && err != unix.EINTR {
			return answer{}, err
		}
		for _, ev := range events[:max(ready, 0)] {
			done, err := c.callers[ev.Fd].next()
			if err != nil {
				return answer{}, err
			}
			if done {
				missing--
			}
		}
		if time.Duration(monotonic()-began) > 6*patience {
			return answer{}, fmt.Errorf("%d of %d answers are missing after %v", missing, n, 6*patience)
		}
	}
	return answer{Time: monotonic() - began}, nil
}

func (s *caller) send() error {
	_, err := s.conn.Write(s.calls[s.at])
	return err
}

// next reads what there is, and makes another call once the answer is whole.
func (s *caller) next() (done bool, err error) {
	n, err := s.conn.Read(s.buf[s.have:])
	if err != nil {
		return false, fmt.Errorf("read the answer: %w", err)
	}
	s.have += n
	whole, err := wholeAnswer(s.buf[:s.have])
	if err != nil || !whole {
		return false, err
	}
	s.have, s.at = 0, (s.at+1)%len(s.calls)
	if s.left--; s.left == 0 {
		return true, nil
	}
	return true, s.send()
}

// wholeAnswer reports whether an answer has come with its whole body. One that
// is not 200, or finds nothing, is an error.
func wholeAnswer(have []byte) (bool, error) {
	head, body, ended := bytes.Cut(have, []byte("\r\n\r\n"))
	if !ended {
		return false, nil
	}
	_, length, ok := bytes.Cut(head, []byte("\r\nContent-Length: "))
	length, _, _ = bytes.Cut(length, []byte("\r"))
	size, err := strconv.Atoi(string(length))
	if !ok || err != nil || !bytes.HasPrefix(head, []byte("HTTP/1.1 200 ")) {
		return false, fmt.Errorf("the answer is %s", have)
	}
	return len(body) >= size, nil
}
