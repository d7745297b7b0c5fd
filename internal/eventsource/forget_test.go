package eventsource

import (
	"context"
	"maps"
	"slices"
	"testing"
)

type records map[string][]byte

func (r records) All(context.Context) (map[string][]byte, error)    { return maps.Clone(r), nil }
func (r records) Delete(_ context.Context, key string) error        { delete(r, key); return nil }
func (r records) Put(_ context.Context, key string, v []byte) error { r[key] = v; return nil }
func (r records) Get(_ context.Context, key string) ([]byte, bool, error) {
	v, ok := r[key]
	return v, ok, nil
}

// TestForgetPositions: a mapping that has begun still knows it, and nothing else.
func TestForgetPositions(t *testing.T) {
	kept := records{}
	m := &streamMapping{base: base{cfg: Config{Checkpoints: kept}}}
	m.noteBegun(t.Context())
	m.open(t.Context(), "shard-1", true, 2)
	if len(kept) != 2 {
		t.Fatalf("a mapping keeps %v", slices.Sorted(maps.Keys(kept)))
	}
	if err := ForgetPositions(t.Context(), kept); err != nil {
		t.Fatal(err)
	}
	if len(kept) != 1 || !m.hasBegun(t.Context()) {
		t.Errorf("kept %v, has begun: %v", slices.Sorted(maps.Keys(kept)), m.hasBegun(t.Context()))
	}
}
