package sqs

// attempts are the latest receives by their ReceiveRequestAttemptId: a receive
// whose answer was lost can be repeated for five minutes and gets the same
// messages. They end with the process; then the messages come again in their time.
type attempts struct {
	byID    map[string]*attempt
	inOrder []*attempt
}

type attempt struct {
	id      string
	at      int64
	letters []*letter
	// until is how long the receive hid the letters. With any other time they
	// were changed since or received again.
	until int64
}

// add remembers a receive; without an id it does nothing.
func (a *attempts) add(id string, letters []*letter, now, until int64) {
	if id == "" {
		return
	}
	a.prune(now)
	if a.byID == nil {
		a.byID = make(map[string]*attempt)
	}
	one := &attempt{id: id, at: now, letters: letters, until: until}
	a.byID[id], a.inOrder = one, append(a.inOrder, one)
}

// repeat returns the letters of an earlier receive of that id that still has all
// of them, or nil. They are to be hidden until then.
func (a *attempts) repeat(id string, now, until int64) []*letter {
	a.prune(now)
	one := a.byID[id]
	if one == nil {
		return nil
	}
	for _, l := range one.letters {
		if l.gone || l.flight.Until != one.until || one.until <= now {
			delete(a.byID, id)
			return nil
		}
	}
	one.until = until
	return one.letters
}

func (a *attempts) prune(now int64) {
	for len(a.inOrder) > 0 && a.inOrder[0].at <= now-deduplication.Milliseconds() {
		if one := a.inOrder[0]; a.byID[one.id] == one {
			delete(a.byID, one.id)
		}
		a.inOrder = a.inOrder[1:]
	}
}
