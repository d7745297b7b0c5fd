// Command gov1-17 is package sdk1 with the version of the SDK that go.mod names,
// which is older than FIFO topics.
package main

import "queues/sdk1"

func main() { sdk1.Run(nil) }
