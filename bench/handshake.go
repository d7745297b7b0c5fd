package main

import "fmt"

// runHandshake measures what a server spends on an upgrade, and on a whole
// short life: the upgrade, the client's close frame, the answer to it.
func runHandshake(o *options) ([]row, error) {
	n := o.scale(4_000)
	kinds := []string{"handshake-floor", "handshake-gatepost", "handshake-gorilla"}
	all, err := startAll(kinds, "handshake-client")
	if err != nil {
		return nil, err
	}
	defer all.stop()
	var opened, lived [3][]float64
	for round := range o.rounds + 1 {
		for i, p := range all {
			open, life, err := handshakes(p, n)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", kinds[i], err)
			}
			if round > 0 { // the first warms up
				opened[i], lived[i] = append(opened[i], open), append(lived[i], life)
			}
		}
	}
	return []row{
		{metric: "CPU per handshake", unit: "µs", floor: opened[0], gatepost: opened[1], peer: opened[2],
			peerName: "gorilla", goal: 35, absolute: true},
		{metric: "CPU from handshake to close", unit: "µs", floor: lived[0], gatepost: lived[1], peer: lived[2], peerName: "gorilla"},
	}, nil
}

// handshakes opens so many connections and closes them again. It returns the
// server's CPU for each in microseconds: for the handshake, and for all.
func handshakes(p *pair, n int) (open, life float64, err error) {
	var cpu [3]answer
	for _, step := range []func() error{
		p.on(p.server, request{Op: "cpu"}, &cpu[0]),
		p.on(p.client, request{Op: "open", Address: p.address, Connections: n}, nil),
		p.on(p.server, request{Op: "cpu", Connections: n}, &cpu[1]),
		p.on(p.client, request{Op: "goodbye"}, nil),
		p.on(p.server, request{Op: "empty"}, nil),
		p.on(p.server, request{Op: "cpu"}, &cpu[2]),
		p.on(p.client, request{Op: "close"}, nil),
	} {
		if err := step(); err != nil {
			return 0, 0, err
		}
	}
	per := float64(n) * 1e3
	return float64(cpu[1].CPU-cpu[0].CPU) / per, float64(cpu[2].CPU-cpu[0].CPU) / per, nil
}

// pair is a server on its core and the load for it on another.
type pair struct {
	server, client *child
	address        string
}

// on returns a step: a request to a child, its answer kept if to is not nil.
func (p *pair) on(c *child, r request, to *answer) func() error {
	return func() error {
		a, err := c.ask(r)
		if to != nil {
			*to = a
		}
		return err
	}
}

func (p *pair) stop() {
	endProfile(p.server) // one that has failed has no profile
	p.client.stop()
	p.server.stop()
}

type pairs []*pair

// startAll starts a server of each kind, with a client of its own.
func startAll(servers []string, client string) (pairs, error) {
	var all pairs
	for _, kind := range servers {
		p, err := startPair(kind, client)
		if err != nil {
			all.stop()
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

func startPair(server, client string) (*pair, error) {
	return startPairOn(server, serverCore, client, loadCore)
}

func startPairOn(server string, ofServer int, client string, ofClient int) (*pair, error) {
	s, err := start(server, ofServer)
	if err != nil {
		return nil, err
	}
	c, err := start(client, ofClient)
	if err != nil {
		s.stop()
		return nil, err
	}
	p := &pair{server: s, client: c}
	at, err := s.ask(request{Op: "address"})
	if err != nil {
		p.stop()
		return nil, err
	}
	p.address = at.Address
	return p, profile(s, server)
}

func (all pairs) stop() {
	for _, p := range all {
		p.stop()
	}
}
