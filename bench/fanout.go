package main

import (
	"errors"
	"fmt"
)

// messageSize is the payload of the messages here, in bytes.
const messageSize = 128

// rig is one variant's server and its clients.
type rig struct {
	server, client *child
	connections    int
}

func newRig(kind string, connections int) (*rig, error) {
	server, err := start(kind, serverCore)
	if err != nil {
		return nil, err
	}
	client, err := start("client", loadCore)
	if err != nil {
		server.stop()
		return nil, err
	}
	r := &rig{server, client, connections}
	if err := r.connect(); err != nil {
		r.stop()
		return nil, err
	}
	return r, nil
}

func (r *rig) connect() error {
	at, err := r.server.ask(request{Op: "address"})
	if err != nil {
		return err
	}
	_, err = r.client.ask(request{Op: "connect", Address: at.Address, Connections: r.connections})
	return err
}

func (r *rig) stop() {
	r.client.stop()
	r.server.stop()
}

// delivery is what one push has cost.
type delivery struct {
	cpu  float64 // the server's, in nanoseconds
	wall float64 // until the last connection had everything, in nanoseconds
}

func (r *rig) push(messages int) (delivery, error) {
	arrived := make(chan error, 1)
	var last answer
	go func() {
		var err error
		last, err = r.client.ask(request{Op: "receive", Bytes: int64(messages) * wireSize(messageSize)})
		arrived <- err
	}()
	before, err := r.server.ask(request{Op: "push", Connections: r.connections, Messages: messages, Size: messageSize})
	if err = errors.Join(err, <-arrived); err != nil {
		return delivery{}, err
	}
	after, err := r.server.ask(request{Op: "cpu"})
	return delivery{float64(after.CPU - before.CPU), float64(last.Time - before.Time)}, err
}

// rigs are the variants that are compared, in the order floor, Gatepost, peer.
type rigs []*rig

func newRigs(connections int) (rigs, error) {
	var all rigs
	for _, kind := range []string{"floor", "gatepost", "gorilla"} {
		r, err := newRig(kind, connections)
		if err != nil {
			all.stop()
			return nil, fmt.Errorf("%s with %d connections: %w", kind, connections, err)
		}
		all = append(all, r)
	}
	return all, nil
}

func (all rigs) stop() {
	for _, r := range all {
		r.stop()
	}
}

// rounds measures every variant once a round; figure turns the pushes of one
// round into one figure. The first round warms up and does not count.
func (all rigs) rounds(rounds, pushes, messages int, figure func([]delivery) float64) ([3][]float64, error) {
	var figures [3][]float64
	for round := range rounds + 1 {
		for i, r := range all {
			deliveries := make([]delivery, pushes)
			for j := range deliveries {
				var err error
				if deliveries[j], err = r.push(messages); err != nil {
					return figures, err
				}
			}
			if round > 0 {
				figures[i] = append(figures[i], figure(deliveries))
			}
		}
	}
	return figures, nil
}

// cpuPer returns a figure: microseconds of CPU for each of so many operations
// in a push.
func cpuPer(operations int) func([]delivery) float64 {
	return func(d []delivery) float64 {
		sum := 0.0
		for _, d := range d {
			sum += d.cpu
		}
		return sum / float64(len(d)*operations) / 1e3
	}
}

func runFanout(o *options) ([]row, error) {
	var rows []row
	for _, n := range []int{1_000, 10_000} {
		f, err := pushRounds(o.scale(n), o.rounds, max(40_000/n, 1), 1, cpuPer(o.scale(n)))
		if err != nil {
			return nil, err
		}
		rows = append(rows, row{
			metric: fmt.Sprintf("CPU per delivery, %d conns", o.scale(n)), unit: "µs",
			floor: f[0], gatepost: f[1], peer: f[2], peerName: "gorilla", goal: 1.20,
		})
	}
	return rows, nil
}

func runQueued(o *options) ([]row, error) {
	const messages = 10
	n := o.scale(10_000)
	f, err := pushRounds(n, o.rounds, 1, messages, cpuPer(n*messages))
	if err != nil {
		return nil, err
	}
	return []row{{
		metric: fmt.Sprintf("CPU per message, %d conns", n), unit: "µs",
		floor: f[0], gatepost: f[1], peer: f[2], peerName: "gorilla", goal: 1.2, absolute: true,
	}}, nil
}

func runLatency(o *options) ([]row, error) {
	n := o.scale(10_000)
	all, err := newRigs(n)
	if err != nil {
		return nil, err
	}
	defer all.stop()
	wall := func(d []delivery) float64 { return d[0].wall / 1e6 }
	f, err := all.rounds(o.scale(40), 1, 1, wall)
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, q := range []float64{0.50, 0.99} {
		r := row{metric: fmt.Sprintf("last delivery p%.0f, %d conns", q*100, n), unit: "ms", peerName: "gorilla", goal: 1.25}
		for i, to := range []*[]float64{&r.floor, &r.gatepost, &r.peer} {
			*to = []float64{quantile(f[i], q)}
		}
		rows = append(rows, r)
	}
	return rows, nil
}

func pushRounds(connections, rounds, pushes, messages int, figure func([]delivery) float64) ([3][]float64, error) {
	all, err := newRigs(connections)
	if err != nil {
		return [3][]float64{}, err
	}
	defer all.stop()
	return all.rounds(rounds, pushes, messages, figure)
}
