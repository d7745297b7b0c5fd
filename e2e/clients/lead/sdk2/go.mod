module lead/sdk2

go 1.26.0

require (
	github.com/aws/aws-lambda-go v1.55.1
	github.com/aws/aws-sdk-go-v2 v1.3.2
	github.com/aws/aws-sdk-go-v2/config v1.1.6
	github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi v1.1.5
	github.com/aws/aws-sdk-go-v2/service/dynamodb v1.2.2
	github.com/aws/aws-sdk-go-v2/service/lambda v1.2.2
	github.com/aws/aws-sdk-go-v2/service/sns v1.2.2
	github.com/aws/aws-sdk-go-v2/service/sqs v1.3.1
)
