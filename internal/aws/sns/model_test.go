package sns

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// plan says how the attempts at a message end: Fails of them fail, each with
// the same error, and all later ones succeed.
type plan struct {
	fails int
	err   error
}

var planErrors = []error{errors.New("unreachable"), ErrNoEndpoint, ErrFunctionFailed}

// outcome is where a message ends and after how many attempts, as SNS and
// Lambda describe it, with the fixture's policies: three retries of what cannot
// be reached, two of a function that fails.
func (p plan) outcome() (where string, attempts int) {
	limit := map[error]int{planErrors[0]: 4, planErrors[1]: 1, planErrors[2]: 3}[p.err]
	switch {
	case p.fails < limit:
		return "delivered", p.fails + 1
	case p.err == ErrFunctionFailed:
		return "dropped", limit
	}
	return "dead", limit
}

// planned are end points that follow plans, by message.
type planned struct {
	mu       sync.Mutex
	plans    map[string]plan
	attempts map[string]int
	// ended lists what was delivered and what went to the dead-letter queue.
	ended map[string]string
	order []string
}

func (p *planned) take(body string, dead bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if dead {
		p.ended[body] += "dead"
		p.order = append(p.order, body)
		return nil
	}
	p.attempts[body]++
	if plan := p.plans[body]; p.attempts[body] <= plan.fails {
		return plan.err
	}
	p.ended[body] += "delivered"
	p.order = append(p.order, body)
	return nil
}

func bodyOf(t *testing.T, text string) string {
	for _, key := range []string{`"Message" : "`, `"Message":"`} {
		if _, rest, ok := strings.Cut(text, key); ok {
			body, _, _ := strings.Cut(rest, `"`)
			return body
		}
	}
	t.Errorf("no message in %s", text)
	return ""
}

func (p *planned) follow(t *testing.T, f *fixture) {
	f.failing(func(d delivery) error {
		return p.take(bodyOf(t, d.queue.Body+string(d.event)), strings.HasPrefix(d.to, dlq))
	})
}

// settled reports whether every message that was published has come to its end.
func (p *planned) settled(t interface{ Fatalf(string, ...any) }, delivered []string) {
	deadline := time.After(patience)
	for {
		p.mu.Lock()
		missing := ""
		for _, body := range delivered {
			where, attempts := p.plans[body].outcome()
			if where == "dropped" && p.attempts[body] < attempts || where != "dropped" && p.ended[body] == "" {
				missing = body
			}
		}
		p.mu.Unlock()
		if missing == "" {
			return
		}
		select {
		case <-time.After(2 * time.Millisecond):
		case <-deadline:
			t.Fatalf("message %s has not come to its end", missing)
		}
	}
}

func (p *planned) check(t *rapid.T, bodies []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, body := range bodies {
		where, attempts := p.plans[body].outcome()
		if where == "dropped" {
			where = ""
		}
		if p.ended[body] != where || p.attempts[body] != attempts {
			t.Fatalf("message %s with plan %+v ended %q after %d attempts, want %q after %d", body, p.plans[body], p.ended[body], p.attempts[body], where, attempts)
		}
	}
}

// TestDeliveryModel: every message ends once, where its failures lead, after
// exactly as many attempts as the policies say.
func TestDeliveryModel(t *testing.T) {
	t.Parallel()
	f := start(t, "", func(c *Config) { // as many retries as usual, without waits
		c.Retries, c.FunctionRetries = &RetryPolicy{NoDelay: 3}, []time.Duration{0, 0}
	})
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		p := &planned{plans: make(map[string]plan), attempts: make(map[string]int), ended: make(map[string]string)}
		p.follow(t, f)
		topic := f.create(t, fmt.Sprint("model-", run), nil)
		f.join(t, topic, worker1, map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + dlq + `"}`})
		var bodies []string
		for i := range rapid.IntRange(1, 12).Draw(rt, "messages") {
			body := fmt.Sprintf("%d-%d", run, i)
			p.mu.Lock()
			p.plans[body] = plan{rapid.IntRange(0, 5).Draw(rt, "fails"), rapid.SampledFrom(planErrors).Draw(rt, "error")}
			p.mu.Unlock()
			bodies = append(bodies, body)
			f.say(t, topic, body)
		}
		p.settled(rt, bodies)
		f.remove(t, topic) // waits for nothing: all attempts have begun
		p.check(rt, bodies)
	})
}

func (f *fixture) remove(t testing.TB, arn string) {
	t.Helper()
	at, err := parseTopicARN("TopicArn", arn)
	if err != nil {
		t.Fatal(err)
	}
	f.admin.Lock()
	defer f.admin.Unlock()
	topic, err := f.lookup(at)
	if err == nil {
		err = f.removeTopic(t.Context(), topic)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestFIFOModel: of the messages with one deduplication id the first is
// delivered, and those of a group end in the order in which they were
// published, whatever fails in between.
func TestFIFOModel(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		p := &planned{plans: make(map[string]plan), attempts: make(map[string]int), ended: make(map[string]string)}
		p.follow(t, f)
		scope := rapid.SampledFrom([]string{"Topic", "MessageGroup"}).Draw(rt, "scope")
		topic := f.create(t, fmt.Sprintf("model-%d.fifo", run), map[string]string{"FifoThroughputScope": scope})
		f.join(t, topic, queueF, map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + dlq + `.fifo"}`})
		wanted := make(map[string][]string) // bodies by group, in order
		var all []string
		ids := make(map[string]string) // message ids by scope and deduplication id
		for i := range rapid.IntRange(1, 20).Draw(rt, "messages") {
			body := fmt.Sprintf("%d-%d", run, i)
			group := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "group")
			dedup := fmt.Sprint(rapid.IntRange(0, 12).Draw(rt, "deduplication id"))
			p.mu.Lock()
			p.plans[body] = plan{rapid.IntRange(0, 5).Draw(rt, "fails"), rapid.SampledFrom(planErrors[:2]).Draw(rt, "error")}
			p.mu.Unlock()
			id, err := f.Publish(t.Context(), topic, inGroup(body, group, dedup))
			if err != nil {
				rt.Fatal(err)
			}
			key := dedup
			if scope == "MessageGroup" {
				key = group + "/" + dedup
			}
			if first, known := ids[key]; known {
				if id != first {
					rt.Fatalf("a duplicate of %s was told the id %s", first, id)
				}
				continue
			}
			ids[key] = id
			wanted[group] = append(wanted[group], body)
			all = append(all, body)
		}
		p.settled(rt, all)
		p.check(rt, all)
		p.mu.Lock()
		defer p.mu.Unlock()
		for group, want := range wanted {
			got := slices.DeleteFunc(slices.Clone(p.order), func(body string) bool { return !slices.Contains(want, body) })
			if !slices.Equal(got, want) {
				rt.Fatalf("group %s ended as %q, want %q", group, got, want)
			}
		}
		if len(p.order) != len(all) {
			rt.Fatalf("%d messages ended, want %d: %q", len(p.order), len(all), p.order)
		}
	})
}
