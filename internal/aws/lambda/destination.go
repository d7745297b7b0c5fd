package lambda

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
)

// ErrRejected: a destination will not take a message however often it is sent,
// for example because the queue does not exist.
var ErrRejected = errors.New("destination refused the message")

// Destination takes messages for SQS queues, or for SNS topics. Its method may be
// called together.
type Destination interface {
	// Deliver returns nil once the queue or topic has stored the message. An
	// error that is ErrRejected is final; after any other the message is sent
	// again.
	Deliver(ctx context.Context, arn string, m Message) error
}

// Message is what a destination gets.
type Message struct {
	Body string
	// Attributes are the message's attributes, for dead-letter queues only.
	Attributes map[string]Attribute
}

// Attribute is a message attribute.
type Attribute struct {
	// DataType is String or Number.
	DataType, Value string
}

// The largest records, in bytes: one that is larger goes without its payloads
// ("OnFailure" in the API reference).
const (
	maxTopicRecord = 256 << 10
	maxQueueRecord = 1 << 20
)

// deliverWithin bounds one attempt to tell a destination.
const deliverWithin = 10 * time.Second

// ended is an outcome with those who are to be told.
func (w *worker) ended(c condition, answered bool) *outcome {
	o := &outcome{Condition: c, At: time.Now(), Answered: answered}
	settings, _ := w.configOf(w.function)
	record, dead := settings.OnSuccess, ""
	if c != succeeded {
		record, dead = settings.OnFailure, settings.DeadLetter
	}
	if record != "" {
		o.Left = append(o.Left, target{ARN: record})
	}
	if dead != "" {
		o.Left = append(o.Left, target{ARN: dead, DeadLetter: true})
	}
	return o
}

// tell tells everybody who does not know of the outcome yet.
func (w *worker) tell(ctx context.Context, e *envelope) (step, time.Duration) {
	o := e.Outcome
	if len(o.Left) == 0 {
		w.reportUnclaimed(e)
		return finished, 0
	}
	var left []target
	for _, t := range o.Left {
		err := w.deliver(ctx, e, t)
		if err == nil {
			w.reportTold(e, t)
			continue
		}
		if w.final(e, err) {
			w.reportUntold(e, t, err)
			continue
		}
		left = append(left, t)
	}
	o.Left = left
	if len(left) == 0 {
		return finished, 0
	}
	o.Tries++
	return postponed, backoff(o.Tries)
}

// final reports whether a destination is not tried any more.
func (w *worker) final(e *envelope, err error) bool {
	if errors.Is(err, ErrRejected) || errors.Is(err, ErrNoFunction) || time.Since(e.Outcome.At) > maxEventAge {
		return true
	}
	refused, ok := errors.AsType[*awswire.Error](err)
	return ok && refused.Status < 500
}

// deliver tells one destination of an outcome.
func (w *worker) deliver(ctx context.Context, e *envelope, t target) error {
	ctx, cancel := context.WithTimeout(ctx, deliverWithin)
	defer cancel()
	kind := serviceOf(t.ARN)
	if kind == "lambda" {
		return w.submit(ctx, t.ARN, w.record(e, w.config.MaxAsync), e.Hops+1)
	}
	to, limit := w.config.Queues, maxQueueRecord
	if kind == "sns" {
		to, limit = w.config.Topics, maxTopicRecord
	}
	if to == nil { // an earlier run had some
		return fmt.Errorf("%w: there is nothing here that takes messages for %s", ErrRejected, t.ARN)
	}
	if t.DeadLetter {
		return to.Deliver(ctx, t.ARN, deadLetter(e))
	}
	return to.Deliver(ctx, t.ARN, Message{Body: string(w.record(e, limit))})
}

// invocationRecord is the JSON document that destinations get ("Capturing records of Lambda
// asynchronous invocations" in the developer guide). The payloads are left out
// of one that would be too large for its destination.
type invocationRecord struct {
	Version         string           `json:"version"`
	Timestamp       string           `json:"timestamp"`
	RequestContext  requestContext   `json:"requestContext"`
	RequestPayload  json.RawMessage  `json:"requestPayload,omitempty"`
	ResponseContext *responseContext `json:"responseContext,omitempty"`
	ResponsePayload json.RawMessage  `json:"responsePayload,omitempty"`
}

type requestContext struct {
	RequestID              string    `json:"requestId"`
	FunctionARN            string    `json:"functionArn"`
	Condition              condition `json:"condition"`
	ApproximateInvokeCount int       `json:"approximateInvokeCount"`
}

type responseContext struct {
	StatusCode      int    `json:"statusCode"`
	ExecutedVersion string `json:"executedVersion"`
	FunctionError   string `json:"functionError,omitempty"`
}

// record describes an outcome in at most limit bytes, its payloads aside.
func (w *worker) record(e *envelope, limit int) []byte {
	r := invocationRecord{
		Version: "1.0", Timestamp: e.Outcome.At.UTC().Format("2006-01-02T15:04:05.000Z"),
		RequestContext: requestContext{
			RequestID: e.ID, FunctionARN: w.arn() + ":" + cmp.Or(e.Qualifier, latest),
			Condition: e.Outcome.Condition, ApproximateInvokeCount: e.Attempts,
		},
		RequestPayload: e.event,
	}
	if e.Outcome.Answered {
		r.ResponseContext = &responseContext{StatusCode: 200, ExecutedVersion: latest}
		if e.Outcome.Condition != succeeded {
			r.ResponseContext.FunctionError = "Unhandled"
		}
		r.ResponsePayload = document(e.response)
	}
	text := awswire.MarshalJSON(r)
	if len(text) > limit {
		r.RequestPayload, r.ResponsePayload = nil, nil
		text = awswire.MarshalJSON(r)
	}
	return text
}

// document is a response as JSON: functions may answer with any text.
func document(response []byte) json.RawMessage {
	if len(response) == 0 || json.Valid(response) {
		return response
	}
	return awswire.MarshalJSON(string(response))
}

// arn is the ARN of the worker's function.
func (w *worker) arn() string {
	for _, f := range w.config.Functions.List() {
		if f.Name == w.function {
			return w.arnOf(f)
		}
	}
	return functionARN(w.config.Region, w.config.Account, w.function)
}

// maxErrorMessage is how much of an error's message a dead-letter queue gets, in
// bytes.
const maxErrorMessage = 1 << 10

// deadLetter is what a dead-letter queue gets: the event as it was, with the
// error in attributes ("Dead-letter queues" in the developer guide).
func deadLetter(e *envelope) Message {
	m := Message{Body: string(e.event), Attributes: map[string]Attribute{"RequestID": {"String", e.ID}}}
	if !e.Outcome.Answered {
		return m
	}
	m.Attributes["ErrorCode"] = Attribute{"Number", "200"}
	if text := errorMessage(e.response); text != "" {
		m.Attributes["ErrorMessage"] = Attribute{"String", text}
	}
	return m
}

// errorMessage is the beginning of the message in a function's error, without
// characters that an attribute cannot have.
func errorMessage(payload []byte) string {
	var failure struct {
		Message string `json:"errorMessage"`
	}
	if json.Unmarshal(payload, &failure) != nil || failure.Message == "" {
		failure.Message = string(payload)
	}
	text := strings.ToValidUTF8(failure.Message[:min(len(failure.Message), maxErrorMessage)], "")
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}

// reportTold tells the feed of an outcome that went to a destination.
func (w *worker) reportTold(e *envelope, t target) {
	event := w.feedEvent(e)
	event.Text = fmt.Sprintf("record of %s to %s", e.Outcome.Condition, t.ARN)
	if t.DeadLetter {
		event.Kind, event.Text = telemetry.DeadLettered, fmt.Sprintf("moved to %s: %s", t.ARN, w.why(e))
	}
	w.config.Feed.Record(event)
}

// reportUntold tells of a destination that will never know.
func (w *worker) reportUntold(e *envelope, t target, err error) {
	event := w.feedEvent(e)
	event.Failed, event.Text = true, fmt.Sprintf("%s cannot be told: %v", t.ARN, err)
	w.config.Feed.Record(event)
	w.config.Log.Error("a destination cannot be told how an asynchronous invocation ended", "function", w.function, "requestId", e.ID,
		"condition", e.Outcome.Condition, "destination", t.ARN, "error", err)
}

// reportUnclaimed tells of an invocation that was given up where no destination
// gets it.
func (w *worker) reportUnclaimed(e *envelope) {
	if e.Outcome.Condition == succeeded {
		return
	}
	event := w.feedEvent(e)
	event.Text = "given up, as the function has no OnFailure destination: " + w.why(e)
	w.config.Feed.Record(event)
	w.config.Log.Error("an asynchronous invocation is given up; give the function an OnFailure destination to keep such events",
		"function", w.function, "requestId", e.ID, "reason", w.why(e))
}

// feedEvent begins an event of the feed.
func (w *worker) feedEvent(e *envelope) telemetry.Event {
	return telemetry.Event{Kind: telemetry.Delivered, Source: "asynchronous invocation", Function: w.function, RequestID: e.ID,
		Bytes: len(e.event), Failed: e.Outcome.Condition != succeeded}
}

// why says in a few words why an invocation was given up.
func (w *worker) why(e *envelope) string {
	if e.Outcome.Condition == eventAgeExceeded {
		settings, _ := w.configOf(w.function)
		return fmt.Sprintf("it is older than %s", settings.age())
	}
	if text := errorMessage(e.response); text != "" {
		return fmt.Sprintf("%d attempts failed: %s", e.Attempts, clip(text))
	}
	return fmt.Sprintf("%d attempts failed", e.Attempts)
}
