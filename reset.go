package gatepost

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gatepost-dev/gatepost/internal/eventsource"
	"github.com/gatepost-dev/gatepost/internal/function"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
)

// ResetOptions say how far a reset goes beyond what services keep.
type ResetOptions struct {
	// CloseConnections closes all clients first (1000) and lets their $disconnect
	// run. Otherwise they stay connected.
	CloseConnections bool
	// KeepFunctions leaves the processes of functions alone, with what they have in
	// memory. Otherwise they end, and the next event starts new ones.
	KeepFunctions bool
}

// ResetReport says what a reset has done.
type ResetReport struct {
	Tables Emptied `json:"tables"`
	Queues Emptied `json:"queues"`
	Topics Emptied `json:"topics"`
	// Streams are those of Kinesis; the streams of tables belong to Tables.
	Streams Emptied `json:"streams"`
	// Invocations is how many asynchronous invocations waited and were dropped.
	Invocations int `json:"invocations"`
	// Processes is how many processes of functions were ended, CutOff how many
	// invocations had not come to their end after a second and failed.
	Processes int `json:"processes"`
	CutOff    int `json:"cutOff"`
	// Connections is how many clients were closed.
	Connections int `json:"connections"`
	// Elsewhere are the services that somebody else runs: nothing was done there.
	Elsewhere []string `json:"elsewhere,omitempty"`
	// Milliseconds is how long it took.
	Milliseconds int64 `json:"milliseconds"`
}

// Emptied counts the things of one kind.
type Emptied struct {
	// Kept are those of the stack: they are there, and empty. Removed are those
	// that calls had made.
	Kept    int `json:"kept"`
	Removed int `json:"removed"`
}

// restWithin is how long a reset waits for functions that work before it holds
// back new invocations, and once more before it cuts off what still runs.
// endingWithin bounds its waits for calls and deliveries under way.
const (
	restWithin   = 500 * time.Millisecond
	endingWithin = 500 * time.Millisecond
)

// errEnding is the error of a reset or a change at the end of the server.
var errEnding = errors.New("the server is ending")

// Reset brings everything that is kept back to the first start, for the time
// between two tests: items, messages, stream records, and what was made by calls
// are gone; tables, queues and topics of the stack are there and empty, with the
// settings that the stack gives them; asynchronous invocations that wait are
// dropped; nobody remembers deduplication ids and tokens.
//
// It may be called at any time, whatever runs, and by several goroutines: they take
// turns. Invocations and AWS calls that come meanwhile wait, and find everything
// empty; no function that got its event before goes on after. The connections' own
// state, logs and what the services count since their start are not reset, and neither is a service that runs elsewhere. Once it has begun to empty
// it does so to the end, whatever becomes of ctx. It may be called after Ready; from
// a function of the stack it would wait for that function to its cut-off.
func (s *Server) Reset(ctx context.Context, o ResetOptions) (ResetReport, error) {
	return s.house.reset(ctx, o)
}

// reset takes its turn and resets.
func (h *house) reset(ctx context.Context, o ResetOptions) (ResetReport, error) {
	ctx, done, err := h.takeTurn(ctx)
	if err != nil {
		return ResetReport{}, err
	}
	defer done()
	started := time.Now()
	r, err := h.resetAlone(ctx, o)
	r.Milliseconds = time.Since(started).Milliseconds()
	h.feed.Record(telemetry.Event{Kind: telemetry.Reset, Duration: time.Since(started), Failed: err != nil, Text: r.String()})
	return r, err
}

// resetAlone goes from the outside in: clients, then what brings functions
// events, then the functions, and, when nobody works any more, what services keep.
func (h *house) resetAlone(ctx context.Context, o ResetOptions) (r ResetReport, err error) {
	if o.CloseConnections {
		r.Connections = h.closeConnections(ctx)
	}
	h.tasks.end()
	h.rest(ctx)
	if ctx.Err() != nil {
		return r, errors.Join(h.pollAgain(), ctx.Err())
	}
	hold, cancel := context.WithTimeout(ctx, restWithin)
	defer cancel()
	done := h.functions.Renew(hold, function.Renewal{KeepIdle: o.KeepFunctions}, func() {
		h.cutBatches()
		h.polling.Wait()
		open := h.calls.hold(endingWithin)
		defer open()
		err = h.empty(context.WithoutCancel(ctx), &r)
	})
	h.renewLimits()
	r.Processes, r.CutOff = done.Sandboxes, done.CutOff
	r.Elsewhere = slices.Sorted(maps.Keys(h.elsewhere))
	return r, errors.Join(err, h.pollAgain())
}

// rest lets functions come to an end by themselves.
func (h *house) rest(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, restWithin)
	defer cancel()
	h.functions.Rest(ctx)
}

// pollAgain starts the mappings anew, unless the server is ending.
func (h *house) pollAgain() error {
	h.polling.Wait()
	select {
	case <-h.draining:
		return errEnding
	default:
		return h.pollSources()
	}
}

// closeConnections closes all clients and waits until the last one has left.
func (h *house) closeConnections(ctx context.Context) (closed int) {
	ctx, cancel := context.WithTimeout(ctx, 2*endingWithin)
	defer cancel()
	for _, a := range h.apis {
		for c := range a.hub.All() {
			if a.hub.Delete(ctx, c.ID()) == nil {
				closed++
			}
		}
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for slices.ContainsFunc(h.apis, func(a *api) bool { return a.hub.Len() > 0 }) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return closed
		}
	}
	return closed
}

// resettable is a service that can be emptied.
type resettable interface {
	// Len is the number of tables, queues, topics or streams of all regions and accounts.
	Len() int
	Reset(ctx context.Context) error
}

// empty empties the services. Invocations come first, because they send to queues
// and topics; topics come before queues, to which they deliver, and may have made
// invocations until they were empty.
func (h *house) empty(ctx context.Context, r *ResetReport) error {
	var errs []error
	dropInvocations := func() {
		n, err := h.lambda.Reset(ctx)
		r.Invocations += n
		errs = append(errs, err)
	}
	dropInvocations()
	errs = append(errs, emptyService(ctx, declaredTopics{h.topics, h}, &r.Topics))
	dropInvocations()
	errs = append(errs, emptyService(ctx, h.queues, &r.Queues))
	errs = append(errs, emptyService(ctx, h.tables, &r.Tables), emptyService(ctx, h.kinesis, &r.Streams), h.forgetPositions(ctx))
	return errors.Join(errs...)
}

// forgetPositions has mappings begin at the start of the streams, which are empty.
func (h *house) forgetPositions(ctx context.Context) error {
	checkpoints, err := h.bus.EnsureBucket(ctx, checkpointBucket, 0)
	if err != nil {
		return fmt.Errorf("open the checkpoints: %w", err)
	}
	return eventsource.ForgetPositions(ctx, checkpoints)
}

func emptyService(ctx context.Context, s resettable, report *Emptied) error {
	before := s.Len()
	err := s.Reset(ctx)
	report.Kept = s.Len()
	report.Removed = max(0, before-report.Kept)
	return err
}

// String is the report in a line.
func (r ResetReport) String() string {
	return fmt.Sprintf("%d tables, %d queues, %d topics and %d streams are empty; %d, %d, %d and %d were removed; %d invocations dropped, %d cut off",
		r.Tables.Kept, r.Queues.Kept, r.Topics.Kept, r.Streams.Kept, r.Tables.Removed, r.Queues.Removed, r.Topics.Removed, r.Streams.Removed, r.Invocations, r.CutOff)
}

// takeTurn waits until nobody else resets or changes what runs. The context that
// it returns ends with the server too; done must be called.
func (h *house) takeTurn(ctx context.Context) (_ context.Context, done func(), err error) {
	select {
	case <-h.draining: // whoever else has the turn
		return nil, nil, errEnding
	default:
	}
	select {
	case h.turn <- struct{}{}:
	case <-h.draining:
		return nil, nil, errEnding
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	ctx, cancel := context.WithCancel(ctx)
	waiting := make(chan struct{})
	go func() {
		select {
		case <-h.draining:
			cancel()
		case <-waiting:
		}
	}()
	return ctx, func() { close(waiting); cancel(); <-h.turn }, nil
}

// noMoreTurns ends the turn that somebody has and lets no other begin.
func (h *house) noMoreTurns(ctx context.Context) {
	close(h.draining)
	select {
	case h.turn <- struct{}{}: // for good
	case <-ctx.Done():
	}
}

// batches runs functions for the mappings, until a reset cuts them off.
type batches struct {
	*function.Host
	cut context.Context
}

// Invoke runs a function with a batch.
func (b batches) Invoke(ctx context.Context, name string, event []byte) ([]byte, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(b.cut, cancel)()
	return b.Host.Invoke(ctx, name, event)
}

// newBatches begins what cutBatches ends.
func (h *house) newBatches() batches {
	var b batches
	b.Host = h.functions
	b.cut, h.cutBatches = context.WithCancel(context.Background())
	return b
}
