package function

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/stack"
)

// BenchmarkInvoke measures a warm invocation of an unmodified aws-lambda-go
// function that returns its event. own-µs/op is the CPU time of this process
// alone, without the functions'.
//
// BenchmarkFloor does the same with the least that can be done: a goroutine
// per sandbox that writes a ready-made event, reads up to the end of the
// response, writes a ready-made 202 and reads the next question.
func BenchmarkInvoke(b *testing.B) {
	event := bytes.Repeat([]byte("12345678"), 64)
	for _, n := range []int{1, 4} {
		for _, freeze := range []bool{false, true} {
			b.Run(fmt.Sprintf("sandboxes=%d/freeze=%v", n, freeze), func(b *testing.B) {
				f := acting("echo", "echo", nil)
				f.MaxConcurrency, f.Freeze = n, &freeze
				benchmarkInvoke(b, newTestHost(b, nil, f), n, string(event))
			})
		}
	}
}

// benchmarkInvoke has n callers at a time.
func benchmarkInvoke(b *testing.B, h *testHost, n int, event string) {
	var begin, all sync.WaitGroup
	begin.Add(n)
	start := make(chan struct{})
	work := func(count int) {
		begin.Done()
		<-start
		for range count {
			h.invoke("echo", event)
		}
	}
	warm(b, h, n)
	for i := range n {
		all.Go(func() { work(share(b.N, n, i)) })
	}
	begin.Wait()
	measure(b, func() {
		close(start)
		all.Wait()
	})
}

// BenchmarkFreeze measures what freezing adds to an invocation: one function that
// is frozen and one that is not get events by turns, each a moment after it has
// asked for one. p50-µs and frozen-p50-µs are the medians, added-µs is the
// difference; added-own-µs is the CPU time that this process spends on it.
func BenchmarkFreeze(b *testing.B) {
	yes, no := true, false
	frozen, free := acting("frozen", "echo", nil), acting("free", "echo", nil)
	frozen.Freeze, free.Freeze = &yes, &no
	h := newTestHost(b, nil, frozen, free)
	var took, cpu [2][]time.Duration
	names := []string{"free", "frozen"}
	for i := range b.N + 20 {
		for v, name := range names {
			before := ownCPU(b)
			began := time.Now()
			h.invoke(name, `{"text":"hello"}`)
			ended := time.Since(began)
			h.awaitRest(b, name)
			spent := ownCPU(b) - before
			time.Sleep(200 * time.Microsecond) // all of its threads have stopped
			if i >= 20 {
				took[v], cpu[v] = append(took[v], ended), append(cpu[v], spent)
			}
		}
	}
	p50 := func(all []time.Duration) float64 {
		slices.Sort(all)
		return float64(all[len(all)/2].Nanoseconds()) / 1000
	}
	b.ReportMetric(p50(took[0]), "p50-µs")
	b.ReportMetric(p50(took[1]), "frozen-p50-µs")
	b.ReportMetric(p50(took[1])-p50(took[0]), "added-µs")
	b.ReportMetric(p50(cpu[1])-p50(cpu[0]), "added-own-µs")
}

// awaitRest waits until a function's one sandbox has asked for its next event
// and has been frozen, if it is to be.
func (h *testHost) awaitRest(b *testing.B, function string) {
	p := h.functions[function].pool
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Microsecond) {
		p.mu.Lock()
		rests := len(p.idle) == 1
		if rests && p.freeze {
			s := p.idle[0].sandbox
			s.mu.Lock()
			rests = s.frozen
			s.mu.Unlock()
		}
		p.mu.Unlock()
		if rests {
			return
		}
		if time.Now().After(end) {
			b.Fatal("the sandbox does not ask for its next event")
		}
	}
}

// BenchmarkColdStart measures an invocation of an unmodified aws-lambda-go
// function that was built by go build and has no sandbox. The floor-p50-ms is
// the same program without a host around it: from its start to its end, with
// nobody to ask for an event.
func BenchmarkColdStart(b *testing.B) {
	dir := b.TempDir()
	program := filepath.Join(dir, "bootstrap")
	if out, err := exec.Command("go", "build", "-ldflags=-s -w", "-o", program, "../../bench/echofunction/main.go").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	f := stack.Function{Name: "f", Command: []string{program}, Timeout: 10 * time.Second, MemoryMB: 128}
	h := newTestHost(b, nil, f)
	p := h.functions["f"].pool
	var cold, floor []time.Duration
	event := `{"body":"hello","requestContext":{"connectionId":"x"}}`
	for range b.N {
		began := time.Now()
		h.invoke("f", event)
		cold = append(cold, time.Since(began))
		p.killAll()
		eventually(b, "the sandbox ends", func() bool { return p.size().sandboxes == 0 })
		began = time.Now()
		exec.Command(program).Run() // it ends by itself, and complains that it is not on Lambda
		floor = append(floor, time.Since(began))
	}
	slices.Sort(cold)
	slices.Sort(floor)
	b.ReportMetric(float64(cold[len(cold)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(floor[len(floor)/2].Microseconds())/1000, "floor-p50-ms")
}

// warm starts all sandboxes: as many events at one time as there should be.
func warm(b *testing.B, h *testHost, n int) {
	for range 100 {
		var all sync.WaitGroup
		for range n {
			all.Go(func() { h.invoke("echo", "1") })
		}
		all.Wait()
		if h.Functions()[0].Sandboxes == n {
			return
		}
	}
	b.Fatalf("%+v, want %d sandboxes", h.Functions()[0], n)
}

// share divides n operations among workers.
func share(n, workers, i int) int {
	if i < n%workers {
		return n/workers + 1
	}
	return n / workers
}

// measure times run and reports this process's CPU time.
func measure(b *testing.B, run func()) {
	before := ownCPU(b)
	b.ResetTimer()
	run()
	b.StopTimer()
	b.ReportMetric(float64((ownCPU(b)-before).Nanoseconds())/1000/float64(b.N), "own-µs/op")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "op/s")
}

func ownCPU(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkFloor(b *testing.B) {
	event := bytes.Repeat([]byte("12345678"), 64)
	for _, n := range []int{1, 4} {
		b.Run(fmt.Sprintf("sandboxes=%d", n), func(b *testing.B) {
			var all sync.WaitGroup
			floors := make([]*floor, n)
			for i := range floors {
				floors[i] = newFloor(b, event)
			}
			measure(b, func() {
				for i, f := range floors {
					all.Go(func() { f.run(b, share(b.N, n, i)) })
				}
				all.Wait()
			})
		})
	}
}

// floor is one process and its connection.
type floor struct {
	listener      net.Listener
	conn          net.Conn
	next, request []byte
}

const floorID = "8ab7c6d5-0000-4000-8000-000000000000"

// newFloor starts a function and reads its first question.
func newFloor(b *testing.B, event []byte) *floor {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	st, err := newStarter()
	if err != nil {
		b.Fatal(err)
	}
	p, err := startProcess(st, command{
		argv: []string{os.Args[0]}, output: nil,
		environment: []string{behaviourVariable + "=echo", "GOMAXPROCS=1", "AWS_LAMBDA_RUNTIME_API=" + listener.Addr().String()},
	})
	if err != nil {
		b.Fatal(err)
	}
	f := &floor{listener: listener, request: make([]byte, 64<<10)}
	b.Cleanup(func() {
		f.conn.Close()
		listener.Close()
		p.signal(syscall.SIGKILL)
		p.wait()
		st.close()
	})
	f.next = fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: %s\r\n"+
		"Lambda-Runtime-Deadline-Ms: %d\r\nLambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-west-1:111122223333:function:echo\r\n"+
		"Lambda-Runtime-Trace-Id: %s\r\nContent-Length: %d\r\n\r\n%s",
		floorID, time.Now().Add(time.Hour).UnixMilli(), appendTraceID(nil, time.Now()), len(event), event)
	if f.conn, err = listener.Accept(); err != nil {
		b.Fatal(err)
	}
	if err := f.read("\r\n\r\n"); err != nil {
		b.Fatal(err)
	}
	return f
}

// run does n exchanges.
func (f *floor) run(b *testing.B, n int) {
	for range n {
		_, err1 := f.conn.Write(f.next)
		err2 := f.read("\r\n0\r\n\r\n")
		_, err3 := f.conn.Write(acceptedAnswer)
		if err := errors.Join(err1, err2, err3, f.read("\r\n\r\n")); err != nil {
			b.Error(err)
			return
		}
	}
}

// read reads up to the end of a request. Go's client now and then goes on over
// a new connection: when the answer overtakes its own note of having asked.
func (f *floor) read(end string) error {
	for n := 0; !bytes.HasSuffix(f.request[:n], []byte(end)); {
		got, err := f.conn.Read(f.request[n:])
		if err == io.EOF && n == 0 {
			f.conn.Close()
			f.conn, err = f.listener.Accept()
		}
		if err != nil {
			return err
		}
		n += got
	}
	return nil
}
