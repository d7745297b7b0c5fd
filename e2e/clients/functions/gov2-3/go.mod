module functions/gov2-3

go 1.26.0

require functions/sdk2 v0.0.0

require (
	github.com/aws/aws-sdk-go-v2 v1.3.2 // indirect
	github.com/aws/aws-sdk-go-v2/config v1.1.6 // indirect
	github.com/aws/aws-sdk-go-v2/credentials v1.1.6 // indirect
	github.com/aws/aws-sdk-go-v2/feature/ec2/imds v1.0.6 // indirect
	github.com/aws/aws-sdk-go-v2/service/internal/presigned-url v1.0.6 // indirect
	github.com/aws/aws-sdk-go-v2/service/lambda v1.2.2 // indirect
	github.com/aws/aws-sdk-go-v2/service/sso v1.1.5 // indirect
	github.com/aws/aws-sdk-go-v2/service/sts v1.3.0 // indirect
	github.com/aws/smithy-go v1.3.1 // indirect
	github.com/jmespath/go-jmespath v0.4.0 // indirect
)

replace functions/sdk2 => ../sdk2
