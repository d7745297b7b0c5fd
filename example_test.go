package gatepost_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/coder/websocket"

	"github.com/gatepost-dev/gatepost"
	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/stack"
)

// A whole system in one program: a WebSocket API that is declared in Go, and its
// Lambda function as a handler of this process. The handler would run on Lambda
// as it is; it answers two-way, and it posts to the connection.
func ExampleConfig_handlers() {
	dir, err := os.MkdirTemp("", "gatepost-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	chat := &apigw.Integration{Type: apigw.AWSProxy, Function: "chat"}
	system := &stack.Stack{
		Functions: []stack.Function{{Name: "chat"}},
		APIs: []apigw.API{{Name: "chat", Routes: []apigw.Route{
			{Key: "$connect", Integration: chat},
			{Key: "shout", Integration: chat, TwoWay: true},
			{Key: "remind", Integration: chat},
		}}},
	}
	var posts *apigatewaymanagementapi.Client
	handle := func(ctx context.Context, e events.APIGatewayWebsocketProxyRequest) (events.APIGatewayProxyResponse, error) {
		response := events.APIGatewayProxyResponse{StatusCode: 200}
		var err error
		switch e.RequestContext.RouteKey {
		case "shout":
			response.Body = strings.ToUpper(e.Body)
		case "remind":
			_, err = posts.PostToConnection(ctx, &apigatewaymanagementapi.PostToConnectionInput{
				ConnectionId: &e.RequestContext.ConnectionID, Data: []byte("do not forget"),
			})
		}
		return response, err
	}
	server, err := gatepost.New(gatepost.Config{
		Stack: system, Data: dir, Gateway: "127.0.0.1:0", AWS: "127.0.0.1:0", Console: "127.0.0.1:0",
		Handlers: map[string]gatepost.Handler{"chat": gatepost.NewHandler(handle)},
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	<-server.Ready()

	env := server.Environment()
	posts = apigatewaymanagementapi.New(apigatewaymanagementapi.Options{
		Region:       env["AWS_REGION"],
		BaseEndpoint: aws.String(env["AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"]),
		Credentials:  credentials.NewStaticCredentialsProvider(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env["AWS_SESSION_TOKEN"]),
	})

	client, _, err := websocket.Dial(ctx, server.Addresses()[0].URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer client.CloseNow()
	for _, message := range []string{`{"action":"shout","text":"hello"}`, `{"action":"remind"}`} {
		if err := client.Write(ctx, websocket.MessageText, []byte(message)); err != nil {
			log.Fatal(err)
		}
		_, answer, err := client.Read(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(answer))
	}
	fmt.Println("the function ran", server.Functions()[0].How)

	stop()
	if err := <-ended; err != nil {
		log.Fatal(err)
	}
	// Output:
	// {"ACTION":"SHOUT","TEXT":"HELLO"}
	// do not forget
	// the function ran in process
}
