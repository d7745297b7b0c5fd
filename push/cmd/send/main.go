// Command send is the Lambda function of push/function/send.
package main

import "github.com/gatepost-dev/gatepost/push/function/send"

func main() { send.Main() }
