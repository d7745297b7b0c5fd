package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/bus"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
)

const (
	failedQueue = "arn:aws:sqs:eu-west-1:123456789012:failed"
	deadQueue   = "arn:aws:sqs:eu-west-1:123456789012:dead"
	doneTopic   = "arn:aws:sns:eu-west-1:123456789012:done"
)

// times are when a function was called, counted from the start.
func timesOf(begin time.Time, at []time.Time) string {
	var out []string
	for _, t := range at {
		out = append(out, t.Sub(begin).String())
	}
	return strings.Join(out, " ")
}

// TestWaitsBetweenAttempts: Lambda's own waits.
func TestWaitsBetweenAttempts(t *testing.T) {
	for _, c := range []struct {
		name, config, want string
		err                error
		settings           EventInvokeConfig
		retries            []time.Duration
	}{
		{name: "a function that fails is tried again after one and two minutes", err: boom, want: "0s 1m0s 3m0s"},
		{name: "no retries", err: boom, settings: EventInvokeConfig{MaximumRetryAttempts: new(int)}, want: "0s"},
		{name: "waits of one's own", err: boom, retries: []time.Duration{time.Second}, want: "0s 1s 2s"},
		{name: "no waits", err: boom, retries: []time.Duration{}, want: "0s 0s 0s"},
		{name: "an event that grows too old between attempts", err: boom, settings: EventInvokeConfig{MaximumEventAge: 90 * time.Second}, want: "0s 1m0s"},
		{name: "a throttled function is tried again after waits that double up to five minutes", err: apigw.ErrThrottled, settings: EventInvokeConfig{MaximumEventAge: 20 * time.Minute},
			want: "0s 1s 3s 7s 15s 31s 1m3s 2m7s 4m15s 8m31s 13m31s 18m31s"},
		{name: "a fault of the host counts as throttling", err: errHost, settings: EventInvokeConfig{MaximumEventAge: time.Minute}, want: "0s 1s 3s 7s 15s 31s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				var at []time.Time
				m := newMemory()
				s, _, _ := run(t, m, func(cfg *Config, fs *functions) {
					c.settings.Function = "echo"
					cfg.EventConfigs, cfg.Retries = []EventInvokeConfig{c.settings}, c.retries
					fs.run = func(context.Context, call) ([]byte, error) {
						at = append(at, time.Now())
						return nil, c.err
					}
				})
				if err := s.InvokeAsync(t.Context(), "echo", nil); err != nil {
					t.Fatal(err)
				}
				time.Sleep(7 * time.Hour)
				end(s)
				if got := timesOf(begin, at); got != c.want {
					t.Errorf("attempts at %s, want %s", got, c.want)
				}
				if m.size() != 0 {
					t.Errorf("%d messages are left", m.size())
				}
			})
		})
	}
}

// TestSixHours: without settings a throttled event is given up after six hours.
func TestSixHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failed := &inbox{}
		s, fs, _ := run(t, newMemory(), func(cfg *Config, fs *functions) {
			cfg.EventConfigs, cfg.Queues = []EventInvokeConfig{{Function: "echo", OnFailure: failedQueue}}, failed
			fs.run = func(context.Context, call) ([]byte, error) { return nil, apigw.ErrThrottled }
		})
		defer end(s)
		s.InvokeAsync(t.Context(), "echo", nil)
		time.Sleep(6*time.Hour - time.Second)
		if len(failed.messages()) != 0 {
			t.Fatalf("given up too early: %v", failed.messages())
		}
		time.Sleep(2 * time.Second)
		if len(failed.messages()) != 1 || !strings.Contains(failed.messages()[0].Body, `"condition":"EventAgeExceeded","approximateInvokeCount":0}`) {
			t.Errorf("records %v", failed.messages())
		}
		if calls := fs.calls(); len(calls) < 70 || len(calls) > 90 {
			t.Errorf("%d attempts in six hours", len(calls))
		}
	})
}

// TestRecords: what destinations and dead-letter queues get, to the byte.
func TestRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queues, topics, feed := &inbox{}, &inbox{}, telemetry.NewFeed()
		s, fs, _ := run(t, newMemory(), func(cfg *Config, fs *functions) {
			cfg.EventConfigs = []EventInvokeConfig{{Function: "echo", OnFailure: failedQueue, OnSuccess: doneTopic, DeadLetter: deadQueue}}
			cfg.Queues, cfg.Topics, cfg.Feed = queues, topics, feed
			fs.run = func(_ context.Context, c call) ([]byte, error) {
				if string(c.Event) == `{"n":1}` {
					return nil, failure{`{"errorMessage":"bad\nthing","errorType":"Error"}`}
				}
				return []byte("no JSON"), nil
			}
		})
		defer end(s)
		for _, event := range []string{`{"n":1}`, `{"n":2}`} {
			if err := s.InvokeAsync(t.Context(), "echo:live", []byte(event)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(4 * time.Minute)
		}
		calls := fs.calls()
		wantFailed := `{"version":"1.0","timestamp":"2000-01-01T00:03:00.000Z","requestContext":{"requestId":"` + calls[0].RequestID + `","functionArn":"` + prefix + `echo:live","condition":"RetriesExhausted","approximateInvokeCount":3},` +
			`"requestPayload":{"n":1},"responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},"responsePayload":{"errorMessage":"bad\nthing","errorType":"Error"}}`
		wantDone := `{"version":"1.0","timestamp":"2000-01-01T00:04:00.000Z","requestContext":{"requestId":"` + calls[3].RequestID + `","functionArn":"` + prefix + `echo:live","condition":"Success","approximateInvokeCount":1},` +
			`"requestPayload":{"n":2},"responseContext":{"statusCode":200,"executedVersion":"$LATEST"},"responsePayload":"no JSON"}`
		got := queues.messages()
		if len(got) != 2 || got[0].arn != failedQueue || got[0].Body != wantFailed || got[0].Attributes != nil {
			t.Errorf("records of failures: %+v\nwant %s", got, wantFailed)
		}
		dead := got[len(got)-1]
		if fmt.Sprint(dead) != fmt.Sprint(delivered{deadQueue, Message{`{"n":1}`, map[string]Attribute{
			"RequestID": {"String", calls[0].RequestID}, "ErrorCode": {"Number", "200"}, "ErrorMessage": {"String", "bad thing"}}}}) {
			t.Errorf("dead letter %+v", dead)
		}
		if got := topics.messages(); len(got) != 1 || got[0].arn != doneTopic || got[0].Body != wantDone {
			t.Errorf("records of successes: %+v\nwant %s", got, wantDone)
		}
		var told []string
		for _, e := range feed.Recent(100) {
			told = append(told, fmt.Sprintf("%s %v %s", e.Kind, e.Failed, e.Text))
		}
		if want := []string{
			"delivered true record of RetriesExhausted to " + failedQueue,
			"deadletter true moved to " + deadQueue + ": 3 attempts failed: bad thing",
			"delivered false record of Success to " + doneTopic,
		}; !slices.Equal(told, want) {
			t.Errorf("the feed has %q, want %q", told, want)
		}
	})
}

// TestLargeRecordsGoWithoutPayloads: for each kind of destination its own limit.
func TestLargeRecordsGoWithoutPayloads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queues, topics := &inbox{}, &inbox{}
		s, fs, _ := run(t, newMemory(), func(cfg *Config, fs *functions) {
			cfg.EventConfigs = []EventInvokeConfig{{Function: "echo", OnFailure: failedQueue, OnSuccess: doneTopic}}
			cfg.Queues, cfg.Topics, cfg.Retries = queues, topics, []time.Duration{}
			fs.run = func(_ context.Context, c call) ([]byte, error) {
				if strings.Contains(string(c.Event), "fail") {
					return nil, failure{`"` + strings.Repeat("b", 600<<10) + `"`}
				}
				return c.Event, nil
			}
		})
		defer end(s)
		sizes := func(got []delivered) (out []bool) {
			for _, d := range got {
				record := parsed(t, []byte(d.Body))
				_, in := record["requestPayload"]
				_, response := record["responsePayload"]
				out = append(out, in && response)
				if in != response || record["responseContext"] == nil {
					t.Errorf("half a record: %.300s", d.Body)
				}
			}
			return out
		}
		for _, n := range []int{100 << 10, 200 << 10} {
			s.InvokeAsync(t.Context(), "echo", []byte(`"ok  `+strings.Repeat("a", n)+`"`))
			time.Sleep(time.Second)
		}
		for _, n := range []int{300 << 10, 500 << 10} {
			s.InvokeAsync(t.Context(), "echo", []byte(`"fail`+strings.Repeat("a", n)+`"`))
			time.Sleep(time.Second)
		}
		if got := sizes(topics.messages()); !slices.Equal(got, []bool{true, false}) {
			t.Errorf("payloads for the topic %v, of calls %d", got, len(fs.calls()))
		}
		if got := sizes(queues.messages()); !slices.Equal(got, []bool{true, false}) {
			t.Errorf("payloads for the queue %v", got)
		}
	})
}

// TestADestinationThatIsAway: it is told later, and the function is not invoked
// again for that; one that refuses is not told again.
func TestADestinationThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var tries []time.Time
		queues, feed := &inbox{}, telemetry.NewFeed()
		queues.refuse = func(arn string) error {
			if arn == deadQueue {
				return fmt.Errorf("no such queue: %w", ErrRejected)
			}
			if tries = append(tries, time.Now()); len(tries) < 4 {
				return errHost
			}
			return nil
		}
		m := newMemory()
		s, fs, _ := run(t, m, func(cfg *Config, fs *functions) {
			cfg.EventConfigs = []EventInvokeConfig{{Function: "echo", MaximumRetryAttempts: new(int), OnFailure: failedQueue, DeadLetter: deadQueue}}
			cfg.Queues, cfg.Feed = queues, feed
			fs.run = func(context.Context, call) ([]byte, error) { return nil, boom }
		})
		s.InvokeAsync(t.Context(), "echo", nil)
		time.Sleep(time.Hour)
		end(s)
		if got := timesOf(begin, tries); got != "0s 1s 3s 7s" || len(queues.messages()) != 1 || !strings.Contains(queues.messages()[0].Body, `"responsePayload":`+boom.payload) {
			t.Errorf("told at %s: %+v", got, queues.messages())
		}
		if len(fs.calls()) != 1 || m.size() != 0 {
			t.Errorf("%d calls, %d messages left", len(fs.calls()), m.size())
		}
		refused := 0
		for _, e := range feed.Recent(100) {
			if e.Failed && strings.Contains(e.Text, deadQueue+" cannot be told: no such queue") {
				refused++
			}
		}
		if refused != 1 {
			t.Errorf("the feed has %+v", feed.Recent(100))
		}
	})
}

func TestADestinationThatStaysAwayIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		s, _, _ := run(t, m, func(cfg *Config, _ *functions) {
			cfg.EventConfigs, cfg.Queues = []EventInvokeConfig{{Function: "echo", OnSuccess: failedQueue}}, &inbox{refuse: func(string) error { return errHost }}
		})
		defer end(s)
		s.InvokeAsync(t.Context(), "echo", nil)
		time.Sleep(6 * time.Hour)
		if m.size() != 1 {
			t.Fatalf("%d messages after six hours", m.size())
		}
		time.Sleep(10 * time.Minute)
		if m.size() != 0 {
			t.Errorf("%d messages are left", m.size())
		}
	})
}

// TestAResponseTooLargeToKeep: it goes to a destination that is there, and is left
// out of a record that must wait.
func TestAResponseTooLargeToKeep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := true
		queues := &inbox{}
		queues.refuse = func(string) error {
			if away {
				away = false
				return errHost
			}
			return nil
		}
		s, fs, _ := run(t, newMemory(), func(cfg *Config, fs *functions) {
			cfg.EventConfigs, cfg.Queues = []EventInvokeConfig{{Function: "echo", OnSuccess: failedQueue}}, queues
			fs.run = func(context.Context, call) ([]byte, error) {
				return []byte(`"` + strings.Repeat("a", bus.MaxPayload) + `"`), nil
			}
		})
		defer end(s)
		s.InvokeAsync(t.Context(), "echo", []byte("1"))
		time.Sleep(time.Minute)
		got := queues.messages()
		if len(got) != 1 || !strings.Contains(got[0].Body, `"condition":"Success"`) || strings.Contains(got[0].Body, "responsePayload") || len(fs.calls()) != 1 {
			t.Errorf("%d calls, records %.400v", len(fs.calls()), got)
		}
	})
}

// TestAFunctionAsDestination: it gets the record as its event; a loop ends.
func TestAFunctionAsDestination(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, fs, _ := run(t, newMemory(), func(cfg *Config, fs *functions) {
			cfg.EventConfigs = []EventInvokeConfig{{Function: "echo", OnSuccess: prefix + "echo"}}
			fs.run = func(context.Context, call) ([]byte, error) { return []byte("1"), nil }
		})
		defer end(s)
		s.InvokeAsync(t.Context(), "echo", []byte(`"first"`))
		time.Sleep(time.Hour)
		calls := fs.calls()
		if len(calls) != 1+maxHops {
			t.Fatalf("%d calls of a function that is its own destination", len(calls))
		}
		var record struct {
			RequestPayload string
			RequestContext struct{ RequestID string }
		}
		if err := json.Unmarshal(calls[1].Event, &record); err != nil || record.RequestPayload != "first" || record.RequestContext.RequestID != calls[0].RequestID {
			t.Errorf("the destination got %s (%v)", calls[1].Event, err)
		}
	})
}

// TestAFunctionThatIsGone: its events wait for it, as the template may have it
// again, and are given up by their age.
func TestAFunctionThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, failed := newMemory(), &inbox{}
		s, _, _ := run(t, m, nil)
		s.Close(t.Context()) // nothing runs; the store takes what is published below
		p := &process{memory: m}
		for i := range 2 {
			e := &envelope{head: head{ID: fmt.Sprint(i), Accepted: time.Now().Add(time.Duration(i) * 3 * time.Hour)}, event: []byte("1")}
			p.Publish(t.Context(), bus.Message{Data: e.seal()})
		}
		gone, fs, _ := run(t, m, func(cfg *Config, fs *functions) {
			fs.list = nil
			cfg.EventConfigs, cfg.Queues = []EventInvokeConfig{{Function: "echo", OnFailure: failedQueue}}, failed
		})
		time.Sleep(6*time.Hour + time.Minute)
		end(gone)
		if got := failed.messages(); len(got) != 1 || !strings.Contains(got[0].Body, `"requestId":"0","functionArn":"`+prefix+`echo:$LATEST","condition":"EventAgeExceeded"`) || len(fs.calls()) != 0 {
			t.Errorf("records %v, %d calls", got, len(fs.calls()))
		}
		back, fs, _ := run(t, m, nil)
		time.Sleep(5 * time.Minute)
		end(back)
		if calls := fs.calls(); len(calls) != 1 || calls[0].RequestID != "1" {
			t.Errorf("calls %v", calls)
		}
	})
}

// TestAnEventThatKillsTheProcessComesToAnEnd: attempts that never came back count.
func TestAnEventThatKillsTheProcessComesToAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, failed := newMemory(), &inbox{}
		starts := 0
		for life := 0; m.size() > 0 || life == 0; life++ {
			if life > 10 {
				t.Fatal("it lives for ever")
			}
			p := &process{memory: m}
			s, _ := p.run(t, func(cfg *Config, fs *functions) {
				cfg.EventConfigs, cfg.Queues = []EventInvokeConfig{{Function: "echo", OnFailure: failedQueue}}, failed
				fs.run = func(ctx context.Context, _ call) ([]byte, error) {
					starts++
					p.kill()
					<-ctx.Done()
					return nil, ctx.Err()
				}
			})
			if life == 0 {
				s.InvokeAsync(t.Context(), "echo", []byte("1"))
			}
			time.Sleep(2 * ackWait)
			end(s)
		}
		if got := failed.messages(); len(got) != 1 || !strings.Contains(got[0].Body, `"condition":"RetriesExhausted","approximateInvokeCount":3},"requestPayload":1}`) || starts != 3 {
			t.Errorf("%d attempts, records %v", starts, got)
		}
	})
}

// TestCloseWaits: what runs may end, what waits does not begin.
func TestCloseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		s, fs, _ := run(t, m, func(cfg *Config, fs *functions) {
			cfg.Concurrency = 1
			fs.run = func(context.Context, call) ([]byte, error) {
				time.Sleep(time.Minute)
				return nil, nil
			}
		})
		s.InvokeAsync(t.Context(), "echo", []byte("1"))
		s.InvokeAsync(t.Context(), "echo", []byte("2"))
		synctest.Wait()
		begin := time.Now()
		s.Close(t.Context())
		if took := time.Since(begin); took != time.Minute || len(fs.calls()) != 1 || m.size() != 1 {
			t.Errorf("Close took %v, %d calls, %d messages left", took, len(fs.calls()), m.size())
		}
		if err := s.InvokeAsync(t.Context(), "echo", nil); !errors.Is(err, bus.ErrClosed) {
			t.Errorf("InvokeAsync after Close: %v", err)
		}
	})
}

// TestCloseGivesBackWhatItCutsOff: at once, and as if it had not begun, but not
// while a poller fetches, to which it would be sent as an attempt that has failed.
func TestCloseGivesBackWhatItCutsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		s, fs, p := run(t, m, func(_ *Config, fs *functions) {
			fs.run = func(ctx context.Context, _ call) ([]byte, error) {
				<-ctx.Done()
				return nil, boom // what a host says that ends at the same time
			}
		})
		s.InvokeAsync(t.Context(), "echo", []byte("1"))
		synctest.Wait()
		time.Sleep(time.Second)
		p.lingers = 100 * time.Millisecond
		end(s)
		if len(fs.calls()) != 1 || m.size() != 1 || p.tooEarly > 0 {
			t.Fatalf("%d calls, %d messages left, %d came back while others were fetched", len(fs.calls()), m.size(), p.tooEarly)
		}
		for _, it := range m.items {
			e, err := openEnvelope(it.data)
			if err != nil || it.until.After(time.Now()) || it.count != 0 || e.Attempts != 0 || e.Faults != 0 || e.Waits != 0 || e.Round != 0 {
				t.Errorf("what is left is %+v in %+v, %v", e, it, err)
			}
		}
	})
}

// TestALongInvocationIsHeld: it does not come back while it runs.
func TestALongInvocationIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, fs, _ := run(t, newMemory(), func(_ *Config, fs *functions) {
			fs.run = func(context.Context, call) ([]byte, error) {
				time.Sleep(15 * time.Minute)
				return nil, nil
			}
		})
		defer end(s)
		s.InvokeAsync(t.Context(), "echo", nil)
		time.Sleep(time.Hour)
		if len(fs.calls()) != 1 {
			t.Errorf("%d calls", len(fs.calls()))
		}
	})
}

// TestAStoreThatIsFull: the caller is told, and an invocation that runs is not
// lost.
func TestAStoreThatIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		var ok atomic.Bool
		full := make(chan struct{})
		s, fs, p := run(t, m, func(cfg *Config, fs *functions) {
			cfg.Retries = []time.Duration{}
			fs.run = func(context.Context, call) ([]byte, error) {
				<-full // the failure must meet a full store
				if ok.Load() {
					return nil, nil
				}
				return nil, boom
			}
		})
		defer end(s)
		if err := s.InvokeAsync(t.Context(), "echo", nil); err != nil {
			t.Fatal(err)
		}
		p.refuse(bus.ErrFull)
		close(full)
		synctest.Wait()
		err := s.InvokeAsync(t.Context(), "echo", nil)
		if _, api := errors.AsType[*awswire.Error](err); !errors.Is(err, bus.ErrFull) || api {
			t.Errorf("a full store: %v", err)
		}
		ok.Store(true)
		time.Sleep(2 * ackWait)
		if len(fs.calls()) != 2 || m.size() != 0 {
			t.Errorf("%d calls, %d messages left", len(fs.calls()), m.size())
		}
	})
}

// TestAMessageThatCannotBeRead: it goes, and what comes after it runs.
func TestAMessageThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		s, fs, p := run(t, m, nil)
		defer end(s)
		for _, data := range []string{"", "{}", "no JSON\n", `{"event":2}` + "\n1", `{"event":1}` + "\n12", `{"event":1,"response":2}` + "\n12", `{"event":-1,"response":1}` + "\n"} {
			data = strings.Replace(data, "{", `{"accepted":"2000-01-01T00:00:00Z",`, 1) // not too old
			p.Publish(t.Context(), bus.Message{Data: []byte(data)})
		}
		s.InvokeAsync(t.Context(), "echo", []byte("1"))
		time.Sleep(time.Minute)
		if len(fs.calls()) != 1 || m.size() != 0 {
			t.Errorf("calls %v, %d messages left", fs.calls(), m.size())
		}
	})
}

func TestInvokeAsyncRefuses(t *testing.T) {
	s, fs, _ := run(t, newMemory(), nil)
	defer end(s)
	for function, event := range map[string]string{"nobody": "1", prefix + "echoo": "1", "a b": "1", "echo": "x"} {
		err := s.InvokeAsync(t.Context(), function, []byte(event))
		if refused, ok := errors.AsType[*awswire.Error](err); !ok || refused.Status >= 500 || errors.Is(err, ErrNoFunction) != (refused.Status == 404) {
			t.Errorf("%s %s: %v", function, event, err)
		}
	}
	if err := s.InvokeAsync(t.Context(), "echo", make([]byte, DefaultMaxAsync+1)); err == nil || len(fs.calls()) != 0 {
		t.Errorf("an event that is too large: %v", err)
	}
}

func TestSettingsThatCannotBeKept(t *testing.T) {
	three := 3
	for _, c := range []struct {
		settings EventInvokeConfig
		want     string
	}{
		{EventInvokeConfig{MaximumRetryAttempts: &three}, "MaximumRetryAttempts is 3"},
		{EventInvokeConfig{MaximumEventAge: 59 * time.Second}, "MaximumEventAgeInSeconds is 59"},
		{EventInvokeConfig{MaximumEventAge: 7 * time.Hour}, "MaximumEventAgeInSeconds is 25200"},
		{EventInvokeConfig{OnFailure: failedQueue + ".fifo"}, "OnFailure: " + failedQueue + ".fifo is first-in-first-out"},
		{EventInvokeConfig{OnFailure: "arn:aws:s3:::bucket"}, "OnFailure: arn:aws:s3:::bucket cannot be a destination here"},
		{EventInvokeConfig{OnSuccess: "arn:aws:events:eu-west-1:123456789012:event-bus/default"}, "cannot be a destination here"},
		{EventInvokeConfig{OnSuccess: "echo"}, "OnSuccess: echo cannot be a destination here"},
		{EventInvokeConfig{OnSuccess: doneTopic}, "OnSuccess: " + doneTopic + " cannot be"},
		{EventInvokeConfig{DeadLetter: prefix + "echo"}, "cannot be a dead-letter queue here"},
	} {
		c.settings.Function = "echo"
		_, err := newService(Config{Functions: someFunctions(), Queues: &inbox{}, EventConfigs: []EventInvokeConfig{c.settings}})
		if err == nil || !strings.Contains(err.Error(), "EventInvokeConfig of function echo: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
	for want, cfg := range map[string]Config{
		"has two EventInvokeConfigs": {EventConfigs: []EventInvokeConfig{{Function: "echo"}, {Function: "echo"}}},
		"cannot be negative":         {Concurrency: -1},
		"can be 2097152":             {MaxAsync: 2<<20 + 1},
	} {
		if _, err := newService(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := New(t.Context(), Config{}); err == nil {
		t.Error("a service stands on nothing")
	}
}
