package dynamodb

import "sync"

// news wakes everybody who waits for something to happen.
type news struct {
	mu      sync.Mutex // guards changed
	changed chan struct{}
}

func newNews() *news { return &news{changed: make(chan struct{})} }

// next returns a channel that closes with the next tell.
func (n *news) next() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.changed
}

// tell wakes all who wait.
func (n *news) tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	close(n.changed)
	n.changed = make(chan struct{})
}
