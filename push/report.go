package push

// Report says what became of one message.
type Report struct {
	// Sent counts the connections that API Gateway took the message for. That
	// is not yet a client that has read it.
	Sent int
	// Gone counts the connections that were closed; their rows are pruned.
	Gone int
	// Failed names the connections that the message could not be posted to.
	Failed []Failure
	// Remaining names the connections that were left when the context ended.
	// One whose post was under way may have got the message.
	Remaining []string
	// Unread is true when the roster was not read to its end, so that there
	// may be more connections left than Remaining names.
	Unread bool
	// Err is why the publish as a whole did not finish: ErrTooLarge, the
	// roster's error, or the context's. Connections that failed are no such
	// reason.
	Err error
}

// Failure is one connection that a message could not be posted to.
type Failure struct {
	ConnectionID string
	Err          error
}

// Complete reports whether the message has reached every live connection of
// its target.
func (r *Report) Complete() bool {
	return r.Err == nil && len(r.Failed) == 0 && len(r.Remaining) == 0 && !r.Unread
}

// Undelivered returns the ids of the connections that another publish would
// have to reach: Failed and Remaining. Those are all of them unless Unread is
// true.
func (r *Report) Undelivered() []string {
	ids := make([]string, 0, len(r.Failed)+len(r.Remaining))
	for _, f := range r.Failed {
		ids = append(ids, f.ConnectionID)
	}
	return append(ids, r.Remaining...)
}
