package eventsource

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/stack"
)

// fakeQueue hands out prepared batches and remembers what was deleted.
type fakeQueue struct {
	batches chan []Message
	fail    error

	mu      sync.Mutex
	deleted []string
	hidden  []string
	asked   []int
}

func (q *fakeQueue) Hide(_ context.Context, _ string, handles []string, d time.Duration) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, h := range handles {
		q.hidden = append(q.hidden, h+" "+d.String())
	}
	return nil
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

const queueARN = "arn:aws:sqs:us-east-1:000000000000:q"

func newMapping(t *testing.T, declared stack.EventSourceMapping, q Queue, inv Invoker) Mapping {
	declared.Function = "f"
	declared.SourceARN = cmp.Or(declared.SourceARN, queueARN)
	declared.BatchSize = cmp.Or(declared.BatchSize, 10)
	s := &stack.Stack{
		Functions: []stack.Function{{Name: "f", Timeout: 10 * time.Second, MaxConcurrency: 40}},
		Queues:    []stack.Queue{{ARN: queueARN, VisibilityTimeout: time.Minute}, {ARN: queueARN + ".fifo", VisibilityTimeout: time.Minute}},
	}
	m, err := New(declared, s, Config{Region: "us-east-1", Queues: q, Invoker: inv})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// runFor runs a mapping in a bubble of fake time for a while, then ends it.
func runFor(m Mapping, d time.Duration) {
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
		{"a list of another name", true, `{"BatchItemFailures":[{"itemIdentifier":"a"}]}`, nil, []string{"h-a", "h-b"}},
		{"null", true, `null`, nil, []string{"h-a", "h-b"}},
		{"nothing", true, ``, nil, []string{"h-a", "h-b"}},
		{"not JSON", true, `oops`, nil, nil},
		{"a string", true, `"ok"`, nil, nil},
		{"empty identifier", true, `{"batchItemFailures":[{"itemIdentifier":""}]}`, nil, nil},
		{"null identifier", true, `{"batchItemFailures":[{"itemIdentifier":null}]}`, nil, nil},
		{"wrong key", true, `{"batchItemFailures":[{"id":"a"}]}`, nil, nil},
		{"wrong case of the key", true, `{"batchItemFailures":[{"ItemIdentifier":"a"}]}`, nil, nil},
		{"null for a failure", true, `{"batchItemFailures":[null]}`, nil, nil},
		{"a number for an identifier", true, `{"batchItemFailures":[{"itemIdentifier":7}]}`, nil, nil},
		{"no list", true, `{"batchItemFailures":"a"}`, nil, nil},
		{"the same twice", true, `{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"a"}]}`, nil, []string{"h-b"}},
		{"unknown message", true, `{"batchItemFailures":[{"itemIdentifier":"z"}]}`, nil, nil},
		{"function failed", true, "", errors.New("boom"), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := &fakeQueue{batches: make(chan []Message, 1)}
				q.batches <- messages("a", "b")
				m := newMapping(t, stack.EventSourceMapping{ReportItemFailures: tt.report}, q, invokerFunc(func(context.Context, []byte) ([]byte, error) {
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
		m := newMapping(t, stack.EventSourceMapping{}, q, invokerFunc(func(ctx context.Context, _ []byte) ([]byte, error) {
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
		m := newMapping(t, stack.EventSourceMapping{}, q, invokerFunc(func(context.Context, []byte) ([]byte, error) { return nil, nil }))
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
		m := newMapping(t, stack.EventSourceMapping{Window: 5 * time.Second, BatchSize: 3}, q, invokerFunc(func(_ context.Context, event []byte) ([]byte, error) {
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
		m := newMapping(t, stack.EventSourceMapping{MaxConcurrency: 2}, q, invokerFunc(func(context.Context, []byte) ([]byte, error) {
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
			"k": {StringValue: &text, DataType: "String"},
			"b": {BinaryValue: []byte{1, 2}, DataType: "Binary"},
		},
		MD5OfMessageAttributes: "0c", MD5OfBody: "e4",
	}
	m.EventSource, m.EventSourceARN, m.AWSRegion = "aws:sqs", "arn:q", "eu-west-1"
	want := `{"Records":[{"messageId":"059f36b4","receiptHandle":"AQEB","body":"say \"<hi>\"","attributes":{"ApproximateReceiveCount":"1","SentTimestamp":"1545082649183"},"messageAttributes":{"b":{"binaryValue":"AQI=","stringListValues":[],"binaryListValues":[],"dataType":"Binary"},"k":{"stringValue":"v","stringListValues":[],"binaryListValues":[],"dataType":"String"}},"md5OfMessageAttributes":"0c","md5OfBody":"e4","eventSource":"aws:sqs","eventSourceARN":"arn:q","awsRegion":"eu-west-1"}]}`
	if got := string(sqsEvent([]Message{m})); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	m.MessageAttributes, m.MD5OfMessageAttributes = nil, ""
	m.Attributes = map[string]string{"MessageGroupId": "g", "SequenceNumber": "18849496460467696128", "ApproximateFirstReceiveTimestamp": "3", "SenderId": "me",
		"MessageDeduplicationId": "d", "SentTimestamp": "2", "ApproximateReceiveCount": "1", "DeadLetterQueueSourceArn": "arn:s"}
	want = `"attributes":{"ApproximateReceiveCount":"1","SentTimestamp":"2","SequenceNumber":"18849496460467696128","MessageGroupId":"g","SenderId":"me","MessageDeduplicationId":"d","ApproximateFirstReceiveTimestamp":"3","DeadLetterQueueSourceArn":"arn:s"},"messageAttributes":{},"md5OfBody"`
	if got := string(sqsEvent([]Message{m})); !strings.Contains(got, want) {
		t.Errorf("of a FIFO queue: %s", got)
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
			if len(p) > 1 && len(sqsEvent(p)) > 10000 {
				t.Error("a part of several messages is over the limit")
			}
		}
		if !reflect.DeepEqual(sizes, tt.want) {
			t.Errorf("parts of %v, want %v", sizes, tt.want)
		}
	}
}

// grouped are messages of a FIFO queue, written as id:group.
func grouped(texts ...string) (out []Message) {
	for _, text := range texts {
		id, group, _ := strings.Cut(text, ":")
		m := messages(id)[0]
		m.Attributes = map[string]string{"MessageGroupId": group}
		out = append(out, m)
	}
	return out
}

func TestFiltersDelete(t *testing.T) {
	bodies := []string{`{"kind":"order","n":5}`, `{"kind":"order","n":50}`, `{"kind":"other"}`, `plain`, `["order"]`, `7`}
	for _, c := range []struct {
		name    string
		filters []string
		want    []string
	}{
		{"none", nil, bodies},
		{"on JSON: text is dropped", []string{`{"body":{"kind":["order"]}}`}, bodies[:2]},
		{"on a number", []string{`{"body":{"n":[{"numeric":[">",10]}]}}`}, bodies[1:2]},
		{"on text: JSON is dropped", []string{`{"body":[{"prefix":"pl"}]}`}, bodies[3:4]},
		{"on text: a number by itself is text", []string{`{"body":["7"]}`}, bodies[5:]},
		{"one of two", []string{`{"body":["plain"]}`, `{"body":{"kind":["other"]}}`}, bodies[2:4]},
		{"on what is beside the body", []string{`{"attributes":{"SenderId":["me"]}}`}, bodies},
		{"absence within what is no JSON", []string{`{"body":{"n":[{"exists":false}]}}`}, bodies[2:3]},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := &fakeQueue{batches: make(chan []Message, 1)}
				batch := messages(bodies...)
				for i := range batch {
					batch[i].Attributes = map[string]string{"SenderId": "me"}
				}
				q.batches <- batch
				var got []string
				m := newMapping(t, stack.EventSourceMapping{Filters: c.filters}, q, invokerFunc(func(_ context.Context, event []byte) ([]byte, error) {
					got = append(got, bodiesOf(t, event)...)
					return nil, nil
				}))
				runFor(m, time.Second)
				if !slices.Equal(got, c.want) || len(q.gone()) != len(bodies) {
					t.Errorf("the function got %q, want %q; %d of %d deleted", got, c.want, len(q.gone()), len(bodies))
				}
			})
		})
	}
}

func bodiesOf(t *testing.T, event []byte) (all []string) {
	var e struct{ Records []struct{ Body string } }
	if err := json.Unmarshal(event, &e); err != nil {
		t.Error(err)
	}
	for _, r := range e.Records {
		all = append(all, r.Body)
	}
	return all
}

// TestAFailedGroupWaits: when a batch of a FIFO queue goes to the function in
// several parts, what stands behind a failure in its group is not handed over.
func TestAFailedGroupWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &fakeQueue{batches: make(chan []Message, 1)}
		batch := grouped("a1:a", "b1:b", "a2:a", "b2:b")
		for i := range batch {
			batch[i].Body += strings.Repeat(" ", 2<<20) // two and a half go into one event
		}
		q.batches <- batch
		var got []string
		m := newMapping(t, stack.EventSourceMapping{SourceARN: queueARN + ".fifo", ReportItemFailures: true}, q, invokerFunc(func(_ context.Context, event []byte) ([]byte, error) {
			first := len(got) == 0
			for _, b := range bodiesOf(t, event) {
				got = append(got, strings.TrimSpace(b))
			}
			if !first {
				return nil, nil
			}
			return []byte(`{"batchItemFailures":[{"itemIdentifier":"a1"}]}`), nil
		}))
		runFor(m, time.Second)
		if want := []string{"a1", "b1", "b2"}; !slices.Equal(got, want) || !slices.Equal(q.gone(), []string{"h-b1", "h-b2"}) {
			t.Errorf("the function got %q, want %q; deleted %q", got, want, q.gone())
		}
	})
}

func TestPollersGrowWhileAllAreBusyAndShrinkWhenIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &fakeQueue{batches: make(chan []Message, 1000)}
		for i := range 1000 {
			q.batches <- messages(fmt.Sprint(i))
		}
		var now, most atomic.Int64
		var atStart, after2s int64
		m := newMapping(t, stack.EventSourceMapping{MaxConcurrency: 20}, q, invokerFunc(func(context.Context, []byte) ([]byte, error) {
			most.Store(max(most.Load(), now.Add(1)))
			defer now.Add(-1)
			time.Sleep(10 * time.Second)
			return nil, nil
		}))
		go func() {
			time.Sleep(growEvery / 2)
			atStart = now.Load()
			time.Sleep(2 * time.Second)
			after2s = now.Load()
		}()
		runFor(m, 30*time.Minute)
		if atStart != 5 || after2s != 15 || most.Load() != 20 {
			t.Errorf("%d at the start, %d after 2 s, %d at most; want 5, 15 and 20", atStart, after2s, most.Load())
		}
		if p := m.(*queueMapping).pollers; p.limit != fewestPollers || p.used != 0 {
			t.Errorf("an idle queue has %d pollers, %d at work", p.limit, p.used)
		}
	})
}

// TestThrottled: a crowded function gets the same messages again while they are
// hidden, and then they come back by themselves.
func TestThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			until time.Duration
			want  []string
		}{{5 * time.Second, []string{"h-a"}}, {time.Hour, nil}} {
			q := &fakeQueue{batches: make(chan []Message, 1)}
			q.batches <- messages("a")
			begin, last := time.Now(), time.Duration(0)
			m := newMapping(t, stack.EventSourceMapping{}, q, invokerFunc(func(context.Context, []byte) ([]byte, error) {
				if last = time.Since(begin); last < c.until {
					return nil, fmt.Errorf("crowded: %w", apigw.ErrThrottled)
				}
				return nil, nil
			}))
			runFor(m, 10*time.Minute)
			if got := q.gone(); !slices.Equal(got, c.want) || last > time.Minute-10*time.Second {
				t.Errorf("free after %s: deleted %q, want %q; last try after %s", c.until, got, c.want, last)
			}
		}
	})
}

func TestVisibilityCoversWindowAndTimeout(t *testing.T) {
	for _, c := range []struct {
		window time.Duration
		want   []string
	}{
		{50 * time.Second, nil}, // 50 s and 10 s are the queue's minute
		{51 * time.Second, []string{"h-a 1m31s"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			q := &fakeQueue{batches: make(chan []Message, 1)}
			q.batches <- messages("a")
			runFor(newMapping(t, stack.EventSourceMapping{Window: c.window}, q, invokerFunc(func(context.Context, []byte) ([]byte, error) { return nil, nil })), time.Second)
			if !slices.Equal(q.hidden, c.want) {
				t.Errorf("a window of %s: hidden %q, want %q", c.window, q.hidden, c.want)
			}
		})
	}
}

func TestWindowEndsAtSixMegabytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &fakeQueue{batches: make(chan []Message, 20)}
		for i := range 8 {
			m := messages(fmt.Sprint(i))
			m[0].Body = strings.Repeat("x", 1<<20)
			q.batches <- m
		}
		var mu sync.Mutex
		var sizes []int
		var at []time.Duration
		begin := time.Now()
		m := newMapping(t, stack.EventSourceMapping{Window: 10 * time.Second, BatchSize: 10000}, q, invokerFunc(func(_ context.Context, event []byte) ([]byte, error) {
			if len(event) > maxEvent {
				t.Errorf("an event of %d bytes", len(event))
			}
			mu.Lock()
			defer mu.Unlock()
			sizes, at = append(sizes, strings.Count(string(event), `"messageId"`)), append(at, time.Since(begin))
			return nil, nil
		}))
		runFor(m, time.Minute)
		if fmt.Sprint(sizes, at) != "[5 1 2] [0s 0s 10s]" {
			t.Errorf("batches of %v at %v", sizes, at)
		}
	})
}
