package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
)

// started is a client that runs against a server of the test, in fake time.
type started struct {
	*Client
	server *server
	events chan string
	cancel context.CancelFunc
	result chan error
}

// start runs a client with random numbers of one half.
func start(t *testing.T, o Options) *started {
	s := &started{server: newServer(t), events: make(chan string, 256), result: make(chan error, 1)}
	tell := func(format string, args ...any) { s.events <- fmt.Sprintf(format, args...) }
	o.HTTPClient = s.server.client()
	o.Handlers = Handlers{
		Message: func(data []byte) { tell("message %s", data) },
		Open:    func(renewed bool) { tell("open %t", renewed) },
		Lost:    func(l Loss) { tell("lost %d %s", l.Code, l.Reason) },
		Wait:    func(p Pause) { tell("wait %s after %d, renewing %t", p.Delay, p.Attempt, p.Renewing) },
		State:   func(now, before State) { tell("%s after %s", now, before) },
	}
	var err error
	if s.Client, err = New(At("ws://shop/main"), o); err != nil {
		t.Fatal(err)
	}
	s.random = func() float64 { return 0.5 }
	ctx, cancel := context.WithCancel(t.Context())
	s.cancel = cancel
	go func() { s.result <- s.Run(ctx) }()
	return s
}

// told is what has been told up to now.
func (s *started) told() []string {
	synctest.Wait()
	var all []string
	for len(s.events) > 0 {
		all = append(all, <-s.events)
	}
	return all
}

// end closes the client and holds that Run ends well.
func (s *started) end(t *testing.T) {
	t.Helper()
	s.Close()
	if err := <-s.result; err != nil {
		t.Errorf("Run ended with %v", err)
	}
}

func (p *peer) got() []string {
	synctest.Wait()
	var all []string
	for len(p.received) > 0 {
		all = append(all, <-p.received)
	}
	return all
}

func same(t *testing.T, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

func TestItConnectsTellsSoAndHears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, Options{})
		p := c.server.accept()
		p.post("hello")
		same(t, c.told(), []string{"open after connecting", "open false", "message hello"})
		c.end(t)
		same(t, websocket.CloseStatus(<-p.ended), websocket.StatusNormalClosure)
		same(t, c.told(), []string{"closed after open"})
		same(t, c.Send("late"), ErrClosed)
	})
}

func TestTheWaitDoublesUpToItsMaximum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, Options{Backoff: Backoff{Max: 10 * time.Second}})
		for i, want := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second, 5 * time.Second} {
			c.server.refuse(http.StatusTooManyRequests)
			before := time.Now()
			told := c.told()
			same(t, told[len(told)-1], fmt.Sprintf("wait %s after %d, renewing false", want, i+1))
			a := c.server.next()
			same(t, time.Since(before), want)
			c.server.arrived <- a
		}
		c.end(t)
	})
}

func TestTheAddressIsAskedForAnewAndMayFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		calls, errs := 0, make(chan error, 10)
		c, err := New(func(context.Context) (Target, error) {
			if calls++; calls == 2 {
				return Target{}, errors.New("no token")
			}
			return Target{URL: fmt.Sprintf("ws://shop/main?token=%d", calls), Header: http.Header{"X-Shop": {"yes"}}, Subprotocols: []string{"v1"}}, nil
		}, Options{HTTPClient: s.client(), Handlers: Handlers{Wait: func(p Pause) { errs <- p.Err }}})
		if err != nil {
			t.Fatal(err)
		}
		result := make(chan error, 1)
		go func() { result <- c.Run(t.Context()) }()
		s.refuse(http.StatusUnauthorized)
		var refusal *Refusal
		if err := <-errs; !errors.As(err, &refusal) || refusal.Status != http.StatusUnauthorized {
			t.Errorf("told %v", err)
		}
		a := s.next()
		if err := <-errs; err == nil || !strings.Contains(err.Error(), "no token") {
			t.Errorf("told %v", err)
		}
		same(t, a.request.URL.RawQuery, "token=3")
		same(t, a.request.Header.Get("X-Shop")+a.request.Header.Get("Sec-WebSocket-Protocol"), "yesv1")
		c.Close()
		same(t, <-result, nil)
	})
}

func TestAnAttemptThatTakesTooLongIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, Options{})
		before := time.Now()
		c.server.next() // which is never answered
		same(t, <-c.events, "waiting after connecting")
		same(t, time.Since(before), 15*time.Second)
		c.end(t)
	})
}

func TestAfterTheLastAttemptItGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, Options{Backoff: Backoff{Attempts: 2}})
		c.server.refuse(http.StatusForbidden)
		c.server.refuse(http.StatusForbidden)
		err := <-c.result
		var refusal *Refusal
		if !errors.Is(err, ErrGaveUp) || !errors.As(err, &refusal) {
			t.Errorf("Run ended with %v", err)
		}
		same(t, c.State(), Closed)
	})
}

func TestAConnectionThatLastsEndsTheRowOfFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, Options{})
		for range 2 {
			c.server.accept().ws.CloseNow()
		}
		p := c.server.accept()
		time.Sleep(11 * time.Second)
		p.ws.Close(websocket.StatusGoingAway, "Going away")
		var waits []string
		for _, event := range c.told() {
			if strings.HasPrefix(event, "wait ") || strings.HasPrefix(event, "lost 1001") {
				waits = append(waits, event)
			}
		}
		same(t, waits, []string{
			"wait 500ms after 1, renewing false", "wait 1s after 2, renewing false",
			"lost 1001 Going away", "wait 500ms after 1, renewing false",
		})
		c.end(t)
	})
}

func TestWhatIsSentWithoutAConnectionGoesOutInItsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, Options{})
		for _, text := range []string{"1", "2", "3"} {
			same(t, c.Send(text), nil)
		}
		same(t, c.Send("\xff"), nil)
		same(t, c.Queued(), 4)
		same(t, c.server.accept().got(), []string{"1", "2", "3", "\uFFFD"})
		same(t, c.Queued(), 0)
		c.end(t)
	})
}

func TestTheQueueIsBoundedInMessagesAndInBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, Options{Queue: Queue{Messages: 2, Bytes: 10}, MaxMessage: 9})
		same(t, c.Send("12345678"), nil)
		same(t, errors.Is(c.Send("123"), ErrQueueFull), true)
		same(t, c.Send("x"), nil)
		same(t, errors.Is(c.Send("y"), ErrQueueFull), true)
		same(t, errors.Is(c.Send("1234567890"), ErrTooLarge), true)
		same(t, c.server.accept().got(), []string{"12345678", "x"})
		c.end(t)
	})
}

func TestCloseSendsWhatWaitsFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, Options{})
		p := c.server.accept()
		c.told() // and so it is open
		for i := range 50 {
			same(t, c.Send(fmt.Sprint(i)), nil)
		}
		c.end(t)
		same(t, len(p.got()), 50)
		same(t, websocket.CloseStatus(<-p.ended), websocket.StatusNormalClosure)
	})
}

func TestNothingPassesThenTheKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, Options{})
		p := c.server.accept()
		time.Sleep(7 * time.Minute)
		c.Send("mine")
		time.Sleep(7 * time.Minute)
		p.post("theirs")
		time.Sleep(8*time.Minute - time.Second)
		same(t, p.got(), []string{"mine"})
		time.Sleep(2 * time.Second)
		same(t, p.got(), []string{DefaultKeepAlive})
		time.Sleep(8 * time.Minute)
		same(t, p.got(), []string{DefaultKeepAlive})
		c.end(t)
	})
}

func TestAConnectionThatDoesNotAnswerTheKeepAliveIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, Options{KeepAlive: KeepAlive{Every: time.Minute, Message: "?", AnswerWithin: time.Second}})
		p := c.server.accept()
		same(t, <-p.received, "?")
		p.post("!")
		same(t, <-p.received, "?")
		c.told()
		time.Sleep(time.Second - 1)
		same(t, c.State(), Open)
		time.Sleep(time.Nanosecond)
		same(t, c.told(), []string{"lost 1006 no answer to the keep-alive", "waiting after open", "wait 500ms after 1, renewing false"})
		c.server.accept()
		c.end(t)
	})
}

func TestTheNewConnectionIsOpenBeforeTheOldOneIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, Options{KeepAlive: KeepAlive{Every: -1}, Renew: Renew{After: 100 * time.Minute}})
		old := c.server.accept()
		c.told()
		before := time.Now()
		a := c.server.next()
		same(t, time.Since(before), 95*time.Minute) // with a random half of a tenth taken off
		c.Send("still to the old one")
		same(t, old.got(), []string{"still to the old one"})
		a.answer <- http.StatusSwitchingProtocols
		fresh := <-a.opened
		same(t, c.told(), []string{"open true"})
		c.Send("to the new one")
		same(t, fresh.got(), []string{"to the new one"})
		old.post("late")
		fresh.post("early")
		time.Sleep(5*time.Second - time.Millisecond)
		same(t, len(old.ended), 0)
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		same(t, websocket.CloseStatus(<-old.ended), websocket.StatusNormalClosure)
		told := c.told()
		same(t, len(told), 2)
		same(t, strings.Contains(fmt.Sprint(told), "message late"), true)
		same(t, c.State(), Open)
		c.end(t)
	})
}

func TestARenewalThatFailsIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, Options{KeepAlive: KeepAlive{Every: -1}, Backoff: Backoff{Attempts: 1}})
		old := c.server.accept()
		c.told()
		c.server.refuse(http.StatusServiceUnavailable)
		same(t, c.told(), []string{"wait 500ms after 1, renewing true"})
		old.post("still heard")
		c.server.accept()
		same(t, c.told(), []string{"message still heard", "open true"})
		c.end(t)
	})
}

func TestFailuresOfARenewalDoNotCountOnceTheOldConnectionIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, Options{KeepAlive: KeepAlive{Every: -1}})
		old := c.server.accept()
		for range 4 {
			c.server.refuse(http.StatusServiceUnavailable)
		}
		c.told()
		old.ws.Close(websocket.StatusGoingAway, "")
		same(t, c.told(), []string{"lost 1001 ", "waiting after open", "wait 500ms after 1, renewing false"})
		c.end(t)
	})
}

func TestTheOldConnectionIsLostDuringARenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, Options{KeepAlive: KeepAlive{Every: -1}})
		old := c.server.accept()
		c.told()
		a := c.server.next()
		old.ws.Close(websocket.StatusGoingAway, "")
		same(t, c.told(), []string{"connecting after open", "lost 1001 "})
		c.Send("kept")
		a.answer <- http.StatusSwitchingProtocols
		p := <-a.opened
		same(t, p.got(), []string{"kept"})
		same(t, c.told(), []string{"open after connecting", "open false"})
		c.end(t)
	})
}

func TestALargeMessageGoesInFramesOf32KB(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, Options{})
		p := c.server.accept()
		text := strings.Repeat("x", MaxMessage)
		same(t, c.Send(text), nil)
		same(t, <-p.received == text, true)
		same(t, errors.Is(c.Send(text+"x"), ErrTooLarge), true)
		p.post(text)
		same(t, <-c.events, "open after connecting")
		same(t, <-c.events, "open false")
		same(t, <-c.events == "message "+text, true)
		c.end(t)
	})
}

// Whenever it ends, by Close or by its context, Run leaves nothing behind;
// synctest fails a test whose goroutines go on.
func TestRunLeavesNothingBehind(t *testing.T) {
	moments := map[string]func(c *started){
		"at once":              func(c *started) {},
		"in the handshake":     func(c *started) { c.server.next() },
		"while it is open":     func(c *started) { c.server.accept() },
		"while it waits":       func(c *started) { c.server.refuse(500); synctest.Wait() },
		"during a renewal":     func(c *started) { c.server.accept(); c.server.next() },
		"right after it":       func(c *started) { c.server.accept(); c.server.accept() },
		"with a stuck peer":    func(c *started) { c.server.accept(); c.Send(strings.Repeat("x", 1000)) },
		"with a message there": func(c *started) { c.server.accept().post("x") },
	}
	for name, until := range moments {
		t.Run(name+" by Close", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := start(t, Options{})
				until(c)
				c.end(t)
			})
		})
		t.Run(name+" by its context", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := start(t, Options{})
				until(c)
				c.cancel()
				same(t, errors.Is(<-c.result, context.Canceled), true)
				same(t, c.State(), Closed)
			})
		})
	}
}

func TestRunIsCalledOnceAndOptionsMustMakeSense(t *testing.T) {
	c, err := New(At("ws://x"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	c.Close()
	same(t, c.Run(t.Context()), nil)
	same(t, c.Run(t.Context()) != nil, true)
	if _, err := New(At("ws://x"), Options{Queue: Queue{Bytes: -1}}); err == nil {
		t.Error("a negative queue is taken")
	}
	if _, err := New(nil, Options{}); err == nil {
		t.Error("no address is taken")
	}
}
