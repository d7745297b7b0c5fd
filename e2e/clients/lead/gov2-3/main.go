// Command gov2-3 is package sdk2 with the version of the SDK that go.mod names.
package main

import "lead/sdk2"

func main() { sdk2.Start() }
