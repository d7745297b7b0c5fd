package natsroster_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/gatepost-dev/gatepost/push"
	"github.com/gatepost-dev/gatepost/push/natsroster"
	"github.com/gatepost-dev/gatepost/push/rostertest"
)

// connect starts a NATS server in this process and connects to it.
func connect(t *testing.T) jetstream.JetStream {
	t.Helper()
	s, err := server.NewServer(&server.Options{ServerName: "test", DontListen: true, NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(20 * time.Second) {
		t.Fatal("the NATS server did not start")
	}
	conn, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func open(t *testing.T, js jetstream.JetStream, o natsroster.Options) *natsroster.Roster {
	t.Helper()
	r, err := natsroster.Open(t.Context(), js, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func TestRoster(t *testing.T) {
	js := connect(t)
	var n atomic.Int32
	rostertest.Run(t, func(t *testing.T) push.Roster {
		return open(t, js, natsroster.Options{Bucket: fmt.Sprintf("roster-%d", n.Add(1)), Memory: true})
	})
}

// TestTwoProcesses: what one has written, the other reads at once; a third that
// opens later has it all; and a removed last key keeps nobody waiting.
func TestTwoProcesses(t *testing.T) {
	js := connect(t)
	one, two := open(t, js, natsroster.Options{}), open(t, js, natsroster.Options{})
	for i := range 200 {
		id, group := fmt.Sprintf("c-%d", i), fmt.Sprintf("g-%d", i)
		if err := one.Add(t.Context(), push.Connection{ID: id, User: "u"}); err != nil {
			t.Fatal(err)
		}
		if err := two.Join(t.Context(), id, group); err != nil {
			t.Fatal(err)
		}
		found := 0
		for c, err := range one.ByGroup(t.Context(), group) {
			if err != nil || c.ID != id {
				t.Fatalf("read %+v, %v", c, err)
			}
			found++
		}
		if found != 1 {
			t.Fatalf("the group of the one that joined elsewhere has %d connections", found)
		}
	}
	if err := two.Remove(t.Context(), "c-199"); err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]*natsroster.Roster{"one": one, "two": two, "three": open(t, js, natsroster.Options{})} {
		if n, err := r.Count(t.Context()); err != nil || n != 199 {
			t.Errorf("%s counts %d, %v; want 199", name, n, err)
		}
	}
}

func TestClosed(t *testing.T) {
	r, err := natsroster.Open(t.Context(), connect(t), natsroster.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := r.Count(t.Context()); !errors.Is(err, natsroster.ErrClosed) {
		t.Errorf("Count gave %v, want ErrClosed", err)
	}
}

// An entry that is no connection is left out.
func TestOddEntry(t *testing.T) {
	js := connect(t)
	r := open(t, js, natsroster.Options{})
	values, err := js.KeyValue(t.Context(), "roster")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "{", `{"ID":"other"}`, "null"} {
		if _, err := values.PutString(t.Context(), "odd", text); err != nil {
			t.Fatal(err)
		}
		if n, err := r.Count(t.Context()); err != nil || n != 0 {
			t.Errorf("with %q Count is %d, %v", text, n, err)
		}
	}
}
