package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	readyWithin   = 20 * time.Second
	endWithin     = 5 * time.Second
	settleBefore  = 3 * time.Second // memory is read so long after the last start
	readyInterval = 200 * time.Microsecond
)

// runStart measures the program itself, built as "make build" does: how long
// "gatepost demo" takes until run.json tells that it serves, its memory a while
// later, its size. The floors: the same program only printing its version, an
// idle server of this benchmark, and a Lambda function built alike.
func runStart(o *options) ([]row, error) {
	dir, err := os.MkdirTemp("", "gatepost-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	program, function := filepath.Join(dir, "gatepost"), filepath.Join(dir, "echo")
	if err := errors.Join(goBuild(program, "-C", "..", "./cmd/gatepost"), goBuild(function, "./echofunction")); err != nil {
		return nil, err
	}
	fresh := row{metric: "start, new data folder", unit: "ms", goal: 100, absolute: true}
	again := row{metric: "start, again", unit: "ms", goal: 100, absolute: true}
	memory := row{metric: "idle memory (RSS)", unit: "MB", goal: 60, absolute: true}
	size := row{metric: "size, stripped", unit: "MB", goal: 45, absolute: true}
	var demos []*demo
	defer func() {
		for _, d := range demos {
			d.stop()
		}
	}()
	for round := range o.rounds {
		d := &demo{program: program, dir: filepath.Join(dir, strconv.Itoa(round))}
		demos = append(demos, d)
		if err := d.round(&fresh, &again); err != nil {
			return nil, err
		}
	}
	time.Sleep(settleBefore)
	return []row{fresh, again, memory, size}, errors.Join(measureMemory(demos, &memory), measureSizes(program, function, &size))
}

// round starts the demo twice in one data folder and leaves it running.
func (d *demo) round(fresh, again *row) error {
	for _, r := range []*row{fresh, again} {
		floor, err := d.version()
		if err != nil {
			return err
		}
		if err := d.stop(); err != nil {
			return err
		}
		took, err := d.start()
		if err != nil {
			return err
		}
		r.floor = append(r.floor, float64(floor)/1e6)
		r.gatepost = append(r.gatepost, float64(took)/1e6)
	}
	return nil
}

// demo is a "gatepost demo", or another command, with folders of its own.
type demo struct {
	program, dir string
	command      []string // nil is demo
	cmd          *exec.Cmd
	ended        chan error
	output       bytes.Buffer
}

// version returns how long the program takes to do next to nothing.
func (d *demo) version() (time.Duration, error) {
	began := time.Now()
	err := exec.Command(d.program, "version").Run()
	return time.Since(began), err
}

// start returns how long it took from the start of the process until it told
// where it serves.
func (d *demo) start() (time.Duration, error) {
	data := filepath.Join(d.dir, "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return 0, err
	}
	d.output.Reset()
	command := d.command
	if command == nil {
		command = []string{"demo"}
	}
	d.cmd = exec.Command(d.program, append(slices.Clone(command), "--data", data, "--gateway", "127.0.0.1:0", "--aws", "127.0.0.1:0", "--console", "127.0.0.1:0")...)
	// Where it notes that it runs; the user's own notes are none of our business.
	d.cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+d.dir)
	d.cmd.Dir, d.cmd.Stdout, d.cmd.Stderr = d.dir, &d.output, &d.output
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	began := time.Now()
	if err := startOn(d.cmd, anyCore); err != nil {
		return 0, err
	}
	d.ended = make(chan error, 1)
	go func() { d.ended <- d.cmd.Wait() }()
	return d.await(filepath.Join(data, "run.json"), began)
}

func (d *demo) await(file string, began time.Time) (time.Duration, error) {
	for time.Since(began) < readyWithin {
		if _, err := os.Stat(file); err == nil {
			return time.Since(began), nil
		}
		select {
		case err := <-d.ended:
			d.cmd = nil
			return 0, fmt.Errorf("gatepost demo ended early: %w\n%s", err, d.output.Bytes())
		case <-time.After(readyInterval):
		}
	}
	return 0, fmt.Errorf("gatepost demo was not ready after %v", readyWithin)
}

// stop ends it as Ctrl-C does. It may be called again.
func (d *demo) stop() error {
	if d.cmd == nil {
		return nil
	}
	cmd := d.cmd
	d.cmd = nil
	cmd.Process.Signal(os.Interrupt)
	select {
	case err := <-d.ended:
		if err != nil {
			return fmt.Errorf("gatepost demo: %w\n%s", err, d.output.Bytes())
		}
		return nil
	case <-time.After(endWithin):
		cmd.Process.Kill()
		<-d.ended
		return fmt.Errorf("gatepost demo did not end within %v of Ctrl-C", endWithin)
	}
}

func measureMemory(demos []*demo, r *row) error {
	for _, d := range demos {
		idle, err := start("floor", serverCore)
		if err != nil {
			return err
		}
		_, err = idle.ask(request{Op: "address"}) // it runs
		floor, errFloor := resident(idle.cmd.Process.Pid)
		idle.stop()
		own, errOwn := resident(d.cmd.Process.Pid)
		if err := errors.Join(err, errFloor, errOwn); err != nil {
			return err
		}
		r.floor, r.gatepost = append(r.floor, floor), append(r.gatepost, own)
	}
	return nil
}

// resident is a process's resident set in MB, shared pages of its file counted.
func resident(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0, errors.New("statm is cut short")
	}
	pages, err := strconv.Atoi(fields[1])
	return float64(pages*os.Getpagesize()) / 1e6, err
}

func measureSizes(program, function string, r *row) error {
	for file, to := range map[string]*[]float64{program: &r.gatepost, function: &r.floor} {
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		*to = append(*to, float64(info.Size())/1e6)
	}
	return nil
}
