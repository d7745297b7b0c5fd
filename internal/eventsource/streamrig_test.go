package eventsource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/stack"
)

const streamARN = "arn:aws:dynamodb:us-east-1:000000000000:table/T/stream/2026-01-01T00:00:00.000"

// memoryStream is a stream in memory. Sequence numbers count from 1 in each
// shard.
type memoryStream struct {
	mu      sync.Mutex
	shards  []Shard
	records map[string][]Record
	closed  map[string]bool
	changed chan struct{}
	fail    error
	reads   int
}

func newMemoryStream(shards ...Shard) *memoryStream {
	if shards == nil {
		shards = []Shard{{ID: "s"}}
	}
	return &memoryStream{shards: shards, records: make(map[string][]Record), closed: make(map[string]bool), changed: make(chan struct{})}
}

// put adds a record {"n":text,"seq":number} with a key.
func (s *memoryStream) put(shard, key, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := fmt.Sprint(len(s.records[shard]) + 1)
	s.records[shard] = append(s.records[shard], Record{
		Sequence: "seq" + n, After: n, Key: key, Arrived: time.Now(), Expires: time.Now().Add(24 * time.Hour),
		JSON: fmt.Appendf(nil, `{"n":%q,"sequence":"seq%s"}`, text, n),
	})
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *memoryStream) end(shard string, children ...Shard) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed[shard] = true
	s.shards = append(s.shards, children...)
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *memoryStream) Shards(context.Context, string) ([]Shard, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.shards), s.fail
}

func (s *memoryStream) Read(ctx context.Context, _, shard string, from Position, most int, wait time.Duration) (Reading, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		r, changed, err := s.look(shard, from, most)
		if len(r.Records) > 0 || r.Ended || err != nil || wait <= 0 {
			return r, err
		}
		from = r.Next
		select {
		case <-changed:
		case <-timer.C:
			return r, nil
		case <-ctx.Done():
			return r, ctx.Err()
		}
	}
}

func (s *memoryStream) look(shard string, from Position, most int) (r Reading, changed <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	if s.fail != nil {
		err := s.fail
		s.fail = nil
		return Reading{}, nil, err
	}
	all := s.records[shard]
	at := 0
	switch {
	case from.After != "":
		at, _ = strconv.Atoi(from.After)
	case from.Start == Latest:
		at = len(all)
	case from.Start == AtTimestamp:
		for at < len(all) && all[at].Arrived.Before(from.Time) {
			at++
		}
	}
	found := all[at:]
	found = found[:min(len(found), most)]
	at += len(found)
	return Reading{Records: slices.Clone(found), Next: Position{After: fmt.Sprint(at)}, Ended: s.closed[shard] && at == len(all)}, s.changed, nil
}

// memoryCheckpoints keeps records in memory.
type memoryCheckpoints struct {
	mu   sync.Mutex
	all  map[string][]byte
	puts int
}

func (c *memoryCheckpoints) Get(_ context.Context, key string) ([]byte, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.all[key]
	return v, ok, nil
}

func (c *memoryCheckpoints) Put(_ context.Context, key string, value []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all[key] = value
	c.puts++
	return nil
}

// told is a Destination that remembers.
type told struct {
	mu    sync.Mutex
	texts []string
	fail  func(n int) error
	tries int
}

func (d *told) Deliver(_ context.Context, arn string, text []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tries++
	if d.fail != nil {
		if err := d.fail(d.tries); err != nil {
			return err
		}
	}
	d.texts = append(d.texts, arn+" "+string(text))
	return nil
}

// rig is a mapping of a stream in a bubble.
type rig struct {
	stream      *memoryStream
	checkpoints *memoryCheckpoints
	told        *told
	mu          sync.Mutex
	batches     []string
	// answer decides what the function does with the texts of a batch.
	answer   func(texts []string) ([]byte, error)
	declared stack.EventSourceMapping
}

func newRig(declared stack.EventSourceMapping, settings stack.StreamSettings) *rig {
	if settings.StartingPosition == "" {
		settings.StartingPosition = string(TrimHorizon)
	}
	declared.Stream = &settings
	if declared.BatchSize == 0 {
		declared.BatchSize = 100
	}
	if declared.SourceARN == "" {
		declared.SourceARN = streamARN
	}
	declared.Function = "f"
	return &rig{stream: newMemoryStream(), checkpoints: &memoryCheckpoints{all: make(map[string][]byte)}, told: &told{}, declared: declared}
}

// endless are settings that retry for ever.
func endless() stack.StreamSettings { return stack.StreamSettings{MaxRetries: -1} }

func (r *rig) mapping(t testing.TB) Mapping {
	s := &stack.Stack{Functions: []stack.Function{{Name: "f", ARN: "arn:f"}}}
	m, err := New(r.declared, s, Config{
		Region: "us-east-1", Streams: func(string) Stream { return r.stream }, Checkpoints: r.checkpoints, Destination: r.told, Invoker: invokerFunc(r.invoke),
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (r *rig) invoke(_ context.Context, event []byte) ([]byte, error) {
	var e struct {
		Records []struct{ N, Sequence string }
	}
	if err := json.Unmarshal(event, &e); err != nil {
		return nil, err
	}
	var texts []string
	for _, rec := range e.Records {
		texts = append(texts, rec.N)
	}
	r.mu.Lock()
	r.batches = append(r.batches, strings.Join(texts, ""))
	r.mu.Unlock()
	if r.answer != nil {
		return r.answer(texts)
	}
	return nil, nil
}

func (r *rig) run(t testing.TB, d time.Duration) string {
	runFor(r.mapping(t), d)
	r.mu.Lock()
	defer r.mu.Unlock()
	got := strings.Join(r.batches, " ")
	r.batches = nil
	return got
}

// fails is a function that fails when a batch has one of these texts.
func fails(on ...string) func([]string) ([]byte, error) {
	return func(texts []string) ([]byte, error) {
		for _, text := range texts {
			if slices.Contains(on, text) {
				return nil, errors.New("boom")
			}
		}
		return nil, nil
	}
}

// reports is a function that reports the sequence numbers of these texts, which
// are their places in the shard.
func reports(sequences ...string) func([]string) ([]byte, error) {
	return func([]string) ([]byte, error) {
		var items []string
		for _, s := range sequences {
			items = append(items, fmt.Sprintf(`{"itemIdentifier":%q}`, s))
		}
		return []byte(`{"batchItemFailures":[` + strings.Join(items, ",") + `]}`), nil
	}
}

// reportsThose is a function that reports the first of a batch's records that
// has one of these texts; those of the records a to f are their places.
func reportsThose(bad ...string) func([]string) ([]byte, error) {
	return func(texts []string) ([]byte, error) {
		for _, text := range texts {
			if slices.Contains(bad, text) {
				return fmt.Appendf(nil, `{"batchItemFailures":[{"itemIdentifier":"seq%d"}]}`, text[0]-'a'+1), nil
			}
		}
		return nil, nil
	}
}
