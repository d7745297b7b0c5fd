module functions/sdk2

go 1.26.0

require (
	github.com/aws/aws-sdk-go-v2 v1.3.2
	github.com/aws/aws-sdk-go-v2/config v1.1.6
	github.com/aws/aws-sdk-go-v2/service/lambda v1.2.2
	github.com/aws/smithy-go v1.3.1
)
