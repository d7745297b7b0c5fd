package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/gatepost-dev/gatepost/internal/console"
)

type scheduleCommand struct {
	Run scheduleRunCommand `cmd:"" help:"Call the targets of a schedule now, without waiting until it is due."`
}

type scheduleRunCommand struct {
	target
	Name string `arg:"" help:"The schedule's name, its logical id in the template, or its ARN."`
	JSON bool   `name:"json" help:"Print the answer as JSON."`
}

// Help gives the example.
func (scheduleRunCommand) Help() string {
	return `The targets get what they would get if the schedule were due now; a disabled schedule runs too. Functions are invoked asynchronously:
the command does not wait for them.

Example:
  gatepost schedule run nightly-cleanup`
}

// Run calls the targets and prints a line each.
func (c scheduleRunCommand) Run(ctx context.Context, std streams) error {
	r, secrets, err := c.find()
	if err != nil {
		return err
	}
	var calls []console.ScheduleCall
	if err := adminCall(ctx, r, secrets, http.MethodPost, "/api/schedules/"+url.PathEscape(c.Name)+"/run", &calls); err != nil {
		return err
	}
	if c.JSON {
		if err := printJSON(std.out, calls); err != nil {
			return err
		}
	}
	var errs []error
	for _, call := range calls {
		if call.Error != "" {
			errs = append(errs, fmt.Errorf("the schedule %s cannot call %s: %s", c.Name, lastPart(call.Target), call.Error))
		} else if !c.JSON {
			fmt.Fprintf(std.out, "%s called %s\n", c.Name, lastPart(call.Target))
		}
	}
	return errors.Join(errs...)
}
