package sqs

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/internal/bus"
	"github.com/gatepost-dev/gatepost/internal/crashtest"
	"github.com/gatepost-dev/gatepost/stack"
)

// kills is how often TestKilled kills; GATEPOST_KILLS says another number.
const kills = 4

var loadARNs = []string{"arn:aws:sqs:eu-west-1:123456789012:load", "arn:aws:sqs:eu-west-1:123456789012:load.fifo"}

// TestKilled kills a process at random moments under a load of sends, receives and
// deletes, on a standard and a FIFO queue: nothing that was acknowledged is missing
// and nothing that was deleted comes back, over all its lives.
func TestKilled(t *testing.T) {
	t.Parallel()
	lives := kills
	if text := os.Getenv("GATEPOST_KILLS"); text != "" {
		var err error
		if lives, err = strconv.Atoi(text); err != nil {
			t.Fatalf("GATEPOST_KILLS=%s: %v", text, err)
		}
	}
	dir := t.TempDir()
	// What the children said of each message. A delete that was begun may have come
	// to its end.
	sent, begun, deleted := make(map[string]bool), make(map[string]bool), make(map[string]bool)
	for life := range lives {
		said := crashtest.Kill(t, dir, 50+rand.IntN(600))
		for _, line := range said {
			if what, body, _ := strings.Cut(line, " "); what == "received" && deleted[body] {
				t.Fatalf("life %d: %s came back after it was deleted", life, body)
			}
		}
		for _, line := range said {
			switch what, body, _ := strings.Cut(line, " "); what {
			case "sent":
				sent[body] = true
			case "deleting":
				begun[body] = true
			case "deleted":
				deleted[body] = true
			}
		}
	}
	owed := make(map[string]bool)
	for body := range sent {
		if !begun[body] {
			owed[body] = true
		}
	}
	t.Logf("%d kills: %d sent, %d deleted, %d left", lives, len(sent), len(deleted), len(owed))

	f := start(t, dir)
	for _, arn := range loadARNs {
		drainLoad(t, f, arn, owed, deleted)
	}
	if len(owed) > 0 {
		t.Errorf("%d messages are lost, among them %v", len(owed), owed)
	}
}

// drainLoad takes everything out of a queue. It ends when the queue has nothing
// left, hidden messages included.
func drainLoad(t *testing.T, f *fixture, arn string, owed, deleted map[string]bool) {
	last := make(map[string]int) // number, by group
	q, err := f.byARN(arn)
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(60 * time.Second); ; {
		got, err := f.Receive(t.Context(), arn, 100, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		var handles []string
		for _, m := range got {
			if deleted[m.Body] {
				t.Errorf("%s came back after it was deleted", m.Body)
			}
			delete(owed, m.Body)
			if group := m.Attributes["MessageGroupId"]; group != "" {
				n, _ := strconv.Atoi(m.Body[strings.LastIndex(m.Body, "-")+1:])
				if n <= last[group] {
					t.Errorf("group %s: %d came after %d", group, n, last[group])
				}
				last[group] = n
			}
			handles = append(handles, m.ReceiptHandle)
		}
		if err := f.Delete(t.Context(), arn, handles); err != nil {
			t.Fatal(err)
		}
		counts, err := q.line.counts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if counts == (bus.Counts{}) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s still has %+v", arn, counts)
		}
	}
}

// workUntilKilled sends, receives and deletes, and says what was acknowledged. In
// half of its lives it syncs, which writes messages in batches.
func workUntilKilled(dir string) error {
	b, err := bus.Open(bus.Config{Dir: dir, Sync: rand.IntN(2) == 0})
	if err != nil {
		return err
	}
	s, err := New(Config{Bus: b, Region: "eu-west-1", Account: "123456789012", SecretKey: testKey})
	if err != nil {
		return err
	}
	for _, name := range []string{"load", "load.fifo"} {
		if err := s.EnsureQueue(stack.Queue{Name: name, VisibilityTimeout: time.Second}); err != nil {
			return err
		}
	}
	life := time.Now().UnixNano()
	failed := make(chan error)
	for _, arn := range loadARNs {
		for worker := range 4 {
			go func() { failed <- workLoad(s, arn, fmt.Sprintf("%d-%d", life, worker)) }()
		}
	}
	return <-failed
}

// workLoad sends numbered messages, which in a FIFO queue are a group of their own,
// and receives in between.
func workLoad(s *Service, arn, name string) error {
	for n := 1; ; n++ {
		m := Outgoing{Body: fmt.Sprintf("%s/%s-%d", arn[len(arn)-4:], name, n)}
		if strings.HasSuffix(arn, fifoSuffix) {
			m.GroupID, m.DeduplicationID = name, m.Body[len("fifo/"):]
		}
		if err := s.Send(context.Background(), arn, m); err != nil {
			return err
		}
		fmt.Println("sent", m.Body)
		if n%5 == 0 {
			if err := receiveLoad(s, arn); err != nil {
				return err
			}
		}
	}
}

// receiveLoad takes what is there and deletes most of it.
func receiveLoad(s *Service, arn string) error {
	got, err := s.Receive(context.Background(), arn, 10, 0)
	if err != nil {
		return err
	}
	for _, m := range got {
		fmt.Println("received", m.Body)
		switch rand.IntN(10) {
		case 0: // it comes back by itself
			continue
		case 1:
			err = s.ChangeVisibility(context.Background(), arn, m.ReceiptHandle, 0)
		default:
			fmt.Println("deleting", m.Body)
			err = s.Delete(context.Background(), arn, []string{m.ReceiptHandle})
			if err == nil {
				fmt.Println("deleted", m.Body)
			}
		}
		// On a slow machine the message may be visible again by now.
		if err != nil && !strings.Contains(err.Error(), "in flight") && !strings.Contains(err.Error(), "expired") {
			return err
		}
	}
	return nil
}
