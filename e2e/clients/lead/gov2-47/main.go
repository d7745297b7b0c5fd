// Command gov2-47 is package sdk2 with the version of the SDK that go.mod names,
// and the way of setting an endpoint that such a version asks for.
package main

import (
	"lead/sdk2"

	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

func main() {
	sdk2.ToAPI = func(o *apigatewaymanagementapi.Options, url string) { o.BaseEndpoint = &url }
	sdk2.ToTable = func(o *dynamodb.Options, url string) { o.BaseEndpoint = &url }
	sdk2.Start()
}
