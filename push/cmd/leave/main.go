// Command leave is the Lambda function of the route leave of push/function/membership.
package main

import "github.com/gatepost-dev/gatepost/push/function/membership"

func main() { membership.LeaveMain() }
