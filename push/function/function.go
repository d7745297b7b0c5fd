// Package function holds what the push house's Lambda functions share: how
// they start, read their environment, log, and reach AWS. The functions
// themselves are the packages below it; each exports Main, which a program of
// three lines calls.
package function

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// Handler is a Lambda function's code: called once per event.
type Handler[In, Out any] func(context.Context, In) (Out, error)

// Main runs a function until Lambda ends the process. It hands the environment
// to build; when that finds problems it prints one sentence for each and
// exits with status 1 before any event is taken, so that a wrong setting shows
// at the first start and not as a lost message.
func Main[In, Out any](build func(context.Context, *Environment) (Handler[In, Out], error)) {
	handler, ok := prepare(context.Background(), NewEnvironment(os.LookupEnv), build, os.Stderr)
	if !ok {
		os.Exit(1)
	}
	lambda.Start(handler)
}

func prepare[In, Out any](ctx context.Context, env *Environment, build func(context.Context, *Environment) (Handler[In, Out], error), out io.Writer) (Handler[In, Out], bool) {
	handler, err := build(ctx, env)
	problems := env.Problems()
	if err != nil {
		problems = append(problems, err.Error())
	}
	for _, p := range problems {
		fmt.Fprintln(out, p)
	}
	return handler, len(problems) == 0
}

// Log is the functions' log: one JSON object per line on standard output.
func Log() *slog.Logger { return slog.New(slog.NewJSONHandler(os.Stdout, nil)) }

// WithRequest adds the invocation's request id, by which Lambda names it in
// its own lines, to all that a handler logs.
func WithRequest(ctx context.Context, log *slog.Logger) *slog.Logger {
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		return log.With("requestId", lc.AwsRequestID)
	}
	return log
}

// margin is what Deadline keeps of an invocation's time for the answer.
const margin = 500 * time.Millisecond

// Deadline returns a context that ends a little before the invocation's time
// does, so that the function can still say what it has and has not done.
func Deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, end.Add(-min(margin, time.Until(end)/4)))
}
