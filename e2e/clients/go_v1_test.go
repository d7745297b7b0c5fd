//lint:file-ignore SA1019 This SDK is out of support, but functions that use it live on.

package clients

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	retrying "github.com/aws/aws-sdk-go/aws/client"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/apigatewaymanagementapi"
)

// The waits between retries are the SDK's matter; their number is ours.
const noDelay = time.Millisecond

// goV1 makes calls with the AWS SDK for Go v1, in this process.
func goV1(t *testing.T, _ []string, steps []step) []result {
	results := make([]result, len(steps))
	for i, s := range steps {
		made, err := session.NewSession(&aws.Config{
			Endpoint: &s.Endpoint, Region: &s.Region, Credentials: credentials.NewStaticCredentials(s.AccessKeyID, s.SecretAccessKey, s.SessionToken),
			Retryer: retrying.DefaultRetryer{NumMaxRetries: retrying.DefaultRetryerMaxNumRetries, MinRetryDelay: noDelay, MaxRetryDelay: noDelay, MinThrottleDelay: noDelay, MaxThrottleDelay: noDelay},
		})
		if err != nil {
			t.Fatal(err)
		}
		results[i] = callGoV1(apigatewaymanagementapi.New(made), s)
	}
	return results
}

func callGoV1(c *apigatewaymanagementapi.ApiGatewayManagementApi, s step) (r result) {
	var req *request.Request
	shown := new(apigatewaymanagementapi.GetConnectionOutput)
	switch s.Op {
	case "post":
		req, _ = c.PostToConnectionRequest(&apigatewaymanagementapi.PostToConnectionInput{ConnectionId: &s.ID, Data: s.Data})
	case "get":
		req, shown = c.GetConnectionRequest(&apigatewaymanagementapi.GetConnectionInput{ConnectionId: &s.ID})
	default:
		req, _ = c.DeleteConnectionRequest(&apigatewaymanagementapi.DeleteConnectionInput{ConnectionId: &s.ID})
	}
	err := req.Send()
	if req.HTTPResponse != nil {
		r.Status = req.HTTPResponse.StatusCode
	}
	var known awserr.Error
	if errors.As(err, &known) {
		r.Code, r.Message = known.Code(), known.Message()
	}
	if _, typed := err.(*apigatewaymanagementapi.GoneException); r.Code == "GoneException" && !typed {
		r.Code = "an untyped GoneException"
	}
	if shown.ConnectedAt != nil {
		r.ConnectedAt, r.SourceIP = shown.ConnectedAt.Format(milliseconds), *shown.Identity.SourceIp
	}
	return r
}

const milliseconds = "2006-01-02T15:04:05.000Z07:00"
