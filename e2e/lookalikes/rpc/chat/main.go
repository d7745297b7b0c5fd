// One function for all routes of a chat, which looks at routeKey. It builds the
// management endpoint in each of the forms that applications use, posts to
// every connection of its table, and forgets those that are gone.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go/service/dynamodb"
)

type (
	request  = events.APIGatewayWebsocketProxyRequest
	response = events.APIGatewayProxyResponse
)

var (
	sdk   = session.Must(session.NewSession())
	db    = dynamodb.New(sdk)
	table = aws.String(os.Getenv("TABLE"))
)

// endpoints are the forms, by the name that a message gives in "via".
var endpoints = map[string]func(events.APIGatewayWebsocketProxyRequestContext) string{
	"https": func(c events.APIGatewayWebsocketProxyRequestContext) string {
		return "https://" + c.DomainName + "/" + c.Stage
	},
	"bare": func(c events.APIGatewayWebsocketProxyRequestContext) string {
		return c.DomainName + "/" + c.Stage
	},
	"slash": func(c events.APIGatewayWebsocketProxyRequestContext) string {
		return "https://" + c.DomainName + "/" + c.Stage + "/"
	},
	"literal": func(c events.APIGatewayWebsocketProxyRequestContext) string {
		return fmt.Sprintf("https://%s.execute-api.%s.amazonaws.com/%s", c.APIID, os.Getenv("AWS_REGION"), c.Stage)
	},
	"domain": func(c events.APIGatewayWebsocketProxyRequestContext) string {
		// A custom domain has no stage in its path.
		if strings.HasSuffix(c.DomainName, "amazonaws.com") {
			return "https://" + c.DomainName + "/" + c.Stage
		}
		return "https://" + c.DomainName
	},
}

func main() { lambda.Start(handle) }

func handle(r request) (response, error) {
	id := r.RequestContext.ConnectionID
	switch key := r.RequestContext.RouteKey; key {
	case "$connect":
		_, err := db.PutItem(&dynamodb.PutItemInput{TableName: table, Item: keyOf(id)})
		return response{StatusCode: 200}, err
	case "$disconnect":
		return response{StatusCode: 200}, forget(id)
	case "say":
		return response{StatusCode: 200}, say(r)
	default:
		return response{}, fmt.Errorf("there is no route %s", key)
	}
}

func say(r request) error {
	var m struct{ Via, Data string }
	if err := json.Unmarshal([]byte(r.Body), &m); err != nil {
		return err
	}
	form := endpoints[m.Via]
	if form == nil {
		return fmt.Errorf("there is no form %q", m.Via)
	}
	gateway := apigatewaymanagementapi.New(sdk, aws.NewConfig().WithEndpoint(form(r.RequestContext)))
	rows, err := db.Scan(&dynamodb.ScanInput{TableName: table, ProjectionExpression: aws.String("ConnectionID")})
	if err != nil {
		return err
	}
	for _, row := range rows.Items {
		id := row["ConnectionID"].S
		_, err := gateway.PostToConnection(&apigatewaymanagementapi.PostToConnectionInput{ConnectionId: id, Data: []byte(m.Data)})
		if coded, ok := err.(awserr.Error); ok && coded.Code() == apigatewaymanagementapi.ErrCodeGoneException {
			fmt.Println("gone:", *id)
			err = forget(*id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func forget(id string) error {
	_, err := db.DeleteItem(&dynamodb.DeleteItemInput{TableName: table, Key: keyOf(id), ReturnValues: aws.String("ALL_OLD")})
	return err
}

func keyOf(id string) map[string]*dynamodb.AttributeValue {
	return map[string]*dynamodb.AttributeValue{"ConnectionID": {S: aws.String(id)}}
}
