package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// JournalConfig describes a journal. It is kept with the journal's entries.
type JournalConfig struct {
	// Name is 1 to 200 letters, digits, '-' and '_', and no work queue's. It
	// names a folder, so two names must differ in more than case.
	Name string
	// Metadata is the owner's own, up to 100 KB in all.
	Metadata map[string]string
	// Retention is how long an entry is kept; zero means for ever.
	Retention time.Duration
	// MaxEntrySize is in bytes, at most MaxPayload.
	MaxEntrySize int
	// Duplicates is how long the ids of entries are remembered.
	Duplicates time.Duration
}

// Journal is a sequence of entries that stay, each under its number, until they
// are deleted or too old. Who reads which is the owner's affair. All methods may
// be called together.
type Journal struct {
	bus    *Bus
	name   string
	stream jetstream.Stream

	mu sync.Mutex
	// config is what the journal was last told to be.
	config JournalConfig
}

// Entry is one entry for a journal.
type Entry struct {
	Data []byte
	// Note tells entries about others from those themselves.
	Note bool
	// ID, when set, makes a second entry with the same id within
	// JournalConfig.Duplicates a success without effect.
	ID string
	// Keep, when set, ends the entry by itself after that time, in whole seconds.
	Keep time.Duration
}

// Recorded is one entry as a journal has it.
type Recorded struct {
	Sequence uint64
	At       time.Time
	Note     bool
	Data     []byte
}

// Receipts are the answers to entries on their way.
type Receipts struct {
	journal *Journal
	futures []jetstream.PubAckFuture
	errs    []error
}

// Written says what became of one entry.
type Written struct {
	// Sequence is the entry's number, that of the first one for a duplicate.
	Sequence  uint64
	Duplicate bool
	// Err is why the entry was not stored; with ErrClosed it may have been.
	Err error
}

// EnsureJournal makes a journal, or opens the one of that name and brings it to
// cfg; its entries stay.
func (b *Bus) EnsureJournal(ctx context.Context, cfg JournalConfig) (*Journal, error) {
	if err := checkName(cfg.Name); err != nil {
		return nil, err
	}
	j := &Journal{bus: b, name: cfg.Name}
	return j, j.Update(ctx, cfg)
}

// Journals opens the journals that the store holds.
func (b *Bus) Journals(ctx context.Context) ([]*Journal, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	var all []*Journal
	streams := b.js.ListStreams(ctx, jetstream.WithStreamListSubject(journalSubject("*", ">")))
	for info := range streams.Info() {
		stream, err := b.js.Stream(ctx, info.Config.Name)
		if err != nil {
			return nil, wrap("open journal "+info.Config.Name, err)
		}
		all = append(all, &Journal{bus: b, name: info.Config.Name, stream: stream, config: journalConfig(info.Config)})
	}
	return all, wrap("list journals", streams.Err())
}

// Config returns what the journal was last told to be.
func (j *Journal) Config() JournalConfig {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.config
}

// Update changes everything but the name.
func (j *Journal) Update(ctx context.Context, cfg JournalConfig) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	cfg.Name = j.name
	stream, err := j.bus.setUp(ctx, jetstream.StreamConfig{
		Name:        cfg.Name,
		Subjects:    []string{journalSubject(cfg.Name, "entry"), journalSubject(cfg.Name, "note")},
		Retention:   jetstream.LimitsPolicy,
		Storage:     j.bus.storage,
		Discard:     jetstream.DiscardNew,
		MaxAge:      cfg.Retention,
		MaxMsgSize:  int32(cfg.MaxEntrySize),
		Duplicates:  cfg.Duplicates,
		Metadata:    cfg.Metadata,
		AllowDirect: true,
		AllowMsgTTL: true,
		Replicas:    1,
	})
	if err != nil {
		return wrap("set up journal "+j.name, err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.config = cfg; j.stream == nil {
		j.stream = stream
	}
	return nil
}

func journalConfig(s jetstream.StreamConfig) JournalConfig {
	q := queueConfig(s)
	return JournalConfig{Name: q.Name, Metadata: q.Metadata, Retention: q.Retention, MaxEntrySize: q.MaxMessageSize, Duplicates: q.Duplicates}
}

// Append hands entries to the store in their order and does not wait for it:
// entries of a later Append come after them. Call Wait on what it returns.
func (j *Journal) Append(entries ...Entry) *Receipts {
	r := &Receipts{journal: j, futures: make([]jetstream.PubAckFuture, len(entries)), errs: make([]error, len(entries))}
	for i, e := range entries {
		r.futures[i], r.errs[i] = j.bus.js.PublishMsgAsync(j.message(e), jetstream.WithRetryAttempts(0))
	}
	return r
}

func (j *Journal) message(e Entry) *nats.Msg {
	kind := "entry"
	if e.Note {
		kind = "note"
	}
	msg := &nats.Msg{Subject: journalSubject(j.name, kind), Data: e.Data}
	if e.ID != "" || e.Keep > 0 {
		msg.Header = nats.Header{}
	}
	if e.ID != "" {
		msg.Header.Set(jetstream.MsgIDHeader, e.ID)
	}
	if e.Keep > 0 {
		msg.Header.Set(jetstream.MsgTTLHeader, strconv.Itoa(int(e.Keep/time.Second))+"s")
	}
	return msg
}

// Wait returns what became of each entry: without an error once the store has
// it. It waits for as long as the store takes, so that nothing is stored of which
// nobody knows, and is called once.
func (r *Receipts) Wait() []Written {
	all := make([]Written, len(r.futures))
	for i, future := range r.futures {
		all[i] = r.wait(future, r.errs[i])
		all[i].Err = wrap("write to "+r.journal.name, all[i].Err)
	}
	return all
}

func (r *Receipts) wait(future jetstream.PubAckFuture, err error) Written {
	if err != nil {
		return Written{Err: err}
	}
	select {
	case ack := <-future.Ok():
		return Written{Sequence: ack.Sequence, Duplicate: ack.Duplicate}
	case err := <-future.Err():
		return Written{Err: err}
	case <-r.journal.bus.done:
		return Written{Err: ErrClosed}
	}
}

// Read returns the entries of these numbers, nil for one that is not there.
func (j *Journal) Read(ctx context.Context, sequences ...uint64) ([]*Recorded, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	out := make([]*nats.Msg, len(sequences))
	for i, sequence := range sequences {
		out[i] = &nats.Msg{Subject: j.readSubject(), Data: fmt.Appendf(nil, `{"seq":%d}`, sequence)}
	}
	replies, errs := j.bus.exchange(ctx, out)
	all := make([]*Recorded, len(sequences))
	for i, reply := range replies {
		if errs[i] == nil && reply.Header.Get("Status") != "404" {
			all[i], errs[i] = recorded(reply)
		}
	}
	return all, wrap("read from "+j.name, errors.Join(errs...))
}

// scanBatch is how many entries Scan asks for at a time, scanBytes about how many
// bytes they may have.
const (
	scanBatch = 1000
	scanBytes = 8 << 20
)

// Scan calls f with every entry in order, until f fails.
func (j *Journal) Scan(ctx context.Context, f func(Recorded) error) error {
	for next, more := uint64(1), true; more; {
		err := j.scanFrom(ctx, next, func(r Recorded) error {
			next = r.Sequence + 1
			return f(r)
		}, &more)
		if err != nil {
			return wrap("read from "+j.name, err)
		}
	}
	return nil
}

// scanFrom reads one batch and tells whether there is more.
func (j *Journal) scanFrom(ctx context.Context, from uint64, f func(Recorded) error, more *bool) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	in := make(chan *nats.Msg, scanBatch+2)
	inbox := j.bus.conn.NewInbox()
	sub, err := j.bus.conn.ChanSubscribe(inbox, in)
	if err != nil {
		return err
	}
	defer sub.Unsubscribe()
	ask := fmt.Appendf(nil, `{"seq":%d,"batch":%d,"max_bytes":%d}`, from, scanBatch, scanBytes)
	if err := j.bus.conn.PublishRequest(j.readSubject(), inbox, ask); err != nil {
		return err
	}
	for {
		select {
		case msg := <-in:
			if msg.Header.Get("Status") != "" { // 204 after the batch, 404 when there is nothing
				pending, _ := strconv.Atoi(msg.Header.Get("Nats-Num-Pending"))
				*more = pending > 0
				return nil
			}
			r, err := recorded(msg)
			if err == nil {
				err = f(*r)
			}
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		case <-j.bus.done:
			return ErrClosed
		}
	}
}

func recorded(msg *nats.Msg) (*Recorded, error) {
	if status := msg.Header.Get("Status"); status != "" {
		return nil, fmt.Errorf("the server answered %s %s", status, msg.Header.Get("Description"))
	}
	sequence, err := strconv.ParseUint(msg.Header.Get("Nats-Sequence"), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("read entry: %w", err)
	}
	at, err := time.Parse(time.RFC3339Nano, msg.Header.Get("Nats-Time-Stamp"))
	if err != nil {
		return nil, fmt.Errorf("read entry: %w", err)
	}
	return &Recorded{Sequence: sequence, At: at, Note: strings.HasSuffix(msg.Header.Get("Nats-Subject"), ".note"), Data: msg.Data}, nil
}

// Delete removes entries and returns when they are gone; one that is gone
// already is no error.
func (j *Journal) Delete(ctx context.Context, sequences ...uint64) error {
	if len(sequences) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	out := make([]*nats.Msg, len(sequences))
	for i, sequence := range sequences {
		out[i] = &nats.Msg{Subject: "$JS.API.STREAM.MSG.DELETE." + j.name, Data: fmt.Appendf(nil, `{"seq":%d,"no_erase":true}`, sequence)}
	}
	replies, errs := j.bus.exchange(ctx, out)
	for i, reply := range replies {
		if errs[i] == nil {
			errs[i] = deleted(reply)
		}
	}
	return wrap("delete from "+j.name, errors.Join(errs...))
}

// deleted reads the server's answer to a deletion. It has several ways to say
// that there is no such message.
func deleted(reply *nats.Msg) error {
	if reply.Header.Get("Status") == "503" {
		return nats.ErrNoResponders
	}
	var answer struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(reply.Data, &answer); err != nil {
		return fmt.Errorf("read the server's answer: %w", err)
	}
	if answer.Error == nil || answer.Error.ErrorCode == codeNoSequence || slices.Contains(noMessage, answer.Error.Description) {
		return nil
	}
	return answer.Error
}

// Purge drops every entry.
func (j *Journal) Purge(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return wrap("purge journal "+j.name, j.stream.Purge(ctx))
}

// Drop ends the journal. One that is gone already is no error.
func (j *Journal) Drop(ctx context.Context) error {
	err := j.bus.js.DeleteStream(ctx, j.name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	return wrap("delete journal "+j.name, err)
}

func (j *Journal) readSubject() string { return "$JS.API.DIRECT.GET." + j.name }

func journalSubject(name, kind string) string { return "journal." + name + "." + kind }
