package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Bucket keeps small records by key: what must outlive both the process and
// the messages that it is about. All methods may be called together.
type Bucket struct {
	bus    *Bus
	name   string
	values jetstream.KeyValue
}

// EnsureBucket opens the bucket of that name, or makes it. The name is 1 to 200
// letters, digits, '-' and '_'. A record is forgotten once it is older than
// keep; zero keeps it for ever.
func (b *Bus) EnsureBucket(ctx context.Context, name string, keep time.Duration) (*Bucket, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	values, err := b.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: name, TTL: keep, History: 1, Storage: b.storage, Replicas: 1,
	})
	if err != nil {
		return nil, wrap("set up bucket "+name, err)
	}
	return &Bucket{bus: b, name: name, values: values}, nil
}

// Put stores a record, in place of one with the same key, and returns once the
// store has it. A key is letters, digits and "-_.=/"; it does not begin or end
// with a dot.
func (k *Bucket) Put(ctx context.Context, key string, value []byte) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	_, err := k.values.Put(ctx, key, value)
	return wrap("store a record in "+k.name, err)
}

// Get returns a record; ok is false when there is none (any more).
func (k *Bucket) Get(ctx context.Context, key string) (value []byte, ok bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	entry, err := k.values.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, wrap("read a record of "+k.name, err)
	}
	return entry.Value(), true, nil
}

// Delete removes a record without a trace. One that is gone already is no error.
func (k *Bucket) Delete(ctx context.Context, key string) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	stream, err := k.bus.js.Stream(ctx, "KV_"+k.name)
	if err == nil {
		err = stream.Purge(ctx, jetstream.WithPurgeSubject("$KV."+k.name+"."+key))
	}
	return wrap("delete a record of "+k.name, err)
}

// All returns every record by its key.
func (k *Bucket) All(ctx context.Context) (map[string][]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	watch, err := k.values.WatchAll(ctx, jetstream.IgnoreDeletes())
	if err != nil {
		return nil, wrap("list the records of "+k.name, err)
	}
	defer watch.Stop()
	all := make(map[string][]byte)
	for {
		select {
		case entry, open := <-watch.Updates():
			if !open {
				return nil, fmt.Errorf("list the records of %s: %w", k.name, ErrClosed)
			}
			if entry == nil { // the watch has caught up
				return all, nil
			}
			all[entry.Key()] = entry.Value()
		case <-ctx.Done():
			return nil, wrap("list the records of "+k.name, ctx.Err())
		}
	}
}
