package bus

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// MaxFetch is the most messages that one Fetch takes.
const MaxFetch = 10_000

// catchUp is how long a fetch without waiting waits after all when messages are
// there and the consumer does not know of them yet.
const catchUp = 250 * time.Millisecond

// fetchGrace is how much later than the server a fetch ends by itself.
const fetchGrace = time.Second

// afterCancel is when a message comes back that was on its way to a fetch whose
// context had ended. Fetches often end together, when a process stops: the server
// would send it from one to the next, and count each time.
const afterCancel = 50 * time.Millisecond

// ackTimeout is how long an acknowledgement waits for its answer before it
// takes the slower way.
const ackTimeout = time.Second

// Receipt names one delivery of a message to the server. It stays good across
// restarts, and after a redelivery too.
type Receipt struct {
	// Sequence is the message's number in its queue.
	Sequence uint64
	// AckSubject is where the server listens for news of this delivery.
	AckSubject string
}

// Delivery is one message, fetched.
type Delivery struct {
	Receipt
	Data []byte
	// Lease has the delivery's number and times.
	Lease
}

// Fetch takes up to most messages (at most MaxFetch). It returns as soon as there
// is one, with none when wait is over, and with ctx's error when ctx ends; what
// the server had sent by then goes back as if it never left. Without a wait it
// takes what is there. Waiting fetches are served in order of arrival; more than
// MaxWaiting of them get ErrBusy.
func (q *WorkQueue) Fetch(ctx context.Context, most int, wait time.Duration) ([]Delivery, error) {
	if q.leases.full() { // of messages that grew too old; rare, as the limit doubles
		if err := q.prune(ctx); err != nil {
			return nil, wrap("fetch from "+q.name, err)
		}
	}
	fetch := q.fetchNow
	if wait > 0 {
		fetch = func(ctx context.Context, most int) ([]Delivery, error) { return q.await(ctx, most, wait) }
	}
	got, err := fetch(ctx, min(max(most, 1), MaxFetch))
	return got, wrap("fetch from "+q.name, err)
}

// fetchNow does not take the consumer's word that there is nothing: the server
// acknowledges a publish just before it tells its consumers of the message.
func (q *WorkQueue) fetchNow(ctx context.Context, most int) ([]Delivery, error) {
	got, err := q.pull(ctx, pullRequest{Batch: most, NoWait: true})
	if errors.Is(err, errOvertaken) {
		return nil, nil
	}
	if err != nil || len(got) > 0 {
		return got, err
	}
	counts, err := q.Counts(ctx)
	if err != nil || counts.Ready == 0 {
		return nil, err
	}
	return q.await(ctx, most, catchUp)
}

func (q *WorkQueue) await(ctx context.Context, most int, wait time.Duration) ([]Delivery, error) {
	start := time.Now()
	got, err := q.pull(ctx, pullRequest{Batch: most, NoWait: true, Expires: wait})
	if !errors.Is(err, errOvertaken) {
		return got, err
	}
	// Others wait for what is there. Stand behind them, for one message: a pull
	// that is not one-shot would wait for its whole batch.
	wait -= time.Since(start)
	if wait < time.Millisecond {
		return nil, nil
	}
	return q.pull(ctx, pullRequest{Batch: 1, Expires: wait})
}

// pullRequest is the body of a pull. NoWait together with Expires waits for the
// first message and then takes what else is there.
type pullRequest struct {
	Batch   int           `json:"batch"`
	Expires time.Duration `json:"expires,omitempty"`
	NoWait  bool          `json:"no_wait,omitempty"`
}

// errOvertaken: a no-wait pull was refused because others wait already.
var errOvertaken = errors.New("other fetches wait")

// errDone: the server has ended the pull.
var errDone = errors.New("pull is over")

func (q *WorkQueue) pull(ctx context.Context, pull pullRequest) ([]Delivery, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	body, _ := json.Marshal(pull)
	// Two more than the batch: no status is ever dropped for want of room.
	in := make(chan *nats.Msg, pull.Batch+2)
	inbox := q.bus.conn.NewInbox()
	sub, err := q.bus.conn.ChanSubscribe(inbox, in)
	if err != nil {
		return nil, err
	}
	next := "$JS.API.CONSUMER.MSG.NEXT." + q.name + "." + consumer
	if err := q.bus.conn.PublishRequest(next, inbox, body); err != nil {
		sub.Unsubscribe()
		return nil, err
	}
	got, err := q.gather(ctx, in, pull)
	if endedByServer(err) {
		sub.Unsubscribe()
		return got, err
	}
	got = append(got, q.cancel(sub, in)...)
	if errors.Is(err, errTimeout) {
		return got, nil
	}
	for _, d := range got {
		q.giveBack(d, `-NAK {"delay":`+strconv.FormatInt(int64(afterCancel), 10)+`}`)
	}
	return nil, err
}

// endedByServer reports whether the server has forgotten the pull already.
func endedByServer(err error) bool {
	return err == nil || errors.Is(err, errOvertaken) || errors.Is(err, ErrNoQueue) || errors.Is(err, ErrBusy)
}

// errTimeout: the server did not end a pull in time.
var errTimeout = errors.New("the server is late")

// gather collects until the batch is full or the server ends the pull.
func (q *WorkQueue) gather(ctx context.Context, in <-chan *nats.Msg, pull pullRequest) ([]Delivery, error) {
	late := time.NewTimer(pull.Expires + fetchGrace)
	defer late.Stop()
	var got []Delivery
	for len(got) < pull.Batch {
		select {
		case msg := <-in:
			d, err := q.delivery(msg)
			if errors.Is(err, errDone) {
				return got, nil
			}
			if err != nil {
				return got, err
			}
			got = append(got, d)
		case <-ctx.Done():
			return got, ctx.Err()
		case <-q.bus.done:
			return got, ErrClosed
		case <-late.C:
			return got, errTimeout
		}
	}
	return got, nil
}

// cancel withdraws a pull and returns what the server had sent by then: once
// the flush is answered, nothing more can be on its way.
func (q *WorkQueue) cancel(sub *nats.Subscription, in <-chan *nats.Msg) []Delivery {
	sub.Drain()
	q.bus.conn.FlushTimeout(time.Second)
	var late []Delivery
	for {
		select {
		case msg := <-in:
			if d, err := q.delivery(msg); err == nil {
				late = append(late, d)
			}
		default:
			return late
		}
	}
}

// delivery reads what a pull brought: a message, or a status that ends it.
func (q *WorkQueue) delivery(msg *nats.Msg) (Delivery, error) {
	if status := msg.Header.Get("Status"); status != "" && len(msg.Data) == 0 {
		return Delivery{}, pullStatus(status, msg.Header.Get("Description"))
	}
	meta, err := msg.Metadata()
	if err != nil {
		return Delivery{}, fmt.Errorf("read delivery: %w", err)
	}
	until := time.Now().Add(q.Config().AckWait)
	lease := q.leases.take(meta.Sequence.Stream, int(meta.NumDelivered), until)
	return Delivery{Receipt{meta.Sequence.Stream, msg.Reply}, msg.Data, lease}, nil
}

// pullStatus says what a status means; the texts are the server's.
func pullStatus(status, description string) error {
	switch {
	case status == "408" && description == "Requests Pending":
		return errOvertaken
	case status == "404", status == "408":
		return errDone
	case status == "409" && description == "Exceeded MaxWaiting":
		return ErrBusy
	case status == "409" && description == "Server Shutdown":
		return ErrClosed
	case status == "409", status == "503":
		return ErrNoQueue
	}
	return fmt.Errorf("pull ended with status %s %s", status, description)
}

// Return gives back deliveries that reached nobody: they are ready at once and
// this process does not count them.
func (q *WorkQueue) Return(deliveries []Delivery) {
	for _, d := range deliveries {
		q.giveBack(d, "-NAK")
	}
}

func (q *WorkQueue) giveBack(d Delivery, verb string) {
	q.leases.undo(d.Sequence)
	q.bus.conn.Publish(d.AckSubject, []byte(verb))
}

// Ack deletes messages for good and returns when the store knows, even when ctx
// ends before. A message that is gone already is no error.
func (q *WorkQueue) Ack(ctx context.Context, receipts ...Receipt) error {
	if len(receipts) == 0 {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	err := q.tell(ctx, receipts, []byte("+ACK"))
	if errors.Is(err, context.DeadlineExceeded) {
		err = q.remove(ctx, receipts)
	}
	if err == nil {
		q.leases.end(receipts)
	}
	return wrap("acknowledge in "+q.name, err)
}

// Hide lets messages come back after d instead of when they would have,
// counted from now; zero means at once. It returns when the server knows. What
// is acknowledged, or came back and was not fetched again, is left alone.
func (q *WorkQueue) Hide(ctx context.Context, d time.Duration, receipts ...Receipt) error {
	if len(receipts) == 0 {
		return nil
	}
	q.leases.hide(receipts, time.Now().Add(d))
	verb := []byte("-NAK") // with a delay of zero it would take 10 ms
	if d > 0 {
		verb = append(verb, ` {"delay":`+strconv.FormatInt(int64(d), 10)+`}`...)
	}
	return wrap("hide in "+q.name, q.tell(ctx, receipts, verb))
}

// tell sends a verb about every receipt and waits for the answer to the last.
// The server works through a queue's verbs in order, so that one answers for
// all; it is the one with the highest sequence, see Ack.
func (q *WorkQueue) tell(ctx context.Context, receipts []Receipt, verb []byte) error {
	receipts = slices.Clone(receipts)
	slices.SortFunc(receipts, func(a, b Receipt) int { return cmp.Compare(a.Sequence, b.Sequence) })
	last := len(receipts) - 1
	for _, r := range receipts[:last] {
		if err := q.bus.conn.Publish(r.AckSubject, verb); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	_, err := q.bus.conn.RequestWithContext(ctx, receipts[last].AckSubject, verb)
	return err
}

// remove deletes messages by their sequence. The server ignores, without an
// answer, the acknowledgement of a delivery that it does not know of: that of
// a message handed out in the last moments before the process was killed.
func (q *WorkQueue) remove(ctx context.Context, receipts []Receipt) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	for _, r := range receipts {
		err := q.stream.DeleteMsg(ctx, r.Sequence)
		if err == nil {
			continue
		}
		if held, lookup := q.Holds(ctx, r.Sequence); held || lookup != nil {
			return fmt.Errorf("remove message %d: %w", r.Sequence, err)
		}
	}
	return nil
}

// Holds reports whether the message is still in the queue.
func (q *WorkQueue) Holds(ctx context.Context, sequence uint64) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	_, err := q.stream.GetMsg(ctx, sequence)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return false, nil
	}
	return err == nil, wrap("look up a message of "+q.name, err)
}
