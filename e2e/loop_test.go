package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/gatepost-dev/gatepost/internal/instance"
)

// BenchmarkSaveToAnswer measures how long a developer waits: from the moment in
// which a Go function's source is saved, to the answer of the new code over a
// socket that was open all the time.
//
//	go test ./e2e -run xxx -bench SaveToAnswer -benchtime 10x
func BenchmarkSaveToAnswer(b *testing.B) {
	system := b.TempDir()
	unpackSystem(b, filepath.Join("testdata", "loop.txtar"), system)
	system = filepath.Join(system, "system")
	source := filepath.Join(system, "say", "answer.go")
	data := filepath.Join(b.TempDir(), "data")
	var out bytes.Buffer
	cmd := exec.Command(binary, "dev", system, "--gateway", "127.0.0.1:0", "--aws", "127.0.0.1:0", "--console", "127.0.0.1:0", "--data", data)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { cmd.Process.Signal(os.Interrupt); cmd.Wait() }()
	if err := exec.Command(binary, "wait", "--data", data, "--timeout", readyWithin.String()).Run(); err != nil {
		b.Fatalf("%v\n%s", err, out.String())
	}
	run, err := instance.Find(data)
	if err != nil {
		b.Fatal(err)
	}
	ws, _, err := websocket.Dial(b.Context(), run.APIs["system"].URL, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer ws.CloseNow()
	ask := func() string {
		if err := ws.Write(b.Context(), websocket.MessageText, []byte(`{"action":"say"}`)); err != nil {
			b.Fatal(err)
		}
		_, answer, err := ws.Read(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		return string(answer)
	}
	ask()
	time.Sleep(time.Second) // the watching has begun; nothing depends on it but the figure
	for i := range b.N {
		word := fmt.Sprintf("word %d", i)
		if err := os.WriteFile(source, fmt.Appendf(nil, "package main\n\nfunc answer() string { return %q }\n", word), 0o600); err != nil {
			b.Fatal(err)
		}
		for ask() != word {
			time.Sleep(2 * time.Millisecond)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/save")
}
