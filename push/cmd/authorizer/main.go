// Command authorizer is the Lambda function of push/function/authorizer.
package main

import "github.com/gatepost-dev/gatepost/push/function/authorizer"

func main() { authorizer.Main() }
