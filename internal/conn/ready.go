package conn

import (
	"runtime"
	"sync"
)

// flusherBatch is how many connections a flusher takes from the queue at once.
const flusherBatch = 64

// readyQueue holds connections with pending messages that nobody is writing, in
// order, and writes them in at most GOMAXPROCS goroutines, which exist only
// while there is work. While they are behind, further messages for a waiting
// connection join those before: the busier the node, the fewer the writes.
type readyQueue struct {
	mu       sync.Mutex
	batch    readyBatch
	flushers int
	// idle, if somebody waits for it, is closed when the last flusher ends.
	idle chan struct{}
}

// readyBatch is a list linked through Conn.nextReady.
type readyBatch struct {
	head, tail *Conn
	n          int
}

func (b *readyBatch) add(c *Conn) {
	if b.tail == nil {
		b.head = c
	} else {
		b.tail.nextReady = c
	}
	b.tail = c
	b.n++
}

func (b *readyBatch) join(other readyBatch) {
	if b.tail == nil {
		*b = other
		return
	}
	b.tail.nextReady = other.head
	b.tail = other.tail
	b.n += other.n
}

// take splits up to n connections off the front.
func (b *readyBatch) take(n int) (front readyBatch) {
	for b.head != nil && front.n < n {
		c := b.head
		b.head, c.nextReady = c.nextReady, nil
		front.add(c)
	}
	if b.n -= front.n; b.head == nil {
		b.tail = nil
	}
	return front
}

// add takes over the writer's role for a connection.
func (q *readyQueue) add(c *Conn) { q.addBatch(readyBatch{c, c, 1}) }

func (q *readyQueue) addBatch(batch readyBatch) {
	if batch.n == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.batch.join(batch)
	for q.flushers*flusherBatch < q.batch.n && q.flushers < runtime.GOMAXPROCS(0) {
		q.flushers++
		go q.flush()
	}
}

// flush writes until the queue is empty. It yields after every batch, half a
// millisecond or so: for the others' sake, and because the runtime takes the
// processor away from who holds it for 10 ms, which costs far more.
func (q *readyQueue) flush() {
	for {
		batch := q.next()
		if batch.n == 0 {
			return
		}
		for c := batch.head; c != nil; {
			next := c.nextReady
			c.nextReady = nil
			c.flush()
			c = next
		}
		runtime.Gosched()
	}
}

// next returns what a flusher has to do now. After an empty batch it has ended.
func (q *readyQueue) next() readyBatch {
	q.mu.Lock()
	defer q.mu.Unlock()
	batch := q.batch.take(flusherBatch)
	if batch.n > 0 {
		return batch
	}
	q.flushers--
	if q.flushers == 0 && q.idle != nil {
		close(q.idle)
		q.idle = nil
	}
	return batch
}

// wait returns when there are no flushers.
func (q *readyQueue) wait() {
	for idle := q.untilIdle(); idle != nil; idle = q.untilIdle() {
		<-idle
	}
}

func (q *readyQueue) untilIdle() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.flushers > 0 && q.idle == nil {
		q.idle = make(chan struct{})
	}
	return q.idle
}

// flush writes once, as a flusher: others wait behind this connection.
func (c *Conn) flush() {
	if !c.sock.plain() {
		go c.drainStream()
		return
	}
	switch c.writeOnce() {
	case moreToDo:
		c.hub.ready.add(c)
	case socketFull:
		go c.drainSocket()
	}
}
