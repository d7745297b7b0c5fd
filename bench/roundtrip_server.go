package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"

	awsevents "github.com/aws/aws-lambda-go/events"
	"github.com/gorilla/websocket"
)

// echoServer is a server whose messages a function answers.
type echoServer struct {
	invoker
	// serve serves the listener. It takes a free process, by its number, from
	// free and gives it back.
	serve func(l net.Listener, free chan int) error
}

// newRoundtripFloor does nothing but what must be done, and checks nothing.
func newRoundtripFloor() (handler, error) {
	f := &invokeFloor{}
	event, err := messageEvent()
	if err != nil {
		return nil, err
	}
	return echoHandler(echoServer{f, func(l net.Listener, free chan int) error {
		for {
			c, err := l.Accept()
			if err != nil {
				return err
			}
			go echoFrames(c, func() error {
				i := <-free
				defer func() { free <- i }()
				_, err := f.invoke(i, event)
				return err
			})
		}
	}})
}

// echoFrames answers each frame of the one message once the function has.
func echoFrames(c net.Conn, invoke func() error) {
	_, err := readHead(c)
	if err == nil {
		_, err = c.Write([]byte(upgradeAnswer))
	}
	for in := make([]byte, len(clientFrame)); err == nil; {
		if _, err = io.ReadFull(c, in); err == nil {
			err = invoke()
		}
		if err == nil {
			_, err = c.Write(serverFrame)
		}
	}
}

// newRoundtripGorilla is the peer: the parts that most Go programs would take.
func newRoundtripGorilla() (handler, error) {
	h := &invokeHTTP{}
	return echoHandler(echoServer{h, func(l net.Listener, free chan int) error {
		var upgrader websocket.Upgrader
		return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, err := upgrader.Upgrade(w, r, nil)
			if err != nil {
				return
			}
			for err == nil {
				err = echoMessage(c, func(event []byte) ([]byte, error) {
					i := <-free
					defer func() { free <- i }()
					return h.invoke(i, event)
				})
			}
		}))
	}})
}

// echoMessage answers one message with what the function says.
func echoMessage(c *websocket.Conn, invoke func([]byte) ([]byte, error)) error {
	_, message, err := c.ReadMessage()
	if err != nil {
		return err
	}
	event, err := json.Marshal(awsevents.APIGatewayWebsocketProxyRequest{Body: string(message),
		RequestContext: awsevents.APIGatewayWebsocketProxyRequestContext{RouteKey: "$default", EventType: "MESSAGE", Stage: "main"}})
	if err != nil {
		return err
	}
	response, err := invoke(event)
	if err != nil {
		return err
	}
	var answer awsevents.APIGatewayProxyResponse
	if err := json.Unmarshal(response, &answer); err != nil {
		return err
	}
	return c.WriteMessage(websocket.TextMessage, []byte(answer.Body))
}

// echoHandler answers the parent's requests to such a server.
func echoHandler(s echoServer) (handler, error) {
	runtime.GOMAXPROCS(runtime.NumCPU())
	return func(r request) (answer, error) {
		switch r.Op {
		case "start":
			if err := s.start(r.Address, r.Connections); err != nil {
				return answer{}, err
			}
			free := make(chan int, r.Connections)
			for i := range r.Connections {
				free <- i
			}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return answer{}, err
			}
			go must("serve", func() error { return s.serve(l, free) })
			return answer{Address: l.Addr().String()}, nil
		case "end":
			return answer{}, s.end()
		}
		return answer{}, fmt.Errorf("%q: %w", r.Op, errors.ErrUnsupported)
	}, nil
}
