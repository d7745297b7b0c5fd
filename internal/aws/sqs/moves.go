package sqs

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gatepost-dev/gatepost/internal/bus"
	"github.com/gatepost-dev/gatepost/internal/uuid"
)

// Message move tasks: StartMessageMoveTask and its companions (API reference).

// The states of a task.
const (
	moveRunning    = "RUNNING"
	moveCompleted  = "COMPLETED"
	moveCancelling = "CANCELLING"
	moveCancelled  = "CANCELLED"
	moveFailed     = "FAILED"
)

// maxMoves is how many tasks of a queue are listed and remembered, and maxMoveRate
// the highest MaxNumberOfMessagesPerSecond.
const (
	maxMoves    = 10
	maxMoveRate = 500
)

// moves are the message move tasks of all queues. They are stored: one that was
// running when the process ended goes on at the next start.
type moves struct {
	store   *bus.Bucket
	running sync.WaitGroup

	mu    sync.Mutex
	tasks map[string]*moveTask
}

// moveTask is one task. The service's moves.mu guards it.
type moveTask struct {
	Handle      string `json:"handle"`
	Source      string `json:"source"`
	Destination string `json:"destination,omitempty"` // "" for where each message came from
	PerSecond   int    `json:"perSecond,omitempty"`
	Status      string `json:"status"`
	Failure     string `json:"failure,omitempty"`
	Moved       int64  `json:"moved"`
	ToMove      int64  `json:"toMove"`
	Started     int64  `json:"started"` // milliseconds since the epoch

	cancel context.CancelFunc
	// forgotten says that the end of the task is not to be stored.
	forgotten bool
}

// loadMoves goes on with the tasks of a former process.
func (s *Service) loadMoves(ctx context.Context) (err error) {
	s.moves.tasks = make(map[string]*moveTask)
	if s.moves.store, err = s.config.Bus.EnsureBucket(ctx, "SQS-moves", 0); err != nil {
		return err
	}
	stored, err := s.moves.store.All(ctx)
	if err != nil {
		return err
	}
	for handle, text := range stored {
		t := new(moveTask)
		if err := json.Unmarshal(text, t); err != nil {
			return fmt.Errorf("task %s: %w", handle, err)
		}
		s.moves.tasks[handle] = t
		if t.Status == moveRunning || t.Status == moveCancelling {
			s.run(t)
		}
	}
	return nil
}

// run starts a task's work. Call before others see the task, or with moves.mu held.
func (s *Service) run(t *moveTask) {
	ctx, cancel := context.WithCancel(s.ctx)
	t.cancel = cancel
	if t.Status == moveCancelling {
		cancel()
	}
	s.moves.running.Go(func() {
		defer cancel()
		err := s.work(ctx, t)
		if s.ctx.Err() != nil {
			return // it goes on at the next start
		}
		s.moves.mu.Lock()
		defer s.moves.mu.Unlock()
		switch {
		case t.Status == moveCancelling:
			t.Status = moveCancelled
		case err != nil:
			t.Status, t.Failure = moveFailed, err.Error()
		default:
			t.Status = moveCompleted
		}
		if t.forgotten {
			return
		}
		if err := s.keepMove(s.ctx, t); err != nil {
			s.config.Log.Error("the end of a message move task cannot be stored", "source", t.Source, "error", err)
		}
	})
}

// moveBatch is how many messages a task takes at a time.
const moveBatch = 10

// work moves what can be received until there is nothing more.
func (s *Service) work(ctx context.Context, t *moveTask) error {
	var pause time.Duration
	most := moveBatch
	if t.PerSecond > 0 {
		pause, most = time.Second/time.Duration(t.PerSecond), 1
	}
	for ctx.Err() == nil {
		source, err := s.byARN(t.Source)
		if err != nil {
			return err
		}
		got, err := source.line.take(ctx, most)
		if err != nil || len(got) == 0 {
			return err
		}
		if err := s.moveBack(ctx, t, source, got); err != nil {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

// moveBack moves messages; at the first that cannot be moved it gives back the
// rest.
func (s *Service) moveBack(ctx context.Context, t *moveTask, source *queue, got []held) error {
	for i, h := range got {
		to, err := s.byARN(cmp.Or(t.Destination, h.Source))
		if err == nil {
			err = source.move(ctx, h.renewed(), to)
		}
		if err != nil {
			for _, left := range got[i:] {
				left.back()
			}
			return err
		}
		s.moves.mu.Lock()
		t.Moved++
		s.moves.mu.Unlock()
	}
	return nil
}

// renewed makes a new message of one: a moved message has an id, a time and an age
// of its own (developer guide, "Learn how to configure a dead-letter queue
// redrive").
func (h held) renewed() held {
	e := *h.envelope
	e.ID, e.Sent, e.Source = uuid.New(), time.Now().UnixMilli(), ""
	h.envelope = &e
	h.move = "back-" + h.move
	return h
}

// keepMove stores a task. Call with moves.mu held.
func (s *Service) keepMove(ctx context.Context, t *moveTask) error {
	text, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return s.moves.store.Put(context.WithoutCancel(ctx), t.Handle, text)
}

// tasksOf returns the tasks of a queue, the latest first. Call with moves.mu held.
func (m *moves) tasksOf(source string) (all []*moveTask) {
	for _, t := range m.tasks {
		if t.Source == source {
			all = append(all, t)
		}
	}
	slices.SortFunc(all, func(a, b *moveTask) int {
		return cmp.Or(cmp.Compare(b.Started, a.Started), cmp.Compare(a.Handle, b.Handle))
	})
	return all
}

type startMessageMoveTaskInput struct {
	SourceArn                    string
	DestinationArn               string
	MaxNumberOfMessagesPerSecond *int
}

type startMessageMoveTaskOutput struct {
	TaskHandle string
}

func startMessageMoveTask(ctx context.Context, c *caller, in *startMessageMoveTaskInput) (*startMessageMoveTaskOutput, error) {
	t, source, err := c.checkMove(in)
	if err != nil {
		return nil, err
	}
	counts, err := source.line.counts(ctx)
	if err != nil {
		return nil, err
	}
	t.ToMove = int64(counts.Ready)
	c.moves.mu.Lock()
	defer c.moves.mu.Unlock()
	former := c.moves.tasksOf(t.Source)
	for _, other := range former {
		if other.Status == moveRunning || other.Status == moveCancelling {
			return nil, unsupported("There is already a task running. Only one active task is allowed for a source queue arn at a given time.")
		}
	}
	for _, old := range former[min(len(former), maxMoves-1):] {
		if err := c.moves.store.Delete(ctx, old.Handle); err != nil {
			return nil, err
		}
		delete(c.moves.tasks, old.Handle)
	}
	if err := c.keepMove(ctx, t); err != nil {
		return nil, err
	}
	c.moves.tasks[t.Handle] = t
	c.run(t)
	return &startMessageMoveTaskOutput{t.Handle}, nil
}

// checkMove checks a task and makes it.
func (c *caller) checkMove(in *startMessageMoveTaskInput) (*moveTask, *queue, error) {
	if in.SourceArn == "" {
		return nil, nil, missingParameter("SourceArn")
	}
	source, err := c.resource(in.SourceArn, "SourceArn")
	if err != nil {
		return nil, nil, err
	}
	if len(c.sourcesOf(in.SourceArn)) == 0 {
		return nil, nil, invalidParameter("Source queue must be configured as a Dead Letter Queue.")
	}
	if in.DestinationArn != "" {
		to, err := c.resource(in.DestinationArn, "DestinationArn")
		switch {
		case err != nil:
			return nil, nil, err
		case to == source:
			return nil, nil, invalidParameter("Source queue arn and destination queue arn cannot be the same.")
		case to.record().Address.fifo() != source.record().Address.fifo():
			return nil, nil, invalidParameter("Source queue and destination queue must be of the same type.")
		}
	}
	t := &moveTask{Handle: uuid.New(), Source: in.SourceArn, Destination: in.DestinationArn, Status: moveRunning, Started: time.Now().UnixMilli()}
	if n := in.MaxNumberOfMessagesPerSecond; n != nil {
		if t.PerSecond = *n; *n < 1 || *n > maxMoveRate {
			return nil, nil, invalidParameter("Value %d for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: You must enter a value between 1 and 500.", *n)
		}
	}
	return t, source, nil
}

// resource finds the queue of an ARN.
func (c *caller) resource(arn, parameter string) (*queue, error) {
	at, err := parseARN(arn)
	if err != nil {
		return nil, invalidParameter("Value %s for parameter %s is invalid. Reason: It must be the ARN of a queue.", clip(arn), parameter)
	}
	q, ok := c.lookup(at)
	if !ok {
		return nil, errNoResource("The resource that you specified for the " + parameter + " parameter doesn't exist.")
	}
	return q, nil
}

type listMessageMoveTasksInput struct {
	SourceArn  string
	MaxResults *int
}

type listMessageMoveTasksOutput struct {
	Results []moveTaskEntry `query:"ListMessageMoveTasksResultEntry,flat"`
}

type moveTaskEntry struct {
	// TaskHandle is only of running tasks, as only those can be cancelled.
	TaskHandle                        string `json:",omitempty"`
	Status                            string
	SourceArn                         string
	DestinationArn                    string `json:",omitempty"`
	MaxNumberOfMessagesPerSecond      *int   `json:",omitempty"`
	ApproximateNumberOfMessagesMoved  int64
	ApproximateNumberOfMessagesToMove int64
	FailureReason                     string `json:",omitempty"`
	StartedTimestamp                  int64
}

func listMessageMoveTasks(_ context.Context, c *caller, in *listMessageMoveTasksInput) (*listMessageMoveTasksOutput, error) {
	if in.SourceArn == "" {
		return nil, missingParameter("SourceArn")
	}
	most := 1
	if n := in.MaxResults; n != nil {
		if most = *n; most < 1 || most > maxMoves {
			return nil, invalidParameter("Value %d for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and 10, if provided.", most)
		}
	}
	if _, err := c.resource(in.SourceArn, "SourceArn"); err != nil {
		return nil, err
	}
	c.moves.mu.Lock()
	defer c.moves.mu.Unlock()
	all := c.moves.tasksOf(in.SourceArn)
	out := &listMessageMoveTasksOutput{Results: []moveTaskEntry{}}
	for _, t := range all[:min(most, len(all))] {
		out.Results = append(out.Results, t.entry())
	}
	return out, nil
}

func (t *moveTask) entry() moveTaskEntry {
	e := moveTaskEntry{Status: t.Status, SourceArn: t.Source, DestinationArn: t.Destination, FailureReason: t.Failure,
		ApproximateNumberOfMessagesMoved: t.Moved, ApproximateNumberOfMessagesToMove: max(t.ToMove, t.Moved), StartedTimestamp: t.Started}
	if t.Status == moveRunning {
		e.TaskHandle = t.Handle
	}
	if t.PerSecond > 0 {
		e.MaxNumberOfMessagesPerSecond = &t.PerSecond
	}
	return e
}

type cancelMessageMoveTaskInput struct {
	TaskHandle string
}

type cancelMessageMoveTaskOutput struct {
	ApproximateNumberOfMessagesMoved int64
}

func cancelMessageMoveTask(ctx context.Context, c *caller, in *cancelMessageMoveTaskInput) (*cancelMessageMoveTaskOutput, error) {
	if in.TaskHandle == "" {
		return nil, missingParameter("TaskHandle")
	}
	c.moves.mu.Lock()
	defer c.moves.mu.Unlock()
	t := c.moves.tasks[in.TaskHandle]
	switch {
	case t == nil:
		return nil, errNoResource("Task does not exist.")
	case t.Status != moveRunning:
		return nil, unsupported("Only active tasks can be cancelled.")
	}
	t.Status = moveCancelling
	if err := c.keepMove(ctx, t); err != nil {
		t.Status = moveRunning
		return nil, err
	}
	t.cancel()
	return &cancelMessageMoveTaskOutput{t.Moved}, nil
}
