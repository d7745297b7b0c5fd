module streams/gov1-17

go 1.26.0

require streams/sdk1 v0.0.0

require (
	github.com/aws/aws-sdk-go v1.17.14 // indirect
	github.com/jmespath/go-jmespath v0.0.0-20180206201540-c2b33e8439af // indirect
	github.com/stretchr/testify v1.12.1 // indirect
	golang.org/x/net v0.62.0 // indirect
)

replace streams/sdk1 => ../sdk1
