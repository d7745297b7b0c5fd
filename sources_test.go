package gatepost

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb"
	"github.com/gatepost-dev/gatepost/internal/aws/sqs"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/bus"
	"github.com/gatepost-dev/gatepost/internal/eventsource"
	"github.com/gatepost-dev/gatepost/stack"
)

// within is how long a test waits for what must happen.
const within = 20 * time.Second

const (
	testTable  = "arn:aws:dynamodb:us-east-1:000000000000:table/orders"
	testStream = testTable + "/stream/2020-01-01T00:00:00.000"
	testQueue  = "arn:aws:sqs:us-east-1:000000000000:jobs"
)

// openTable opens tables with one that has a stream.
func openTable(t testing.TB) *dynamodb.Service {
	t.Helper()
	s, err := dynamodb.Open(dynamodb.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	err = s.EnsureTable(orders())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func orders() stack.Table {
	return stack.Table{
		Name: "orders", ARN: testTable, StreamView: "NEW_AND_OLD_IMAGES", StreamARN: testStream,
		Key: []stack.KeyElement{{Attribute: "PK", Type: "HASH"}}, Attributes: []stack.Attribute{{Name: "PK", Type: "S"}},
	}
}

// put may be called by any goroutine.
func put(t testing.TB, s *dynamodb.Service, key, value string) {
	body := fmt.Sprintf(`{"TableName":"orders","Item":{"PK":{"S":%q},"v":{"S":%q}}}`, key, value)
	if _, err := s.Do(t.Context(), &awswire.Call{Operation: "PutItem", Body: []byte(body), Region: "us-east-1"}); err != nil {
		t.Error(err)
	}
}

// readUntil reads until there are records, the shard has ended or wait is over: a
// read may return with nothing before.
func readUntil(ctx context.Context, s tableStreams, shard string, from eventsource.Position, most int, wait time.Duration) (eventsource.Reading, error) {
	for end := time.Now().Add(wait); ; {
		r, err := s.Read(ctx, testStream, shard, from, most, time.Until(end))
		if err != nil || len(r.Records) > 0 || r.Ended || time.Now().After(end) {
			return r, err
		}
		from = r.Next
	}
}

// TestStreamsOfTables: what mappings read of a table's stream.
func TestStreamsOfTables(t *testing.T) {
	tables := openTable(t)
	s := tableStreams{tables}
	shards, err := s.Shards(t.Context(), testStream)
	if err != nil || len(shards) != 1 || shards[0].Parents != nil {
		t.Fatalf("shards %v, %v", shards, err)
	}
	read := func(from eventsource.Position, most int, wait time.Duration) (eventsource.Reading, []string) {
		t.Helper()
		r, err := readUntil(t.Context(), s, shards[0].ID, from, most, wait)
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		for _, rec := range r.Records {
			keys = append(keys, rec.Key)
		}
		return r, keys
	}
	none, keys := read(eventsource.Position{Start: eventsource.Latest}, 10, 0)
	if keys != nil || none.Next.After != "0" {
		t.Errorf("latest of nothing: %+v", none)
	}
	put(t, tables, "a", "1")
	put(t, tables, "b", "1")
	if _, keys = read(none.Next, 10, 0); !slices.Equal(keys, []string{`{"PK":{"S":"a"}}`, `{"PK":{"S":"b"}}`}) {
		t.Errorf("after nothing: %v", keys)
	}
	latest, keys := read(eventsource.Position{Start: eventsource.Latest}, 10, time.Millisecond)
	if keys != nil || latest.Next.After != "2" {
		t.Errorf("latest: %+v", latest)
	}
	oldest, keys := read(eventsource.Position{Start: eventsource.TrimHorizon}, 1, 0)
	if rec := oldest.Records[0]; len(keys) != 1 || oldest.Next.After != "1" || len(rec.Sequence) != 21 || rec.After != "1" ||
		rec.Expires.Sub(rec.Arrived) != 24*time.Hour || !strings.Contains(string(rec.JSON), `"eventName":"INSERT"`) {
		t.Errorf("oldest: %+v", oldest)
	}
	go put(t, tables, "c", "1")
	if _, keys = read(latest.Next, 10, within); !slices.Equal(keys, []string{`{"PK":{"S":"c"}}`}) {
		t.Errorf("what was waited for: %v", keys)
	}
	if _, err := tables.Do(t.Context(), &awswire.Call{Operation: "DeleteTable", Body: []byte(`{"TableName":"orders"}`), Region: "us-east-1"}); err != nil {
		t.Fatal(err)
	}
	if r, _ := read(eventsource.Position{After: "3"}, 10, within); !r.Ended {
		t.Errorf("the stream of a table that is gone: %+v", r)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Read(gone, testStream, shards[0].ID, eventsource.Position{After: "no number"}, 1, 0); err == nil {
		t.Error("a position that is no number is read")
	}
	if _, err := s.Shards(t.Context(), testStream+"x"); !errors.Is(err, dynamodb.ErrNoStream) {
		t.Errorf("shards of no stream: %v", err)
	}
}

// TestAShardThatHasGone: a table that is made anew under its name has another
// shard. The former one has ended, also for who waits for its next record, and
// gives out nothing of the new one.
func TestAShardThatHasGone(t *testing.T) {
	tables := openTable(t)
	s := tableStreams{tables}
	put(t, tables, "a", "1")
	first, err := s.Shards(t.Context(), testStream)
	if err != nil {
		t.Fatal(err)
	}
	waited := make(chan eventsource.Reading, 1)
	go func() {
		r, err := readUntil(context.WithoutCancel(t.Context()), s, first[0].ID, eventsource.Position{After: "1"}, 10, within)
		if err != nil {
			t.Error(err)
		}
		waited <- r
	}()
	if _, err := tables.Do(t.Context(), &awswire.Call{Operation: "DeleteTable", Body: []byte(`{"TableName":"orders"}`), Region: "us-east-1"}); err != nil {
		t.Fatal(err)
	}
	if r := <-waited; !r.Ended || len(r.Records) > 0 {
		t.Errorf("who waited has %+v", r)
	}
	if err := tables.EnsureTable(orders()); err != nil {
		t.Fatal(err)
	}
	put(t, tables, "b", "1")
	if r, err := s.Read(t.Context(), testStream, first[0].ID, eventsource.Position{Start: eventsource.TrimHorizon}, 10, 0); err != nil || !r.Ended || len(r.Records) > 0 {
		t.Errorf("the former shard has %+v, %v", r, err)
	}
	second, err := s.Shards(t.Context(), testStream)
	if err != nil || second[0].ID == first[0].ID {
		t.Fatalf("the new shard is %v, %v", second, err)
	}
	if r, err := s.Read(t.Context(), testStream, second[0].ID, eventsource.Position{Start: eventsource.TrimHorizon}, 10, 0); err != nil || r.Ended || len(r.Records) != 1 {
		t.Errorf("the new shard has %+v, %v", r, err)
	}
}

// TestEventsOfSchedules: what targets get, to the byte.
func TestEventsOfSchedules(t *testing.T) {
	in := &stack.Stack{Region: "us-east-1", Account: "000000000000"}
	rule := &stack.Schedule{ARN: "arn:aws:events:us-east-1:000000000000:rule/r"}
	scheduler := &stack.Schedule{ARN: "arn:aws:scheduler:us-east-1:000000000000:schedule/default/s", Scheduler: true}
	due := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	const id = "00000000-0000-0000-0000-000000000000"
	for _, c := range []struct {
		schedule *stack.Schedule
		target   stack.ScheduleTarget
		want     string
	}{
		{rule, stack.ScheduleTarget{}, `{"version":"0","id":"` + id + `","detail-type":"Scheduled Event","source":"aws.events","account":"000000000000","time":"2026-11-20T12:00:00Z","region":"us-east-1","resources":["arn:aws:events:us-east-1:000000000000:rule/r"],"detail":{}}`},
		{scheduler, stack.ScheduleTarget{}, `{"version":"0","id":"` + id + `","detail-type":"Scheduled Event","source":"aws.scheduler","account":"000000000000","time":"2026-11-20T12:00:00Z","region":"us-east-1","resources":["arn:aws:scheduler:us-east-1:000000000000:schedule/default/s"],"detail":"{}"}`},
		{rule, stack.ScheduleTarget{Input: `{"at":"<aws.scheduler.scheduled-time>"}`}, `{"at":"<aws.scheduler.scheduled-time>"}`},
		{scheduler, stack.ScheduleTarget{Input: `<aws.scheduler.scheduled-time> <aws.scheduler.attempt-number>`}, `2026-11-20T12:00:00Z 1`},
		{rule, stack.ScheduleTarget{InputPath: "$.time"}, `"2026-11-20T12:00:00Z"`},
		{rule, stack.ScheduleTarget{InputPath: "$.resources[0]"}, `"arn:aws:events:us-east-1:000000000000:rule/r"`},
		{rule, stack.ScheduleTarget{InputPath: "$.detail.nothing"}, `{}`},
		{rule, stack.ScheduleTarget{Transformer: &stack.InputTransformer{Paths: map[string]string{"t": "$.time"}, Template: `{"rule": "<aws.events.rule-name>", "at": <t>}`}}, `{"rule": "r", "at": "2026-11-20T12:00:00Z"}`},
	} {
		got := string(scheduledEvent(c.schedule, c.target, due, in))
		if i := strings.Index(got, `"id":"`); i > 0 {
			got = got[:i+6] + id + got[i+6+len(id):]
		}
		if got != c.want {
			t.Errorf("\n got %s\nwant %s", got, c.want)
		}
	}
}

func TestFindSchedule(t *testing.T) {
	all := []stack.Schedule{
		{LogicalID: "Nightly", Name: "nightly", ARN: "arn:1"}, {LogicalID: "One", Name: "twice", ARN: "arn:2"}, {LogicalID: "Two", Name: "twice", ARN: "arn:3"},
	}
	for name, want := range map[string]string{
		"nightly": "arn:1", "Nightly": "arn:1", "arn:1": "arn:1", "Two": "arn:3", "arn:2": "arn:2",
		"twice":  "there are several schedules twice; say which one by its ARN: arn:2 or arn:3",
		"weekly": "there is no schedule weekly; there are: nightly, twice, twice",
	} {
		s, err := findSchedule(all, name)
		if err != nil {
			s = &stack.Schedule{ARN: err.Error()}
		}
		if s.ARN != want {
			t.Errorf("%s: %s, want %s", name, s.ARN, want)
		}
	}
	if _, err := findSchedule(nil, "x"); err == nil || !strings.Contains(err.Error(), "has no schedules") {
		t.Errorf("of no schedules: %v", err)
	}
}

// starts is an Invoker that tells when a function would start.
type starts chan time.Time

func (s starts) Invoke(context.Context, string, []byte) ([]byte, error) {
	s <- time.Now()
	return nil, nil
}

// noCheckpoints forgets.
type noCheckpoints struct{}

func (noCheckpoints) Get(context.Context, string) ([]byte, bool, error) { return nil, false, nil }
func (noCheckpoints) Put(context.Context, string, []byte) error         { return nil }

// reportLatency sends b.N times, one after the other, and reports how long the
// function's start was away.
func reportLatency(b *testing.B, m stack.EventSourceMapping, cfg eventsource.Config, send func(i int)) {
	started := make(starts, 1)
	m.Function, cfg.Invoker, cfg.Region = "f", started, "us-east-1"
	s := &stack.Stack{Functions: []stack.Function{{Name: "f", Timeout: 3 * time.Second}}, Queues: []stack.Queue{{ARN: testQueue, VisibilityTimeout: 30 * time.Second}}}
	mapping, err := eventsource.New(m, s, cfg)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	var running sync.WaitGroup
	running.Go(func() { mapping.Run(ctx) })
	defer running.Wait()
	defer cancel()
	send(0)
	<-started // the mapping is under way
	b.ResetTimer()
	var all []time.Duration
	for i := range b.N {
		sent := time.Now()
		send(i + 1)
		all = append(all, (<-started).Sub(sent))
	}
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-µs")
}

// BenchmarkFromSourceToFunction is the time from the call that writes a message
// or an item to the start of the function that gets it, the write included.
func BenchmarkFromSourceToFunction(b *testing.B) {
	b.Run("SendMessage", func(b *testing.B) {
		store, err := bus.Open(bus.Config{Dir: b.TempDir()})
		if err != nil {
			b.Fatal(err)
		}
		defer store.Close()
		queues, err := sqs.New(sqs.Config{Bus: store})
		if err != nil {
			b.Fatal(err)
		}
		defer queues.Close()
		if err := queues.EnsureQueue(stack.Queue{Name: "jobs", ARN: testQueue, VisibilityTimeout: 30 * time.Second}); err != nil {
			b.Fatal(err)
		}
		reportLatency(b, stack.EventSourceMapping{SourceARN: testQueue, BatchSize: 10}, eventsource.Config{Queues: queueSource{queues}}, func(i int) {
			if err := queues.Send(b.Context(), testQueue, sqs.Outgoing{Body: fmt.Sprint(i)}); err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("PutItem", func(b *testing.B) {
		tables := openTable(b)
		m := stack.EventSourceMapping{SourceARN: testStream, BatchSize: 100,
			Stream: &stack.StreamSettings{StartingPosition: "TRIM_HORIZON", MaxRetries: -1, Parallelization: 1}}
		cfg := eventsource.Config{Streams: func(string) eventsource.Stream { return tableStreams{tables} }, Checkpoints: noCheckpoints{}}
		reportLatency(b, m, cfg, func(i int) { put(b, tables, fmt.Sprint(i), "v") })
	})
}
