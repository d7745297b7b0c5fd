package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/gatepost-dev/gatepost/push"
	"github.com/gatepost-dev/gatepost/push/function"
)

// endpoint is a Poster that notes who got what, and fails as told.
type endpoint struct {
	mu   sync.Mutex
	got  map[string][]string
	fail func(ctx context.Context, id, data string) error
}

func (e *endpoint) Post(ctx context.Context, id string, data []byte) error {
	if e.fail != nil {
		if err := e.fail(ctx, id, string(data)); err != nil {
			return err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.got == nil {
		e.got = map[string][]string{}
	}
	e.got[id] = append(e.got[id], string(data))
	return nil
}

func (e *endpoint) want(t *testing.T, id string, want ...string) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	if !slices.Equal(e.got[id], want) {
		t.Errorf("%s got %.80q, want %.80q", id, e.got[id], want)
	}
}

// handler publishes to the connections named, which have been open for a
// minute.
func handler(t *testing.T, e *endpoint, ids ...string) (*Handler, *push.Memory, *bytes.Buffer) {
	t.Helper()
	rows := push.NewMemory(push.MemoryOptions{})
	for _, id := range ids {
		if err := rows.Add(t.Context(), push.Connection{ID: id, ConnectedAt: time.Now().Add(-time.Minute)}); err != nil {
			t.Fatal(err)
		}
	}
	log := &bytes.Buffer{}
	logger := slog.New(slog.NewJSONHandler(log, nil))
	return New(Options{Publisher: &push.Publisher{Roster: rows, Poster: e, Log: logger}, Log: logger}), rows, log
}

// batch is an SQS event as Lambda makes it, of messages m0, m1, and so on.
func batch(t *testing.T, bodies ...string) events.SQSEvent {
	t.Helper()
	var records []string
	for i, body := range bodies {
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, fmt.Sprintf(`{"messageId":"m%d","receiptHandle":"AQEB","body":%s,
			"attributes":{"ApproximateReceiveCount":"1","SentTimestamp":"1520621625029","SenderId":"AROA:x","ApproximateFirstReceiveTimestamp":"1520621634884"},
			"messageAttributes":{},"md5OfBody":"x","eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:eu-west-1:123456789012:socket-queue","awsRegion":"eu-west-1"}`, i, text))
	}
	var event events.SQSEvent
	if err := json.Unmarshal([]byte(`{"Records":[`+strings.Join(records, ",")+`]}`), &event); err != nil {
		t.Fatal(err)
	}
	return event
}

// handle returns the ids of the records that were reported, and holds the
// answer's JSON to what Lambda expects.
func handle(t *testing.T, ctx context.Context, h *Handler, event events.SQSEvent) []string {
	t.Helper()
	out, err := h.Handle(ctx, event)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(out)
	if err != nil || !bytes.HasPrefix(text, []byte(`{"batchItemFailures":[`)) {
		t.Fatalf("answered %s, %v", text, err)
	}
	ids := []string{}
	for _, f := range out.BatchItemFailures {
		ids = append(ids, f.ItemIdentifier)
	}
	return ids
}

func TestHandle(t *testing.T) {
	var e endpoint
	h, _, log := handler(t, &e, "ann", "bob")
	first, second := "{\"a\":1} \u00e9 \"quoted\"\n", "second"
	if failed := handle(t, t.Context(), h, batch(t, first, second)); len(failed) != 0 {
		t.Errorf("reported %q", failed)
	}
	e.want(t, "ann", first, second)
	e.want(t, "bob", first, second)
	if text := log.String(); strings.Contains(text, "quoted") || !strings.Contains(text, `"messageId":"m1","sent":2,"gone":0,"failed":0,"remaining":0`) {
		t.Errorf("logged %s", text)
	}
	if failed := handle(t, t.Context(), h, events.SQSEvent{}); len(failed) != 0 {
		t.Errorf("no records, reported %q", failed)
	}
}

// A dead connection costs its row and nothing else.
func TestHandleGone(t *testing.T) {
	e := endpoint{fail: func(_ context.Context, id, _ string) error {
		if id == "dead" {
			return push.ErrGone
		}
		return nil
	}}
	h, rows, _ := handler(t, &e, "ann", "dead")
	if failed := handle(t, t.Context(), h, batch(t, "1", "2")); len(failed) != 0 {
		t.Errorf("reported %q", failed)
	}
	e.want(t, "ann", "1", "2")
	for c := range rows.All(t.Context()) {
		if c.ID == "dead" {
			t.Error("the dead connection's row is still there")
		}
	}
}

// What can never be delivered is reported every time; the rest of its batch is
// delivered once.
func TestHandlePoison(t *testing.T) {
	var e endpoint
	h, _, log := handler(t, &e, "ann")
	poison := strings.Repeat("x", push.MaxMessage+1)
	if failed := handle(t, t.Context(), h, batch(t, "1", poison, "2")); !slices.Equal(failed, []string{"m1"}) {
		t.Errorf("reported %q, want m1", failed)
	}
	e.want(t, "ann", "1", "2")
	again := batch(t, "1", poison)
	again.Records = again.Records[1:]
	for range 2 {
		if failed := handle(t, t.Context(), h, again); !slices.Equal(failed, []string{"m1"}) {
			t.Errorf("reported %q, want m1", failed)
		}
	}
	e.want(t, "ann", "1", "2")
	if text := log.String(); !strings.Contains(text, "too large") || strings.Contains(text, "xxx") {
		t.Errorf("logged %.300s", text)
	}
}

// A record that one live connection could not get is reported, and comes back
// to that connection alone.
func TestHandlePartlyFailed(t *testing.T) {
	stuck := true
	e := endpoint{}
	e.fail = func(_ context.Context, id, data string) error {
		if id == "bob" && data == "2" && stuck {
			return errors.New("stuck")
		}
		return nil
	}
	h, _, log := handler(t, &e, "ann", "bob")
	event := batch(t, "1", "2")
	if failed := handle(t, t.Context(), h, event); !slices.Equal(failed, []string{"m1"}) {
		t.Errorf("reported %q, want m1", failed)
	}
	if text := log.String(); !strings.Contains(text, `"connectionId":"bob","error":"1 of 2 connections failed; the first, bob: stuck"`) {
		t.Errorf("logged %s", text)
	}
	event.Records = append(event.Records[1:], batch(t, "", "", "3").Records[2])
	if failed := handle(t, t.Context(), h, event); !slices.Equal(failed, []string{"m1"}) {
		t.Errorf("reported %q the second time, want m1", failed)
	}
	stuck = false
	if failed := handle(t, t.Context(), h, event); len(failed) != 0 {
		t.Errorf("reported %q the third time, want none", failed)
	}
	e.want(t, "ann", "1", "2", "3", "3") // m2 was finished, and so is a new message when it comes again
	slices.Sort(e.got["bob"][2:])        // a message that comes again stands in no order to the others
	e.want(t, "bob", "1", "3", "2", "3")
}

// Time that runs out is answered before the invocation ends.
func TestHandleDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := endpoint{fail: func(ctx context.Context, id, _ string) error {
			if id == "ann" {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		}}
		h, _, _ := handler(t, &e, "ann", "bob")
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if failed := handle(t, ctx, h, batch(t, "1", "2")); !slices.Equal(failed, []string{"m0", "m1"}) {
			t.Errorf("reported %q, want both", failed)
		}
		if took := time.Since(start); took != 4500*time.Millisecond {
			t.Errorf("answered after %v, want 4.5s", took)
		}
		e.want(t, "ann", "1", "2")
		e.fail = nil
		if failed := handle(t, t.Context(), h, batch(t, "1", "2")); len(failed) != 0 {
			t.Errorf("reported %q, want none", failed)
		}
		e.want(t, "ann", "1", "2")
		slices.Sort(e.got["bob"]) // two attempts of their own, in no order
		e.want(t, "bob", "1", "2")
	})
}

// A roster that cannot be read fails every record, and everyone gets them when
// it can.
func TestHandleRosterFails(t *testing.T) {
	var e endpoint
	h, _, _ := handler(t, &e, "ann")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if failed := handle(t, ctx, h, batch(t, "1")); !slices.Equal(failed, []string{"m0"}) {
		t.Errorf("reported %q, want m0", failed)
	}
	if failed := handle(t, t.Context(), h, batch(t, "1")); len(failed) != 0 {
		t.Errorf("reported %q, want none", failed)
	}
	e.want(t, "ann", "1")
}

func TestUnfinishedIsBounded(t *testing.T) {
	var u unfinished
	report := &push.Report{Remaining: []string{"c"}}
	for i := range 3 * maxMessages {
		u.put(fmt.Sprint(i), report)
		u.put(fmt.Sprint(i), report)
	}
	if len(u.missed) != maxMessages || len(u.oldest) != maxMessages {
		t.Errorf("%d messages in %d places, want %d", len(u.missed), len(u.oldest), maxMessages)
	}
	if _, known := u.take("0"); known {
		t.Error("the oldest is still known")
	}
	if ids, known := u.take(fmt.Sprint(3*maxMessages - 1)); !known || ids != "c" {
		t.Errorf("the newest is %q, %v", ids, known)
	}
	u.put("many", &push.Report{Remaining: make([]string, function.MaxIDs+1)})
	u.put("not all", &push.Report{Remaining: []string{"c"}, Unread: true})
	u.put("nobody", &push.Report{})
	for _, id := range []string{"many", "not all", "nobody"} {
		if _, known := u.take(id); known {
			t.Errorf("%q is known", id)
		}
	}
}

// longAgo is when connections opened that are no longer opening.
var longAgo = time.Now().Add(-time.Minute)
