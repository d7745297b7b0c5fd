package main

import (
	"fmt"

	"github.com/gatepost-dev/gatepost/internal/awswire"
)

// The load of the tables section: so many HTTP connections, each with one call
// under way, and so many calls that a connection makes in turn, each for an item
// of its own.
const (
	tableConnections = 64
	tableCalls       = 128
	// tablePartitions have queryItems items each, for queries.
	tablePartitions = 64
	queryItems      = 25
)

// tableMemoryItems are in the table whose memory is measured.
const tableMemoryItems = 1_000_000

// calling is what the client of the tables section must know of its server, and
// what it is to call: "PutItem", "GetItem" or "Query".
type calling struct {
	Operation   string
	Credentials awswire.Credentials // empty: not signed
}

// startTables starts servers and their clients on all cores: commits go on
// beside the calls that wait for them.
func startTables(kinds ...string) (all pairs, err error) {
	for _, kind := range kinds {
		p, err := startPairOn(kind, anyCore, "tables-client", anyCore)
		if err != nil {
			all.stop()
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// runTables measures calls of DynamoDB over keep-alive connections, signed by
// their caller and verified, into a file as gatepost dev has it (on the disk
// 200 ms later at most) and as gatepost serve has it (before the answer).
func runTables(o *options) ([]row, error) {
	all, err := startTables("tables-floor", "tables-gatepost", "tables-map", "tables-synced")
	if err != nil {
		return nil, err
	}
	defer all.stop()
	var rows []row
	for _, op := range []struct {
		name, operation string
		calls           int
		rate            float64 // goal
	}{{"put", "PutItem", 320, 15}, {"get", "GetItem", 320, 15}, {"query of 25", "Query", 80, 0}} {
		f, err := tableRounds(o, all, op.operation, o.scale(op.calls)*tableConnections)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", op.operation, err)
		}
		const peer = "unsigned net/http, a map"
		rows = append(rows,
			row{metric: "CPU per " + op.name + ", 64 clients", unit: "µs", floor: f.cpu[0], gatepost: f.cpu[1], peer: f.cpu[2], peerName: peer},
			row{metric: op.name + " calls per second", unit: "k/s", floor: f.rate[0], gatepost: f.rate[1], peer: f.rate[2], peerName: peer, goal: op.rate, absolute: true, atLeast: true},
		)
		if op.operation == "PutItem" {
			rows = append(rows, row{metric: "puts per second, each on the disk", unit: "k/s", gatepost: f.rate[3]})
		}
	}
	memory, err := tableMemory(o.scale(tableMemoryItems))
	return append(rows, memory...), err
}

// tableFigures are by kind of server.
type tableFigures struct{ cpu, rate [4][]float64 }

func tableRounds(o *options, all pairs, operation string, n int) (f tableFigures, err error) {
	for _, p := range all {
		server, err := p.server.ask(request{Op: "calling"})
		if err != nil {
			return f, err
		}
		server.Calling.Operation = operation
		if _, err := p.client.ask(request{Op: "prepare", Address: p.address, Calling: server.Calling}); err != nil {
			return f, err
		}
	}
	for round := range o.rounds + 1 {
		for i, p := range all {
			cpu, rate, err := tableCallsOf(p, n)
			if err != nil {
				return f, err
			}
			if round > 0 { // the first warms up
				f.cpu[i], f.rate[i] = append(f.cpu[i], cpu), append(f.rate[i], rate)
			}
		}
	}
	return f, nil
}

// tableCallsOf has n calls made and returns the server's CPU for each in
// microseconds, and thousands of them a second.
func tableCallsOf(p *pair, n int) (cpu, rate float64, err error) {
	var before, run, after answer
	for _, step := range []func() error{
		p.on(p.server, request{Op: "cpu"}, &before),
		p.on(p.client, request{Op: "call", Messages: n}, &run),
		p.on(p.server, request{Op: "cpu"}, &after),
	} {
		if err := step(); err != nil {
			return 0, 0, err
		}
	}
	return float64(after.CPU-before.CPU) / float64(n) / 1e3, float64(n) / float64(run.Time) * 1e6, nil
}

// tableMemory fills a table with n items, and tells what the process and its
// file take then. The resident set has the pages of the file that are mapped
// and that the kernel takes back when it needs them.
func tableMemory(n int) ([]row, error) {
	server, err := start("tables-gatepost", serverCore)
	if err != nil {
		return nil, err
	}
	defer server.stop()
	filled, err := server.ask(request{Op: "fill", Messages: n})
	if err != nil {
		return nil, err
	}
	taken, err := server.ask(request{Op: "memory"})
	if err != nil {
		return nil, err
	}
	with := fmt.Sprintf(", %d items", n)
	return []row{
		{metric: "memory" + with, unit: "MB", gatepost: []float64{float64(taken.Memory-taken.Mapped) / 1e6}},
		{metric: "the file's pages beside it", unit: "MB", gatepost: []float64{float64(taken.Mapped) / 1e6}},
		{metric: "the file", unit: "MB", gatepost: []float64{float64(filled.Bytes) / 1e6}},
		{metric: "CPU per item of BatchWriteItem", unit: "µs", gatepost: []float64{float64(filled.CPU) / float64(n) / 1e3}},
	}, nil
}
