package eventsource

import (
	"context"
	"errors"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
)

// The wait before a batch that failed is tried again.
const (
	retryMin = 100 * time.Millisecond
	retryMax = 30 * time.Second
)

// piece is a part of a batch that goes to the function as one.
type piece struct {
	records []Record
	// failures counts the invocations of the first record that count as
	// attempts, invocations all of them.
	failures, invocations int
	wait                  time.Duration
	last                  *answer
}

// answer is how the last invocation of a piece ended.
type answer struct{ failed bool }

// process takes a batch to its end: each record is dealt with, or discarded, and
// in order. It is false when ctx has ended before.
func (l *lane) process(ctx context.Context, batch []Record) bool {
	work := pieces(batch, maxEvent)
	for len(work) > 0 {
		p := work[0]
		if ctx.Err() != nil {
			return false
		}
		if n := l.tooOld(p.records); n > 0 {
			if !l.discard(ctx, eventAgeExceeded, &piece{records: p.records[:n], invocations: p.invocations, last: p.last}) {
				return false
			}
			l.pass(ctx, p, n)
		} else if halves := l.attempt(ctx, p); halves != nil {
			work = append(halves, work[1:]...)
			continue
		}
		if retries := l.declared.Stream.MaxRetries; len(p.records) > 0 && retries >= 0 && p.failures > retries {
			if !l.discard(ctx, retryAttemptsExhausted, p) {
				return false
			}
			l.pass(ctx, p, len(p.records))
		}
		if len(p.records) == 0 {
			work = work[1:]
		} else if p.wait > 0 {
			p.wait = rest(ctx, p.wait, retryMax)
		}
	}
	return true
}

// pieces cuts a batch so that no piece's event is over limit bytes.
func pieces(batch []Record, limit int) (all []*piece) {
	const frame = 16
	size := limit
	for _, r := range batch {
		if n := len(r.JSON) + 1; size+n > limit {
			all, size = append(all, &piece{}), frame
		}
		p := all[len(all)-1]
		p.records = append(p.records, r)
		size += len(r.JSON) + 1
	}
	return all
}

// tooOld counts the records at the front that are older than the mapping's
// MaximumRecordAgeInSeconds, or that the stream has forgotten.
func (l *lane) tooOld(records []Record) (n int) {
	age, now := l.declared.Stream.MaxRecordAge, time.Now()
	for _, r := range records {
		if (age == 0 || now.Sub(r.Arrived) <= age) && (r.Expires.IsZero() || now.Before(r.Expires)) {
			break
		}
		n++
	}
	return n
}

// pass notes that the first n records of a piece are dealt with.
func (l *lane) pass(ctx context.Context, p *piece, n int) {
	if n == 0 {
		return
	}
	l.save(ctx, p.records[n-1].next())
	*p = piece{records: p.records[n:]}
}

// attempt invokes the function once. What it has dealt with is passed; when the
// rest is to be tried in two halves, it returns them. Splitting is no attempt:
// it does not count against MaximumRetryAttempts.
func (l *lane) attempt(ctx context.Context, p *piece) (halves []*piece) {
	started, of := time.Now(), len(p.records)
	done, err := l.invokeWith(ctx, p.records)
	l.report(of, done, "records", started, err)
	if errors.Is(err, apigw.ErrThrottled) {
		p.wait = max(p.wait, retryMin)
		return nil
	}
	p.invocations++
	p.last = &answer{failed: err != nil}
	if done > 0 {
		l.pass(ctx, p, done)
		if len(p.records) > 0 { // its first one has failed once
			p.failures, p.invocations, p.last, p.wait = 1, 1, &answer{}, retryMin
			if l.declared.Stream.Bisect {
				p.failures = 0 // the batch was split at the report
			}
		}
		return nil
	}
	p.wait = max(p.wait, retryMin)
	if l.declared.Stream.Bisect && of > 1 {
		half := of / 2
		return []*piece{
			{records: p.records[:half], failures: p.failures, invocations: p.invocations, last: p.last},
			{records: p.records[half:], failures: p.failures, invocations: p.invocations, last: p.last},
		}
	}
	p.failures++
	return nil
}

// invokeWith runs the function with records and returns how many of them, from
// the front, it has dealt with.
func (l *lane) invokeWith(ctx context.Context, records []Record) (done int, err error) {
	out, err := l.invoke(ctx, streamEvent(records))
	if err != nil {
		return 0, err
	}
	if !l.declared.ReportItemFailures {
		return len(records), nil
	}
	failed, err := itemFailures(out)
	if err != nil {
		return 0, err
	}
	return firstOf(records, failed)
}

// firstOf returns where the first of the records stands that have these sequence
// numbers: the lowest is the checkpoint, and all from there on come again.
func firstOf(records []Record, sequences []string) (int, error) {
	first := len(records)
	at := make(map[string]int, len(records))
	for i := range records {
		at[records[i].Sequence] = i
	}
	for _, sequence := range sequences {
		i, known := at[sequence]
		if !known {
			return 0, errUnknownItem(sequence)
		}
		first = min(first, i)
	}
	return first, nil
}
