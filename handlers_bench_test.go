package gatepost_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/gatepost-dev/gatepost"
	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/stack"
)

// echoHandler answers with the event's body, reading no more of the event than
// that.
type echoHandler struct{}

func (echoHandler) Invoke(_ context.Context, event []byte) ([]byte, error) {
	return []byte(`{"statusCode":200,"body":"` + text + `"}`), nil
}

const text = "0123456789012345678901234567890123456789"

// clientVariable makes the test binary a client that sends messages.
const clientVariable = "GATEPOST_TEST_ECHO"

// BenchmarkEchoInProcess measures client frame -> gateway -> handler in this
// process -> client, with 64 clients that each have one message under way.
// own-µs/op is the CPU time of the serving process; the clients are another one.
func BenchmarkEchoInProcess(b *testing.B) {
	if url := os.Getenv(clientVariable); url != "" {
		echoClients(b, url)
		return
	}
	limits := apigw.DefaultLimits()
	limits.Rate, limits.ConnectRate = 0, 0
	echo := &apigw.Integration{Type: apigw.AWSProxy, Function: "echo"}
	server, err := gatepost.New(gatepost.Config{
		Stack: &stack.Stack{
			Functions: []stack.Function{{Name: "echo"}},
			APIs:      []apigw.API{{Name: "echo", Routes: []apigw.Route{{Key: "$default", Integration: echo, TwoWay: true}}}},
		},
		Data: b.TempDir(), Gateway: "127.0.0.1:0", AWS: "127.0.0.1:0", Console: "127.0.0.1:0", Limits: limits,
		Handlers: map[string]gatepost.Handler{"echo": echoHandler{}},
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	<-server.Ready()
	clients := exec.Command(os.Args[0], "-test.run=^$", "-test.bench=EchoInProcess", "-test.benchtime="+strconv.Itoa(max(b.N, 64))+"x")
	clients.Env = append(os.Environ(), clientVariable+"="+server.Addresses()[0].URL)
	before := cpu(b)
	b.ResetTimer()
	out, err := clients.CombinedOutput()
	b.StopTimer()
	b.ReportMetric(float64((cpu(b)-before).Nanoseconds())/1e3/float64(b.N), "own-µs/op")
	if err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	stop()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
}

func echoClients(b *testing.B, url string) {
	message, _ := json.Marshal(map[string]string{"action": "echo", "text": text})
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			c, _, err := websocket.Dial(b.Context(), url, nil)
			if err != nil {
				b.Error(err)
				return
			}
			defer c.CloseNow()
			for range b.N / 64 {
				if err := c.Write(b.Context(), websocket.MessageText, message); err != nil {
					b.Error(err)
					return
				}
				if _, answer, err := c.Read(b.Context()); err != nil || string(answer) != text {
					b.Errorf("%s, %v", answer, err)
					return
				}
			}
		})
	}
	all.Wait()
}

// cpu is the CPU time that this process has used.
func cpu(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
