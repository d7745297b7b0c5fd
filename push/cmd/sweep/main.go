// Command sweep is the Lambda function of push/function/sweep.
package main

import "github.com/gatepost-dev/gatepost/push/function/sweep"

func main() { sweep.Main() }
