// Command publish-http is the Lambda function behind HTTP requests of push/function/publish.
package main

import "github.com/gatepost-dev/gatepost/push/function/publish"

func main() { publish.RequestMain() }
