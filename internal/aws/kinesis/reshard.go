package kinesis

import (
	"context"
	"fmt"
	"math/big"
	"slices"
	"time"
)

// maxLayout is how many shards a stream may have had: those that were closed stay
// until the stream is deleted.
const maxLayout = 4 * MaxShards

// plan is what a shard is: its hash keys, whom it continues and whether it is
// closed. Plans are kept with the stream.
type plan struct {
	// First and Last are the hash keys, in decimal digits.
	First string `json:"first"`
	Last  string `json:"last"`
	// Parents are the indexes of the shards that it continues.
	Parents []int     `json:"parents,omitempty"`
	Made    time.Time `json:"made"`
	// Closed is when it was closed: no record is newer.
	Closed time.Time `json:"closed,omitzero"`
}

func (p plan) isClosed() bool { return !p.Closed.IsZero() }

// checkLayout holds that a stored layout is one.
func checkLayout(all []plan) error {
	for i, p := range all {
		if !decimal.MatchString(p.First) || !decimal.MatchString(p.Last) || slices.ContainsFunc(p.Parents, func(parent int) bool { return parent < 0 || parent >= i }) {
			return fmt.Errorf("its shard %d is damaged", i)
		}
	}
	return nil
}

func (p plan) first() *big.Int { return integer(p.First) }
func (p plan) last() *big.Int  { return integer(p.Last) }

func integer(digits string) *big.Int {
	n, _ := new(big.Int).SetString(digits, 10)
	return n
}

// uniform plans shards of which all have about as many hash keys.
func uniform(n int, made time.Time) (all []plan) {
	bound := func(i int) *big.Int {
		b := new(big.Int).Mul(keys, big.NewInt(int64(i)))
		return b.Div(b, big.NewInt(int64(n)))
	}
	for i := range n {
		all = append(all, plan{First: bound(i).String(), Last: new(big.Int).Sub(bound(i+1), big.NewInt(1)).String(), Made: made})
	}
	return all
}

// reshard closes shards and opens others in their place, which plans returns for
// what the stream is now. Puts wait meanwhile. The first shard's journal is told
// last of all: until then there is nothing new.
func (s *Service) reshard(ctx context.Context, st *stream, plans func(now description) ([]plan, error)) error {
	s.admin.Lock()
	defer s.admin.Unlock()
	if now, _ := s.find(st.ARN); now != st {
		return noStream(st.Name, accountOf(st.ARN))
	}
	st.putting.Lock()
	defer st.putting.Unlock()
	d := st.now()
	fresh, err := plans(d)
	if err != nil {
		return err
	}
	if n := len(d.Layout) + len(fresh); n > maxLayout {
		return fault("LimitExceededException", "Stream %s would have had %d shards since it was made, and %d are the most here.", st.Name, n, maxLayout)
	}
	made := time.Now().UTC()
	layout := slices.Clone(d.Layout)
	for i := range fresh {
		fresh[i].Made = made
		for _, parent := range fresh[i].Parents {
			layout[parent].Closed = made
		}
	}
	return s.install(ctx, st, append(layout, fresh...), len(fresh))
}

// install makes the last n shards of a layout, and the layout the stream's.
func (s *Service) install(ctx context.Context, st *stream, layout []plan, n int) error {
	var more []*shard
	for i := len(layout) - n; i < len(layout); i++ {
		j, err := s.config.Bus.EnsureJournal(ctx, st.journal(i))
		if err != nil {
			return err
		}
		sh := newShard(i, layout[i])
		if err := sh.open(ctx, j); err != nil {
			return err
		}
		more = append(more, sh)
	}
	old := st.now().Layout
	st.setLayout(layout)
	if err := st.all()[0].journal.Update(ctx, st.journal(0)); err != nil {
		st.setLayout(old)
		return err
	}
	st.mu.Lock()
	st.shards = append(slices.Clip(st.shards), more...)
	st.mu.Unlock()
	for _, sh := range st.all() {
		if layout[sh.index].isClosed() {
			sh.wake()
		}
	}
	return nil
}

func (st *stream) setLayout(layout []plan) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.Layout = layout
}

// all returns the shards, those that are closed too.
func (st *stream) all() []*shard {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.shards
}

// plan is what a shard is now.
func (st *stream) plan(s *shard) plan {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.Layout[s.index]
}

// listed returns the shards that have records or may get some: all but those that
// were closed longer ago than the stream keeps records.
func (st *stream) listed() (some []*shard) {
	d, now := st.now(), time.Now()
	for _, s := range st.all() {
		if p := d.Layout[s.index]; !p.isClosed() || now.Sub(p.Closed) < d.Retention {
			some = append(some, s)
		}
	}
	return some
}

// openShards is how many shards take records.
func (d description) openShards() (n int) {
	for _, p := range d.Layout {
		if !p.isClosed() {
			n++
		}
	}
	return n
}

// children are the shards that continue one.
func (st *stream) children(s *shard) (all []*shard) {
	d := st.now()
	for _, other := range st.all() {
		if slices.Contains(d.Layout[other.index].Parents, s.index) {
			all = append(all, other)
		}
	}
	return all
}

// openPlan finds a shard that is to be closed.
func (st *stream) openPlan(d description, id string) (index int, p plan, err error) {
	s, err := st.shard(id)
	if err != nil {
		return 0, p, err
	}
	if p = d.Layout[s.index]; p.isClosed() {
		return 0, p, invalid("Shard %s in stream %s under account %s has already been merged or split, and thus is not eligible for merging or splitting.", id, st.Name, accountOf(st.ARN))
	}
	return s.index, p, nil
}

type splitShardInput struct {
	StreamName, StreamARN, ShardToSplit, NewStartingHashKey string
}

func splitShard(ctx context.Context, c *caller, in *splitShardInput) (*none, error) {
	st, err := c.lookup(in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	return nil, c.reshard(ctx, st, func(d description) ([]plan, error) {
		index, p, err := st.openPlan(d, in.ShardToSplit)
		if err != nil {
			return nil, err
		}
		if d.openShards() >= MaxShards {
			return nil, fault("LimitExceededException", "Stream %s has %d shards, and more are not possible here.", st.Name, MaxShards)
		}
		if !decimal.MatchString(in.NewStartingHashKey) {
			return nil, invalid("1 validation error detected: Value '%s' at 'newStartingHashKey' failed to satisfy constraint: Member must satisfy regular expression pattern: 0|([1-9]\\d{0,38})", clip(in.NewStartingHashKey))
		}
		at := integer(in.NewStartingHashKey)
		if at.Cmp(p.first()) <= 0 || at.Cmp(p.last()) > 0 {
			return nil, invalid("NewStartingHashKey %s used in SplitShard() on shard %s in stream %s under account %s is not both greater than the shard's StartingHashKey %s and at most its EndingHashKey %s.",
				at, in.ShardToSplit, st.Name, c.account, p.First, p.Last)
		}
		below := new(big.Int).Sub(at, big.NewInt(1))
		return []plan{{First: p.First, Last: below.String(), Parents: []int{index}}, {First: at.String(), Last: p.Last, Parents: []int{index}}}, nil
	})
}

type mergeShardsInput struct {
	StreamName, StreamARN, ShardToMerge, AdjacentShardToMerge string
}

func mergeShards(ctx context.Context, c *caller, in *mergeShardsInput) (*none, error) {
	st, err := c.lookup(in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	return nil, c.reshard(ctx, st, func(d description) ([]plan, error) {
		one, p, err := st.openPlan(d, in.ShardToMerge)
		if err != nil {
			return nil, err
		}
		other, q, err := st.openPlan(d, in.AdjacentShardToMerge)
		if err != nil {
			return nil, err
		}
		if p.first().Cmp(q.first()) > 0 {
			p, q = q, p
		}
		if next := new(big.Int).Add(p.last(), big.NewInt(1)); next.Cmp(q.first()) != 0 {
			return nil, invalid("Shards %s and %s in stream %s under account %s are not an adjacent pair of shards eligible for merging.", in.ShardToMerge, in.AdjacentShardToMerge, st.Name, c.account)
		}
		return []plan{{First: p.First, Last: q.Last, Parents: []int{one, other}}}, nil
	})
}

type updateShardCountInput struct {
	StreamName, StreamARN, ScalingType string
	TargetShardCount                   int
}

type updateShardCountOutput struct {
	StreamName, StreamARN               string
	CurrentShardCount, TargetShardCount int
}

// updateShardCount makes new shards of the same size in place of all that are
// open. On AWS that takes several splits and merges; here each new shard
// continues those that had its hash keys, at once.
func updateShardCount(ctx context.Context, c *caller, in *updateShardCountInput) (*updateShardCountOutput, error) {
	st, err := c.lookup(in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	if in.ScalingType != "UNIFORM_SCALING" {
		return nil, invalid("1 validation error detected: Value '%s' at 'scalingType' failed to satisfy constraint: Member must satisfy enum value set: [UNIFORM_SCALING]", clip(in.ScalingType))
	}
	out := &updateShardCountOutput{StreamName: st.Name, StreamARN: st.ARN, TargetShardCount: in.TargetShardCount}
	err = c.reshard(ctx, st, func(d description) ([]plan, error) {
		out.CurrentShardCount = d.openShards()
		if d.OnDemand {
			return nil, fault("ValidationException", "Stream %s is on demand: the number of its shards cannot be set.", st.Name)
		}
		if n := in.TargetShardCount; n < 1 || n > MaxShards || n > 2*out.CurrentShardCount || 2*n < out.CurrentShardCount {
			return nil, invalid("UpdateShardCount cannot scale from %d to %d: the target is at least half and at most double the number of open shards, and at most %d.", out.CurrentShardCount, n, MaxShards)
		}
		fresh := uniform(in.TargetShardCount, time.Time{})
		for i := range fresh {
			for index, p := range d.Layout {
				if !p.isClosed() && p.first().Cmp(fresh[i].last()) <= 0 && fresh[i].first().Cmp(p.last()) <= 0 {
					fresh[i].Parents = append(fresh[i].Parents, index)
				}
			}
		}
		return fresh, nil
	})
	return out, err
}
