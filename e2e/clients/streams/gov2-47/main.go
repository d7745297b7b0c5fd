// Command gov2-47 is package sdk2 with the version of the SDK that go.mod names.
package main

import "streams/sdk2"

func main() { sdk2.Run() }
