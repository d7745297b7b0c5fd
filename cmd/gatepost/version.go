package main

import (
	"fmt"
	"runtime"
)

type versionCommand struct{}

// Help gives the example.
func (versionCommand) Help() string { return "Example:\n  gatepost version" }

// Run prints the version, the Go release and the platform.
func (versionCommand) Run(std streams) error {
	_, err := fmt.Fprintf(std.out, "gatepost %s (%s %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
