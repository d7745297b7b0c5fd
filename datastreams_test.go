package gatepost

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/internal/aws/kinesis"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/bus"
	"github.com/gatepost-dev/gatepost/internal/eventsource"
	"github.com/gatepost-dev/gatepost/stack"
)

const (
	testClicks = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks"
	testShard  = "shardId-000000000000"
)

// openClicks opens data streams with one.
func openClicks(t *testing.T) dataStreams {
	t.Helper()
	b, err := bus.Open(bus.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	s, err := kinesis.New(t.Context(), kinesis.Config{Bus: b})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), b.Close()); err != nil {
			t.Error(err)
		}
	})
	if err := s.EnsureStream(t.Context(), stack.DataStream{Name: "clicks", Shards: 1}); err != nil {
		t.Fatal(err)
	}
	return dataStreams{s, "arn:aws:iam::000000000000:role/r"}
}

func (d dataStreams) call(t *testing.T, operation, body string) {
	t.Helper()
	if _, err := d.service.Do(t.Context(), &awswire.Call{Operation: operation, Body: []byte(body)}); err != nil {
		t.Fatal(err)
	}
}

func (d dataStreams) put(t *testing.T, key string) {
	t.Helper()
	d.call(t, "PutRecord", `{"StreamName":"clicks","PartitionKey":"`+key+`","Data":"eyJhIjoxfQ=="}`)
}

// keys reads and returns the keys of the records, and the reading.
func (d dataStreams) keys(t *testing.T, from eventsource.Position, wait time.Duration) (string, eventsource.Reading) {
	t.Helper()
	r, err := d.Read(t.Context(), testClicks, testShard, from, 10, wait)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, rec := range r.Records {
		keys = append(keys, rec.Key)
	}
	return strings.Join(keys, " "), r
}

// TestStreamsOfKinesis: what mappings read of a data stream.
func TestStreamsOfKinesis(t *testing.T) {
	d := openClicks(t)
	shards, err := d.Shards(t.Context(), testClicks)
	if err != nil || len(shards) != 1 || shards[0].ID != testShard {
		t.Fatalf("shards %v, %v", shards, err)
	}
	d.put(t, "a")
	_, latest := d.keys(t, eventsource.Position{Start: eventsource.Latest}, 0)
	if latest.Next.After == "" || latest.Next.Start != "" {
		t.Errorf("LATEST leads to %+v, which is no place that stays", latest.Next)
	}
	between := time.Now()
	go d.service.Do(context.WithoutCancel(t.Context()), &awswire.Call{Operation: "PutRecord", Body: []byte(`{"StreamName":"clicks","PartitionKey":"b","Data":"eA=="}`)})
	if got, _ := d.keys(t, latest.Next, within); got != "b" {
		t.Errorf("what was waited for: %q", got)
	}
	if got, _ := d.keys(t, eventsource.Position{Start: eventsource.AtTimestamp, Time: between}, 0); got != "b" {
		t.Errorf("from a time on: %q", got)
	}
	got, all := d.keys(t, eventsource.Position{Start: eventsource.TrimHorizon}, 0)
	if got != "a b" || all.Ended || all.Trimmed {
		t.Fatalf("all: %q, %+v", got, all)
	}
	first := all.Records[0]
	if first.Expires.Sub(first.Arrived) != 24*time.Hour || len(first.Sequence) != 56 || first.After != "" || first.Sequence >= all.Records[1].Sequence ||
		!strings.Contains(string(first.JSON), `"data":"eyJhIjoxfQ=="`) || !strings.Contains(string(first.Document), `"data":"{\"a\":1}"`) {
		t.Errorf("a record: %+v", first)
	}
	if got, r := d.keys(t, eventsource.Position{After: first.Sequence}, 0); got != "b" || r.Next != all.Next {
		t.Errorf("after the first: %q, next %+v", got, r.Next)
	}
}

// TestAStreamThatIsMadeAnewGoesOn: a stream that is not there has no shards and
// no records, and no error; one that is made under its name is read from its
// first record, whatever was read before.
func TestAStreamThatIsMadeAnewGoesOn(t *testing.T) {
	d := openClicks(t)
	d.put(t, "old")
	_, before := d.keys(t, eventsource.Position{Start: eventsource.TrimHorizon}, 0)
	d.call(t, "DeleteStream", `{"StreamName":"clicks"}`)
	if shards, err := d.Shards(t.Context(), testClicks); err != nil || shards != nil {
		t.Errorf("shards %v, %v", shards, err)
	}
	got, gone := d.keys(t, before.Next, time.Millisecond)
	_, latest := d.keys(t, eventsource.Position{Start: eventsource.Latest}, 0)
	if got != "" || gone.Ended || gone.Next != before.Next {
		t.Errorf("a stream that is gone: %+v", gone)
	}
	d.call(t, "CreateStream", `{"StreamName":"clicks","ShardCount":1}`)
	d.put(t, "new")
	for _, from := range []eventsource.Position{before.Next, latest.Next} {
		if got, _ := d.keys(t, from, within); got != "new" {
			t.Errorf("from %+v: %q", from, got)
		}
	}
}
