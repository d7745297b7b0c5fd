package main

import (
	"fmt"

	"github.com/gatepost-dev/gatepost/internal/awswire"
)

// The load of the post section: so many HTTP connections, each with one post
// under way, and so many WebSocket connections that they post to in turn.
const (
	postConnections = 32
	postReceivers   = 128
)

// posting is what the client of the post section must know of its server.
type posting struct {
	IDs         []string            // of the WebSocket connections, as they number themselves
	Credentials awswire.Credentials // empty: not signed
	TLS         bool                // posts only
}

// runPost measures signed posts to @connections over keep-alive connections,
// each read by its WebSocket client before the next one leaves.
func runPost(o *options) ([]row, error) {
	kinds := []string{"post-floor", "post-gatepost", "post-http", "post-gatepost-tls"}
	all, err := startPosts(kinds)
	if err != nil {
		return nil, err
	}
	defer all.stop()
	n := o.scale(640 * postConnections)
	var cpu, rate [4][]float64
	for round := range o.rounds + 1 {
		for i, p := range all {
			c, r, err := posts(p, n)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", kinds[i], err)
			}
			if round > 0 { // the first warms up
				cpu[i], rate[i] = append(cpu[i], c), append(rate[i], r)
			}
		}
	}
	const peer = "unsigned net/http"
	return []row{
		{metric: "CPU per post, delivered", unit: "µs", floor: cpu[0], gatepost: cpu[1], peer: cpu[2], peerName: peer, goal: 22, absolute: true},
		{metric: "posts per second, one core", unit: "k/s", floor: rate[0], gatepost: rate[1], peer: rate[2], peerName: peer, goal: 45, absolute: true, atLeast: true},
		{metric: "CPU per post over TLS, delivered", unit: "µs", floor: cpu[0], gatepost: cpu[3]},
	}, nil
}

func startPosts(kinds []string) (pairs, error) {
	all, err := startAll(kinds, "post-client")
	if err != nil {
		return nil, err
	}
	for i, p := range all {
		if err := preparePosts(p, kinds[i] == "post-gatepost-tls"); err != nil {
			all.stop()
			return nil, fmt.Errorf("%s: %w", kinds[i], err)
		}
	}
	return all, nil
}

// preparePosts opens all connections and signs a request for each receiver.
func preparePosts(p *pair, tls bool) error {
	if _, err := p.client.ask(request{Op: "receivers", Address: p.address, Connections: postReceivers}); err != nil {
		return err
	}
	server, err := p.server.ask(request{Op: "posting", Connections: postReceivers})
	if err != nil {
		return err
	}
	server.Posting.TLS = tls
	_, err = p.client.ask(request{
		Op: "senders", Address: p.address, Connections: postConnections, Size: messageSize, Posting: server.Posting,
	})
	return err
}

// posts has n messages posted and returns the server's CPU for each in
// microseconds, and thousands of them a second: a machine with other work to do
// shows in the second figure, hardly in the first.
func posts(p *pair, n int) (cpu, rate float64, err error) {
	var before, run, after answer
	for _, step := range []func() error{
		p.on(p.server, request{Op: "cpu"}, &before),
		p.on(p.client, request{Op: "post", Messages: n}, &run),
		p.on(p.server, request{Op: "cpu"}, &after),
	} {
		if err := step(); err != nil {
			return 0, 0, err
		}
	}
	return float64(after.CPU-before.CPU) / float64(n) / 1e3, float64(n) / float64(run.Time) * 1e6, nil
}
