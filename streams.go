package gatepost

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb"
	"github.com/gatepost-dev/gatepost/internal/eventsource"
)

// streams returns the streams of a service for the mappings, or nil when there
// are none here.
func (h *house) streams(service string) eventsource.Stream {
	switch {
	case h.isElsewhere(service):
		return nil
	case service == "kinesis":
		return dataStreams{h.kinesis, "arn:aws:iam::" + h.cfg.Stack.Account + ":role/" + readerRole}
	case service == "dynamodb":
		return tableStreams{h.tables}
	}
	return nil
}

// shardLook is how long a read waits before it looks whether its shard is still
// there: the stream of a table that was made anew under its name would have it
// wait for a record that comes much later.
const shardLook = 500 * time.Millisecond

// streamRetention is how long a table's stream keeps a record.
const streamRetention = 24 * time.Hour

// tableStreams makes the streams of the tables an eventsource.Stream.
type tableStreams struct{ tables *dynamodb.Service }

// Shards returns the one shard that a table's stream has.
func (t tableStreams) Shards(_ context.Context, arn string) ([]eventsource.Shard, error) {
	s, err := t.tables.Stream(arn)
	if err != nil {
		return nil, err
	}
	id, err := s.Shard()
	return []eventsource.Shard{{ID: id}}, err
}

// Read reads the shard. A position whose records are no longer there goes on
// with the oldest that is. A shard that has gone, because its table was removed
// or made anew under the same name, has ended.
func (t tableStreams) Read(ctx context.Context, arn, shard string, from eventsource.Position, most int, wait time.Duration) (eventsource.Reading, error) {
	r, err := t.read(ctx, arn, from, most, wait)
	if err != nil && !errors.Is(err, dynamodb.ErrNoStream) {
		return r, err
	}
	// Shards never come back, so that a look behind the read is enough: what has
	// been read is of this one, or this one has gone.
	if s, gone := t.tables.Stream(arn); gone == nil {
		if id, gone := s.Shard(); gone == nil && id == shard {
			return r, err
		}
	}
	return eventsource.Reading{Next: from, Ended: true}, nil
}

// read reads what is the stream of that name now.
func (t tableStreams) read(ctx context.Context, arn string, from eventsource.Position, most int, wait time.Duration) (r eventsource.Reading, err error) {
	s, err := t.tables.Stream(arn)
	if err != nil {
		return r, err
	}
	after, err := sequenceOf(s, from)
	if err != nil {
		return r, err
	}
	r, after, err = readStream(s, after, most)
	if err == nil && len(r.Records) == 0 && !r.Ended && wait > 0 {
		waiting, cancel := context.WithTimeout(ctx, min(wait, shardLook))
		err = s.Await(waiting, after)
		cancel()
		switch {
		case err == nil:
			trimmed := r.Trimmed
			r, _, err = readStream(s, after, most)
			r.Trimmed = r.Trimmed || trimmed
		case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
			err = nil
		}
	}
	return r, err
}

// sequenceOf is the number of the record before a position.
func sequenceOf(s *dynamodb.Stream, from eventsource.Position) (uint64, error) {
	switch {
	case from.After != "":
		n, err := strconv.ParseUint(from.After, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read the position in a stream: %w", err)
		}
		return n, nil
	case from.Start == eventsource.Latest:
		return s.Latest()
	}
	return 0, nil
}

// readStream reads what is there, and returns the sequence to go on after.
func readStream(s *dynamodb.Stream, after uint64, most int) (r eventsource.Reading, last uint64, err error) {
	records, ended, err := s.Read(after, most)
	if errors.Is(err, dynamodb.ErrTrimmed) {
		r.Trimmed, after = true, 0
		records, ended, err = s.Read(after, most)
	}
	if err != nil {
		return r, after, err
	}
	for i := range records {
		rec := &records[i]
		after = rec.Sequence
		r.Records = append(r.Records, eventsource.Record{
			Sequence: rec.SequenceNumber(), After: strconv.FormatUint(rec.Sequence, 10), Key: keyOf(rec),
			Arrived: rec.Created, Expires: rec.Created.Add(streamRetention), JSON: rec.EventJSON(s.ARN()),
		})
	}
	r.Next, r.Ended = eventsource.Position{After: strconv.FormatUint(after, 10)}, ended
	return r, after, nil
}

// keyOf is the item's key as text: what the order is kept of.
func keyOf(r *dynamodb.StreamRecord) string {
	text, err := r.Keys.MarshalJSON()
	if err != nil {
		return ""
	}
	return string(text)
}
