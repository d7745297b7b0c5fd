// Command publish-stream is the Lambda function behind a data stream of push/function/publish.
package main

import "github.com/gatepost-dev/gatepost/push/function/publish"

func main() { publish.StreamMain() }
