module functions/gov1-55

go 1.26.0

require functions/sdk1 v0.0.0

require (
	github.com/aws/aws-sdk-go v1.55.8 // indirect
	github.com/jmespath/go-jmespath v0.4.0 // indirect
)

replace functions/sdk1 => ../sdk1
