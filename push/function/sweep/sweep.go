// Package sweep is the Lambda function of a schedule: it deletes the rows of
// connections that have expired. DynamoDB does so by itself, up to days late,
// and its rows cost nothing then but space; other stores need it.
//
// Environment: TABLE_NAME (required), SWEEP_LIMIT (rows deleted in one run;
// default 10000), ROSTER_SHARDS.
package sweep

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/gatepost-dev/gatepost/push"
	"github.com/gatepost-dev/gatepost/push/function"
)

// pageSize is how many rows one call of Prune deletes at most.
const pageSize = 500

// Result is what a run answers.
type Result struct {
	// Pruned counts the rows that were deleted.
	Pruned int `json:"pruned"`
	// Done is false when the limit or the time was over before the rows were.
	Done bool `json:"done"`
}

// Main runs the function.
func Main() { function.Main(build) }

func build(ctx context.Context, env *function.Environment) (function.Handler[json.RawMessage, Result], error) {
	cfg, err := function.AWS(ctx, env)
	if err != nil {
		return nil, err
	}
	return New(function.Roster(cfg, env), env.Integer("SWEEP_LIMIT", 10_000, 1, 10_000_000), function.Log()).Handle, nil
}

// Handler prunes a roster.
type Handler struct {
	roster push.Roster
	limit  int
	log    *slog.Logger
}

// New returns the function's handler; limit bounds the rows of one run.
func New(roster push.Roster, limit int, log *slog.Logger) *Handler {
	return &Handler{roster: roster, limit: limit, log: log}
}

// Handle prunes until nothing is left, the limit is reached, or the time is
// over, which is no error: the next run goes on.
func (h *Handler) Handle(ctx context.Context, _ json.RawMessage) (Result, error) {
	ctx, cancel := function.Deadline(ctx)
	defer cancel()
	log := function.WithRequest(ctx, h.log)
	var r Result
	for r.Pruned < h.limit && ctx.Err() == nil {
		limit := min(pageSize, h.limit-r.Pruned)
		n, err := h.roster.Prune(ctx, limit)
		r.Pruned += n
		if err != nil && ctx.Err() == nil {
			log.Error("not swept", "pruned", r.Pruned, "error", err)
			return r, fmt.Errorf("prune the roster after %d rows: %w", r.Pruned, err)
		}
		if err == nil && n < limit {
			r.Done = true
			break
		}
	}
	log.Info("swept", "pruned", r.Pruned, "done", r.Done)
	return r, nil
}
