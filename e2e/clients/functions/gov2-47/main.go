// Command gov2-47 is package sdk2 with the versions of the SDK that go.mod names.
package main

import "functions/sdk2"

func main() { sdk2.Run() }
