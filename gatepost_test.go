package gatepost_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/gatepost-dev/gatepost"
)

const bareAPI = `
Resources:
  Api:
    Type: AWS::ApiGatewayV2::Api
    Properties: {Name: bare, ProtocolType: WEBSOCKET, RouteSelectionExpression: $request.body.action}
  Stage:
    Type: AWS::ApiGatewayV2::Stage
    Properties: {ApiId: !Ref Api, StageName: main, AutoDeploy: true}
`

// TestServer embeds a server as a program would: load, run, use, end.
func TestServer(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	dir := t.TempDir()
	file := filepath.Join(dir, "template.yaml")
	if err := os.WriteFile(file, []byte(bareAPI), 0o600); err != nil {
		t.Fatal(err)
	}
	stack, err := gatepost.LoadStack(file)
	if err != nil {
		t.Fatal(err)
	}
	events := make(chan gatepost.Event, 100)
	server, err := gatepost.New(gatepost.Config{
		Stack: stack, Data: filepath.Join(dir, "data"), Gateway: "127.0.0.1:0", AWS: "127.0.0.1:0", Console: "127.0.0.1:0",
		Watch: func(e gatepost.Event) { events <- e },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	select {
	case <-server.Ready():
	case err := <-ended:
		t.Fatalf("Run ended before it was ready: %v", err)
	}
	a := server.Addresses()
	if len(a) != 1 || a[0].Name != "bare" || a[0].Stage != "main" || !strings.HasPrefix(a[0].Callback, "https://localhost:") {
		t.Errorf("addresses %+v", a)
	}
	ws, _, err := websocket.Dial(t.Context(), a[0].URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	if err := ws.Write(t.Context(), websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, frame, err := ws.Read(t.Context()); err != nil || !strings.HasPrefix(string(frame), `{"message": "Forbidden"`) {
		t.Errorf("frame %s, %v", frame, err)
	}
	if e := <-events; e.API != "bare" || e.ConnectionID == "" {
		t.Errorf("the first event is %+v", e)
	}
	cancel()
	if _, _, err := ws.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the client was told %v, want 1001", err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("Run = %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("Run did not return")
	}
}

// serve runs a server on free ports until the test ends, and returns it once it is
// ready.
func serve(t *testing.T, cfg gatepost.Config) *gatepost.Server {
	t.Helper()
	cfg.Gateway, cfg.AWS, cfg.Console = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	server, err := gatepost.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	select {
	case <-server.Ready():
	case err := <-ended:
		ended <- nil
		t.Fatalf("Run ended before it was ready: %v", err)
	}
	return server
}
