package gatepost

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatepost-dev/gatepost/internal/aws/kinesis"
	"github.com/gatepost-dev/gatepost/internal/eventsource"
)

// openStreams makes the data streams. They are journals of the bus.
func (h *house) openStreams(ctx context.Context) (err error) {
	h.kinesis, err = kinesis.New(ctx, kinesis.Config{Bus: h.bus, Region: h.cfg.Stack.Region, Account: h.cfg.Stack.Account, Log: h.cfg.Log})
	if err != nil {
		return fmt.Errorf("open the data streams: %w", err)
	}
	h.onClose(h.kinesis.Close)
	if h.isElsewhere("kinesis") {
		return nil
	}
	for _, d := range h.cfg.Stack.Streams {
		if err := h.kinesis.EnsureStream(ctx, d); err != nil {
			return fmt.Errorf("make the data stream %s: %w", d.Name, err)
		}
	}
	return nil
}

// readerRole is the role in invokeIdentityArn. On AWS it is the function's; roles
// mean nothing here.
const readerRole = "lambda-role"

// dataStreams makes Kinesis's streams an eventsource.Stream.
type dataStreams struct {
	service *kinesis.Service
	role    string
}

// Shards returns the shards of a stream, none for one that was deleted: its
// mapping waits for a new one of its name.
func (d dataStreams) Shards(_ context.Context, arn string) (all []eventsource.Shard, err error) {
	shards, err := d.service.Shards(arn)
	if errors.Is(err, kinesis.ErrNoStream) {
		return nil, nil
	}
	for _, s := range shards {
		all = append(all, eventsource.Shard{ID: s.ID, Parents: s.Parents, Open: s.Open})
	}
	return all, err
}

// Read reads a shard. One that was deleted with its stream has nothing, and has
// not ended, since its id comes back when the stream is made anew; places of the
// old one then lead to the oldest record of the new one.
func (d dataStreams) Read(ctx context.Context, arn, shard string, from eventsource.Position, most int, wait time.Duration) (eventsource.Reading, error) {
	at := kinesis.Position{After: from.After}
	if from.After == "" && from.Start == eventsource.Latest {
		at.Latest = true
	}
	if from.After == "" && from.Start == eventsource.AtTimestamp {
		at.From = from.Time
	}
	read, err := d.service.Read(ctx, arn, shard, at, most, wait)
	if errors.Is(err, kinesis.ErrNoStream) || errors.Is(err, kinesis.ErrNoShard) {
		rest(ctx, min(wait, shardLook))
		return eventsource.Reading{Next: fromTheStart(from)}, nil
	}
	if err != nil {
		return eventsource.Reading{}, err
	}
	r := eventsource.Reading{Next: eventsource.Position{After: read.Next.After}, Trimmed: read.Trimmed, Ended: read.Ended}
	for i := range read.Records {
		rec := &read.Records[i]
		r.Records = append(r.Records, eventsource.Record{
			Sequence: rec.SequenceNumber, Key: rec.PartitionKey, Arrived: rec.Arrived, Expires: rec.Expires,
			JSON: rec.EventJSON(arn, d.role), Document: rec.FilterJSON(),
		})
	}
	return r, nil
}

// fromTheStart is the place to go on at in a stream that is not there: what comes
// into one that is made later is all new.
func fromTheStart(at eventsource.Position) eventsource.Position {
	if at.Start == eventsource.Latest {
		return eventsource.Position{Start: eventsource.TrimHorizon}
	}
	return at
}

// rest waits for a time, or until ctx ends.
func rest(ctx context.Context, pause time.Duration) {
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
