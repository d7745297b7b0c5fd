package eventsource

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/stack"
)

// TestBatches: what the function gets of the records a to f, and what is told of
// those that are given up.
func TestBatches(t *testing.T) {
	retries := func(n int) stack.StreamSettings { return stack.StreamSettings{MaxRetries: n, OnFailure: "arn:q"} }
	bisect := func(n int) stack.StreamSettings {
		s := retries(n)
		s.Bisect = true
		return s
	}
	once := func(answer string) func([]string) ([]byte, error) {
		given := false
		return func([]string) ([]byte, error) {
			if given {
				return nil, nil
			}
			given = true
			return []byte(answer), nil
		}
	}
	for _, c := range []struct {
		name, want, lost string
		size             int
		report           bool
		filters          []string
		settings         stack.StreamSettings
		answer           func([]string) ([]byte, error)
	}{
		{name: "all at once", want: "abcdef"},
		{name: "batch size", size: 4, want: "abcd ef"},
		{name: "a failure holds up what follows", size: 2, settings: retries(1), answer: fails("c"), want: "ab cd cd ef", lost: "seq3-seq4 RetryAttemptsExhausted 2"},
		{name: "no retries", size: 2, settings: retries(0), answer: fails("c"), want: "ab cd ef", lost: "seq3-seq4 RetryAttemptsExhausted 1"},
		{name: "bisect finds the culprit, and splitting is no retry", settings: bisect(0), answer: fails("c"), want: "abcdef abc a bc b c def", lost: "seq3-seq3 RetryAttemptsExhausted 4"},
		{name: "bisect and a retry", size: 2, settings: bisect(1), answer: fails("c"), want: "ab cd c c d ef", lost: "seq3-seq3 RetryAttemptsExhausted 3"},
		{name: "a report is the checkpoint", report: true, settings: retries(2), answer: reports("seq4"), want: "abcdef def def", lost: "seq4-seq6 RetryAttemptsExhausted 3"},
		{name: "of several reports the lowest counts", report: true, settings: retries(1), answer: reports("seq5", "seq3"), want: "abcdef cdef", lost: "seq3-seq6 RetryAttemptsExhausted 2"},
		{name: "in whatever order they stand", report: true, settings: retries(1), answer: reports("seq3", "seq5"), want: "abcdef cdef", lost: "seq3-seq6 RetryAttemptsExhausted 2"},
		{name: "bisect with a report splits at the report", report: true, settings: bisect(1), answer: once(`{"batchItemFailures":[{"itemIdentifier":"seq3"}]}`), want: "abcdef cdef"},
		{name: "bisect with reports loses the culprit only", report: true, settings: bisect(0), answer: reportsThose("c"), want: "abcdef cdef cd c d ef", lost: "seq3-seq3 RetryAttemptsExhausted 4"},
		{name: "two culprits", report: true, settings: bisect(1), answer: reportsThose("b", "e"), want: "abcdef bcdef bc b b c def ef e e f", lost: "seq2-seq2 RetryAttemptsExhausted 5, seq5-seq5 RetryAttemptsExhausted 4"},
		{name: "a report without the setting is no failure", answer: reports("seq4"), want: "abcdef"},
		{name: "empty list", report: true, answer: once(`{"batchItemFailures":[]}`), want: "abcdef"},
		{name: "null list", report: true, answer: once(`{"batchItemFailures":null}`), want: "abcdef"},
		{name: "empty answer", report: true, answer: once(`{}`), want: "abcdef"},
		{name: "null answer", report: true, answer: once(`null`), want: "abcdef"},
		{name: "empty identifier", report: true, answer: once(`{"batchItemFailures":[{"itemIdentifier":""}]}`), want: "abcdef abcdef"},
		{name: "null identifier", report: true, answer: once(`{"batchItemFailures":[{"itemIdentifier":null}]}`), want: "abcdef abcdef"},
		{name: "wrong key", report: true, answer: once(`{"batchItemFailures":[{"id":"seq3"}]}`), want: "abcdef abcdef"},
		{name: "unknown sequence number", report: true, answer: once(`{"batchItemFailures":[{"itemIdentifier":"seq9"}]}`), want: "abcdef abcdef"},
		{name: "no JSON", report: true, answer: once(`oops`), want: "abcdef abcdef"},
		{name: "filters skip", filters: []string{`{"n":["b"]}`, `{"n":[{"prefix":"e"}]}`}, size: 2, want: "be"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if c.settings == (stack.StreamSettings{}) {
					c.settings = endless()
				}
				r := newRig(stack.EventSourceMapping{BatchSize: c.size, ReportItemFailures: c.report, Filters: c.filters}, c.settings)
				r.answer = c.answer
				for _, text := range strings.Split("abcdef", "") {
					r.stream.put("s", "k", text)
				}
				if got := r.run(t, time.Minute); got != c.want {
					t.Errorf("the function got %q, want %q", got, c.want)
				}
				if got := strings.Join(losses(t, r.told.texts), ", "); got != c.lost {
					t.Errorf("told of %q, want %q", got, c.lost)
				}
				if got := r.run(t, time.Minute); got != "" {
					t.Errorf("after another start the function got %q again", got)
				}
			})
		})
	}
}

func losses(t *testing.T, texts []string) (all []string) {
	for _, text := range texts {
		_, text, _ = strings.Cut(text, " ")
		var r failureRecord
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%s-%s %s %d", r.DynamoDB.StartSequence, r.DynamoDB.EndSequence, r.RequestContext.Condition, r.RequestContext.ApproximateInvokeCount))
	}
	return all
}

func TestRecordsOfFailuresToTheByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for arn, want := range map[string]string{
			streamARN:                              `"DDBStreamBatchInfo":{"shardId":"s","startSequenceNumber":"seq1","endSequenceNumber":"seq2","approximateArrivalOfFirstRecord":"AT_Z","approximateArrivalOfLastRecord":"AT_Z","batchSize":2,"streamArn":"ARN"}}`,
			"arn:aws:kinesis:us-east-1:0:stream/k": `"KinesisBatchInfo":{"shardId":"s","startSequenceNumber":"seq1","endSequenceNumber":"seq2","approximateArrivalOfFirstRecord":"AT_.000Z","approximateArrivalOfLastRecord":"AT_.000Z","batchSize":2,"streamArn":"ARN"}}`,
		} {
			r := newRig(stack.EventSourceMapping{SourceARN: arn}, stack.StreamSettings{OnFailure: "arn:q"})
			r.answer = fails("a")
			r.stream.put("s", "k", "a")
			r.stream.put("s", "k", "b")
			at := time.Now().UTC().Format("2006-01-02T15:04:05")
			r.run(t, time.Second)
			if len(r.told.texts) != 1 {
				t.Fatalf("told %q", r.told.texts)
			}
			got := r.told.texts[0]
			id := got[len(`arn:q {"requestContext":{"requestId":"`):][:36]
			want = `arn:q {"requestContext":{"requestId":"` + id + `","functionArn":"arn:f","condition":"RetryAttemptsExhausted","approximateInvokeCount":1},` +
				`"responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},"version":"1.0","timestamp":"` + at + `.000Z",` +
				strings.NewReplacer("AT_", at, "ARN", arn).Replace(want)
			if got != want {
				t.Errorf("\n got %s\nwant %s", got, want)
			}
		}
	})
}

func TestStartingPositions(t *testing.T) {
	for _, c := range []struct {
		settings stack.StreamSettings
		want     string
	}{
		{stack.StreamSettings{StartingPosition: "TRIM_HORIZON"}, "abc de"},
		{stack.StreamSettings{StartingPosition: "LATEST"}, "de"},
		{stack.StreamSettings{StartingPosition: "AT_TIMESTAMP", StartingTimestamp: time.Date(2000, 1, 1, 0, 0, 2, 0, time.UTC)}, "c de"},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(stack.EventSourceMapping{BatchSize: 3, Window: time.Second}, c.settings)
			for _, text := range []string{"a", "b", "c"} {
				r.stream.put("s", "k", text)
				time.Sleep(time.Second)
			}
			go func() {
				time.Sleep(5 * time.Second)
				r.stream.put("s", "k", "d")
				r.stream.put("s", "k", "e")
			}()
			if got := r.run(t, time.Minute); got != c.want {
				t.Errorf("from %s the function got %q, want %q", c.settings.StartingPosition, got, c.want)
			}
			// What comes while nothing runs is read after the next start, from
			// LATEST too.
			r.stream.put("s", "k", "f")
			if got := r.run(t, time.Minute); got != "f" {
				t.Errorf("after another start the function got %q", got)
			}
		})
	}
}

func TestLatestIsNailedDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(stack.EventSourceMapping{}, stack.StreamSettings{StartingPosition: "LATEST"})
		r.stream.put("s", "k", "a")
		if got := r.run(t, time.Second); got != "" { // a start without any record
			t.Errorf("from LATEST the function got %q", got)
		}
		r.stream.put("s", "k", "b")
		if got := r.run(t, time.Second); got != "b" {
			t.Errorf("what came between two starts: %q", got)
		}
	})
}

func TestStreamWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(stack.EventSourceMapping{BatchSize: 3, Window: 5 * time.Second}, endless())
		go func() {
			for _, text := range strings.Split("abcdefg", "") {
				r.stream.put("s", "k", text)
				time.Sleep(2 * time.Second)
			}
		}()
		if got := r.run(t, time.Minute); got != "abc def g" {
			t.Errorf("the function got %q", got)
		}
	})
}

func TestARecordStartsItsFunctionAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(stack.EventSourceMapping{}, endless())
		var delay time.Duration
		var put time.Time
		r.answer = func([]string) ([]byte, error) {
			delay = time.Since(put)
			return nil, nil
		}
		go func() {
			time.Sleep(50 * time.Second)
			put = time.Now()
			r.stream.put("s", "k", "a")
		}()
		if got := r.run(t, time.Minute); got != "a" || delay != 0 || r.stream.reads > 10 {
			t.Errorf("got %q after %s and %d reads", got, delay, r.stream.reads)
		}
	})
}

func TestOldRecords(t *testing.T) {
	for _, c := range []struct {
		name string
		age  time.Duration
		want string
		lost string
	}{
		{"older than the mapping wants", time.Minute, "c", "seq1-seq2 EventAgeExceeded 0"},
		{"older than the stream keeps", 0, "ac", "seq1-seq1 EventAgeExceeded 5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(stack.EventSourceMapping{}, stack.StreamSettings{MaxRetries: -1, MaxRecordAge: c.age, OnFailure: "arn:q"})
				if c.age > 0 {
					r.stream.put("s", "k", "a")
					r.stream.put("s", "k", "b")
					time.Sleep(time.Hour)
					r.stream.put("s", "k", "c")
					if got := r.run(t, time.Second); got != c.want {
						t.Errorf("the function got %q", got)
					}
				} else {
					r.stream.put("s", "k", "a")
					r.answer = fails("a")
					go func() {
						time.Sleep(25 * time.Hour)
						r.stream.put("s", "k", "c")
					}()
					got := r.run(t, 26*time.Hour)
					if !strings.HasPrefix(got, "a a a") || !strings.HasSuffix(got, "a c") {
						t.Errorf("the function got %.40q", got)
					}
				}
				got := losses(t, r.told.texts)
				if len(got) != 1 || !strings.HasPrefix(got[0], c.lost[:len(c.lost)-2]) {
					t.Errorf("told of %q, want %q", got, c.lost)
				}
			})
		})
	}
}

func TestThrottlingIsNoAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(stack.EventSourceMapping{}, stack.StreamSettings{MaxRetries: 0, Bisect: true, OnFailure: "arn:q"})
		n := 0
		r.answer = func([]string) ([]byte, error) {
			if n++; n < 5 {
				return nil, fmt.Errorf("crowded: %w", apigw.ErrThrottled)
			}
			return nil, nil
		}
		r.stream.put("s", "k", "a")
		r.stream.put("s", "k", "b")
		if got := r.run(t, time.Minute); got != "ab ab ab ab ab" || len(r.told.texts) > 0 {
			t.Errorf("the function got %q; told %q", got, r.told.texts)
		}
	})
}

// TestALaneThatIsHeldUpHoldsUpNoOther: with a ParallelizationFactor, keys go
// their own ways, each in order.
// TestEachRecordHasOneLane: however many lanes there are, a record reaches the
// function once, and those of one key stay in order.
func TestEachRecordHasOneLane(t *testing.T) {
	for _, factor := range []int{1, 2, 3, 10} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(stack.EventSourceMapping{BatchSize: 1}, stack.StreamSettings{MaxRetries: -1, Parallelization: factor})
			const keys, each = 20, 3
			for n := range each {
				for k := range keys {
					r.stream.put("s", fmt.Sprint(k), fmt.Sprintf("%d.%d", k, n))
				}
			}
			got := strings.Fields(r.run(t, time.Minute))
			next := make(map[string]int)
			for _, text := range got {
				key, n, _ := strings.Cut(text, ".")
				if fmt.Sprint(next[key]) != n {
					t.Errorf("with %d lanes: %s came as number %d of its key", factor, text, next[key])
				}
				next[key]++
			}
			if len(got) != keys*each {
				t.Errorf("with %d lanes: the function got %d of %d records", factor, len(got), keys*each)
			}
		})
	}
}

func TestALaneThatIsHeldUpHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(stack.EventSourceMapping{BatchSize: 1}, stack.StreamSettings{MaxRetries: -1, Parallelization: 10})
		r.answer = fails("0-0")
		for i := range 3 {
			for key := range 20 {
				r.stream.put("s", fmt.Sprint(key), fmt.Sprintf("%d-%d", key, i))
			}
		}
		got := strings.Fields(r.run(t, time.Minute))
		seen := make(map[string]int)
		for _, text := range got {
			key, n, _ := strings.Cut(text, "-")
			if text != "0-0" && strconv.Itoa(seen[key]) != n {
				t.Fatalf("key %s: %s after %d", key, n, seen[key])
			}
			if text != "0-0" {
				seen[key]++
			}
		}
		through := 0
		for _, n := range seen {
			if n == 3 {
				through++
			}
		}
		if seen["0"] != 0 || through < 15 {
			t.Errorf("%d keys are through, and key 0 has had %d", through, seen["0"])
		}
		// With another factor nothing is lost, and what is held up comes first.
		r.declared.Stream.Parallelization = 2
		r.answer = nil
		got = strings.Fields(r.run(t, time.Minute))
		for i := range 3 {
			if !slices.Contains(got, fmt.Sprintf("0-%d", i)) {
				t.Errorf("record 0-%d is lost", i)
			}
		}
	})
}

func TestChildrenFollowTheirParents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(stack.EventSourceMapping{BatchSize: 1}, stack.StreamSettings{MaxRetries: -1, StartingPosition: "LATEST"})
		var free atomic.Bool
		r.answer = func(texts []string) ([]byte, error) {
			if !free.Load() && texts[0] == "a" {
				return nil, errors.New("boom")
			}
			return nil, nil
		}
		go func() {
			time.Sleep(time.Second)
			r.stream.put("s", "k", "a")
			r.stream.put("child", "k", "b")
			r.stream.end("s", Shard{ID: "child", Parents: []string{"s"}})
			time.Sleep(20 * time.Second)
			free.Store(true)
		}()
		got := strings.Fields(r.run(t, 2*time.Minute))
		if !slices.Equal(slices.Compact(got), []string{"a", "b"}) {
			t.Errorf("the function got %q", got)
		}
	})
}

func TestADestinationThatIsAway(t *testing.T) {
	for _, c := range []struct {
		name  string
		fail  func(int) error
		tries int
		told  int
	}{
		{"is told later", func(n int) error {
			if n < 4 {
				return errors.New("away")
			}
			return nil
		}, 4, 1},
		{"and refuses", func(int) error { return fmt.Errorf("no queue: %w", ErrRejected) }, 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(stack.EventSourceMapping{BatchSize: 1}, stack.StreamSettings{OnFailure: "arn:q"})
				r.answer, r.told.fail = fails("a"), c.fail
				r.stream.put("s", "k", "a")
				r.stream.put("s", "k", "b")
				if got := r.run(t, time.Minute); got != "a b" || r.told.tries != c.tries || len(r.told.texts) != c.told {
					t.Errorf("the function got %q; %d tries, told %q", got, r.told.tries, r.told.texts)
				}
			})
		})
	}
}

func TestAStreamThatCannotBeReadIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(stack.EventSourceMapping{}, endless())
		r.stream.put("s", "k", "a")
		r.stream.fail = errors.New("down")
		go func() {
			time.Sleep(time.Minute)
			r.stream.mu.Lock()
			defer r.stream.mu.Unlock()
			r.stream.fail = nil
		}()
		if got := r.run(t, 2*time.Minute); got != "a" {
			t.Errorf("the function got %q", got)
		}
	})
}

func TestAnEventOfAStreamHasSixMegabytesAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(stack.EventSourceMapping{}, endless())
		for _, text := range []string{"a", "b", "c", "d", "e"} {
			r.stream.put("s", "k", text+strings.Repeat("x", 2<<20))
		}
		got := strings.Fields(r.run(t, time.Minute))
		var sizes []int
		for _, batch := range got {
			sizes = append(sizes, len(batch)>>20)
		}
		if !slices.Equal(sizes, []int{4, 4, 2}) {
			t.Errorf("batches of %v MB", sizes)
		}
	})
}

// TestStreamAgainstItsModel: with random failures, throttling, restarts and
// settings, each record reaches the function in the order of its key until it
// was accepted, and none is left out.
func TestStreamAgainstItsModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(stack.EventSourceMapping{BatchSize: rapid.IntRange(1, 7).Draw(rt, "size"), ReportItemFailures: true},
				stack.StreamSettings{MaxRetries: -1, Bisect: rapid.Bool().Draw(rt, "bisect")})
			accepted := make(map[string]int)
			var mu sync.Mutex
			chance := rapid.IntRange(0, 3).Draw(rt, "chance")
			dice := rapid.SliceOfN(rapid.IntRange(0, 9), 50, 50).Draw(rt, "dice")
			n := 0
			r.answer = func(texts []string) ([]byte, error) {
				mu.Lock()
				defer mu.Unlock()
				n++
				roll := dice[n%len(dice)]
				if roll < chance {
					return nil, errors.New("boom")
				}
				good := len(texts)
				if roll < 2*chance {
					good = roll % len(texts)
				}
				for _, text := range texts[:good] {
					key, number, _ := strings.Cut(text, "-")
					i, _ := strconv.Atoi(number)
					if i > accepted[key] {
						t.Errorf("key %s: %d before %d", key, i, accepted[key])
					}
					accepted[key] = max(accepted[key], i+1)
				}
				if good == len(texts) {
					return nil, nil
				}
				return fmt.Appendf(nil, `{"batchItemFailures":[{"itemIdentifier":%q}]}`, r.sequenceOf(texts[good])), nil
			}
			put := make(map[string]int)
			for range rapid.IntRange(1, 6).Draw(rt, "lives") {
				for range rapid.IntRange(0, 20).Draw(rt, "records") {
					key := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "key")
					r.stream.put("s", key, fmt.Sprintf("%s-%d", key, put[key]))
					put[key]++
				}
				r.declared.Stream.Parallelization = rapid.IntRange(1, 3).Draw(rt, "factor")
				r.run(t, time.Duration(rapid.IntRange(0, 500).Draw(rt, "life"))*time.Millisecond)
			}
			dice = []int{9}
			r.run(t, time.Hour)
			for key, want := range put {
				if accepted[key] != want {
					rt.Errorf("of key %s %d of %d records were accepted", key, accepted[key], want)
				}
			}
		})
	})
}

// sequenceOf finds the sequence number of the record with a text.
func (r *rig) sequenceOf(text string) string {
	r.stream.mu.Lock()
	defer r.stream.mu.Unlock()
	for _, rec := range r.stream.records["s"] {
		if strings.Contains(string(rec.JSON), strconv.Quote(text)) {
			return rec.Sequence
		}
	}
	return ""
}
