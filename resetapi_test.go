package gatepost

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestTurnstile: a hold waits for the calls inside, but not for ever and not for
// those that wait themselves; calls that come meanwhile are let in when it is over.
func TestTurnstile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var turns turnstile
		release := make(chan struct{})
		var served atomic.Int32
		gate := turns.before(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release; served.Add(1) }))
		call := func(target string) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
			r.Header.Set("X-Amz-Target", target)
			gate.ServeHTTP(httptest.NewRecorder(), r)
		}
		go call("AmazonSQS.ReceiveMessage")
		synctest.Wait()
		began := time.Now()
		open := turns.hold(time.Minute)
		if time.Since(began) != 0 {
			t.Errorf("a long poll held up a hold for %v", time.Since(began))
		}
		go call("AmazonSQS.SendMessage")
		synctest.Wait()
		if turns.count() != 0 {
			t.Error("a call came in during a hold")
		}
		open()
		synctest.Wait()
		if turns.count() != 1 {
			t.Error("the call is not in after the hold")
		}

		turns.hold(time.Minute)()
		if took := time.Since(began); took != time.Minute {
			t.Errorf("a hold waited %v for a call that does not end, want a minute", took)
		}
		go func() { time.Sleep(time.Second); release <- struct{}{}; release <- struct{}{} }()
		turns.hold(time.Minute)()
		if took := time.Since(began); took != time.Minute+time.Second || served.Load() == 0 {
			t.Errorf("a hold ended after %v, want the end of the call", took)
		}
		synctest.Wait()
	})
}

func (t *turnstile) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.inside
}
