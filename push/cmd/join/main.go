// Command join is the Lambda function of the route join of push/function/membership.
package main

import "github.com/gatepost-dev/gatepost/push/function/membership"

func main() { membership.JoinMain() }
