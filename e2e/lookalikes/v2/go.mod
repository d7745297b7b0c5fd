// Programs as they were written around 2021: the first versions of the SDK's
// second generation, whose DynamoDB client insists on checksums, beside the
// first generation for what the second did not have yet.
module example.com/lookalikes/v2

go 1.21

require (
	github.com/aws/aws-lambda-go v1.22.0
	github.com/aws/aws-sdk-go v1.44.334
	github.com/aws/aws-sdk-go-v2 v1.3.2
	github.com/aws/aws-sdk-go-v2/config v1.1.5
	github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue v1.0.6
	github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi v1.1.5
	github.com/aws/aws-sdk-go-v2/service/dynamodb v1.2.2
)

require (
	github.com/aws/aws-sdk-go-v2/credentials v1.1.5 // indirect
	github.com/aws/aws-sdk-go-v2/feature/ec2/imds v1.0.6 // indirect
	github.com/aws/aws-sdk-go-v2/service/dynamodbstreams v1.1.5 // indirect
	github.com/aws/aws-sdk-go-v2/service/internal/accept-encoding v1.0.4 // indirect
	github.com/aws/aws-sdk-go-v2/service/internal/presigned-url v1.0.6 // indirect
	github.com/aws/aws-sdk-go-v2/service/sso v1.1.5 // indirect
	github.com/aws/aws-sdk-go-v2/service/sts v1.2.2 // indirect
	github.com/aws/smithy-go v1.3.1 // indirect
	github.com/jmespath/go-jmespath v0.4.0 // indirect
)
