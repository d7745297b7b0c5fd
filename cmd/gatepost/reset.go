package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost"
)

type resetCommand struct {
	target
	CloseConnections bool `help:"Close all clients first, and let their $disconnect run."`
	KeepFunctions    bool `help:"Leave the functions' processes alone, with what they have in memory."`
	JSON             bool `name:"json" help:"Print JSON."`
}

// Help says what is emptied.
func (resetCommand) Help() string {
	return `Brings the running instance back to its first start, while it runs:

- tables, queues and data streams of the template are empty and have the template's settings, its topics have the template's subscriptions
- tables, queues, streams, topics and subscriptions that calls have made are gone
- records of tables' streams, asynchronous invocations that wait, message move tasks, deduplication ids and tokens are forgotten
- functions at work get a second to come to an end, then they are cut off; all their processes end, and new ones start with the next event

Clients stay connected, throttles and the quotas of API keys begin anew, logs are left alone, and so is a service that --endpoint has somebody else run. A test can do the same with one request, which this command makes:

  curl -X POST http://127.0.0.1:4566/_gatepost/reset

Examples:
  gatepost reset
  gatepost reset --close-connections --json`
}

// resetTimeout bounds a reset.
const resetTimeout = 30 * time.Second

// Run resets and says what was emptied.
func (c resetCommand) Run(ctx context.Context, std streams) error {
	r, secrets, err := c.find()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, resetTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.AWS+"/_gatepost/reset?"+c.query(), nil)
	if err != nil {
		return fmt.Errorf("make the call: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+secrets.AdminToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("reach the running instance: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return fmt.Errorf("read the running instance's answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		var failure struct{ Message string }
		if json.Unmarshal(text, &failure) != nil || failure.Message == "" {
			failure.Message = string(text)
		}
		return errors.New(failure.Message)
	}
	var report gatepost.ResetReport
	if err := json.Unmarshal(text, &report); err != nil {
		return fmt.Errorf("read the running instance's answer: %w", err)
	}
	if c.JSON {
		return printJSON(std.out, report)
	}
	printReset(std.out, report)
	return nil
}

func (c resetCommand) query() string {
	query := make(url.Values)
	if c.CloseConnections {
		query.Set("connections", "close")
	}
	if c.KeepFunctions {
		query.Set("functions", "keep")
	}
	return query.Encode()
}

// printReset says in lines what a reset has done, and leaves out what it has not.
func printReset(w io.Writer, r gatepost.ResetReport) {
	for _, kind := range []struct {
		name string
		gatepost.Emptied
	}{{"tables", r.Tables}, {"queues", r.Queues}, {"topics", r.Topics}, {"streams", r.Streams}} {
		if kind.name == "streams" && kind.Emptied == (gatepost.Emptied{}) {
			continue // of Kinesis, which few systems use
		}
		fmt.Fprintf(w, "%s: %d emptied, %d removed\n", kind.name, kind.Kept, kind.Removed)
	}
	for _, line := range []struct {
		n    int
		text string
	}{
		{r.Invocations, "asynchronous invocations dropped"},
		{r.CutOff, "invocations cut off"},
		{r.Processes, "processes of functions ended"},
		{r.Connections, "clients closed"},
	} {
		if line.n > 0 {
			fmt.Fprintf(w, "%d %s\n", line.n, line.text)
		}
	}
	if len(r.Elsewhere) > 0 {
		fmt.Fprintf(w, "left alone, because they run elsewhere: %s\n", strings.Join(r.Elsewhere, ", "))
	}
}
