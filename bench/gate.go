package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/conn"
	"github.com/gatepost-dev/gatepost/internal/gateway"
	"github.com/gatepost-dev/gatepost/internal/intercept"
	"github.com/gatepost-dev/gatepost/internal/management"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
)

// gate is the data plane of an API without functions, wired as package gatepost
// wires it: one port for WebSocket, HTTP and TLS, with the Feed on.
type gate struct {
	hub         *conn.Hub
	credentials awswire.Credentials
}

// listen opens the port and serves it until the process ends.
func (g *gate) listen() (string, error) {
	ca, err := temporaryCA()
	if err != nil {
		return "", err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	limits, feed := apigw.DefaultLimits(), telemetry.NewFeed()
	limits.ConnectRate, limits.Rate = 0, 0 // what is measured is past every account's quota
	api := &apigw.API{
		ID: "bench00000", Name: "bench", RouteSelectionExpression: "$request.body.action", Stage: apigw.Stage{Name: "main"},
	}
	g.hub = conn.NewHub(limits)
	server := &management.Server{Limits: limits}
	data, err := gateway.New(gateway.Config{
		API: api, Domain: "localhost", Limits: limits, IDs: apigw.NewIDs(), Hub: g.hub, HandOver: server.Hand, Feed: feed,
	})
	if err != nil {
		return "", err
	}
	g.credentials = awswire.NewCredentials()
	server.Handler = data.Plain(&management.Handler{
		API: api, Connections: g.hub, Verifier: g.verifier(), Limits: limits, Feed: feed,
	})
	go g.hub.Run(context.Background())
	go must("accept", func() error { return intercept.Serve(context.Background(), ln, ca.TLSConfig(), data.ServeConn) })
	return ln.Addr().String(), nil
}

func (g *gate) verifier() *awswire.Verifier {
	return awswire.NewVerifier(func(id string) (awswire.Credentials, bool) {
		return g.credentials, id == g.credentials.AccessKeyID
	}, awswire.VerifierOptions{})
}

// temporaryCA is an authority whose folder is gone: it keeps its keys in memory.
func temporaryCA() (*intercept.CA, error) {
	dir, err := os.MkdirTemp("", "gatepost-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	return intercept.OpenCA(dir)
}

// must ends the process when what has to run for its whole life ends.
func must(what string, f func() error) {
	fmt.Fprintf(os.Stderr, "bench: %s: %v\n", what, f())
	os.Exit(1)
}

func (g *gate) open() int { return g.hub.Len() }

// ids returns the connections' ids in the order in which the clients number
// themselves in their User-Agent.
func (g *gate) ids() ([]string, error) {
	ids := make([]string, g.hub.Len())
	for c := range g.hub.All() {
		i, err := strconv.Atoi(c.Info().Identity.UserAgent)
		if err != nil || i < 0 || i >= len(ids) {
			return nil, fmt.Errorf("connection %s calls itself %q", c.ID(), c.Info().Identity.UserAgent)
		}
		ids[i] = c.ID().String()
	}
	if i := slices.Index(ids, ""); i >= 0 {
		return nil, fmt.Errorf("no connection calls itself %d", i)
	}
	return ids, nil
}
