// Command gov1-17 is package sdk1 with the version of the SDK that go.mod names.
package main

import "functions/sdk1"

func main() { sdk1.Run() }
