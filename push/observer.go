package push

import (
	"context"
	"time"
)

// Observer is told what a Publisher does, for metrics and traces. Every
// function may be nil, which costs nothing; those that are not may be called
// from many goroutines at once and should return quickly. No payload is handed
// to them.
//
// The first two begin and end a span: they return the context for what happens
// within it, and a function, or nil, that is called at its end.
type Observer struct {
	// Publish is called at the start of every Publish and PublishBatch.
	Publish func(ctx context.Context, messages int) (context.Context, func([]Report))
	// Post is called before every attempt of a post, once it is its turn.
	Post func(ctx context.Context, a Attempt) (context.Context, func(error))
	// Pause is called before a post is tried again.
	Pause func(ctx context.Context, a Attempt, err error, pause time.Duration)
	// Prune is called when a connection that is gone was removed from the
	// roster, or could not be.
	Prune func(ctx context.Context, connectionID string, err error)
}

// Attempt is one attempt of one post.
type Attempt struct {
	ConnectionID string
	// Number is 1 for the first attempt.
	Number int
	// Bytes is the size of what is posted.
	Bytes int
	// Messages is how many messages that is, one without Coalescing.
	Messages int
}

func (o *Observer) publish(ctx context.Context, messages int) (context.Context, func([]Report)) {
	if o.Publish == nil {
		return ctx, nil
	}
	return o.Publish(ctx, messages)
}

func (o *Observer) post(ctx context.Context, a Attempt) (context.Context, func(error)) {
	if o.Post == nil {
		return ctx, nil
	}
	return o.Post(ctx, a)
}
