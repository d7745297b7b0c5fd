package main

import (
	"errors"
	"os"
)

// sendBody is a SendMessage as push systems make it.
const sendBody = `{"QueueUrl":"http://127.0.0.1:4566/000000000000/bench","MessageBody":"` + benchMessage + `"}`

// benchMessage has some 140 bytes, and nothing that JSON escapes.
const benchMessage = `connectionId=L0SM9cOFvHcCIhw=&action=publish&data=0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890`

// sendAnswer is what a queue answers, ready-made.
const sendAnswer = `{"MessageId":"6dd0a6a4-5a0a-4d3e-9d52-7d3cd1a4b9a4","MD5OfMessageBody":"0cc175b9c0f1b6a831c399e269772661"}`

// runQueues measures sends that are answered when they are stored: over
// keep-alive connections, signed and verified; and without HTTP, in batches of
// ten from many callers at once, beside one write to a file for each message.
func runQueues(o *options) (rows []row, err error) {
	undo, err := folderForChildren()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, undo()) }()
	all, err := startTables("tables-floor", "queues-gatepost", "queues-slice", "queues-synced")
	if err != nil {
		return nil, err
	}
	defer all.stop()
	f, err := tableRounds(o, all, "SendMessage", o.scale(320)*tableConnections)
	if err != nil {
		return nil, err
	}
	const peer = "unsigned net/http, a slice"
	rows = []row{
		{metric: "CPU per send, 64 clients", unit: "µs", floor: f.cpu[0], gatepost: f.cpu[1], peer: f.cpu[2], peerName: peer},
		{metric: "sends per second", unit: "k/s", floor: f.rate[0], gatepost: f.rate[1], peer: f.rate[2], peerName: peer, goal: 20, absolute: true, atLeast: true},
		{metric: "sends per second, each on the disk", unit: "k/s", gatepost: f.rate[3]},
	}
	pipelined, err := pipelineRows(o)
	return append(rows, pipelined...), err
}

// folderForChildren gives the children that are started from now on a folder for
// their temporary files, which undo removes: a store of messages cannot do without
// its folder while it runs.
func folderForChildren() (undo func() error, err error) {
	dir, err := os.MkdirTemp("", "gatepost-bench-")
	if err != nil {
		return nil, err
	}
	former, was := os.LookupEnv("TMPDIR")
	undo = func() error {
		if !was {
			return errors.Join(os.Unsetenv("TMPDIR"), os.RemoveAll(dir))
		}
		return errors.Join(os.Setenv("TMPDIR", former), os.RemoveAll(dir))
	}
	return undo, os.Setenv("TMPDIR", dir)
}

// pipelineMessages are sent in a round, one after another to a queue that is
// empty.
const pipelineMessages = 60_000

func pipelineRows(o *options) ([]row, error) {
	kinds := []string{"queues-file", "queues-gatepost", "queues-fifo"}
	var servers []*child
	defer func() {
		for _, s := range servers {
			s.stop()
		}
	}()
	for _, kind := range kinds {
		s, err := start(kind, anyCore)
		if err != nil {
			return nil, err
		}
		servers = append(servers, s)
	}
	n := o.scale(pipelineMessages)
	var cpu, rate [3][]float64
	for round := range o.rounds + 1 {
		for i, s := range servers {
			done, err := s.ask(request{Op: "pipeline", Messages: n})
			if err != nil {
				return nil, err
			}
			if round > 0 { // the first warms up
				cpu[i] = append(cpu[i], float64(done.CPU)/float64(n)/1e3)
				rate[i] = append(rate[i], float64(n)/float64(done.Time)*1e6)
			}
		}
	}
	return []row{
		{metric: "CPU per pipelined send", unit: "µs", floor: cpu[0], gatepost: cpu[1]},
		{metric: "pipelined sends per second", unit: "k/s", floor: rate[0], gatepost: rate[1], goal: 60, absolute: true, atLeast: true},
		{metric: "the same, to a FIFO queue", unit: "k/s", floor: rate[0], gatepost: rate[2]},
	}, nil
}
