package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/gatepost-dev/gatepost/internal/function"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
	"github.com/gatepost-dev/gatepost/stack"
)

const (
	restWithin = 20 * time.Second
	// restPause is how long a function is left alone before its next event: all
	// of its threads have stopped by then.
	restPause = 300 * time.Microsecond
	// notFrozen is the function that is not frozen.
	notFrozen = "free"
)

// runFreeze measures what it costs a function to be frozen between its events,
// beside the same one that is not, by turns; and a cold start, beside the same
// program that only starts and finds that it is not on Lambda.
func runFreeze(o *options) ([]row, error) {
	dir, err := os.MkdirTemp("", "gatepost-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "bootstrap")
	if err := goBuild(program, "./echofunction"); err != nil {
		return nil, err
	}
	event, err := messageEvent()
	if err != nil {
		return nil, err
	}
	after := row{metric: "p50 after a pause, frozen", unit: "µs"}
	adds := row{metric: "freezing adds", unit: "µs", goal: 60, absolute: true}
	cold := row{metric: "cold start p50", unit: "ms", goal: 10, absolute: true}
	for range o.rounds {
		free, frozen, err := freezeRound(program, event, o.scale(1000))
		if err != nil {
			return nil, err
		}
		after.floor, after.gatepost = append(after.floor, free/1e3), append(after.gatepost, frozen/1e3)
		adds.gatepost = append(adds.gatepost, (frozen-free)/1e3)
		alone, started, err := coldRound(program, event, o.scale(40))
		if err != nil {
			return nil, err
		}
		cold.floor, cold.gatepost = append(cold.floor, alone/1e6), append(cold.gatepost, started/1e6)
	}
	return []row{after, adds, cold}, nil
}

// freezeRound returns the medians of n invocations each, in nanoseconds.
func freezeRound(program string, event []byte, n int) (free, frozen float64, err error) {
	h := function.NewHost(function.Config{Feed: telemetry.NewFeed()})
	defer func() { err = errors.Join(err, h.Close(context.Background())) }()
	names := []string{notFrozen, "frozen"}
	for i, name := range names {
		freeze := i == 1
		spec := stack.Function{Name: name, Runtime: "provided.al2023", Command: []string{program}, Freeze: &freeze}
		if err := h.Add(spec); err != nil {
			return 0, 0, err
		}
	}
	var took [2][]float64
	for range n + 1 { // the first starts the sandboxes
		for i, name := range names {
			began := time.Now()
			if _, err := h.Invoke(context.Background(), name, event); err != nil {
				return 0, 0, err
			}
			took[i] = append(took[i], float64(time.Since(began)))
			if err := awaitRest(h, i); err != nil {
				return 0, 0, err
			}
		}
	}
	return median(took[0][1:]), median(took[1][1:]), nil
}

// awaitRest waits until a function has asked for its next event, and a moment
// longer.
func awaitRest(h *function.Host, i int) error {
	for end := time.Now().Add(restWithin); ; time.Sleep(restPause) {
		s := h.Functions()[i]
		if s.Busy == 0 && (s.Name == notFrozen || s.Frozen == 1) {
			time.Sleep(restPause)
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("the function %s has not asked for its next event within %v", s.Name, restWithin)
		}
	}
}

// coldRound returns the medians of n starts each, in nanoseconds. Each start is
// of a function of its own, whose process stays, frozen.
func coldRound(program string, event []byte, n int) (alone, started float64, err error) {
	h := function.NewHost(function.Config{Feed: telemetry.NewFeed(), Freeze: true})
	defer func() { err = errors.Join(err, h.Close(context.Background())) }()
	var took [2][]float64
	for i := range n {
		began := time.Now()
		exec.Command(program).Run() // it fails: nobody tells it where the Runtime API is
		took[0] = append(took[0], float64(time.Since(began)))
		name := fmt.Sprintf("cold-%d", i)
		if err := h.Add(stack.Function{Name: name, Runtime: "provided.al2023", Command: []string{program}}); err != nil {
			return 0, 0, err
		}
		began = time.Now()
		if _, err := h.Invoke(context.Background(), name, event); err != nil {
			return 0, 0, err
		}
		took[1] = append(took[1], float64(time.Since(began)))
		if err := awaitRest(h, i); err != nil {
			return 0, 0, err
		}
	}
	return median(took[0]), median(took[1]), nil
}
