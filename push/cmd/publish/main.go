// Command publish is the Lambda function behind a queue of push/function/publish.
package main

import "github.com/gatepost-dev/gatepost/push/function/publish"

func main() { publish.Main() }
