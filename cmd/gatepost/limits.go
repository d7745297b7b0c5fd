package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/gatepost-dev/gatepost/apigw"
)

type limitsCommand struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Help gives the examples.
func (limitsCommand) Help() string {
	return `Lists the limits with their defaults, which are AWS's quotas where it has one.

Examples:
  gatepost limits
  gatepost dev --limit idle=30s --limit message=off`
}

// limitLine is one limit in JSON.
type limitLine struct {
	Name    string `json:"name"`
	Default string `json:"default"`
	AWS     bool   `json:"aws"`
	Text    string `json:"text"`
}

// Run prints a line a limit.
func (c limitsCommand) Run(_ context.Context, std streams) error {
	var list []limitLine
	for _, s := range apigw.Settings() {
		list = append(list, limitLine{s.Name, s.Value(apigw.DefaultLimits()), s.AWS, s.Text})
	}
	if c.JSON {
		return printJSON(std.out, list)
	}
	w := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "LIMIT\tDEFAULT\tFROM\tMEANING")
	for _, l := range list {
		from := "Gatepost"
		if l.AWS {
			from = "AWS"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", l.Name, l.Default, from, l.Text)
	}
	return w.Flush()
}
