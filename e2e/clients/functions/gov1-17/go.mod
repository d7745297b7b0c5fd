module functions/gov1-17

go 1.26.0

require functions/sdk1 v0.0.0

require (
	github.com/aws/aws-sdk-go v1.17.14 // indirect
	github.com/jmespath/go-jmespath v0.0.0-20180206201540-c2b33e8439af // indirect
	go.yaml.in/yaml/v3 v3.0.6 // indirect
	golang.org/x/text v0.43.0 // indirect
)

replace functions/sdk1 => ../sdk1
