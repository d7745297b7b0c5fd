package kinesis_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/gatepost-dev/gatepost/internal/aws/kinesis"
	"github.com/gatepost-dev/gatepost/stack"
)

const (
	liveARN    = "arn:aws:kinesis:eu-west-1:000000000000:stream/live"
	firstShard = "shardId-000000000000"
)

type answer struct {
	kinesis.Reading
	err error
}

// readLive reads the stream "live" in a goroutine.
func (s *service) readLive(ctx context.Context, from kinesis.Position, wait time.Duration) <-chan answer {
	out := make(chan answer, 1)
	go func() {
		r, err := s.Read(ctx, liveARN, firstShard, from, 10, wait)
		out <- answer{r, err}
	}()
	return out
}

// expect waits for an answer and compares its records, as KEY=DATA.
func expect(t *testing.T, what string, from <-chan answer, want ...string) kinesis.Position {
	t.Helper()
	select {
	case a := <-from:
		var data []string
		for _, r := range a.Records {
			data = append(data, r.PartitionKey+"="+string(r.Data))
		}
		if a.err != nil || !slices.Equal(data, want) || a.Trimmed {
			t.Errorf("%s: %v, trimmed %v, %v; want %v", what, data, a.Trimmed, a.err, want)
		}
		return a.Next
	case <-time.After(patience):
		t.Fatalf("%s: the read has not ended", what)
		return kinesis.Position{}
	}
}

// TestReadWaits: a mapping's read returns as soon as there is a record, and ends
// with its context, its time, the stream and the service.
func TestReadWaits(t *testing.T) {
	s := open(t, t.TempDir())
	s.made(t, "live", 1)
	oldest := kinesis.Position{}
	waiting := s.readLive(t.Context(), oldest, time.Hour)
	s.put(t, "live", "k", "one")
	next := expect(t, "a record came", waiting, "k=one")
	expect(t, "there at once", s.readLive(t.Context(), oldest, 0), "k=one")
	if again := expect(t, "the time is over", s.readLive(t.Context(), next, time.Millisecond)); again != next {
		t.Errorf("nothing was read, and the place is %v instead of %v", again, next)
	}
	latest := expect(t, "latest", s.readLive(t.Context(), kinesis.Position{Latest: true}, 0))
	ctx, cancel := context.WithCancel(t.Context())
	waiting = s.readLive(ctx, next, time.Hour)
	cancel()
	expect(t, "the caller has gone", waiting)
	waiting = s.readLive(t.Context(), next, time.Hour)
	s.deleted(t, "live")
	expect(t, "the stream was deleted", waiting)
	if _, err := s.Read(t.Context(), liveARN, firstShard, latest, 1, time.Hour); !errors.Is(err, kinesis.ErrNoStream) {
		t.Errorf("a stream that is not there: %v", err)
	}
	s.made(t, "live", 1)
	waiting = s.readLive(t.Context(), oldest, time.Hour)
	s.put(t, "live", "k", "two")
	waiting = s.readLive(t.Context(), expect(t, "a stream made anew", waiting, "k=two"), time.Hour)
	s.made(t, "other", 1) // meanwhile the read will have begun
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	select {
	case <-waiting: // with nothing, or with an error if it came too late
	case <-time.After(patience):
		t.Fatal("the service has ended, and a read has not")
	}
}

func (s *service) deleted(t testing.TB, name string) {
	t.Helper()
	if _, err := s.DeleteStream(t.Context(), &sdk.DeleteStreamInput{StreamName: &name}); err != nil {
		t.Fatal(err)
	}
}

// TestReadFromATime: AT_TIMESTAMP of a mapping.
func TestReadFromATime(t *testing.T) {
	s := open(t, t.TempDir())
	s.made(t, "live", 1)
	s.put(t, "live", "k", "one")
	all, err := s.Read(t.Context(), liveARN, firstShard, kinesis.Position{}, 10, 0)
	if err != nil {
		t.Fatal(err)
	}
	s.put(t, "live", "k", "two")
	first := all.Records[0].Arrived
	expect(t, "from the first's time", s.readLive(t.Context(), kinesis.Position{From: first}, 0), "k=one", "k=two")
	expect(t, "from a moment later", s.readLive(t.Context(), kinesis.Position{From: first.Add(1)}, 0), "k=two")
	at := expect(t, "from a time to come", s.readLive(t.Context(), kinesis.Position{From: time.Now().Add(time.Hour)}, 0))
	s.put(t, "live", "k", "three")
	expect(t, "and then", s.readLive(t.Context(), at, 0), "k=three")
	if want := first.Add(24 * time.Hour); !all.Records[0].Expires.Equal(want) {
		t.Errorf("a record ends at %v, want %v", all.Records[0].Expires, want)
	}
}

// TestAStreamMadeAnewIsReadFromItsBeginning: places of the one before lead to
// the oldest record, since numbers go on from where those ended.
func TestAStreamMadeAnewIsReadFromItsBeginning(t *testing.T) {
	s := open(t, t.TempDir())
	s.made(t, "live", 1)
	before := ""
	for range 3 {
		before = *s.put(t, "live", "k", "old").SequenceNumber
	}
	s.deleted(t, "live")
	s.made(t, "live", 1)
	after := *s.put(t, "live", "k", "new").SequenceNumber
	if after <= before || len(after) != 56 {
		t.Errorf("%s comes after %s", after, before)
	}
	expect(t, "the new stream", s.readLive(t.Context(), kinesis.Position{After: before}, 0), "k=new")
	if _, err := s.Read(t.Context(), liveARN, firstShard, kinesis.Position{After: "12"}, 1, 0); err == nil {
		t.Error("a place that is none was taken")
	}
}

// TestWhatWasTrimmedIsTold: a reader that comes too late learns that it has
// missed records, but not after a reset.
func TestWhatWasTrimmedIsTold(t *testing.T) {
	s := open(t, t.TempDir())
	if err := s.EnsureStream(t.Context(), stack.DataStream{Name: "live", Shards: 1}); err != nil {
		t.Fatal(err)
	}
	first := kinesis.Position{After: *s.put(t, "live", "k", "one").SequenceNumber}
	s.put(t, "live", "k", "two")
	if err := s.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	expect(t, "empty", s.readLive(t.Context(), kinesis.Position{}, 0))
	s.put(t, "live", "k", "three")
	expect(t, "after a reset", s.readLive(t.Context(), first, 0), "k=three")
	second := kinesis.Position{After: *s.put(t, "live", "k", "four").SequenceNumber}
	s.put(t, "live", "k", "five")
	s.put(t, "live", "k", "six")
	journals, err := s.bus.Journals(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := journals[0].Delete(t.Context(), 3, 4, 5); err != nil { // as the store does with old ones
		t.Fatal(err)
	}
	r, err := s.Read(t.Context(), liveARN, firstShard, second, 10, 0)
	if err != nil || !r.Trimmed || len(r.Records) != 1 || string(r.Records[0].Data) != "six" {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestResetKeepsWhatTheTemplateDeclares: as it is declared, and empty.
func TestResetKeepsWhatTheTemplateDeclares(t *testing.T) {
	s := open(t, t.TempDir())
	ensure := func(d stack.DataStream) {
		t.Helper()
		if err := s.EnsureStream(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	ensure(stack.DataStream{Name: "live", Shards: 1, Retention: 48 * time.Hour, Tags: map[string]string{"a": "b"}})
	ensure(stack.DataStream{Name: "gone", OnDemand: true})
	s.made(t, "client", 1)
	old := s.put(t, "live", "k", "old")
	if _, err := s.IncreaseStreamRetentionPeriod(t.Context(), &sdk.IncreaseStreamRetentionPeriodInput{StreamName: aws.String("live"), RetentionPeriodHours: aws.Int32(100)}); err != nil {
		t.Fatal(err)
	}
	s.deleted(t, "gone")
	waiting := s.readLive(t.Context(), kinesis.Position{After: *old.SequenceNumber}, time.Hour)
	if err := s.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.put(t, "live", "k", "new")
	expect(t, "a read that waited goes on", waiting, "k=new")
	expect(t, "the old record is gone", s.readLive(t.Context(), kinesis.Position{}, 0), "k=new")
	list, err := s.ListStreams(t.Context(), &sdk.ListStreamsInput{})
	if err != nil || !slices.Equal(list.StreamNames, []string{"gone", "live"}) {
		t.Errorf("there are %v, %v", list.StreamNames, err)
	}
	d, err := s.DescribeStreamSummary(t.Context(), &sdk.DescribeStreamSummaryInput{StreamName: aws.String("live")})
	if err != nil || *d.StreamDescriptionSummary.RetentionPeriodHours != 48 {
		t.Errorf("%+v, %v", d, err)
	}
	if d, err = s.DescribeStreamSummary(t.Context(), &sdk.DescribeStreamSummaryInput{StreamName: aws.String("gone")}); err != nil || *d.StreamDescriptionSummary.OpenShardCount != 4 {
		t.Errorf("%+v, %v", d, err)
	}
}

// TestAChangedTemplateChangesTheStream: but its records stay, and its shards.
func TestAChangedTemplateChangesTheStream(t *testing.T) {
	dir := t.TempDir()
	t.Run("before", func(t *testing.T) {
		s := open(t, dir)
		if err := s.EnsureStream(t.Context(), stack.DataStream{Name: "live", Shards: 1}); err != nil {
			t.Fatal(err)
		}
		s.put(t, "live", "k", "kept")
	})
	s := open(t, dir)
	if err := s.EnsureStream(t.Context(), stack.DataStream{Name: "live", Shards: 2, Retention: 72 * time.Hour}); err != nil {
		t.Fatal(err)
	}
	expect(t, "the records", s.readLive(t.Context(), kinesis.Position{}, 0), "k=kept")
	d, err := s.DescribeStreamSummary(t.Context(), &sdk.DescribeStreamSummaryInput{StreamName: aws.String("live")})
	if err != nil || *d.StreamDescriptionSummary.RetentionPeriodHours != 72 || *d.StreamDescriptionSummary.OpenShardCount != 1 {
		t.Errorf("%+v, %v", d, err)
	}
}

// TestEventJSON compares with the event that the Lambda developer guide shows,
// without its line breaks.
func TestEventJSON(t *testing.T) {
	r := kinesis.Record{
		Shard: "shardId-000000000006", SequenceNumber: "49590338271490256608559692538361571095921575989136588898",
		PartitionKey: "1", Data: []byte("Hello, this is a test."), Arrived: time.UnixMilli(1545084650987),
	}
	got := string(r.EventJSON("arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream", "arn:aws:iam::123456789012:role/lambda-role"))
	const want = `{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":"1","sequenceNumber":"49590338271490256608559692538361571095921575989136588898",` +
		`"data":"SGVsbG8sIHRoaXMgaXMgYSB0ZXN0Lg==","approximateArrivalTimestamp":1545084650.987},"eventSource":"aws:kinesis","eventVersion":"1.0",` +
		`"eventID":"shardId-000000000006:49590338271490256608559692538361571095921575989136588898","eventName":"aws:kinesis:record",` +
		`"invokeIdentityArn":"arn:aws:iam::123456789012:role/lambda-role","awsRegion":"us-east-2",` +
		`"eventSourceARN":"arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream"}`
	if got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	r.Data = []byte(`{"a":"<"}`)
	const filter = `{"approximateArrivalTimestamp":1545084650.987,"data":"{\"a\":\"<\"}","kinesisSchemaVersion":"1.0","partitionKey":"1","sequenceNumber":"49590338271490256608559692538361571095921575989136588898"}`
	if got := string(r.FilterJSON()); got != filter {
		t.Errorf("\n got %s\nwant %s", got, filter)
	}
}
