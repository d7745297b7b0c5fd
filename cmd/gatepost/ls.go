package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/gatepost-dev/gatepost/internal/console"
	"github.com/gatepost-dev/gatepost/internal/instance"
)

type lsCommand struct {
	target
	JSON bool `name:"json" help:"Print JSON."`
}

// Help gives the example.
func (lsCommand) Help() string { return "Example:\n  gatepost ls --json" }

// Run prints a line a connection.
func (c lsCommand) Run(ctx context.Context, std streams) error {
	r, secrets, err := c.find()
	if err != nil {
		return err
	}
	var list []console.Connection
	if err := admin(ctx, r, secrets, "/api/connections", &list); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, list)
	}
	if len(list) == 0 {
		fmt.Fprintln(std.err, "No client is connected.")
		return nil
	}
	w := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CONNECTION\tAPI\tFROM\tCONNECTED\tLAST ACTIVE")
	for _, l := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s ago\t%s ago\n", l.ID, l.API, l.Identity.SourceIP, since(l.ConnectedAt), since(l.LastActiveAt))
	}
	return w.Flush()
}

func since(t time.Time) time.Duration { return time.Since(t).Round(time.Second) }

func names(apis map[string]instance.API) string {
	return strings.Join(slices.Sorted(maps.Keys(apis)), ", ")
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// adminTimeout bounds one call of the admin API.
const adminTimeout = 10 * time.Second

// admin asks the admin API of a running instance.
func admin(ctx context.Context, r *instance.Run, secrets instance.Credentials, path string, out any) error {
	return adminCall(ctx, r, secrets, http.MethodGet, path, out)
}

// adminCall makes one call of the admin API.
func adminCall(ctx context.Context, r *instance.Run, secrets instance.Credentials, method, path string, out any) error {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, r.Console+path, nil)
	if err != nil {
		return fmt.Errorf("ask the running instance: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+secrets.AdminToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask the running instance: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 16<<10))
		answer := strings.TrimSpace(string(text))
		if method != http.MethodGet && resp.StatusCode == http.StatusNotFound {
			return errors.New(answer) // a sentence about what the command names
		}
		return fmt.Errorf("ask the running instance: %s: %s", resp.Status, answer)
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("read the running instance's answer: %w", err)
	}
	return nil
}
