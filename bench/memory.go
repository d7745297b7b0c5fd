package main

import "fmt"

// runMemory compares a server's resident set with and without idle connections
// that have each got one message.
func runMemory(o *options) ([]row, error) {
	n := o.scale(10_000)
	r := row{
		metric: fmt.Sprintf("memory per idle conn, %d conns", n), unit: "KB",
		peerName: "gorilla", goal: 6.5, absolute: true,
	}
	for range min(o.rounds, 3) {
		for kind, to := range map[string]*[]float64{"floor": &r.floor, "gatepost": &r.gatepost, "gorilla": &r.peer} {
			bytes, err := memoryPer(kind, n)
			if err != nil {
				return nil, err
			}
			*to = append(*to, bytes/1024)
		}
	}
	return []row{r}, nil
}

func memoryPer(kind string, n int) (float64, error) {
	r, err := newRig(kind, 0)
	if err != nil {
		return 0, err
	}
	defer r.stop()
	before, err := r.server.ask(request{Op: "memory"})
	if err != nil {
		return 0, err
	}
	r.connections = n
	if err := r.connect(); err != nil {
		return 0, err
	}
	if _, err := r.push(1); err != nil {
		return 0, err
	}
	after, err := r.server.ask(request{Op: "memory"})
	return float64(after.Memory-before.Memory) / float64(n), err
}
