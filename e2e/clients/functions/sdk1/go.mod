module functions/sdk1

go 1.26.0

require github.com/aws/aws-sdk-go v1.17.14
