package bus

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// TestSyncedTogether: with Sync, what many callers publish at once is all there,
// the messages of each call in their order, also after a restart.
func TestSyncedTogether(t *testing.T) {
	dir := t.TempDir()
	const callers, calls, each = 20, 5, 7
	for range 2 {
		want := make(map[string]bool)
		b := open(t, Config{Dir: dir, Sync: true})
		q := ensure(t, b, workConfig)
		var group sync.WaitGroup
		for c := range callers {
			for n := range calls {
				for i := range each {
					want[fmt.Sprintf("%d/%d/%d", c, n, i)] = true
				}
				want[fmt.Sprintf("%d/%d/alone", c, n)] = true
			}
			group.Go(func() {
				for n := range calls {
					messages := make([]Message, each)
					for i := range messages {
						messages[i].Data = fmt.Appendf(nil, "%d/%d/%d", c, n, i)
					}
					for _, err := range append(q.PublishAll(t.Context(), messages), q.Publish(t.Context(), Message{Data: fmt.Appendf(nil, "%d/%d/alone", c, n)})) {
						if err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		group.Wait()
		if counts, err := q.Counts(t.Context()); err != nil || counts.Ready != callers*calls*(each+1) {
			t.Fatalf("%+v, %v; want %d", counts, err, callers*calls*(each+1))
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		b = open(t, Config{Dir: dir, Sync: true})
		queues, err := b.Queues(t.Context())
		if err != nil || len(queues) != 1 {
			t.Fatal(queues, err)
		}
		got := make(map[string]int) // places in the order in which they come
		for len(got) < len(want) {
			deliveries, err := queues[0].Fetch(t.Context(), 100, 20*time.Second)
			if err != nil || len(deliveries) == 0 {
				t.Fatalf("after %d messages: %v", len(got), err)
			}
			slices.SortFunc(deliveries, func(a, b Delivery) int { return int(a.Sequence) - int(b.Sequence) })
			var receipts []Receipt
			for _, d := range deliveries {
				got[string(d.Data)] = len(got)
				receipts = append(receipts, d.Receipt)
			}
			if err := queues[0].Ack(t.Context(), receipts...); err != nil {
				t.Fatal(err)
			}
		}
		for c := range callers {
			for n := range calls {
				for i := range each - 1 {
					if a, b := got[fmt.Sprintf("%d/%d/%d", c, n, i)], got[fmt.Sprintf("%d/%d/%d", c, n, i+1)]; a > b {
						t.Fatalf("caller %d, call %d: message %d came after the next", c, n, i)
					}
				}
			}
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSyncedWithoutBatches: a queue whose stream takes no batches has all
// messages nevertheless.
func TestSyncedWithoutBatches(t *testing.T) {
	b := open(t, Config{Dir: t.TempDir(), Sync: true})
	q := ensure(t, b, workConfig)
	config := b.streamConfig(workConfig)
	config.AllowAtomicPublish = false
	if _, err := b.js.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	for _, err := range q.PublishAll(t.Context(), make([]Message, 3*fewTogether)) {
		if err != nil {
			t.Error(err)
		}
	}
	if counts, err := q.Counts(t.Context()); err != nil || counts.Ready != 3*fewTogether {
		t.Errorf("%+v, %v", counts, err)
	}
}
