package conn

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
)

// shardCount is how many parts a hub has, each with a mutex of its own.
const shardCount = 64

// Hub holds the open connections of one node and counts what they do. All
// methods may be called together.
//
// No two of the mutexes here, in lineup, shard, Conn and readyQueue are held at
// once.
type Hub struct {
	limits apigw.Limits
	// epoch is the beginning of the hub's clock, which is monotonic.
	epoch  time.Time
	shards [shardCount]shard
	lineup lineup
	ready  readyQueue
	// assembling is the memory of the messages under way.
	assembling budget
	// counters count what fan-out does, which belongs to no shard.
	counters

	mu sync.Mutex
	// serving is how many calls of Serve have not returned.
	serving int
	// empty, once the hub drains, is closed when serving is 0.
	empty    chan struct{}
	draining *Reason
	closed   map[string]uint64
}

// shard finds the connections whose ids begin alike, and counts for them.
type shard struct {
	mu   sync.RWMutex
	byID map[apigw.ConnectionID]*Conn

	counters
}

// counters are spread over the shards, so that cores do not share them.
type counters struct {
	opened, refused         atomic.Uint64
	messagesIn, messagesOut atomic.Uint64
	bytesIn, bytesOut       atomic.Uint64
}

func (c *counters) countOut(messages, bytes int) {
	c.messagesOut.Add(uint64(messages))
	c.bytesOut.Add(uint64(bytes))
}

// NewHub returns an empty hub. It starts nothing; Run ends idle connections.
func NewHub(limits apigw.Limits) *Hub {
	h := &Hub{limits: limits, epoch: time.Now(), closed: make(map[string]uint64)}
	h.assembling.limit = assemblyBudget
	for i := range h.shards {
		h.shards[i].byID = make(map[apigw.ConnectionID]*Conn)
	}
	return h
}

// now is the time on the hub's clock, which a step of the wall clock does not
// move. It is never 0.
func (h *Hub) now() int64 { return int64(time.Since(h.epoch)) + 1 }

// at returns the time that the hub's clock calls now.
func (h *Hub) at(now int64) time.Time { return h.epoch.Add(time.Duration(now - 1)) }

// shard uses the id's first byte, which is random.
func (h *Hub) shard(id apigw.ConnectionID) *shard { return &h.shards[id[0]%shardCount] }

// Add enters a connection, so that Get and fan-out find it. Serve does it;
// again is no harm.
func (h *Hub) Add(c *Conn) {
	if !h.lineup.add(c) {
		return
	}
	s := c.shard
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byID[c.id] = c
	s.opened.Add(1)
}

// Remove takes a connection out without closing it. Serve does it; again is no
// harm.
func (h *Hub) Remove(c *Conn) {
	if !h.lineup.remove(c) {
		return
	}
	s := c.shard
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byID[c.id] == c {
		delete(s.byID, c.id)
	}
}

// Get returns the connection with the id, or nil. One that is closing is still
// found until it has left.
func (h *Hub) Get(id apigw.ConnectionID) *Conn {
	s := h.shard(id)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byID[id]
}

// Len returns the number of connections.
func (h *Hub) Len() int { return h.lineup.len() }

// All yields the connections, in no order that means anything. No lock is held
// meanwhile: those that come or leave during the loop may be missed or yielded.
func (h *Hub) All() iter.Seq[*Conn] {
	return func(yield func(*Conn) bool) {
		var conns []*Conn
		for at := 0; at >= 0; {
			conns, at = h.lineup.chunk(conns[:0], at)
			for _, c := range conns {
				if !yield(c) {
					return
				}
			}
		}
	}
}

// live returns the connection that takes messages under this id.
func (h *Hub) live(id apigw.ConnectionID) (*Conn, error) {
	c := h.Get(id)
	if c == nil || c.Closing() {
		return nil, apigw.ErrGone
	}
	return c, nil
}

// Send sends one message; see Conn.Send for its errors. It never waits for the
// client, so it does not look at the context.
func (h *Hub) Send(_ context.Context, id apigw.ConnectionID, data []byte) error {
	c, err := h.live(id)
	if err != nil {
		return err
	}
	return c.Send(data)
}

// Info tells about a connection, or returns apigw.ErrGone.
func (h *Hub) Info(_ context.Context, id apigw.ConnectionID) (apigw.ConnectionInfo, error) {
	c, err := h.live(id)
	if err != nil {
		return apigw.ConnectionInfo{}, err
	}
	return c.Info(), nil
}

// Delete closes a connection with 1000 and returns without waiting. For one
// that is closing or gone it returns apigw.ErrGone.
func (h *Hub) Delete(_ context.Context, id apigw.ConnectionID) error {
	c, err := h.live(id)
	if err == nil && !c.close(Kicked) {
		err = apigw.ErrGone
	}
	return err
}

// Broadcast sends a message to every connection and returns how many have taken
// it; those that are closing or full have not. It writes nothing itself: it
// queues the message everywhere and leaves the writing to the hub's flushers,
// so that messages which follow each other faster than the kernel takes them
// share their writes.
func (h *Hub) Broadcast(m *Prepared) (sent int) {
	now := h.now()
	var conns [lineupChunk]*Conn
	for at := 0; at >= 0; {
		var chunk []*Conn
		chunk, at = h.lineup.chunk(conns[:0], at)
		sent += h.offerAll(chunk, m, now)
	}
	return sent
}

func (h *Hub) offerAll(conns []*Conn, m *Prepared, now int64) (sent int) {
	var batch readyBatch
	for _, c := range conns {
		if c.offer(m, now, &batch) {
			sent++
		}
	}
	h.countOut(sent, sent*m.payload)
	h.refused.Add(uint64(len(conns) - sent))
	h.ready.addBatch(batch)
	return sent
}

// offer queues a message and, if nobody writes to the connection, puts it into
// the batch.
func (c *Conn) offer(m *Prepared, now int64, batch *readyBatch) bool {
	write, err := c.enqueue(m.formFor(c), now)
	if write {
		batch.add(c)
	}
	return err == nil
}

// enter counts a call of Serve in. A draining hub closes newcomers at once.
func (h *Hub) enter(c *Conn) {
	h.mu.Lock()
	h.serving++
	h.mu.Unlock()
	h.Add(c)
	// Only now: a Drain that has begun before is seen here, and one that begins
	// later finds the connection.
	h.mu.Lock()
	why := h.draining
	h.mu.Unlock()
	if why != nil {
		c.close(*why)
	}
}

func (h *Hub) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.serving--
	if h.serving == 0 && h.empty != nil {
		close(h.empty)
		h.empty = nil
	}
}
