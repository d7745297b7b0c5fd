package gateway

// lineup keeps the messages of one connection's ordered routes in line: each
// waits for the one before it on the same route. Only the connection's reader
// appends to it, so it needs no lock; and since each message in line holds one of
// the connection's places in flight, no more can wait than there are places.
type lineup map[string]<-chan struct{}

// join puts a message at the end of a route's line. wait returns when all before
// it are done; done lets the next one go. Both must be called, in this order.
func (l *lineup) join(routeKey string) (wait, done func()) {
	before, mine := (*l)[routeKey], make(chan struct{})
	if *l == nil {
		*l = make(lineup)
	}
	(*l)[routeKey] = mine
	wait = func() {
		if before != nil {
			<-before
		}
	}
	return wait, func() { close(mine) }
}
