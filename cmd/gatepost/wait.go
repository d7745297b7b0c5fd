package main

import (
	"context"
	"fmt"
	"time"

	"github.com/gatepost-dev/gatepost/internal/instance"
)

// target is the flag of every command that speaks to a running instance.
type target struct {
	Data string `help:"Data folder of the running instance; by default it is found." placeholder:"DIR"`
}

// find returns the running instance and its secrets.
func (t target) find() (*instance.Run, instance.Credentials, error) {
	r, err := instance.Find(t.Data)
	if err != nil {
		return nil, instance.Credentials{}, err
	}
	c, err := instance.ReadCredentials(r.Data)
	return r, c, err
}

// api returns the API that a command means: the named one, or the only one.
func (t target) api(r *instance.Run, name string) (instance.API, error) {
	if name != "" {
		if a, ok := r.APIs[name]; ok {
			return a, nil
		}
		return instance.API{}, fmt.Errorf("no API %q runs; there are: %s", name, names(r.APIs))
	}
	if len(r.APIs) != 1 {
		return instance.API{}, fmt.Errorf("say which API with --api NAME; there are: %s", names(r.APIs))
	}
	for _, a := range r.APIs {
		return a, nil
	}
	panic("unreachable")
}

type waitCommand struct {
	target
	Timeout time.Duration `default:"30s" help:"Give up after this long."`
}

// Help gives the example.
func (waitCommand) Help() string {
	return "Returns at once when an instance is ready already.\n\nExample:\n  gatepost dev & gatepost wait --timeout 60s && npm test"
}

// pollEvery is how often wait looks for run.json.
const pollEvery = 20 * time.Millisecond

// Run looks until an instance is ready: run.json is written when everything
// serves.
func (c waitCommand) Run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	for {
		_, err := instance.Find(c.Data)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("after %s: %w", c.Timeout, err)
		case <-time.After(pollEvery):
		}
	}
}
