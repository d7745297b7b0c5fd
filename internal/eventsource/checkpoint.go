package eventsource

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"sync"
	"time"
)

// Checkpoints keeps small records by key, durably. A key has letters, digits,
// hyphens and slashes.
type Checkpoints interface {
	// Get returns a record; ok is false when there is none.
	Get(ctx context.Context, key string) (value []byte, ok bool, err error)
	// Put stores a record, in place of one with the same key.
	Put(ctx context.Context, key string, value []byte) error
}

// key names a record of the mapping. Source and function are what makes a
// mapping: the name that a template gives it may change.
func (m *streamMapping) key(rest string) string {
	sum := sha256.Sum256([]byte(m.declared.SourceARN + "\x00" + m.declared.Function))
	return hex.EncodeToString(sum[:12]) + "/" + rest
}

// hasBegun reports whether the mapping has run before.
func (m *streamMapping) hasBegun(ctx context.Context) bool {
	_, ok, err := m.cfg.Checkpoints.Get(ctx, m.key(begunKey))
	return ok && err == nil
}

func (m *streamMapping) noteBegun(ctx context.Context) {
	if m.hasBegun(ctx) || ctx.Err() != nil {
		return
	}
	if err := m.cfg.Checkpoints.Put(ctx, m.key(begunKey), []byte(time.Now().UTC().Format(time.RFC3339))); err != nil {
		m.cfg.Log.Error("a mapping cannot note that it has begun", "stream", m.declared.SourceARN, "error", err)
	}
}

// progress is how far a shard has come, lane by lane. It is kept as JSON.
type progress struct {
	mapping *streamMapping
	shard   string

	mu sync.Mutex
	// Lanes are where the lanes go on; there are as many as the mapping's
	// ParallelizationFactor was when this was kept.
	Lanes []Position `json:"lanes"`
}

func (p *progress) key() string { return p.mapping.key(hex.EncodeToString([]byte(p.shard))) }

// open reads how far a shard has come, or begins it: at its first record when it
// is new, and else at the starting position. With another ParallelizationFactor
// than before, all lanes begin where the last one was: some records come twice
// then, and none is left out.
func (m *streamMapping) open(ctx context.Context, shard string, isNew bool, factor int) *progress {
	p := &progress{mapping: m, shard: shard}
	text, ok, err := m.cfg.Checkpoints.Get(ctx, p.key())
	if err != nil && ctx.Err() == nil {
		m.cfg.Log.Error("a checkpoint cannot be read; records may come twice", "stream", m.declared.SourceARN, "shard", shard, "error", err)
	}
	if ok && err == nil && json.Unmarshal(text, p) == nil && len(p.Lanes) == factor {
		return p
	}
	var at Position
	switch {
	case len(p.Lanes) > 0:
		at = slices.MinFunc(p.Lanes, byPlace)
	case isNew:
		at = Position{Start: TrimHorizon}
	default:
		at = m.start(ctx, shard)
	}
	p.Lanes = slices.Repeat([]Position{at}, factor)
	if ctx.Err() == nil {
		p.put(ctx)
	}
	return p
}

// start is the starting position. LATEST is nailed down at once, so that what
// comes after a crash is not taken for older.
func (m *streamMapping) start(ctx context.Context, shard string) Position {
	at := Position{Start: Start(m.declared.Stream.StartingPosition), Time: m.declared.Stream.StartingTimestamp}
	if at.Start != Latest {
		return at
	}
	pause := pauseMin
	for ctx.Err() == nil {
		r, err := m.stream.Read(ctx, m.declared.SourceARN, shard, at, 1, 0)
		if err == nil && len(r.Records) == 0 {
			return r.Next
		}
		if err != nil {
			pause = rest(ctx, pause, pauseMax)
		}
	}
	return at
}

// byPlace orders places by their sequence numbers: numbers in decimal digits,
// which may be longer than any integer. Starting positions come first.
func byPlace(a, b Position) int {
	return cmp.Or(cmp.Compare(len(a.After), len(b.After)), cmp.Compare(a.After, b.After))
}

func (p *progress) at(lane int) Position {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.Lanes[lane]
}

// save keeps where a lane has come to. When that fails, records come twice after
// the next start.
func (p *progress) save(ctx context.Context, lane int, at Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.Lanes[lane] != at {
		p.Lanes[lane] = at
		p.put(ctx)
	}
}

// put stores the progress. Call with mu held, or before anybody else knows p.
func (p *progress) put(ctx context.Context) {
	text, err := json.Marshal(p)
	if err == nil {
		err = p.mapping.cfg.Checkpoints.Put(context.WithoutCancel(ctx), p.key(), text)
	}
	if err != nil {
		p.mapping.cfg.Log.Error("a checkpoint cannot be kept; records will come twice after the next start",
			"stream", p.mapping.declared.SourceARN, "shard", p.shard, "error", err)
	}
}
