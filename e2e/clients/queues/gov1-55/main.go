// Command gov1-55 is package sdk1 with the version of the SDK that go.mod names.
package main

import (
	"queues/sdk1"

	"github.com/aws/aws-sdk-go/service/sns"
)

func main() {
	sdk1.Run(func(in *sns.PublishInput, group, id string) {
		in.MessageGroupId, in.MessageDeduplicationId = &group, &id
	})
}
