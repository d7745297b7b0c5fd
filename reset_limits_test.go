package gatepost_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/coder/websocket"

	"github.com/gatepost-dev/gatepost"
	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/stack"
)

// TestResetBeginsThrottlesAnew: a route whose throttle a test has used up answers
// after the reset, on the connection that was open all the time.
func TestResetBeginsThrottlesAnew(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	system := &stack.Stack{
		Functions: []stack.Function{{Name: "echo"}},
		APIs: []apigw.API{{Name: "chat", Stage: apigw.Stage{RouteThrottles: map[string]apigw.Throttle{"$default": {Burst: 2}}},
			Routes: []apigw.Route{{Key: "$default", TwoWay: true, Integration: &apigw.Integration{Type: apigw.AWSProxy, Function: "echo"}}}}},
	}
	server := run(t, gatepost.Config{Stack: system, Handlers: map[string]gatepost.Handler{
		"echo": gatepost.NewHandler(func(e events.APIGatewayWebsocketProxyRequest) (events.APIGatewayProxyResponse, error) {
			return events.APIGatewayProxyResponse{StatusCode: 200, Body: e.Body}, nil
		})}})
	ws, _, err := websocket.Dial(t.Context(), server.Addresses()[0].URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	for i, want := range []string{"hi", "hi", "Too Many Requests", "hi", "hi", "Too Many Requests"} {
		if i == 3 {
			reset(t, server, gatepost.ResetOptions{})
		}
		if err := ws.Write(t.Context(), websocket.MessageText, []byte("hi")); err != nil {
			t.Fatal(err)
		}
		_, got, err := ws.Read(t.Context())
		if err != nil || !strings.Contains(string(got), want) {
			t.Fatalf("message %d: %s, %v, want %s", i, got, err, want)
		}
	}
}
