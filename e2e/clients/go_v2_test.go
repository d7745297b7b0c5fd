package clients

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/smithy-go"
)

// goV2 makes calls with the AWS SDK for Go v2, in this process.
func goV2(t *testing.T, _ []string, steps []step) []result {
	results := make([]result, len(steps))
	for i, s := range steps {
		c := apigatewaymanagementapi.New(apigatewaymanagementapi.Options{
			BaseEndpoint: &s.Endpoint, Region: s.Region, Credentials: credentials.NewStaticCredentialsProvider(s.AccessKeyID, s.SecretAccessKey, s.SessionToken),
			HTTPClient: awshttp.NewBuildableClient(),
			Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
				o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return noDelay, nil })
			}),
		})
		results[i] = callGoV2(t.Context(), c, s)
	}
	return results
}

func callGoV2(ctx context.Context, c *apigatewaymanagementapi.Client, s step) (r result) {
	var err error
	switch s.Op {
	case "post":
		_, err = c.PostToConnection(ctx, &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: &s.ID, Data: s.Data})
	case "get":
		var shown *apigatewaymanagementapi.GetConnectionOutput
		if shown, err = c.GetConnection(ctx, &apigatewaymanagementapi.GetConnectionInput{ConnectionId: &s.ID}); err == nil {
			r.ConnectedAt, r.SourceIP = shown.ConnectedAt.Format(milliseconds), aws.ToString(shown.Identity.SourceIp)
		}
	default:
		_, err = c.DeleteConnection(ctx, &apigatewaymanagementapi.DeleteConnectionInput{ConnectionId: &s.ID})
	}
	if answer, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		r.Status = answer.HTTPStatusCode()
	}
	if known, ok := errors.AsType[smithy.APIError](err); ok {
		r.Code, r.Message = known.ErrorCode(), known.ErrorMessage()
	}
	return r
}
