package dynamodb

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/gatepost-dev/gatepost/internal/awswire"
)

const benchRow = `{"PK":{"S":"CONN#%06d"},"SK":{"S":"CONN#%06d"},"ConnectionId":{"S":"L0SM9cOFvHcCIhw="},"EstablishedTime":{"S":"2026-11-20T10:00:00Z"},"TTL":{"N":"1795215769"}}`

// benchCall runs one call after the other as the service gets them, answer
// encoding included.
func benchCall(b *testing.B, s *Service, operation string, body func(i int) string) {
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		out, err := s.Do(b.Context(), &awswire.Call{Operation: operation, Body: []byte(body(i))})
		if err != nil {
			b.Fatal(err)
		}
		awswire.MarshalJSON(out)
		i++
	}
}

// configs are the ways to keep data.
func configs(b *testing.B) map[string]Config {
	return map[string]Config{"memory": {}, "file": {Path: file(b)}, "sync": {Path: file(b), Sync: true}}
}

func putBody(i int) string {
	return `{"TableName":"SocketRoster","Item":` + fmt.Sprintf(benchRow, i%100_000, i%100_000) + `}`
}

func BenchmarkPutItem(b *testing.B) {
	for name, cfg := range configs(b) {
		b.Run(name, func(b *testing.B) {
			s := open(b, cfg)
			s.EnsureTable(roster)
			benchCall(b, s, "PutItem", putBody)
		})
		b.Run(name+"/64", func(b *testing.B) {
			s := open(b, cfg)
			s.EnsureTable(roster)
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					if _, err := s.Do(b.Context(), &awswire.Call{Operation: "PutItem", Body: []byte(putBody(i))}); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

// filled returns a service with 10,000 rows, and 25 more in one partition.
func filled(b *testing.B) *Service {
	s := with(b, roster)
	for i := range 10_000 {
		do(b, s, "PutItem", putBody(i))
	}
	for i := range 25 {
		do(b, s, "PutItem", `{"TableName":"SocketRoster","Item":{"PK":{"S":"one"},`+fmt.Sprintf(benchRow, i, i)[len(`{"PK":{"S":"CONN#000000"},`):]+`}`)
	}
	return s
}

const query25 = `{"TableName":"SocketRoster","KeyConditionExpression":"PK = :p","ExpressionAttributeValues":{":p":{"S":"one"}}}`

func BenchmarkRead(b *testing.B) {
	s := filled(b)
	b.Run("GetItem", func(b *testing.B) {
		benchCall(b, s, "GetItem", func(i int) string {
			return fmt.Sprintf(`{"TableName":"SocketRoster","Key":{"PK":{"S":"CONN#%06d"},"SK":{"S":"CONN#%06d"}}}`, i%10_000, i%10_000)
		})
	})
	b.Run("Query25", func(b *testing.B) { benchCall(b, s, "Query", func(int) string { return query25 }) })
	b.Run("UpdateItem", func(b *testing.B) {
		benchCall(b, s, "UpdateItem", func(i int) string {
			return fmt.Sprintf(`{"TableName":"SocketRoster","Key":{"PK":{"S":"CONN#%06d"},"SK":{"S":"CONN#%06d"}},"UpdateExpression":"SET #t = :t ADD hits :one","ExpressionAttributeNames":{"#t":"TTL"},"ExpressionAttributeValues":{":t":{"N":"5"},":one":{"N":"1"}}}`, i%10_000, i%10_000)
		})
	})
}

// BenchmarkHTTP is the whole way from the SDK's client and back.
func BenchmarkHTTP(b *testing.B) {
	s := filled(b)
	c := client(b, s)
	key := map[string]types.AttributeValue{"PK": &types.AttributeValueMemberS{Value: "CONN#000001"}, "SK": &types.AttributeValueMemberS{Value: "CONN#000001"}}
	b.Run("PutItem", func(b *testing.B) {
		for b.Loop() {
			if _, err := c.PutItem(b.Context(), &sdk.PutItemInput{TableName: aws.String("SocketRoster"), Item: key}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("GetItem", func(b *testing.B) {
		for b.Loop() {
			if _, err := c.GetItem(b.Context(), &sdk.GetItemInput{TableName: aws.String("SocketRoster"), Key: key}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Query25", func(b *testing.B) {
		for b.Loop() {
			out, err := c.Query(b.Context(), &sdk.QueryInput{TableName: aws.String("SocketRoster"), KeyConditionExpression: aws.String("PK = :p"),
				ExpressionAttributeValues: map[string]types.AttributeValue{":p": &types.AttributeValueMemberS{Value: "one"}}})
			if err != nil || out.Count != 25 {
				b.Fatal(out, err)
			}
		}
	})
}
