package function

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/gatepost-dev/gatepost/push"
)

// AWS loads the SDK's configuration from the environment that Lambda sets.
func AWS(ctx context.Context, env *Environment) (aws.Config, error) {
	env.Text("AWS_REGION", "the region of the table and of the API; Lambda sets it")
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return cfg, fmt.Errorf("load the AWS configuration: %w", err)
	}
	return cfg, nil
}

// Roster is the roster of the variables TABLE_NAME, CONNECTION_TTL and
// ROSTER_SHARDS.
func Roster(cfg aws.Config, env *Environment) push.Roster {
	table := env.Text("TABLE_NAME", "the name of the roster's DynamoDB table")
	return push.NewDynamoDB(dynamodb.NewFromConfig(cfg), table, push.DynamoDBOptions{
		TTL:    env.Duration("CONNECTION_TTL", push.DefaultTTL, time.Second, 30*24*time.Hour),
		Shards: env.Integer("ROSTER_SHARDS", push.DefaultShards, 1, 256),
	})
}
