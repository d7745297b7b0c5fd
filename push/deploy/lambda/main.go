// Command lambda builds the push house's functions as the zip archives that
// Lambda takes: `make lambda`. The same commit and the same version of Go give
// the same bytes, whatever the folder, the user and the day.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
)

func main() {
	arch := flag.String("arch", "arm64", "the processor: arm64 or amd64")
	source := flag.String("source", ".", "a folder of the module")
	out := flag.String("out", "dist/lambda", "the folder for the archives; they go to a folder ARCH in it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	sums, err := Build(ctx, Options{Source: *source, Out: *out, Arch: *arch, Functions: flag.Args()})
	if err != nil {
		fmt.Fprintln(os.Stderr, "lambda:", err)
		os.Exit(1)
	}
	fmt.Print(sums)
}
