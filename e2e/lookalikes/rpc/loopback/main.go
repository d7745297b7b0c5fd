// What the topic triggers: a post to the client that the message names.
package main

import (
	"encoding/json"
	"fmt"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/apigatewaymanagementapi"
)

func main() { lambda.Start(handle) }

func handle(e events.SNSEvent) error {
	sdk := session.Must(session.NewSession(&aws.Config{Region: aws.String("eu-west-2")}))
	for _, record := range e.Records {
		var push struct{ ConnectionID, CallbackURL, Text string }
		if err := json.Unmarshal([]byte(record.SNS.Message), &push); err != nil {
			return err
		}
		if push.Text == "" {
			push.Text = "hello"
		}
		gateway := apigatewaymanagementapi.New(sdk, &aws.Config{Endpoint: aws.String(push.CallbackURL)})
		_, err := gateway.PostToConnection(&apigatewaymanagementapi.PostToConnectionInput{
			ConnectionId: aws.String(push.ConnectionID), Data: []byte(push.Text),
		})
		// The first post may come before the handshake has ended.
		fmt.Println("pushed:", err)
	}
	return nil
}
