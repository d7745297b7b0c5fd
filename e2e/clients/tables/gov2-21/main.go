// Command gov2-21 is packages sdk2 and streams2 with the versions of the SDK that
// go.mod names.
package main

import (
	"tables/sdk2"
	"tables/streams2"
)

func main() { sdk2.Run(streams2.Changes) }
