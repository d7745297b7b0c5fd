module queues/gov1-44

go 1.26.0

require (
	github.com/aws/aws-sdk-go v1.44.334
	queues/sdk1 v0.0.0
)

require (
	github.com/davecgh/go-spew v1.1.1 // indirect
	github.com/jmespath/go-jmespath v0.4.0 // indirect
)

replace queues/sdk1 => ../sdk1
