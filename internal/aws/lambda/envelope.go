package lambda

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"
)

// envelope is one asynchronous invocation as it lies in its function's queue: the
// head as JSON in one line, then the event, then the response if there is one.
type envelope struct {
	head
	event, response []byte
}

type head struct {
	// ID is the request id of all attempts.
	ID       string    `json:"id"`
	Accepted time.Time `json:"accepted"`
	// Qualifier is the caller's, "" for none.
	Qualifier     string          `json:"qualifier,omitempty"`
	ClientContext json.RawMessage `json:"clientContext,omitempty"`
	// Hops is how many invocations led here from one to the next by
	// destinations.
	Hops int `json:"hops,omitempty"`
	// Attempts is how often the function was invoked, Faults how often it failed.
	Attempts int `json:"attempts,omitempty"`
	Faults   int `json:"faults,omitempty"`
	// Waits is how often in a row the function could not be invoked.
	Waits int `json:"waits,omitempty"`
	// Round counts the copies that were made: each has its own id on the bus.
	Round int `json:"round,omitempty"`
	// Outcome is set when the function is not invoked any more, and only its
	// destinations are still to be told.
	Outcome *outcome `json:"outcome,omitempty"`
	// Event and Response are the sizes of what follows, in bytes.
	Event    int `json:"event"`
	Response int `json:"response,omitempty"`
}

// condition is how an invocation ended, in Lambda's words.
type condition string

const (
	succeeded        condition = "Success"
	retriesExhausted condition = "RetriesExhausted"
	eventAgeExceeded condition = "EventAgeExceeded"
)

// outcome is how an invocation ended, and who does not know yet.
type outcome struct {
	Condition condition `json:"condition"`
	At        time.Time `json:"at"`
	// Answered says that the response is the function's.
	Answered bool     `json:"answered,omitempty"`
	Left     []target `json:"left,omitempty"`
	// Tries is how often those in Left were tried.
	Tries int `json:"tries,omitempty"`
}

// target is somebody who is told of an outcome.
type target struct {
	ARN string `json:"arn"`
	// DeadLetter targets get the event, others a record.
	DeadLetter bool `json:"deadLetter,omitempty"`
}

// seal writes the envelope.
func (e *envelope) seal() []byte {
	e.Event, e.head.Response = len(e.event), len(e.response)
	text, err := json.Marshal(e.head)
	if err != nil {
		panic("lambda: an envelope cannot be encoded: " + err.Error())
	}
	out := make([]byte, 0, len(text)+1+len(e.event)+len(e.response))
	out = append(out, text...)
	out = append(out, '\n')
	out = append(out, e.event...)
	return append(out, e.response...)
}

// openEnvelope reads what seal wrote.
func openEnvelope(data []byte) (*envelope, error) {
	text, rest, ok := bytes.Cut(data, []byte("\n"))
	if !ok {
		return nil, errors.New("the envelope has no end of its head")
	}
	e := new(envelope)
	if err := json.Unmarshal(text, &e.head); err != nil {
		return nil, err
	}
	if e.Event < 0 || e.Response < 0 || e.Event > len(rest) || len(rest)-e.Event != e.Response {
		return nil, errors.New("the envelope's sizes are not those of its content")
	}
	e.event, e.response = rest[:e.Event], rest[e.Event:]
	return e, nil
}
