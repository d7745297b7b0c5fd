module lead/gov1-17

go 1.26.0

require lead/sdk1 v0.0.0

require (
	github.com/aws/aws-lambda-go v1.55.1 // indirect
	github.com/aws/aws-sdk-go v1.17.14 // indirect
	github.com/jmespath/go-jmespath v0.0.0-20180206201540-c2b33e8439af // indirect
	golang.org/x/net v0.62.0 // indirect
)

replace lead/sdk1 => ../sdk1
