// Command publish-topic is the Lambda function behind a topic of push/function/publish.
package main

import "github.com/gatepost-dev/gatepost/push/function/publish"

func main() { publish.TopicMain() }
