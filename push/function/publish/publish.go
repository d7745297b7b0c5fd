// Package publish holds the Lambda functions that post messages to WebSocket
// clients: from a queue (Main), a topic (TopicMain), the stream of a table
// (TableMain), a data stream (StreamMain) and HTTP requests (RequestMain).
//
// Environment of all: TABLE_NAME and CALLBACK_URL (required), PARALLELISM
// (default 32), POST_TIMEOUT (default 3s), ROSTER_SHARDS (default 4), COALESCE
// (off, lines or array: several messages of a batch in one frame), and
// DEAD_LETTER_QUEUE_URL: where a message goes, with its reason, that cannot be
// delivered. What else one reads stands beside its Main.
package publish

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/gatepost-dev/gatepost/push"
	"github.com/gatepost-dev/gatepost/push/function"
)

// Options are what the functions of this package have in common. Publisher is
// required; the zero value of the others is fine.
type Options struct {
	// Publisher posts the messages.
	Publisher *push.Publisher
	// Letters takes what cannot be delivered; nil leaves that to the source.
	Letters Letters
	// Log gets one line for each message, without its payload; nil means
	// slog.Default().
	Log *slog.Logger
}

// publication is what the functions share.
type publication struct {
	Options
	unfinished unfinished
}

func newPublication(o Options) *publication {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return &publication{Options: o}
}

// options reads the variables that all functions have. It is false when one of
// them is wrong.
func options(ctx context.Context, env *function.Environment) (Options, bool, error) {
	cfg, err := function.AWS(ctx, env)
	if err != nil {
		return Options{}, false, err
	}
	letters := newLetters(cfg, env)
	publisher, err := function.Publisher(cfg, env)
	if publisher == nil || err != nil {
		return Options{}, false, err
	}
	return Options{Publisher: publisher, Letters: letters, Log: function.Log()}, true, nil
}

// message is what a source wants to have posted.
type message struct {
	// id is the source's name of the message, the same at every attempt.
	id string
	// source names the kind of source, for dead letters.
	source   string
	body     []byte
	audience function.Audience
	// final says that the source makes no further attempt by itself.
	final bool
	// refused is why the message can never be posted, whatever the audience.
	refused error
}

// outcome is what became of a message.
type outcome struct {
	push.Report
	// hopeless says that no attempt can succeed.
	hopeless bool
	// buried says that the message lies in the dead-letter queue.
	buried bool
}

// settled reports whether nothing more is to be done for the message.
func (o *outcome) settled() bool { return o.Complete() || o.buried }

// reason says in one line why a message was not delivered.
func (o *outcome) reason() string {
	switch {
	case o.Err != nil:
		return o.Err.Error()
	case len(o.Failed) > 0:
		first := o.Failed[0]
		return fmt.Sprintf("%d of %d connections failed; the first, %s: %v", len(o.Failed), o.Sent+o.Gone+len(o.Failed)+len(o.Remaining), first.ConnectionID, first.Err)
	}
	return "the roster was not read to its end"
}

// publish posts messages and returns what became of each. Messages for the
// same audience are posted as one batch, in their order; others at the same
// time. A message that has been here before is posted to those alone who
// missed it and are still of its audience.
//
// It ends a little before the context does, so that what is left can still be
// told, and be put into the dead-letter queue.
func (p *publication) publish(ctx context.Context, messages []message) []outcome {
	outcomes := make([]outcome, len(messages))
	posting, cancel := function.Deadline(ctx)
	defer cancel()
	var wg sync.WaitGroup
	for audience, batch := range p.batches(messages) {
		wg.Go(func() { p.batch(posting, audience, batch, messages, outcomes) })
	}
	wg.Wait()
	for i := range messages {
		p.settle(ctx, &messages[i], &outcomes[i])
	}
	return outcomes
}

// batches sorts the messages, by index, by their audience.
func (p *publication) batches(messages []message) map[function.Audience][]int {
	batches := map[function.Audience][]int{}
	for i, m := range messages {
		if missed, known := p.unfinished.take(m.id); known {
			m.audience.Missed = missed
		}
		batches[m.audience] = append(batches[m.audience], i)
	}
	return batches
}

// batch posts the messages of one audience.
func (p *publication) batch(ctx context.Context, audience function.Audience, batch []int, messages []message, outcomes []outcome) {
	target, err := audience.Receivers()
	var bodies [][]byte
	var posted []int
	for _, i := range batch {
		if refused := errors.Join(messages[i].refused, err); refused != nil {
			outcomes[i] = outcome{Report: push.Report{Err: refused}, hopeless: true}
			continue
		}
		posted, bodies = append(posted, i), append(bodies, messages[i].body)
	}
	if len(posted) == 0 {
		return
	}
	for n, report := range p.Publisher.PublishBatch(ctx, target, bodies) {
		outcomes[posted[n]] = outcome{Report: report, hopeless: errors.Is(report.Err, push.ErrTooLarge) || errors.Is(report.Err, push.ErrFrame)}
	}
}

// settle remembers who missed a message, or buries it, and writes its line.
func (p *publication) settle(ctx context.Context, m *message, o *outcome) {
	log := function.WithRequest(ctx, p.Log).With("messageId", m.id, "sent", o.Sent, "gone", o.Gone, "failed", len(o.Failed), "remaining", len(o.Remaining))
	if o.Complete() {
		log.Info("published")
		return
	}
	if o.hopeless || m.final {
		p.bury(ctx, m, o)
	}
	if !o.settled() {
		p.unfinished.put(m.id, &o.Report)
	}
	text := "not published to every connection"
	if o.Err != nil {
		text = "not published"
	}
	if len(o.Failed) > 0 {
		log = log.With("connectionId", o.Failed[0].ConnectionID)
	}
	log.Error(text, "error", o.reason(), "deadLetter", o.buried)
}

// bury puts a message into the dead-letter queue. When that fails the source
// keeps it, and decides.
func (p *publication) bury(ctx context.Context, m *message, o *outcome) {
	if p.Letters == nil {
		return
	}
	letter := Letter{Body: m.body, Audience: m.audience, Reason: o.reason(), MessageID: m.id, Source: m.source}
	if missed := o.Undelivered(); !o.Unread && len(missed) > 0 && len(missed) <= function.MaxIDs {
		slices.Sort(missed)
		letter.Audience.Missed = joinIDs(missed)
	}
	ctx, cancel := context.WithTimeout(ctx, buryWithin)
	defer cancel()
	if err := p.Letters.Bury(ctx, letter); err != nil {
		function.WithRequest(ctx, p.Log).Error("not put into the dead-letter queue", "messageId", m.id, "error", err)
		return
	}
	o.buried = true
}
