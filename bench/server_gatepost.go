package main

import (
	"context"
	"net"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conn"
)

// gatepostServer is the real Conn and Hub, with counters and the sweeper, behind
// an upgrade that checks nothing.
type gatepostServer struct {
	hub *conn.Hub
	ids *apigw.IDs
}

func newGatepostServer() (handler, error) {
	return serve(&gatepostServer{hub: conn.NewHub(apigw.DefaultLimits()), ids: apigw.NewIDs()})
}

func (s *gatepostServer) listen() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go s.sweep()
	go s.accept(l)
	return l.Addr().String(), nil
}

func (s *gatepostServer) accept(l net.Listener) {
	head := make([]byte, 1024)
	for {
		nc, err := l.Accept()
		if err != nil {
			return
		}
		if _, err := nc.Read(head); err != nil { // the whole request is one small segment
			nc.Close()
			continue
		}
		c := conn.New(nc, conn.Options{
			ID: s.ids.Connection(), Limits: apigw.DefaultLimits(), Handler: s, Hub: s.hub, ConnectedAt: time.Now(),
			Identity: apigw.Identity{UserAgent: "bench", SourceIP: nc.RemoteAddr().(*net.TCPAddr).IP.String()},
		})
		go c.Serve(nil)
		nc.Write([]byte(upgradeAnswer))
	}
}

func (s *gatepostServer) open() int { return s.hub.Len() }

func (s *gatepostServer) push(messages, size int) error {
	for i := range messages {
		m, err := conn.Prepare(payload(i, size), apigw.DefaultLimits())
		if err != nil {
			return err
		}
		s.hub.Broadcast(m)
	}
	return nil
}

func (s *gatepostServer) Message(c *conn.Conn, data []byte) { c.Send(data) }

func (s *gatepostServer) Closed(*conn.Conn, conn.Reason) {}

func (s *gatepostServer) sweep() { s.hub.Run(context.Background()) }
