// Package natsroster keeps a push.Roster in a key-value bucket of NATS
// JetStream, for push systems that run as long-lived processes beside a NATS
// server instead of on AWS.
//
// A connection is one key, so that every change of it, its groups included, is
// one conditional write. Each open Roster holds a copy of the bucket in memory,
// some 500 bytes per connection, and reads from that. Before a read it asks the
// server how far the bucket is and waits until its copy is there, so a read sees
// every write that any process had finished before.
//
// It is not for functions that start often: opening reads the whole bucket.
package natsroster

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/gatepost-dev/gatepost/push"
)

// Options are the settings of Open; the zero value is fine.
type Options struct {
	// Bucket is the bucket's name; "" means "roster".
	Bucket string
	// TTL is how long after ConnectedAt a connection is believed in when its
	// Add does not say; zero means push.DefaultTTL.
	TTL time.Duration
	// Replicas is on how many servers of a cluster a bucket is kept that Open
	// creates; zero means 1.
	Replicas int
	// Memory keeps a bucket that Open creates in the servers' memory. A roster
	// does not outlive its gateway's restart in any case, and is faster so.
	Memory bool
}

// Roster is a push.Roster in a bucket. Close it when it is not needed any more.
type Roster struct {
	ttl    time.Duration
	stream jetstream.Stream
	values jetstream.KeyValue
	watch  jetstream.KeyWatcher
	copy   *bucketCopy
	close  sync.Once
	done   chan struct{}
}

// ErrClosed says that the roster was closed, or has lost its watch of the
// bucket for good; open it anew.
var ErrClosed = errors.New("natsroster: closed")

// Open opens the bucket, creates it if it is not there, and reads it. The
// server must be 2.11 or newer. An existing bucket needs a LimitMarkerTTL.
func Open(ctx context.Context, js jetstream.JetStream, o Options) (*Roster, error) {
	if o.Bucket == "" {
		o.Bucket = "roster"
	}
	if o.TTL <= 0 {
		o.TTL = push.DefaultTTL
	}
	values, err := bucket(ctx, js, o)
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", o.Bucket, err)
	}
	r := &Roster{ttl: o.TTL, values: values, copy: newCopy(), done: make(chan struct{})}
	if r.stream, err = js.Stream(ctx, "KV_"+o.Bucket); err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", o.Bucket, err)
	}
	if err := r.follow(ctx); err != nil {
		return nil, fmt.Errorf("read bucket %s: %w", o.Bucket, err)
	}
	return r, nil
}

func bucket(ctx context.Context, js jetstream.JetStream, o Options) (jetstream.KeyValue, error) {
	values, err := js.KeyValue(ctx, o.Bucket)
	if !errors.Is(err, jetstream.ErrBucketNotFound) {
		return values, err
	}
	storage := jetstream.FileStorage
	if o.Memory {
		storage = jetstream.MemoryStorage
	}
	values, err = js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: o.Bucket, Description: "WebSocket connections", History: 1, Storage: storage, Replicas: max(1, o.Replicas),
		LimitMarkerTTL: note,
	})
	if errors.Is(err, jetstream.ErrBucketExists) { // somebody else was first
		return js.KeyValue(ctx, o.Bucket)
	}
	return values, err
}

// note is how long the note of a removal is kept.
const note = 2 * push.Settling

// follow starts the watch and returns once the copy has what the bucket had.
func (r *Roster) follow(ctx context.Context) error {
	last, err := r.last(ctx)
	if err != nil {
		return err
	}
	// The watch lives until Close, not as long as the caller's context.
	if r.watch, err = r.values.WatchAll(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	go r.apply(last)
	if err := r.copy.wait(ctx, last); err != nil {
		return errors.Join(err, r.Close())
	}
	return nil
}

// apply brings the watch's changes into the copy until the watch ends. All that
// the bucket had when the watch began has come when the first nil does, though
// its last revision may have been removed since.
func (r *Roster) apply(last uint64) {
	defer close(r.done)
	defer r.copy.close()
	for entry := range r.watch.Updates() {
		if entry == nil {
			r.copy.reached(last)
			continue
		}
		r.copy.set(entry.Key(), decode(entry), entry.Revision())
	}
}

// Close ends the watch. Afterwards every method gives ErrClosed. It may be
// called twice.
func (r *Roster) Close() error {
	var err error
	r.close.Do(func() { err = r.watch.Stop() })
	<-r.done
	if err != nil {
		return fmt.Errorf("end the watch of the roster: %w", err)
	}
	return nil
}

func (r *Roster) last(ctx context.Context) (uint64, error) {
	info, err := r.stream.Info(ctx)
	if err != nil {
		return 0, err
	}
	return info.State.LastSeq, nil
}

// sync waits until the copy is as new as the bucket is now.
func (r *Roster) sync(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	last, err := r.last(ctx)
	if err == nil {
		err = r.copy.wait(ctx, last)
	}
	if err != nil {
		return fmt.Errorf("read the roster of bucket %s: %w", r.values.Bucket(), err)
	}
	return nil
}

// Add enters a connection, as push.Roster says.
func (r *Roster) Add(ctx context.Context, c push.Connection) error {
	now := time.Now()
	c, err := c.Complete(now, r.ttl)
	if err != nil {
		return err
	}
	// Revision 0 means that the key is not there, and has no note of a removal.
	err = r.write(ctx, c, 0)
	if !errors.Is(err, errChanged) {
		return err
	}
	if err := r.sync(ctx); err != nil {
		return err
	}
	if old, found := r.copy.get(keyOf(c.ID)); found && old.ConnectedAt.Equal(c.ConnectedAt) && old.ExpiresAt.After(now) {
		return nil
	}
	return push.ErrExists
}

// Remove takes a connection out, as push.Roster says.
func (r *Roster) Remove(ctx context.Context, id string) error {
	if id == "" {
		return push.ErrNoID
	}
	return r.purge(ctx, keyOf(id))
}

// purge deletes a key and leaves a note for a while, which refuses a late Add.
func (r *Roster) purge(ctx context.Context, key string, o ...jetstream.KVDeleteOpt) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := r.values.Purge(ctx, key, append(o, jetstream.PurgeTTL(note))...)
	return r.writeError("remove a connection from", err)
}

// Get returns a connection, as push.Roster says.
func (r *Roster) Get(ctx context.Context, id string) (push.Connection, error) {
	if id == "" {
		return push.Connection{}, push.ErrNoID
	}
	if err := r.sync(ctx); err != nil {
		return push.Connection{}, err
	}
	found, ok := r.copy.get(keyOf(id))
	if !ok || !found.ExpiresAt.After(time.Now()) {
		return push.Connection{}, push.ErrUnknown
	}
	return found.Connection, nil
}

// Touch lets a connection live longer, as push.Roster says.
func (r *Roster) Touch(ctx context.Context, id string, expires time.Time) error {
	if id == "" {
		return push.ErrNoID
	}
	return r.change(ctx, id, func(c *push.Connection) (bool, error) {
		longer := expires.After(c.ExpiresAt)
		if longer {
			c.ExpiresAt = expires
		}
		return longer, nil
	})
}

// Join puts a connection into a group, as push.Roster says.
func (r *Roster) Join(ctx context.Context, id, group string) error {
	if err := push.CheckMembership(id, group); err != nil {
		return err
	}
	return r.change(ctx, id, func(c *push.Connection) (bool, error) {
		if slices.Contains(c.Groups, group) {
			return false, nil
		}
		c.Groups = append(c.Groups, group)
		return true, nil
	})
}

// Leave takes a connection out of a group, as push.Roster says.
func (r *Roster) Leave(ctx context.Context, id, group string) error {
	if err := push.CheckMembership(id, group); err != nil {
		return err
	}
	err := r.change(ctx, id, func(c *push.Connection) (bool, error) {
		i := slices.Index(c.Groups, group)
		if i >= 0 {
			c.Groups = slices.Delete(c.Groups, i, i+1)
		}
		return i >= 0, nil
	})
	if errors.Is(err, push.ErrUnknown) {
		return nil
	}
	return err
}

// maxTries bounds how often a change is tried that meets others, each of which
// has then succeeded.
const maxTries = 100

// change writes what f makes of a live connection, if f says that it changed,
// and tries again when somebody else has changed it meanwhile.
func (r *Roster) change(ctx context.Context, id string, f func(*push.Connection) (bool, error)) error {
	for range maxTries {
		if err := r.sync(ctx); err != nil {
			return err
		}
		row, found := r.copy.get(keyOf(id))
		if !found || !row.ExpiresAt.After(time.Now()) {
			return push.ErrUnknown
		}
		if changed, err := f(&row.Connection); err != nil || !changed {
			return err
		}
		c, err := row.Complete(time.Now(), r.ttl)
		if err != nil {
			return err
		}
		if err = r.write(ctx, c, row.revision); !errors.Is(err, errChanged) {
			return err
		}
	}
	return fmt.Errorf("change a connection of bucket %s: %w", r.values.Bucket(), errChanged)
}

var errChanged = errors.New("others changed it at the same time")

// write stores a connection if its key is still at a revision.
func (r *Roster) write(ctx context.Context, c push.Connection, revision uint64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	value, err := json.Marshal(c)
	if err != nil {
		return err
	}
	_, err = r.values.Update(ctx, keyOf(c.ID), value, revision)
	return r.writeError("store a connection in", err)
}

func (r *Roster) writeError(what string, err error) error {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence {
		return errChanged
	}
	if err != nil {
		return fmt.Errorf("%s bucket %s: %w", what, r.values.Bucket(), err)
	}
	return nil
}

// ByUser yields a user's connections, as push.Roster says.
func (r *Roster) ByUser(ctx context.Context, user string) iter.Seq2[push.Connection, error] {
	return r.each(ctx, func() []row { return r.copy.ofUser(user) })
}

// ByGroup yields a group's connections, as push.Roster says.
func (r *Roster) ByGroup(ctx context.Context, group string) iter.Seq2[push.Connection, error] {
	return r.each(ctx, func() []row { return r.copy.inGroup(group) })
}

// Recent yields the connections of the last window, as push.Roster says.
func (r *Roster) Recent(ctx context.Context, window time.Duration) iter.Seq2[push.Connection, error] {
	return r.each(ctx, func() []row {
		if window <= 0 {
			return nil
		}
		since := time.Now().Add(-window)
		return r.copy.all(func(c *push.Connection) bool { return !c.ConnectedAt.Before(since) })
	})
}

// All yields every connection, as push.Roster says.
func (r *Roster) All(ctx context.Context) iter.Seq2[push.Connection, error] {
	return r.each(ctx, func() []row { return r.copy.all(func(*push.Connection) bool { return true }) })
}

// each yields the live ones of what read finds.
func (r *Roster) each(ctx context.Context, read func() []row) iter.Seq2[push.Connection, error] {
	return func(yield func(push.Connection, error) bool) {
		if err := r.sync(ctx); err != nil {
			yield(push.Connection{}, err)
			return
		}
		now := time.Now()
		for _, found := range read() {
			if err := ctx.Err(); err != nil {
				yield(push.Connection{}, err)
				return
			}
			if found.ExpiresAt.After(now) && !yield(found.clone(), nil) {
				return
			}
		}
	}
}

// Count counts the connections, as push.Roster says.
func (r *Roster) Count(ctx context.Context) (int, error) {
	if err := r.sync(ctx); err != nil {
		return 0, err
	}
	now := time.Now()
	return len(r.copy.all(func(c *push.Connection) bool { return c.ExpiresAt.After(now) })), nil
}

// Prune removes connections that have expired, as push.Roster says. A bucket
// does not do that by itself: run it every few minutes in one of the processes.
func (r *Roster) Prune(ctx context.Context, limit int) (int, error) {
	if err := r.sync(ctx); err != nil {
		return 0, err
	}
	removed, now := 0, time.Now()
	for _, dead := range r.copy.all(func(c *push.Connection) bool { return !c.ExpiresAt.After(now) }) {
		if removed >= limit {
			break
		}
		err := r.purge(ctx, keyOf(dead.ID), jetstream.LastRevision(dead.revision))
		if errors.Is(err, errChanged) {
			continue
		}
		if err != nil {
			return removed, err
		}
		removed++
	}
	return removed, nil
}

// keyOf makes a key of any id: a key may not hold every character.
func keyOf(id string) string { return base64.RawURLEncoding.EncodeToString([]byte(id)) }

// decode reads an entry; nil for one that has been removed. One that somebody
// else wrote oddly is left out, so that it keeps no message from the others.
func decode(entry jetstream.KeyValueEntry) *push.Connection {
	var c push.Connection
	if entry.Operation() != jetstream.KeyValuePut || json.Unmarshal(entry.Value(), &c) != nil || keyOf(c.ID) != entry.Key() {
		return nil
	}
	return &c
}
