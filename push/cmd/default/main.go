// Command default is the Lambda function of push/function/fallback, for the
// $default route.
package main

import "github.com/gatepost-dev/gatepost/push/function/fallback"

func main() { fallback.Main() }
