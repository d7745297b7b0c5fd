package eventsource

import (
	"context"
	"hash/fnv"
	"time"
)

// lane reads one shard, or those of its records whose keys are the lane's, and
// hands them to the function one batch after the other.
type lane struct {
	*streamMapping
	shard         string
	index, factor int
	progress      *progress
	position      Position
	// savedAt is when the lane's place was kept last.
	savedAt time.Time
}

// readAtLeast is how many records one read asks for when the lane shares the
// shard with others or filters it.
const readAtLeast = 100

// saveSkipped is how often a checkpoint is kept of records that were only
// skipped.
const saveSkipped = time.Second

// run works until the shard or ctx ends.
func (l *lane) run(ctx context.Context) {
	pause := pauseMin
	for ctx.Err() == nil {
		batch, next, ended, err := l.gather(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			l.cfg.Log.Error("a shard cannot be read; trying again", "stream", l.declared.SourceARN, "shard", l.shard, "pause", pause, "error", err)
			pause = rest(ctx, pause, pauseMax)
			continue
		}
		pause = pauseMin
		if !l.process(ctx, batch) {
			return // ctx has ended; the rest of the batch comes again
		}
		l.position = next
		if len(batch) > 0 || ended || time.Since(l.savedAt) > saveSkipped {
			l.save(ctx, next)
		}
		if ended {
			return
		}
	}
}

// gather reads one batch: what is there at once, or, with a batching window, as
// much as comes within the window. next is the place behind it.
func (l *lane) gather(ctx context.Context) (batch []Record, next Position, ended bool, err error) {
	next = l.position
	var end time.Time
	size := 0
	for wait := longPoll; ; {
		r, err := l.stream.Read(ctx, l.declared.SourceARN, l.shard, next, l.most(len(batch)), wait)
		if err != nil {
			if len(batch) > 0 {
				return batch, next, false, nil // the next read reports the error
			}
			return nil, next, false, err
		}
		if r.Trimmed {
			l.cfg.Log.Warn("records of a stream were lost, because they had become too old", "stream", l.declared.SourceARN, "shard", l.shard)
		}
		next, ended = r.Next, r.Ended
		for i := range r.Records {
			rec := &r.Records[i]
			if !l.takes(rec) {
				continue
			}
			if batch = append(batch, *rec); len(batch) == l.declared.BatchSize {
				next, ended = rec.next(), r.Ended && i == len(r.Records)-1
				break
			}
		}
		size += sizeOf(r.Records)
		if len(batch) > 0 && end.IsZero() {
			end = time.Now().Add(l.declared.Window)
		}
		wait = time.Until(end)
		if len(batch) == 0 || len(batch) >= l.declared.BatchSize || size >= maxEvent || ended || wait <= 0 || ctx.Err() != nil {
			return batch, next, ended, nil
		}
	}
}

// most is how many records to ask for.
func (l *lane) most(have int) int {
	most := l.declared.BatchSize - have
	if l.factor > 1 || len(l.filter) > 0 {
		most = max(most, readAtLeast)
	}
	return most
}

func sizeOf(records []Record) (size int) {
	for i := range records {
		size += len(records[i].JSON) + 1
	}
	return size
}

// takes reports whether a record is for the lane and passes the filters.
func (l *lane) takes(r *Record) bool {
	if l.factor > 1 {
		h := fnv.New32a()
		h.Write([]byte(r.Key))
		if int(h.Sum32()%uint32(l.factor)) != l.index {
			return false
		}
	}
	document := r.Document
	if document == nil {
		document = r.JSON
	}
	return l.filter.passes(document, l.kind.body)
}

// streamEvent is the event {"Records":[…]} of a batch.
func streamEvent(batch []Record) []byte {
	b := append(make([]byte, 0, sizeOf(batch)+16), `{"Records":[`...)
	for i := range batch {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, batch[i].JSON...)
	}
	return append(b, "]}"...)
}

func (l *lane) save(ctx context.Context, at Position) {
	l.progress.save(ctx, l.index, at)
	l.savedAt = time.Now()
}
