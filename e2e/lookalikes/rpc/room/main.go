// A room is one item: its connections are a string set, to which updates add
// and from which they delete.
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/dynamodb"
	"github.com/aws/aws-sdk-go/service/dynamodb/dynamodbattribute"
	"github.com/aws/aws-sdk-go/service/dynamodb/expression"
)

var (
	db    = dynamodb.New(session.Must(session.NewSession()))
	table = aws.String(os.Getenv("TABLE"))
	room  = map[string]*dynamodb.AttributeValue{"Room": {S: aws.String("lobby")}}
)

func main() { lambda.Start(handle) }

func handle(r events.APIGatewayWebsocketProxyRequest) (events.APIGatewayProxyResponse, error) {
	name, me := expression.Name("Connections"), &dynamodb.AttributeValue{SS: []*string{aws.String(r.RequestContext.ConnectionID)}}
	ok := events.APIGatewayProxyResponse{StatusCode: 200}
	switch r.RequestContext.EventType {
	case "CONNECT":
		return ok, update(expression.Add(name, expression.Value(me)))
	case "DISCONNECT":
		return ok, update(expression.Delete(name, expression.Value(me)))
	}
	found, err := members(name)
	ok.Body = fmt.Sprintf("%d in the room", len(found))
	if !strings.Contains(strings.Join(found, " "), r.RequestContext.ConnectionID) {
		ok.Body += ", but not you"
	}
	return ok, err
}

func update(u expression.UpdateBuilder) error {
	e, err := expression.NewBuilder().WithUpdate(u).Build()
	if err != nil {
		return err
	}
	_, err = db.UpdateItem(&dynamodb.UpdateItemInput{
		TableName: table, Key: room, UpdateExpression: e.Update(),
		ExpressionAttributeNames: e.Names(), ExpressionAttributeValues: e.Values(),
	})
	return err
}

func members(name expression.NameBuilder) ([]string, error) {
	e, err := expression.NewBuilder().WithProjection(expression.NamesList(name)).Build()
	if err != nil {
		return nil, err
	}
	out, err := db.GetItem(&dynamodb.GetItemInput{
		TableName: table, Key: room, ProjectionExpression: e.Projection(), ExpressionAttributeNames: e.Names(),
	})
	if err != nil {
		return nil, err
	}
	var item struct{ Connections []string }
	err = dynamodbattribute.UnmarshalMap(out.Item, &item)
	return item.Connections, err
}
