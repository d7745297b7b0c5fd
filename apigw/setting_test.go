package apigw

import (
	"strings"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/internal/conformance"
)

func TestLimitsAreSetByName(t *testing.T) {
	conformance.Covers(t, "limit.settings")
	l := DefaultLimits()
	for _, set := range [][2]string{{"frame", "64KB"}, {"message", "1MB"}, {"idle", "30s"}, {"age", "off"}, {"connect-rate", "off"},
		{"rate", "7"}, {"ping-renews-idle", "true"}, {"url", "100"}, {"pending", "off"}} {
		if err := l.Set(set[0], set[1]); err != nil {
			t.Error(err)
		}
	}
	want := DefaultLimits()
	want.MaxFrame, want.MaxMessage, want.Idle, want.MaxAge, want.ConnectRate = 64<<10, 1<<20, 30*time.Second, 0, 0
	want.Rate, want.PingRenewsIdle, want.MaxURL, want.MaxPending = 7, true, 100, 0
	if l != want {
		t.Errorf("got %+v\nwant %+v", l, want)
	}
}

func TestEveryDefaultCanBeWrittenAndReadAgain(t *testing.T) {
	conformance.Covers(t, "limit.settings")
	var l Limits
	for _, s := range Settings() {
		if err := l.Set(s.Name, s.Value(DefaultLimits())); err != nil {
			t.Error(err)
		}
	}
	if l != DefaultLimits() {
		t.Errorf("got %+v\nwant %+v: a limit has no setting", l, DefaultLimits())
	}
}

func TestBadLimits(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"frames", "1", "there is no limit \"frames\"; the limits are frame, message"},
		{"frame", "big", `a size such as 512, 32KB or 1MB, or "off"`},
		{"frame", "-1KB", "a size such as"},
		{"frame", "0", "a size such as"},
		{"frame", "9999999999MB", "a size such as"},
		{"idle", "10", "a time such as 500ms"},
		{"idle", "-1s", "a time such as"},
		{"rate", "1.5", "a whole number above zero"},
		{"rate", "0", "a whole number above zero"},
		{"ping-renews-idle", "off", "true or false"},
	} {
		l := DefaultLimits()
		err := l.Set(c.name, c.value)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s=%s: %v, want %q", c.name, c.value, err, c.want)
		}
		if l != DefaultLimits() {
			t.Errorf("%s=%s changed the limits", c.name, c.value)
		}
	}
}
