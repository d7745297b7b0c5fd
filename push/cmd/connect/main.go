// Command connect is the Lambda function of push/function/connect.
package main

import "github.com/gatepost-dev/gatepost/push/function/connect"

func main() { connect.Main() }
