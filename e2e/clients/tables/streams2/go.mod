module tables/streams2

go 1.26.0

require (
	github.com/aws/aws-sdk-go-v2 v1.21.0
	github.com/aws/aws-sdk-go-v2/service/dynamodbstreams v1.15.5
)
