package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
)

// roundtripTemplate is an API whose messages are answered by a function.
const roundtripTemplate = `Transform: AWS::Serverless-2016-10-31
Resources:
  Echo:
    Type: AWS::Serverless::Function
    Properties: {Runtime: provided.al2023, Handler: bootstrap, CodeUri: echo/}
  Api:
    Type: AWS::ApiGatewayV2::Api
    Properties: {Name: bench, ProtocolType: WEBSOCKET, RouteSelectionExpression: $request.body.action}
  Stage:
    Type: AWS::ApiGatewayV2::Stage
    Properties: {ApiId: !Ref Api, StageName: main, AutoDeploy: true}
  Integration:
    Type: AWS::ApiGatewayV2::Integration
    Properties: {ApiId: !Ref Api, IntegrationType: AWS_PROXY, IntegrationUri: !Sub "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Echo.Arn}/invocations"}
  Default:
    Type: AWS::ApiGatewayV2::Route
    Properties: {ApiId: !Ref Api, RouteKey: $default, RouteResponseSelectionExpression: $default, Target: !Sub "integrations/${Integration}"}
  DefaultResponse:
    Type: AWS::ApiGatewayV2::RouteResponse
    Properties: {ApiId: !Ref Api, RouteId: !Ref Default, RouteResponseKey: $default}
`

const (
	roundtripClients = 16
	// roundtripSandboxes is how many processes the whole program starts at most;
	// the floor and the peer have as many.
	roundtripSandboxes = 10
)

// runRoundtrip measures the whole program, "gatepost dev" as it is but for the
// account's rate: from a client's frame through a function to the client. Each
// client has one message under way. The floor reads frames of one length, hands
// a ready-made event to a free process of the same function and answers with a
// ready-made frame. The peer is gorilla/websocket and a Runtime API by net/http.
func runRoundtrip(o *options) (rows []row, err error) {
	dir, err := os.MkdirTemp("", "gatepost-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	var servers []roundtripServer
	defer func() {
		for _, s := range servers {
			err = errors.Join(err, s.end())
		}
	}()
	program, system := filepath.Join(dir, "gatepost"), filepath.Join(dir, "system")
	function := filepath.Join(system, "echo", "bootstrap")
	if err := errors.Join(goBuild(program, "-C", "..", "./cmd/gatepost"), goBuild(function, "./echofunction"),
		os.WriteFile(filepath.Join(system, "template.yaml"), []byte(roundtripTemplate), 0o600)); err != nil {
		return nil, err
	}
	whole := &demo{program: program, dir: dir, command: []string{"dev", system, "--quiet", "--limit", "rate=off"}}
	for _, open := range []func() (roundtripServer, error){
		func() (roundtripServer, error) { return openRoundtripChild("roundtrip-floor", function) },
		func() (roundtripServer, error) { return openRoundtrip(whole) },
		func() (roundtripServer, error) { return openRoundtripChild("roundtrip-gorilla", function) },
	} {
		s, err := open()
		if err != nil {
			return nil, err
		}
		servers = append(servers, s)
	}
	return roundtripRounds(o, servers)
}

func roundtripRounds(o *options, servers []roundtripServer) ([]row, error) {
	var p50, p50All, rate figures
	for round := range o.rounds + 1 {
		for i, s := range servers {
			one, err := s.run(1, o.scale(1000))
			if err != nil {
				return nil, err
			}
			all, err := s.run(roundtripClients, o.scale(4000))
			if err != nil {
				return nil, err
			}
			if round == 0 {
				continue // it starts the sandboxes
			}
			p50.add(i, float64(one.Latency)/1e3)
			p50All.add(i, float64(all.Latency)/1e3)
			rate.add(i, float64(all.Bytes)/float64(all.Time)*1e6)
		}
	}
	rows := []row{
		p50.row(row{metric: "p50, 1 client", unit: "µs", goal: 250, setAt: 232, absolute: true}),
		rate.row(row{metric: fmt.Sprintf("round trips, %d clients", roundtripClients), unit: "k/s", goal: 6, absolute: true, atLeast: true}),
		p50All.row(row{metric: fmt.Sprintf("p50, %d clients", roundtripClients), unit: "µs"}),
	}
	for i := range rows {
		rows[i].peerName = "gorilla"
	}
	return rows, nil
}

// roundtripServer is one variant and its clients, by their number.
type roundtripServer struct {
	end     func() error
	clients map[int]*child
}

func (s roundtripServer) run(clients, messages int) (answer, error) {
	return s.clients[clients].ask(request{Op: "run", Messages: messages})
}

// openRoundtripChild starts a server that is a child of this benchmark.
func openRoundtripChild(kind, function string) (roundtripServer, error) {
	c, err := start(kind, anyCore)
	if err != nil {
		return roundtripServer{}, err
	}
	end := func() error {
		_, err := c.ask(request{Op: "end"})
		c.stop()
		return err
	}
	a, err := c.ask(request{Op: "start", Address: function, Connections: roundtripSandboxes})
	if err != nil {
		return roundtripServer{}, errors.Join(err, end())
	}
	return withClients(a.Address, end)
}

// openRoundtrip starts the whole program.
func openRoundtrip(d *demo) (roundtripServer, error) {
	if _, err := d.start(); err != nil {
		return roundtripServer{}, err
	}
	address, err := gatewayOf(filepath.Join(d.dir, "data", "run.json"))
	if err != nil {
		return roundtripServer{}, errors.Join(err, d.stop())
	}
	return withClients(address, d.stop)
}

// withClients connects a client alone and many.
func withClients(address string, end func() error) (roundtripServer, error) {
	s := roundtripServer{clients: make(map[int]*child)}
	s.end = func() error {
		for _, c := range s.clients {
			c.stop()
		}
		return end()
	}
	for _, n := range []int{1, roundtripClients} {
		c, err := start("roundtrip-client", anyCore)
		if err != nil {
			return s, errors.Join(err, s.end())
		}
		s.clients[n] = c
		if _, err := c.ask(request{Op: "connect", Address: address, Connections: n}); err != nil {
			return s, errors.Join(err, s.end())
		}
	}
	return s, nil
}

// gatewayOf reads the address of the one API from run.json.
func gatewayOf(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	var run struct {
		APIs map[string]struct{ URL string }
	}
	if err := json.Unmarshal(text, &run); err != nil {
		return "", err
	}
	for _, api := range run.APIs {
		u, err := url.Parse(api.URL)
		if err != nil {
			return "", err
		}
		return u.Host, nil
	}
	return "", fmt.Errorf("no API in %s", text)
}
