// Programs as they were written around 2020: aws-lambda-go that knows nothing
// but Go's RPC, and the SDK's first generation.
module example.com/lookalikes/rpc

go 1.21

require (
	github.com/aws/aws-lambda-go v1.17.0
	github.com/aws/aws-sdk-go v1.44.334
)

require github.com/jmespath/go-jmespath v0.4.0 // indirect
