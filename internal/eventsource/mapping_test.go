package eventsource

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatepost-dev/gatepost/stack"
)

// fakeQueue hands out prepared batches and remembers what was deleted.
type fakeQueue struct {
	batches chan []Message
	fail    error

	mu      sync.Mutex
	deleted []string
	asked   []int
}

func (q *fakeQueue) Receive(ctx context.Context, _ string, max int, wait time.Duration) ([]Message, error) {
	q.mu.Lock()
	q.asked = append(q.asked, max)
	fail := q.fail
	q.fail = nil
	q.mu.Unlock()
	if fail != nil {
		return nil, fail
	}
	select {
	case b := <-q.batches:
		return b, nil
	case <-time.After(wait):
		return nil, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (q *fakeQueue) Delete(_ context.Context, _ string, handles []string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.deleted = append(q.deleted, handles...)
	return nil
}

func (q *fakeQueue) gone() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := slices.Clone(q.deleted)
	slices.Sort(out)
	return out
}

// invokerFunc is an Invoker of one function.
type invokerFunc func(ctx context.Context, event []byte) ([]byte, error)

func (f invokerFunc) Invoke(ctx context.Context, _ string, event []byte) ([]byte, error) {
	return f(ctx, event)
}

func messages(ids ...string) []Message {
	var out []Message
	for _, id := range ids {
		out = append(out, Message{MessageID: id, ReceiptHandle: "h-" + id, Body: id})
	}
	return out
}

func newMapping(declared stack.EventSourceMapping, q Queue, inv Invoker) *Mapping {
	declared.SourceARN, declared.Function = "arn:aws:sqs:us-east-1:000000000000:q", "f"
	if declared.BatchSize == 0 {
		declared.BatchSize = 10
	}
	return New(declared, "us-east-1", q, inv, nil, slog.New(slog.DiscardHandler))
}

// runFor runs a mapping in a bubble of fake time for a while, then ends it.
func runFor(m *Mapping, d time.Duration) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.Run(ctx)
	}()
	time.Sleep(d)
	synctest.Wait()
	cancel()
	<-done
}

func TestWhatIsDeleted(t *testing.T) {
	for _, tt := range []struct {
		name   string
		report bool
		out    string
		err    error
		want   []string
	}{
		{"success deletes all", false, `"ignored"`, nil, []string{"h-a", "h-b"}},
		{"failure keeps all", false, "", errors.New("boom"), nil},
		{"no report of failures is ignored without the setting", false, `{"batchItemFailures":[{"itemIdentifier":"a"}]}`, nil, []string{"h-a", "h-b"}},
		{"one item failed", true, `{"batchItemFailures":[{"itemIdentifier":"a"}]}`, nil, []string{"h-b"}},
		{"empty list", true, `{"batchItemFailures":[]}`, nil, []string{"h-a", "h-b"}},
		{"null list", true, `{"batchItemFailures":null}`, nil, []string{"h-a", "h-b"}},
		{"empty object", true, `{}`, nil, []string{"h-a", "h-b"}},
		{"null", true, `null`, nil, []string{"h-a", "h-b"}},
		{"nothing", true, ``, nil, []string{"h-a", "h-b"}},
		{"not JSON", true, `oops`, nil, nil},
		{"a string", true, `"ok"`, nil, nil},
		{"empty identifier", true, `{"batchItemFailures":[{"itemIdentifier":""}]}`, nil, nil},
		{"null identifier", true, `{"batchItemFailures":[{"itemIdentifier":null}]}`, nil, nil},
		{"wrong key", true, `{"batchItemFailures":[{"id":"a"}]}`, nil, nil},
		{"unknown message", true, `{"batchItemFailures":[{"itemIdentifier":"z"}]}`, nil, nil},
		{"function failed", true, "", errors.New("boom"), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := &fakeQueue{batches: make(chan []Message, 1)}
				q.batches <- messages("a", "b")
				m := newMapping(stack.EventSourceMapping{ReportItemFailures: tt.report}, q, invokerFunc(func(context.Context, []byte) ([]byte, error) {
					return []byte(tt.out), tt.err
				}))
				runFor(m, time.Second)
				if got := q.gone(); !slices.Equal(got, tt.want) {
					t.Errorf("deleted %v, want %v", got, tt.want)
				}
			})
		})
	}
}

func TestRunWaitsForTheBatchThatIsWithTheFunction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &fakeQueue{batches: make(chan []Message, 1)}
		q.batches <- messages("a")
		m := newMapping(stack.EventSourceMapping{}, q, invokerFunc(func(ctx context.Context, _ []byte) ([]byte, error) {
			time.Sleep(time.Minute) // long after Run was told to end
			return nil, ctx.Err()
		}))
		runFor(m, time.Second)
		if got := q.gone(); !slices.Equal(got, []string{"h-a"}) {
			t.Errorf("deleted %v after the end, want the message that was under way", got)
		}
	})
}

func TestReceiveIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &fakeQueue{batches: make(chan []Message, 1), fail: errors.New("down")}
		q.batches <- messages("a")
		m := newMapping(stack.EventSourceMapping{}, q, invokerFunc(func(context.Context, []byte) ([]byte, error) { return nil, nil }))
		runFor(m, time.Second)
		if got := q.gone(); !slices.Equal(got, []string{"h-a"}) {
			t.Errorf("deleted %v, want the message that came after the failure", got)
		}
	})
}

func TestWindowFillsTheBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &fakeQueue{batches: make(chan []Message, 3)}
		var sizes []int
		m := newMapping(stack.EventSourceMapping{Window: 5 * time.Second, BatchSize: 3}, q, invokerFunc(func(_ context.Context, event []byte) ([]byte, error) {
			sizes = append(sizes, strings.Count(string(event), `"messageId"`))
			return nil, nil
		}))
		go func() {
			for _, id := range []string{"a", "b", "c"} {
				q.batches <- messages(id)
				time.Sleep(time.Second)
			}
			time.Sleep(time.Second)
			q.batches <- messages("d")
		}()
		runFor(m, time.Minute)
		if !slices.Equal(sizes, []int{3, 1}) {
			t.Errorf("batches of %v, want 3 (full) and 1 (window over)", sizes)
		}
		if want := []int{3, 2, 1}; !slices.Equal(q.asked[:3], want) {
			t.Errorf("asked for %v, want %v", q.asked[:3], want)
		}
	})
}

func TestConcurrencyIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &fakeQueue{batches: make(chan []Message, 20)}
		for i := range 20 {
			q.batches <- messages(fmt.Sprint(i))
		}
		var mu sync.Mutex
		now, most := 0, 0
		m := newMapping(stack.EventSourceMapping{MaxConcurrency: 2}, q, invokerFunc(func(context.Context, []byte) ([]byte, error) {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			now--
			mu.Unlock()
			return nil, nil
		}))
		runFor(m, time.Minute)
		if most != 2 || len(q.gone()) != 20 {
			t.Errorf("at most %d batches at once and %d done; want 2 and 20", most, len(q.gone()))
		}
	})
}

func TestEventBytes(t *testing.T) {
	text := "v"
	m := Message{
		MessageID: "059f36b4", ReceiptHandle: "AQEB", Body: `say "<hi>"`,
		Attributes: map[string]string{"ApproximateReceiveCount": "1", "SentTimestamp": "1545082649183"},
		MessageAttributes: map[string]MessageAttribute{
			"k": {StringValue: &text, StringListValues: []string{}, BinaryListValues: [][]byte{}, DataType: "String"},
		},
		MD5OfMessageAttributes: "0c", MD5OfBody: "e4",
	}
	want := `{"Records":[{"messageId":"059f36b4","receiptHandle":"AQEB","body":"say \"<hi>\"","attributes":{"ApproximateReceiveCount":"1","SentTimestamp":"1545082649183"},"messageAttributes":{"k":{"stringValue":"v","stringListValues":[],"binaryListValues":[],"dataType":"String"}},"md5OfMessageAttributes":"0c","md5OfBody":"e4","eventSource":"aws:sqs","eventSourceARN":"arn:q","awsRegion":"eu-west-1"}]}`
	if got := string(sqsEvent([]Message{m}, "arn:q", "eu-west-1")); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	m.MessageAttributes, m.MD5OfMessageAttributes = nil, ""
	if got := string(sqsEvent([]Message{m}, "arn:q", "eu-west-1")); !strings.Contains(got, `"messageAttributes":{},"md5OfBody"`) {
		t.Errorf("without attributes: %s", got)
	}
}

func TestSplitBySize(t *testing.T) {
	big := func(id string, n int, fill string) Message {
		return Message{MessageID: id, Body: strings.Repeat(fill, n)}
	}
	for _, tt := range []struct {
		batch []Message
		want  []int
	}{
		{messages("a", "b", "c"), []int{3}},
		{[]Message{big("a", 5000, "x"), big("b", 5000, "x")}, []int{1, 1}},
		{[]Message{big("a", 20000, "x"), big("b", 10, "x")}, []int{1, 1}},
		{[]Message{big("a", 1500, "\x01"), big("b", 10, "x")}, []int{1, 1}},
		{nil, nil},
	} {
		var sizes []int
		for _, p := range splitBySize(tt.batch, 10000) {
			sizes = append(sizes, len(p))
			if len(p) > 1 && len(sqsEvent(p, "arn", "r")) > 10000 {
				t.Error("a part of several messages is over the limit")
			}
		}
		if !reflect.DeepEqual(sizes, tt.want) {
			t.Errorf("parts of %v, want %v", sizes, tt.want)
		}
	}
}
