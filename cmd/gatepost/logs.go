package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost/internal/console"
	"github.com/gatepost-dev/gatepost/internal/instance"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
)

type logsCommand struct {
	target
	Function string        `arg:"" optional:"" help:"Only this function's log."`
	Follow   bool          `short:"f" help:"Go on as new lines come, until the instance ends or Ctrl-C."`
	Since    time.Duration `placeholder:"TIME" help:"Only lines that are not older, for example 90s or 10m."`
	Request  string        `placeholder:"ID" help:"Only the invocation with this request id, or beginning of one."`
	Limit    int           `short:"n" default:"100" help:"How many of the recent lines."`
	JSON     bool          `name:"json" help:"Print a JSON object a line."`
}

// Help gives the examples.
func (logsCommand) Help() string {
	return `Prints what the functions have written, each line with its time, function and request id, between the lines START, END and REPORT that Lambda puts around an invocation.

Examples:
  gatepost logs
  gatepost logs connect --follow
  gatepost logs --since 10m -n 1000
  gatepost logs --request 7cf9cdcf`
}

// Run prints the lines.
func (c logsCommand) Run(ctx context.Context, std streams) error {
	if c.Since < 0 || c.Limit < 0 {
		return usageError{errors.New("--since and --limit are not negative")}
	}
	r, secrets, err := c.find()
	if err != nil {
		return err
	}
	lines, err := c.open(ctx, r, secrets)
	if err != nil {
		return err
	}
	defer lines.Close()
	printed, err := c.print(std.out, lines)
	switch {
	case ctx.Err() != nil: // Ctrl-C
		return nil
	case c.Follow && err == nil:
		fmt.Fprintln(std.err, "The instance has ended.")
	case err == nil && printed == 0:
		fmt.Fprintln(std.err, "There are no such lines.")
	}
	return err
}

// query is what is asked of the instance.
func (c logsCommand) query() string {
	v := url.Values{"n": {strconv.Itoa(c.Limit)}}
	for name, value := range map[string]string{"function": c.Function, "request": c.Request} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if c.Since > 0 {
		v.Set("since", c.Since.String())
	}
	if c.Follow {
		v.Set("follow", "true")
	}
	return v.Encode()
}

// open asks for the lines. Unlike other answers of the admin API this one may
// take for ever.
func (c logsCommand) open(ctx context.Context, r *instance.Run, secrets instance.Credentials) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.Console+"/api/logs?"+c.query(), nil)
	if err != nil {
		return nil, fmt.Errorf("ask the running instance: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+secrets.AdminToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the running instance: %w", err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if resp.StatusCode == http.StatusNotFound { // it says which there are
		return nil, errors.New(strings.TrimSpace(string(text)))
	}
	return nil, fmt.Errorf("ask the running instance: %s: %s", resp.Status, strings.TrimSpace(string(text)))
}

// print prints lines until there are no more, and returns how many there were.
// An answer that breaks off while it follows has come to its end.
func (c logsCommand) print(to io.Writer, lines io.Reader) (printed int, err error) {
	in, out := bufio.NewReader(lines), bufio.NewWriter(to)
	for {
		text, err := in.ReadBytes('\n')
		if err != nil {
			if c.Follow || err == io.EOF {
				return printed, out.Flush()
			}
			return printed, errors.Join(fmt.Errorf("read the running instance's answer: %w", err), out.Flush())
		}
		if err := c.printLine(out, text); err != nil {
			return printed, err
		}
		printed++
		if in.Buffered() > 0 {
			continue
		}
		if err := out.Flush(); err != nil { // the next one may take a while
			return printed, err
		}
	}
}

// printLine prints one line of the answer, which is JSON already.
func (c logsCommand) printLine(out *bufio.Writer, text []byte) error {
	if c.JSON {
		_, err := out.Write(text)
		return err
	}
	var line telemetry.Line
	if err := json.Unmarshal(text, &line); err != nil {
		return fmt.Errorf("read the running instance's answer: %w", err)
	}
	at := line.Time.Local().Format("15:04:05.000")
	if line.Type == console.MissedLine {
		_, err := fmt.Fprintf(out, "%s (%s)\n", at, line.Message)
		return err
	}
	_, err := fmt.Fprintf(out, "%s %s %-8s %s\n", at, line.Function, strings.TrimSuffix(short(line.RequestID), " "), line.Message)
	return err
}
