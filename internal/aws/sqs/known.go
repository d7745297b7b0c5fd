package sqs

import "time"

// deduplication is how long a FIFO queue remembers what was sent to it (SQS
// developer guide, "Using the Amazon SQS message deduplication ID").
const deduplication = 5 * time.Minute

// known is a message that a FIFO queue remembers, even when it is deleted.
type known struct {
	Group string `json:"g"`
	Dedup string `json:"d"`
	ID    string `json:"id"`
	// Sequence is its number in the store; the SequenceNumber is made of it.
	Sequence uint64 `json:"s"`
	// At is when it was sent, in milliseconds since the epoch.
	At int64 `json:"t"`

	// settled is closed once the store has answered, and then err says how; nil
	// for what a former process stored.
	settled chan struct{}
	err     error
}

// memory is what was sent to a FIFO queue in the last five minutes.
type memory struct {
	// perGroup is DeduplicationScope messageGroup.
	perGroup bool
	byKey    map[string]*known
	inOrder  []*known
}

func newMemory(perGroup bool) *memory {
	return &memory{perGroup: perGroup, byKey: make(map[string]*known)}
}

func (m *memory) key(k *known) string {
	if m.perGroup {
		return k.Group + "\n" + k.Dedup // neither has a line break
	}
	return k.Dedup
}

// find returns the message that one like k would repeat, or nil.
func (m *memory) find(k *known, now int64) *known {
	m.prune(now)
	return m.byKey[m.key(k)]
}

func (m *memory) add(k *known) {
	m.byKey[m.key(k)] = k
	m.inOrder = append(m.inOrder, k)
}

// forget forgets a message that was not stored after all.
func (m *memory) forget(k *known) {
	if key := m.key(k); m.byKey[key] == k {
		delete(m.byKey, key)
	}
}

func (m *memory) prune(now int64) {
	n := 0
	for n < len(m.inOrder) && m.inOrder[n].At <= now-deduplication.Milliseconds() {
		m.forget(m.inOrder[n])
		m.inOrder[n] = nil
		n++
	}
	m.inOrder = m.inOrder[n:]
}

// rescope changes what counts as the same message.
func (m *memory) rescope(perGroup bool) {
	if m.perGroup == perGroup {
		return
	}
	m.perGroup, m.byKey = perGroup, make(map[string]*known)
	for _, k := range m.inOrder {
		m.byKey[m.key(k)] = k
	}
}
