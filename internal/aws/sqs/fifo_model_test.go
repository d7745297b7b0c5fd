package sqs

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gatepost-dev/gatepost/internal/bus"
	"github.com/gatepost-dev/gatepost/stack"
)

// fifoModel is a FIFO queue with a dead-letter queue as SQS describes them, with
// time standing still: what is hidden stays hidden until it is made visible. The
// service is stopped, or its process killed, between any two steps.
type fifoModel struct {
	t       *testing.T
	dir     string
	bus     *bus.Bus
	service *Service
	limit   int
	next    int
	groups  map[string][]*fifoMessage
	// ids are the messages that were sent, by deduplication id.
	ids     map[string]string
	deleted []string // handles
	dead    map[string][]string
	last    map[string]string // the highest sequence number, by group
}

type fifoMessage struct {
	body, group       string
	hidden, forgiven  bool
	receives          int
	handle, oldHandle string
}

func (m *fifoMessage) count() int {
	if m.forgiven {
		return m.receives - 1
	}
	return m.receives
}

const fifoARN, fifoDLQ = "arn:aws:sqs:eu-west-1:123456789012:m.fifo", "arn:aws:sqs:eu-west-1:123456789012:d.fifo"

func TestFIFOModel(t *testing.T) {
	t.Parallel()
	run := 0
	folder := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		run++
		m := &fifoModel{t: t, dir: filepath.Join(folder, fmt.Sprint(run)), limit: rapid.IntRange(1, 4).Draw(rt, "limit"),
			groups: make(map[string][]*fifoMessage), ids: make(map[string]string), dead: make(map[string][]string), last: make(map[string]string)}
		m.open(rt)
		defer m.close()
		for _, q := range []stack.Queue{{Name: "d.fifo", VisibilityTimeout: time.Hour},
			{Name: "m.fifo", VisibilityTimeout: time.Hour, Redrive: &stack.Redrive{DeadLetterARN: fifoDLQ, MaxReceiveCount: m.limit}}} {
			if err := m.service.EnsureQueue(q); err != nil {
				rt.Fatal(err)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"send": m.send, "send again": m.sendAgain, "receive": m.receive, "receive more": m.receive, "change visibility": m.change,
			"delete": m.delete, "delete more": m.delete, "old handles": m.oldHandles, "restart": m.restart, "crash": m.crash, "": m.check,
		})
		m.drain(rt)
	})
}

func (m *fifoModel) open(t *rapid.T) {
	var err error
	if m.bus, err = bus.Open(bus.Config{Dir: m.dir}); err != nil {
		t.Fatal(err)
	}
	if m.service, err = New(Config{Bus: m.bus, Region: "eu-west-1", Account: "123456789012", SecretKey: testKey}); err != nil {
		t.Fatal(err)
	}
}

func (m *fifoModel) close() {
	m.service.Close()
	m.bus.Close()
}

func (m *fifoModel) restart(t *rapid.T) {
	m.close()
	m.open(t)
	m.forgive()
}

// crash goes on with what the disk held before anything was told of an end, as
// after kill -9.
func (m *fifoModel) crash(t *rapid.T) {
	image := m.dir + "x"
	if err := os.CopyFS(image, os.DirFS(m.dir)); err != nil {
		t.Fatal(err)
	}
	m.close()
	m.dir = image
	m.open(t)
	m.forgive()
}

func (m *fifoModel) forgive() {
	for _, group := range m.groups {
		for _, message := range group {
			message.forgiven = message.forgiven || message.receives > 0
		}
	}
}

func (m *fifoModel) queue(arn string) *queue { q, _ := m.service.byARN(arn); return q }

func (m *fifoModel) post(t *rapid.T, entries []sendEntry) []sentEntry {
	c := &caller{Service: m.service, region: "eu-west-1", account: "123456789012"}
	out, err := sendMessageBatch(t.Context(), c, &sendMessageBatchInput{QueueUrl: "/123456789012/m.fifo", Entries: entries})
	if err != nil || len(out.Failed) > 0 {
		t.Fatal(out, err)
	}
	return out.Successful
}

func (m *fifoModel) send(t *rapid.T) {
	var entries []sendEntry
	for range rapid.IntRange(1, 5).Draw(t, "messages") {
		body := fmt.Sprint(m.next)
		m.next++
		group := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "group")
		entries = append(entries, sendEntry{Id: body, MessageBody: body, MessageGroupId: group, MessageDeduplicationId: body})
		m.groups[group] = append(m.groups[group], &fifoMessage{body: body, group: group})
	}
	for i, s := range m.post(t, entries) {
		m.ids[s.Id] = s.MessageId
		if group := entries[i].MessageGroupId; s.SequenceNumber <= m.last[group] {
			t.Fatalf("sequence number %s after %s", s.SequenceNumber, m.last[group])
		} else {
			m.last[group] = s.SequenceNumber
		}
	}
}

// sendAgain: a message that was sent is accepted and not stored again, whatever
// became of it.
func (m *fifoModel) sendAgain(t *rapid.T) {
	if len(m.ids) == 0 {
		t.Skip("nothing was sent")
	}
	id := rapid.SampledFrom(slices.Sorted(maps.Keys(m.ids))).Draw(t, "deduplication id")
	again := m.post(t, []sendEntry{{Id: "x", MessageBody: "again", MessageGroupId: "d", MessageDeduplicationId: id}})
	if again[0].MessageId != m.ids[id] {
		t.Fatalf("message %s, sent again, is %s, was %s", id, again[0].MessageId, m.ids[id])
	}
}

// available returns what may be received of a group: nothing while one of it is hidden.
func (m *fifoModel) available(group string) (sound []*fifoMessage, due bool) {
	for _, message := range m.groups[group] {
		if message.hidden {
			return nil, false
		}
	}
	for _, message := range m.groups[group] {
		if message.count() >= m.limit {
			return sound, true
		}
		sound = append(sound, message)
	}
	return sound, false
}

func (m *fifoModel) receive(t *rapid.T) {
	most := rapid.IntRange(1, 10).Draw(t, "most")
	visibility := rapid.SampledFrom([]time.Duration{time.Hour, time.Hour, 12 * time.Hour, 0}).Draw(t, "visibility")
	available, anyDue, closed := 0, false, make(map[string]bool)
	for group := range m.groups {
		sound, due := m.available(group)
		available += len(sound)
		anyDue = anyDue || due
		closed[group] = len(sound) == 0
	}
	got, err := m.queue(fifoARN).line.receive(t.Context(), receiving{most: most, visibility: visibility})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) > most || !anyDue && len(got) != min(most, available) || available > 0 && len(got) == 0 {
		t.Fatalf("received %d of %d, asked for %d", len(got), available, most)
	}
	m.bury(t)
	byGroup := make(map[string][]Message)
	for _, r := range got {
		byGroup[r.Attributes["MessageGroupId"]] = append(byGroup[r.Attributes["MessageGroupId"]], r)
	}
	for group, received := range byGroup {
		sound, _ := m.available(group)
		for i, r := range received {
			if i >= len(sound) || sound[i].body != r.Body {
				t.Fatalf("group %s: received %s as number %d of %d that are open", group, r.Body, i, len(sound))
			}
		}
		for i, r := range received {
			message := sound[i]
			message.receives++
			if count := r.Attributes["ApproximateReceiveCount"]; count != fmt.Sprint(message.count()) {
				t.Fatalf("message %s has count %s, want %d", r.Body, count, message.count())
			}
			message.hidden = visibility > 0
			message.oldHandle, message.handle = message.handle, r.ReceiptHandle
		}
	}
}

// bury moves in the model what the service has moved: in the order of its group.
func (m *fifoModel) bury(t *rapid.T) {
	dead, err := m.service.Receive(t.Context(), fifoDLQ, 100, 0)
	if err != nil {
		t.Fatal(err)
	}
	var handles []string
	for _, r := range dead {
		group := r.Attributes["MessageGroupId"]
		first := m.groups[group][0]
		if first.body != r.Body || first.hidden || first.count() < m.limit {
			t.Fatalf("message %s went to the dead-letter queue; the first of its group is %+v", r.Body, first)
		}
		m.gone(group, 0)
		m.dead[group] = append(m.dead[group], r.Body)
		handles = append(handles, r.ReceiptHandle)
	}
	if err := m.service.Delete(t.Context(), fifoDLQ, handles); err != nil {
		t.Fatal(err)
	}
}

func (m *fifoModel) gone(group string, i int) {
	m.deleted = append(m.deleted, m.groups[group][i].handle)
	m.groups[group] = slices.Delete(m.groups[group], i, i+1)
}

// pick returns a message that was received, or skips the step.
func (m *fifoModel) pick(t *rapid.T) (string, int) {
	var all [][2]any
	for _, group := range slices.Sorted(maps.Keys(m.groups)) {
		for i, message := range m.groups[group] {
			if message.receives > 0 {
				all = append(all, [2]any{group, i})
			}
		}
	}
	if len(all) == 0 {
		t.Skip("nothing was received")
	}
	one := rapid.SampledFrom(all).Draw(t, "message")
	return one[0].(string), one[1].(int)
}

func (m *fifoModel) change(t *rapid.T) {
	group, i := m.pick(t)
	message := m.groups[group][i]
	// The longest, 12 hours, counts from the receive, which was a moment ago.
	d := rapid.SampledFrom([]time.Duration{0, 0, time.Hour, 11 * time.Hour}).Draw(t, "visibility")
	err := m.service.ChangeVisibility(t.Context(), fifoARN, message.handle, d)
	if (err == nil) != message.hidden {
		t.Fatalf("changing a message that is %+v: %v", message, err)
	}
	message.hidden = message.hidden && d > 0
}

func (m *fifoModel) delete(t *rapid.T) {
	group, i := m.pick(t)
	message := m.groups[group][i]
	err := m.service.Delete(t.Context(), fifoARN, []string{message.handle})
	if (err == nil) != message.hidden {
		t.Fatalf("deleting a message that is %+v: %v", message, err)
	}
	if err == nil {
		m.gone(group, i)
	}
}

// oldHandles: those of deleted messages do nothing, those of earlier receives are
// refused.
func (m *fifoModel) oldHandles(t *rapid.T) {
	if len(m.deleted) > 0 {
		handle := rapid.SampledFrom(m.deleted).Draw(t, "handle")
		if err := m.service.Delete(t.Context(), fifoARN, []string{handle}); err != nil {
			t.Fatal(err)
		}
		if err := m.service.ChangeVisibility(t.Context(), fifoARN, handle, time.Minute); err == nil {
			t.Fatal("the visibility of a deleted message was changed")
		}
	}
	for _, group := range m.groups {
		for _, message := range group {
			if message.oldHandle != "" && m.service.Delete(t.Context(), fifoARN, []string{message.oldHandle}) == nil {
				t.Fatal("a handle of an earlier receive deleted a message")
			}
		}
	}
}

func (m *fifoModel) check(t *rapid.T) {
	counts, err := m.queue(fifoARN).line.counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var want bus.Counts
	for _, group := range m.groups {
		for _, message := range group {
			if message.hidden {
				want.Hidden++
			} else {
				want.Ready++
			}
		}
	}
	if counts != want {
		t.Fatalf("counts %+v, want %+v", counts, want)
	}
}

// drain makes everything visible, takes it all and finds nothing missing, and
// nothing too many.
func (m *fifoModel) drain(t *rapid.T) {
	for _, group := range m.groups {
		for _, message := range group {
			if message.hidden {
				if err := m.service.ChangeVisibility(t.Context(), fifoARN, message.handle, 0); err != nil {
					t.Fatal(err)
				}
				message.hidden = false
			}
		}
	}
	m.limit = 1 << 30
	q := m.queue(fifoARN)
	r := q.record()
	r.Settings.Redrive = nil
	if err := q.update(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	for range 200 {
		m.receive(t)
		for group := range m.groups {
			for i := len(m.groups[group]) - 1; i >= 0; i-- {
				if message := m.groups[group][i]; message.hidden {
					if err := m.service.Delete(t.Context(), fifoARN, []string{message.handle}); err != nil {
						t.Fatal(err)
					}
					m.gone(group, i)
				}
			}
		}
	}
	for group, left := range m.groups {
		if len(left) > 0 {
			t.Fatalf("group %s has %d messages left", group, len(left))
		}
	}
	m.check(t)
}
