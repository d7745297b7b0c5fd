package eventsource

import (
	"context"
	"sync"
	"time"
)

// Stream is what a mapping needs of a service with streams. Its methods may be
// called together.
type Stream interface {
	// Shards returns the shards of a stream that still have records or may get
	// some, parents before their children.
	Shards(ctx context.Context, streamARN string) ([]Shard, error)
	// Read returns up to max records of a shard from a position on, oldest
	// first, and waits up to wait for the first. It may return fewer than there
	// are, and none, at any time.
	Read(ctx context.Context, streamARN, shard string, from Position, max int, wait time.Duration) (Reading, error)
}

// Shard is one of the sequences of records that a stream consists of.
type Shard struct {
	ID string
	// Parents are the shards that this one continues.
	Parents []string
	// Open is true for a shard that is known to take records. One that was read to
	// its end is then another one with its ID, as of a stream that was made anew.
	Open bool
}

// Start is where the reading of a shard begins.
type Start string

// The starting positions.
const (
	TrimHorizon Start = "TRIM_HORIZON" // the oldest record that is left
	Latest      Start = "LATEST"       // what comes from now on
	AtTimestamp Start = "AT_TIMESTAMP" // the first record from a time on
)

// Position is a place in a shard. It is kept as JSON.
type Position struct {
	// After is the sequence number, in decimal digits, of the record before the
	// place. When it is empty the place is what Start says.
	After string    `json:"after,omitempty"`
	Start Start     `json:"start,omitempty"`
	Time  time.Time `json:"time,omitzero"` // of AtTimestamp
}

// Reading is what one read of a shard has found.
type Reading struct {
	Records []Record
	// Next is where the next read goes on: behind the records, or, without any,
	// a place that stays the same when records come, so never Latest.
	Next Position
	// Ended is true when the shard has no more records behind these and will not
	// get any.
	Ended bool
	// Trimmed is true when records before these were too old and are lost.
	Trimmed bool
}

// Record is one record of a stream.
type Record struct {
	// Sequence is the sequence number as the function knows it.
	Sequence string
	// After is Position.After for what follows this record; "" means Sequence.
	After string
	// Key is what the order is kept of: the item's key, or the partition key.
	Key string
	// Arrived is when the record was written.
	Arrived time.Time
	// Expires is when the stream forgets the record; zero means never.
	Expires time.Time
	// JSON is the record as it stands in the function's event.
	JSON []byte
	// Document is what filters look at, where that is not JSON.
	Document []byte
}

func (r *Record) next() Position {
	if r.After != "" {
		return Position{After: r.After}
	}
	return Position{After: r.Sequence}
}

// kind is what differs between streams of different services.
type kind struct {
	// batchInfo is the member of the record of a failure that describes the
	// batch.
	batchInfo string
	// timeForm is how that member writes times.
	timeForm string
	// body is the member of a filter's document that may be JSON as text.
	body string
}

var kinds = map[string]kind{
	"dynamodb": {batchInfo: "DDBStreamBatchInfo", timeForm: "2006-01-02T15:04:05Z"},
	"kinesis":  {batchInfo: "KinesisBatchInfo", timeForm: "2006-01-02T15:04:05.000Z", body: "data"},
}

// shardsEvery is how often a mapping looks for new shards.
const shardsEvery = 10 * time.Second

// streamMapping feeds one stream to one function. Each shard has as many lanes
// as the mapping's ParallelizationFactor says, and each lane reads the shard for
// itself and takes the records of its keys: one that is held up holds up no
// other.
type streamMapping struct {
	base
	stream Stream
	kind   kind
}

// shardState is how far a shard has come in this run.
type shardState struct {
	lanes sync.WaitGroup
	// ended is closed when all its lanes are through.
	ended chan struct{}
}

// Run reads the shards until ctx ends: a child once its parents are through.
func (m *streamMapping) Run(ctx context.Context) {
	if m.declared.Disabled {
		return
	}
	shards := make(map[string]*shardState)
	woken := make(chan struct{}, 1)
	var running sync.WaitGroup
	defer running.Wait()
	begun := m.hasBegun(ctx)
	pause := pauseMin
	for ctx.Err() == nil {
		list, err := m.stream.Shards(ctx, m.declared.SourceARN)
		if err != nil {
			if ctx.Err() == nil {
				m.cfg.Log.Error("a stream cannot be read; trying again", "stream", m.declared.SourceARN, "pause", pause, "error", err)
			}
			pause = rest(ctx, pause, pauseMax)
			continue
		}
		pause = pauseMin
		if !begun { // children that wait for their parents are not new either
			for _, shard := range list {
				m.open(ctx, shard.ID, false, max(m.declared.Stream.Parallelization, 1))
			}
		}
		for _, shard := range ready(list, shards) {
			shards[shard.ID] = m.begin(ctx, shard.ID, begun, &running, woken)
		}
		begun = true
		m.noteBegun(ctx)
		look := time.NewTimer(shardsEvery)
		select {
		case <-look.C:
		case <-woken:
		case <-ctx.Done():
		}
		look.Stop()
	}
}

// ready returns the shards that can be begun: those whose parents are through,
// or gone.
func ready(list []Shard, known map[string]*shardState) (begin []Shard) {
	open := make(map[string]bool, len(list))
	for _, shard := range list {
		if state := known[shard.ID]; state != nil && shard.Open && isClosed(state.ended) {
			delete(known, shard.ID)
		}
		state := known[shard.ID]
		open[shard.ID] = state == nil || !isClosed(state.ended)
	}
	for _, shard := range list {
		waits := known[shard.ID] != nil
		for _, parent := range shard.Parents {
			waits = waits || open[parent]
		}
		if !waits {
			begin = append(begin, shard)
		}
	}
	return begin
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// begin starts the lanes of a shard. A shard that was not there when the mapping
// began is read from its first record.
func (m *streamMapping) begin(ctx context.Context, shard string, isNew bool, running *sync.WaitGroup, woken chan<- struct{}) *shardState {
	state := &shardState{ended: make(chan struct{})}
	factor := max(m.declared.Stream.Parallelization, 1)
	p := m.open(ctx, shard, isNew, factor)
	for i := range factor {
		l := &lane{streamMapping: m, shard: shard, index: i, factor: factor, progress: p, position: p.at(i)}
		state.lanes.Add(1)
		running.Go(func() {
			defer state.lanes.Done()
			l.run(ctx)
		})
	}
	running.Go(func() {
		state.lanes.Wait()
		close(state.ended)
		select {
		case woken <- struct{}{}:
		default:
		}
	})
	return state
}
