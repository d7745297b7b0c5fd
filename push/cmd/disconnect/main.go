// Command disconnect is the Lambda function of push/function/disconnect.
package main

import "github.com/gatepost-dev/gatepost/push/function/disconnect"

func main() { disconnect.Main() }
