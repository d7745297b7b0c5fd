package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/gatepost-dev/gatepost/internal/awswire"
)

// connection is a row as applications have them.
type connection struct {
	PK, SK          string
	ConnectionID    string `dynamodbav:"ConnectionId"`
	EstablishedTime time.Time
	Visits          int
	Groups          []string `dynamodbav:",stringset,omitempty"`
	Tags            map[string]any
}

// TestSDK walks through what an application does, with the real client.
func TestSDK(t *testing.T) {
	c, ctx := client(t, with(t)), t.Context()
	_, err := c.CreateTable(ctx, &sdk.CreateTableInput{
		TableName: aws.String("SocketRoster"), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("PK"), AttributeType: "S"}, {AttributeName: aws.String("SK"), AttributeType: "S"}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("PK"), KeyType: "HASH"}, {AttributeName: aws.String("SK"), KeyType: "RANGE"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := sdk.NewTableExistsWaiter(c).Wait(ctx, &sdk.DescribeTableInput{TableName: aws.String("SocketRoster")}, time.Minute); err != nil {
		t.Fatal(err)
	}
	row := connection{PK: "CONN#1", SK: "CONN#1", ConnectionID: "1", EstablishedTime: time.Now().UTC().Round(0), Visits: 1, Groups: []string{"a", "b"}, Tags: map[string]any{"é": []any{"x", 1.5, nil, true}}}
	putRow(t, c, row)
	if got := getRow(t, c, row.PK); fmt.Sprint(got) != fmt.Sprint(row) {
		t.Errorf("got %+v, want %+v", got, row)
	}
	updateRow(t, c, row.PK)
	if got := getRow(t, c, row.PK); got.Visits != 2 || len(got.Groups) != 1 {
		t.Errorf("after the update: %+v", got)
	}
	for i := 2; i <= 30; i++ {
		row.PK = fmt.Sprintf("CONN#%d", i)
		putRow(t, c, row)
	}
	if n := scanRows(t, c); n != 30 {
		t.Errorf("%d rows scanned, want 30", n)
	}
}

func putRow(t *testing.T, c *sdk.Client, row connection) {
	t.Helper()
	item, err := attributevalue.MarshalMap(row)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.PutItem(t.Context(), &sdk.PutItemInput{TableName: aws.String("SocketRoster"), Item: item}); err != nil {
		t.Fatal(err)
	}
}

func rowKey(pk string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"PK": &types.AttributeValueMemberS{Value: pk}, "SK": &types.AttributeValueMemberS{Value: "CONN#1"}}
}

func getRow(t *testing.T, c *sdk.Client, pk string) (row connection) {
	t.Helper()
	out, err := c.GetItem(t.Context(), &sdk.GetItemInput{TableName: aws.String("SocketRoster"), Key: rowKey(pk)})
	if err != nil {
		t.Fatal(err)
	}
	if err := attributevalue.UnmarshalMap(out.Item, &row); err != nil {
		t.Fatal(err)
	}
	return row
}

func updateRow(t *testing.T, c *sdk.Client, pk string) {
	t.Helper()
	built, err := expression.NewBuilder().
		WithUpdate(expression.Add(expression.Name("Visits"), expression.Value(1)).Delete(expression.Name("Groups"), expression.Value(&types.AttributeValueMemberSS{Value: []string{"a"}}))).
		WithCondition(expression.Name("Visits").Equal(expression.Value(1)).And(expression.AttributeExists(expression.Name("PK")), expression.Name("Groups").Contains("a"))).
		Build()
	if err != nil {
		t.Fatal(err)
	}
	update := &sdk.UpdateItemInput{
		TableName: aws.String("SocketRoster"), Key: rowKey(pk), UpdateExpression: built.Update(), ConditionExpression: built.Condition(),
		ExpressionAttributeNames: built.Names(), ExpressionAttributeValues: built.Values(),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	if _, err := c.UpdateItem(t.Context(), update); err != nil {
		t.Fatal(err)
	}
	_, err = c.UpdateItem(t.Context(), update)
	failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err)
	if !ok || failed.ErrorMessage() != "The conditional request failed" || failed.Item["PK"] == nil {
		t.Errorf("the second update: %v", err)
	}
}

func scanRows(t *testing.T, c *sdk.Client) (n int) {
	t.Helper()
	built, err := expression.NewBuilder().WithFilter(expression.Name("PK").BeginsWith("CONN#")).WithProjection(expression.NamesList(expression.Name("PK"))).Build()
	if err != nil {
		t.Fatal(err)
	}
	pages := sdk.NewScanPaginator(c, &sdk.ScanInput{TableName: aws.String("SocketRoster"), Limit: aws.Int32(7), FilterExpression: built.Filter(),
		ProjectionExpression: built.Projection(), ExpressionAttributeNames: built.Names(), ExpressionAttributeValues: built.Values()})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		n += len(page.Items)
	}
	return n
}

func TestSDKErrorsAreTyped(t *testing.T) {
	c, ctx := client(t, with(t, roster)), t.Context()
	_, err := c.GetItem(ctx, &sdk.GetItemInput{TableName: aws.String("nowhere"), Key: rowKey("x")})
	if _, ok := errors.AsType[*types.ResourceNotFoundException](err); !ok {
		t.Errorf("no such table: %v", err)
	}
	_, err = c.CreateTable(ctx, &sdk.CreateTableInput{TableName: aws.String("SocketRoster"), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("PK"), AttributeType: "S"}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("PK"), KeyType: "HASH"}}})
	if _, ok := errors.AsType[*types.ResourceInUseException](err); !ok {
		t.Errorf("a table twice: %v", err)
	}
	_, err = c.ExecuteStatement(ctx, &sdk.ExecuteStatementInput{Statement: aws.String("SELECT * FROM SocketRoster")})
	if err == nil || !strings.Contains(err.Error(), "UnknownOperationException: Gatepost does not have DynamoDB's ExecuteStatement.") {
		t.Errorf("PartiQL: %v", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := c.GetItem(ctx, &sdk.GetItemInput{TableName: aws.String("SocketRoster"), Key: rowKey("x")}); !errors.Is(err, context.Canceled) {
		t.Errorf("a canceled call: %v", err)
	}
}

// TestTruncatedBody: a body that ends early gets an answer, and the service
// lives on.
func TestTruncatedBody(t *testing.T) {
	s := with(t, roster)
	e := &awswire.Endpoint{}
	e.Register(s)
	for _, body := range []string{"", "{", `{"TableName":"SocketRoster","Item":{"PK":{"S":"a`, "null", "[]", `{"Item":[]}`, strings.Repeat("[", 20_000)} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("X-Amz-Target", "DynamoDB_20120810.PutItem")
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "Exception") {
			t.Errorf("%.30q: %d %s", body, w.Code, w.Body)
		}
	}
}
