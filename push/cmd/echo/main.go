// Command echo is the Lambda function of push/function/echo.
package main

import "github.com/gatepost-dev/gatepost/push/function/echo"

func main() { echo.Main() }
