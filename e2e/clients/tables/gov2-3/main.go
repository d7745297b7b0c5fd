// Command gov2-3 is package sdk2 with the version of the SDK that go.mod names. It
// does without the stream, whose module would ask for a newer core.
package main

import (
	"tables/sdk2"

	"github.com/aws/aws-sdk-go-v2/aws"
)

func main() { sdk2.Run(func(aws.Config, string, string) error { return nil }) }
