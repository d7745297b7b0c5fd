package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"
)

type keysCommand struct {
	target
	JSON bool `name:"json" help:"Print JSON."`
}

// Help gives the examples.
func (keysCommand) Help() string {
	return `Prints the values of the API keys, those that the template gives and those that Gatepost made because it gives none.

Examples:
  gatepost keys
  gatepost keys --json`
}

// keyLine is one API key in JSON.
type keyLine struct {
	API   string `json:"api"`
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Run prints a line a key.
func (c keysCommand) Run(_ context.Context, std streams) error {
	r, _, err := c.find()
	if err != nil {
		return err
	}
	list := []keyLine{}
	for _, name := range slices.Sorted(maps.Keys(r.APIs)) {
		keys := r.APIs[name].Keys
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			list = append(list, keyLine{name, key, keys[key]})
		}
	}
	if c.JSON {
		return printJSON(std.out, list)
	}
	if len(list) == 0 {
		fmt.Fprintln(std.err, "No API of the running instance has API keys.")
		return nil
	}
	w := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "API\tKEY\tVALUE")
	for _, k := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\n", k.API, k.Name, k.Value)
	}
	return w.Flush()
}
