// Package crashtest owns processes that a test kills, kill -9, to see what they
// leave behind. A child is the test binary itself with another main. Only tests
// import it.
package crashtest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// folder is the variable that makes a test binary a child; it holds the folder
// with the child's data.
const folder = "GATEPOST_TEST_CHILD"

// Main ends this process with live, if it is a child. TestMain calls it first. The
// child says what it has done by lines on its standard output, and runs until it
// is killed; live returns only with an error.
func Main(live func(dir string) error) {
	if dir := os.Getenv(folder); dir != "" {
		fmt.Println("failed", live(dir))
		os.Exit(1)
	}
}

// Kill starts a child on a folder, kills it once it has said n lines, and returns
// all that it said, whole lines only: one that was cut off was never said. A child
// that fails by itself fails the test.
func Kill(t testing.TB, dir string, n int) (said []string) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), folder+"="+dir)
	child.Stderr = t.Output()
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Wait()
	defer child.Process.Kill()
	lines := bufio.NewReader(out)
	for len(said) < n {
		line, err := lines.ReadString('\n')
		if err != nil || strings.HasPrefix(line, "failed") {
			t.Fatalf("the child said %q, %v", line, err)
		}
		said = append(said, strings.TrimSuffix(line, "\n"))
	}
	child.Process.Kill()
	rest, err := io.ReadAll(lines)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(rest)) {
		if text, whole := strings.CutSuffix(line, "\n"); whole {
			said = append(said, text)
		}
	}
	return said
}
