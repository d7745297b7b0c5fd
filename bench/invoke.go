package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// anyCore starts a child with all cores: no machine has so many that this is
// one of them.
const anyCore = 1 << 20

// runInvoke measures a gateway's side of invocations: a function process is
// handed events through its Runtime API, as many at once as there are
// sandboxes. Gateway and sandboxes share all cores.
func runInvoke(o *options) ([]row, error) {
	dir, err := os.MkdirTemp("", "gatepost-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	function := filepath.Join(dir, "echo")
	if err := goBuild(function, "./echofunction"); err != nil {
		return nil, err
	}
	var rows []row
	for _, g := range []struct {
		sandboxes           int
		cpu, rate           float64 // goals
		cpuFloor, rateFloor float64 // the floor's, where they were set
	}{{1, 95, 5.0, 60, 5.3}, {4, 42, 8.8, 25, 9.1}} {
		f, err := invokeRounds(o, function, g.sandboxes)
		if err != nil {
			return nil, err
		}
		with := fmt.Sprintf(", %d sandbox", g.sandboxes)
		if g.sandboxes > 1 {
			with += "es"
		}
		rows = append(rows,
			f.cpu.row(row{metric: "gateway CPU" + with, unit: "µs", goal: g.cpu, setAt: g.cpuFloor, absolute: true}),
			f.rate.row(row{metric: "invocations" + with, unit: "k/s", goal: g.rate, setAt: g.rateFloor, absolute: true, atLeast: true}))
		if g.sandboxes == 1 {
			rows = append(rows, f.p50.row(row{metric: "p50" + with, unit: "µs", goal: 190, setAt: 1e3 / g.rateFloor, absolute: true}))
		}
	}
	return rows, nil
}

// goBuild builds a package of this module, or of the folder that "-C" names.
func goBuild(to string, arguments ...string) error {
	var head []string
	if arguments[0] == "-C" {
		head, arguments = arguments[:2], arguments[2:]
	}
	all := append(append([]string{"build"}, head...), "-trimpath", "-ldflags=-s -w", "-o", to)
	cmd := exec.Command("go", append(all, arguments...)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %v (run this in the folder bench): %w\n%s", arguments, err, out)
	}
	return nil
}

// figures of the variants floor, Gatepost, peer: one per round.
type figures [3][]float64

func (f *figures) add(variant int, x float64) { f[variant] = append(f[variant], x) }

func (f *figures) row(r row) row {
	r.floor, r.gatepost, r.peer, r.peerName = f[0], f[1], f[2], "net/http"
	return r
}

// invokeFigures are microseconds, thousands a second, microseconds.
type invokeFigures struct{ cpu, rate, p50 figures }

func invokeRounds(o *options, function string, sandboxes int) (*invokeFigures, error) {
	n := o.scale(2_000)
	var f invokeFigures
	var hosts []*child
	defer func() {
		for _, h := range hosts {
			stopHost(h)
		}
	}()
	for _, kind := range []string{"invoke-floor", "invoke-gatepost", "invoke-http"} {
		h, err := startHost(kind, function, sandboxes)
		if err != nil {
			return nil, err
		}
		hosts = append(hosts, h)
	}
	for round := range o.rounds + 1 {
		for i, h := range hosts {
			run, err := h.ask(request{Op: "invoke", Messages: n})
			if err != nil {
				return nil, err
			}
			if round > 0 { // the first starts the sandboxes
				f.cpu.add(i, float64(run.CPU)/float64(n)/1e3)
				f.rate.add(i, float64(n)/float64(run.Time)*1e6)
				f.p50.add(i, float64(run.Latency)/1e3)
			}
		}
	}
	return &f, nil
}

func startHost(kind, function string, sandboxes int) (*child, error) {
	h, err := start(kind, anyCore)
	if err != nil {
		return nil, err
	}
	if _, err := h.ask(request{Op: "start", Address: function, Connections: sandboxes}); err != nil {
		h.stop()
		return nil, err
	}
	return h, profile(h, fmt.Sprintf("%s-%d", kind, sandboxes))
}

func stopHost(h *child) {
	endProfile(h)
	h.ask(request{Op: "end"}) // its sandboxes leave nothing behind
	h.stop()
}
