package eventsource

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// begunKey ends the keys of the notes that mappings have begun.
const begunKey = "begun"

// Records are Checkpoints that can be looked through.
type Records interface {
	All(ctx context.Context) (map[string][]byte, error)
	Delete(ctx context.Context, key string) error
}

// ForgetPositions forgets how far mappings have come, for streams that have been
// emptied; no mapping may run. That they have begun stays known, so that they read
// each shard from its beginning: with LATEST they would leave out what is written
// before they look for the first time.
func ForgetPositions(ctx context.Context, kept Records) error {
	all, err := kept.All(ctx)
	if err != nil {
		return fmt.Errorf("read the checkpoints: %w", err)
	}
	var errs []error
	for key := range all {
		if !strings.HasSuffix(key, "/"+begunKey) {
			errs = append(errs, kept.Delete(ctx, key))
		}
	}
	return errors.Join(errs...)
}
