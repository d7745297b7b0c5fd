package crashtest

import (
	"fmt"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	Main(func(dir string) error {
		for n := 0; ; n++ {
			fmt.Println(dir, n)
		}
	})
	os.Exit(m.Run())
}

func TestKillReturnsWholeLines(t *testing.T) {
	said := Kill(t, "here", 1000)
	if len(said) < 1000 {
		t.Fatalf("%d lines", len(said))
	}
	for n, line := range said {
		if line != fmt.Sprint("here ", n) {
			t.Fatalf("line %d is %q", n, line)
		}
	}
}
