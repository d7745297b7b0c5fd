package conn

import "maps"

// Stats are a hub's counters since it was made. They are read one by one, so a
// sum may be a moment older than its parts.
type Stats struct {
	// Opened counts the connections that were entered; Closed those that have
	// ended, by the names of their reasons.
	Opened uint64
	Closed map[string]uint64
	// MessagesIn and BytesIn count what was handed to handlers, MessagesOut and
	// BytesOut what was taken for clients: messages and bytes of payload.
	MessagesIn, MessagesOut uint64
	BytesIn, BytesOut       uint64
	// Refused counts the messages that a connection did not take because it was
	// full or closing.
	Refused uint64
	// Assembling is how many bytes the buffers of messages under way have now.
	Assembling uint64
}

// Stats returns the counters.
func (h *Hub) Stats() Stats {
	var sum Stats
	sum.add(&h.counters)
	sum.Assembling = uint64(h.assembling.used.Load())
	for i := range h.shards {
		sum.add(&h.shards[i].counters)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	sum.Closed = maps.Clone(h.closed)
	return sum
}

func (s *Stats) add(c *counters) {
	s.Opened += c.opened.Load()
	s.Refused += c.refused.Load()
	s.MessagesIn += c.messagesIn.Load()
	s.MessagesOut += c.messagesOut.Load()
	s.BytesIn += c.bytesIn.Load()
	s.BytesOut += c.bytesOut.Load()
}

func (h *Hub) countClosed(why Reason) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed[why.Name]++
}
