package function

import "sync"

// strays ends the processes that have left their function's process group, as a
// daemon does with setsid: no signal to the group reaches them. They are known
// by their environment, where the name of the sandbox's log stream is, which no
// other sandbox has. Only Linux tells the environment of a process; and one
// that has thrown its environment away is not found.
type strays struct {
	looking sync.Mutex // held while processes are looked through

	mu   sync.Mutex
	next *search // those who come while another search runs share one
}

// search is one look through all processes.
type search struct {
	marks []string
	done  chan struct{}
}

// end kills every process that has the mark, "NAME=value", in its environment
// and returns when that is done. Sandboxes that end together share the work.
func (s *strays) end(mark string) {
	s.mu.Lock()
	mine := s.next
	first := mine == nil
	if first {
		mine = &search{done: make(chan struct{})}
		s.next = mine
	}
	mine.marks = append(mine.marks, mark)
	s.mu.Unlock()
	if !first {
		<-mine.done
		return
	}
	defer close(mine.done)
	s.looking.Lock()
	defer s.looking.Unlock()
	s.mu.Lock()
	s.next = nil
	s.mu.Unlock()
	killMarked(mine.marks)
}
