package bus

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go/jetstream"
)

// errEnough ends a scan that has what it wants.
var errEnough = errors.New("enough")

// Range returns up to most entries with numbers of at least from, in order, and
// about maxBytes of them at most, but at least one if there is any.
func (j *Journal) Range(ctx context.Context, from uint64, most, maxBytes int) ([]Recorded, error) {
	var all []Recorded
	size, more := 0, true
	for next := from; more && len(all) < most; {
		err := j.scanFrom(ctx, next, func(r Recorded) error {
			if len(all) == most || len(all) > 0 && size+len(r.Data) > maxBytes {
				return errEnough
			}
			all, size, next = append(all, r), size+len(r.Data), r.Sequence+1
			return nil
		}, &more)
		if errors.Is(err, errEnough) {
			break
		}
		if err != nil {
			return nil, wrap("read from "+j.name, err)
		}
	}
	return all, nil
}

// Bounds returns the numbers of the oldest entry that is there and of the newest
// that ever was. An empty journal's first is one more than its last.
func (j *Journal) Bounds(ctx context.Context) (first, last uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	info, err := j.stream.Info(ctx)
	if err != nil {
		return 0, 0, wrap("look at "+j.name, err)
	}
	return bounds(info.State)
}

func bounds(s jetstream.StreamState) (first, last uint64, err error) {
	if s.Msgs == 0 {
		return s.LastSeq + 1, s.LastSeq, nil
	}
	return s.FirstSeq, s.LastSeq, nil
}
