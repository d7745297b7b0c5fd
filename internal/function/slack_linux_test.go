package function

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/stack"
)

// Functions have the slack that slacken gives them, and Gatepost has its own.
func TestFunctionsHaveSlack(t *testing.T) {
	own, err := os.ReadFile("/proc/self/timerslack_ns")
	if err != nil {
		t.Skipf("the kernel tells no timer slack; run on Linux 4.6 or newer with /proc mounted and no filter on prctl: %v", err)
	}
	h := newTestHost(t, nil, stack.Function{Name: "f", Command: []string{"/bin/sh", "-c", "cat /proc/self/timerslack_ns"}, Timeout: time.Second})
	h.invokeError("f", `{}`)
	if got := strings.TrimSpace(h.awaitLine().Text); got != "300000" {
		t.Errorf("a function's timers may be %s ns late, want 300000", got)
	}
	if now, _ := os.ReadFile("/proc/self/timerslack_ns"); string(now) != string(own) {
		t.Errorf("the slack of the test changed from %s to %s", own, now)
	}
}
