package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// slackVariable makes the test binary a program that begins with slacken.
const slackVariable = "GATEPOST_TEST_SLACK"

func TestMain(m *testing.M) {
	if os.Getenv(slackVariable) == "" {
		os.Exit(m.Run())
	}
	fmt.Println("began as", os.Args[0], os.Args[1:])
	slacken()
	text, err := os.ReadFile("/proc/self/timerslack_ns")
	fmt.Println("slack", strings.TrimSpace(string(text)), err)
}

// The program begins again once, as what it was, with another slack; unless
// somebody has set one.
func TestSlacken(t *testing.T) {
	runtime.LockOSThread() // a child has the slack of the thread that starts it
	defer runtime.UnlockOSThread()
	before, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil {
		t.Skipf("the kernel tells no timer slack; run on Linux 4.6 or newer with /proc mounted and no filter on prctl: %v", err)
	}
	defer unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(before), 0, 0, 0)
	const began = "began as name [dev system]\n"
	for set, want := range map[uintptr]string{
		uintptr(kernelSlack): began + began + "slack 500000 <nil>\n",
		70_000:               began + "slack 70000 <nil>\n",
	} {
		if err := unix.Prctl(unix.PR_SET_TIMERSLACK, set, 0, 0, 0); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(os.Args[0])
		cmd.Args = []string{"name", "dev", "system"}
		cmd.Env = append(os.Environ(), slackVariable+"=1")
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != want {
			t.Errorf("with %d ns before: %v\n%swant\n%s", set, err, out, want)
		}
	}
}
