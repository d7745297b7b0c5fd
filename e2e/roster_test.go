package e2e

import (
	"fmt"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/template"
	"github.com/gatepost-dev/gatepost/push"
	"github.com/gatepost-dev/gatepost/push/deploy"
	"github.com/gatepost-dev/gatepost/push/rostertest"
	"github.com/gatepost-dev/gatepost/stack"
)

// tables is Gatepost's DynamoDB endpoint and an SDK client of it.
func tables(t *testing.T) (*dynamodb.Service, *awsdynamodb.Client) {
	t.Helper()
	service, err := dynamodb.Open(dynamodb.Config{Region: "us-east-1", Account: "000000000000"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := service.Close(); err != nil {
			t.Error(err)
		}
	})
	endpoint := &awswire.Endpoint{}
	endpoint.Register(service)
	server := httptest.NewServer(endpoint)
	t.Cleanup(server.Close)
	return service, awsdynamodb.New(awsdynamodb.Options{
		Region:       "us-east-1",
		Credentials:  credentials.NewStaticCredentialsProvider("AKID", "SECRET", ""),
		BaseEndpoint: &server.URL,
	})
}

// TestDynamoDBRoster holds the push house's table to its contract on Gatepost's
// own DynamoDB endpoint, over HTTP: created by call with pages so small that
// every read has several, and as the template declares it.
func TestDynamoDBRoster(t *testing.T) {
	service, client := tables(t)
	var n atomic.Int32
	t.Run("SmallPages", func(t *testing.T) {
		rostertest.Run(t, func(t *testing.T) push.Roster {
			table := fmt.Sprintf("roster-%d", n.Add(1))
			if _, err := client.CreateTable(t.Context(), push.DynamoDBTable(table)); err != nil {
				t.Fatal(err)
			}
			return push.NewDynamoDB(client, table, push.DynamoDBOptions{PageSize: 3, Shards: 5})
		})
	})
	t.Run("AsDeployed", func(t *testing.T) {
		declared := deployedTable(t)
		rostertest.Run(t, func(t *testing.T) push.Roster {
			declared.Name = fmt.Sprintf("roster-%d", n.Add(1))
			if err := service.EnsureTable(declared); err != nil {
				t.Fatal(err)
			}
			return push.NewDynamoDB(client, declared.Name, push.DynamoDBOptions{})
		})
	})
}

// TestDeployedTableIsTheLibrarys keeps the template's table and the library's
// definition of it the same.
func TestDeployedTableIsTheLibrarys(t *testing.T) {
	declared := deployedTable(t)
	service, client := tables(t)
	if err := service.EnsureTable(declared); err != nil {
		t.Fatal(err)
	}
	if _, err := client.CreateTable(t.Context(), push.DynamoDBTable("library")); err != nil {
		t.Fatal(err)
	}
	deployed, library := shape(t, client, declared.Name), shape(t, client, "library")
	if deployed != library {
		t.Errorf("the template declares\n%s\nand push.DynamoDBTable\n%s", deployed, library)
	}
	if declared.TTLAttribute != push.TTLAttribute {
		t.Errorf("the template's TTL attribute is %q, want %q", declared.TTLAttribute, push.TTLAttribute)
	}
}

func deployedTable(t *testing.T) stack.Table {
	t.Helper()
	s, err := template.LoadBytes("template.yaml", deploy.SAM, "", template.Options{StackName: "demo"})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Tables) != 1 || s.Tables[0].Name != "SocketRoster" {
		t.Fatalf("the template declares the tables %+v, want SocketRoster", s.Tables)
	}
	return s.Tables[0]
}

// shape is what makes two tables the same: keys, attributes, indexes.
func shape(t *testing.T, client *awsdynamodb.Client, table string) string {
	t.Helper()
	out, err := client.DescribeTable(t.Context(), &awsdynamodb.DescribeTableInput{TableName: aws.String(table)})
	if err != nil {
		t.Fatal(err)
	}
	attributes := map[string]types.ScalarAttributeType{} // printed in order
	for _, a := range out.Table.AttributeDefinitions {
		attributes[*a.AttributeName] = a.AttributeType
	}
	text := fmt.Sprintf("key %s, attributes %v", keyShape(out.Table.KeySchema), attributes)
	for _, i := range out.Table.GlobalSecondaryIndexes {
		text += fmt.Sprintf(", index %s %s %s", *i.IndexName, keyShape(i.KeySchema), i.Projection.ProjectionType)
	}
	return text
}

func keyShape(key []types.KeySchemaElement) (text string) {
	for _, k := range key {
		text += fmt.Sprintf("(%s %s)", *k.AttributeName, k.KeyType)
	}
	return text
}
