package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/instance"
)

type postCommand struct {
	target
	ID      string `arg:"" help:"The connection's id, from gatepost ls."`
	Message string `arg:"" name:"data" help:"The message; - reads it from the input."`
	API     string `name:"api" help:"The API, when several run."`
}

// Help gives the example.
func (postCommand) Help() string { return "Example:\n  gatepost post 'JC1dgf9yoAMCK-g=' hello" }

// Run posts through the management API, as a function would.
func (c postCommand) Run(ctx context.Context, std streams) error {
	data, err := argument(c.Message, std)
	if err != nil {
		return err
	}
	return c.manage(ctx, c.API, http.MethodPost, c.ID, data)
}

type kickCommand struct {
	target
	ID  string `arg:"" help:"The connection's id, from gatepost ls."`
	API string `name:"api" help:"The API, when several run."`
}

// Help gives the example.
func (kickCommand) Help() string { return "Example:\n  gatepost kick 'JC1dgf9yoAMCK-g='" }

// Run closes the connection through the management API.
func (c kickCommand) Run(ctx context.Context) error {
	return c.manage(ctx, c.API, http.MethodDelete, c.ID, nil)
}

// argument returns a message given on the command line, or the whole input for
// "-".
func argument(text string, std streams) ([]byte, error) {
	if text != "-" {
		return []byte(text), nil
	}
	data, err := io.ReadAll(std.in)
	if err != nil {
		return nil, fmt.Errorf("read the input: %w", err)
	}
	return data, nil
}

// manage makes one signed call of @connections.
func (t target) manage(ctx context.Context, api, method, id string, data []byte) error {
	r, secrets, err := t.find()
	if err != nil {
		return err
	}
	a, err := t.api(r, api)
	if err != nil {
		return err
	}
	roots, err := trust(r)
	if err != nil {
		return err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	client := &http.Client{Transport: transport, Timeout: callTimeout}
	status, body, err := call(ctx, client, secrets, r.Region, "execute-api", method, a.Callback+"/@connections/"+url.PathEscape(id), nil, data)
	switch {
	case err != nil:
		return err
	case status == http.StatusGone:
		return fmt.Errorf("the connection %s is gone (410)", id)
	case status >= 300:
		return fmt.Errorf("%s @connections: %d %s", method, status, strings.TrimSpace(string(body)))
	}
	return nil
}

// callTimeout bounds one call of the command line.
const callTimeout = 10 * time.Second

// call makes one signed AWS call and returns the answer's status and its body,
// of which it reads up to 64 KB.
func call(ctx context.Context, client *http.Client, secrets instance.Credentials, region, service, method, to string, header http.Header, data []byte) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, method, to, bytes.NewReader(data))
	if err != nil {
		return 0, nil, fmt.Errorf("make the call: %w", err)
	}
	for k, v := range header {
		req.Header[k] = v
	}
	awswire.Sign(req, data, secrets.Credentials, region, service, time.Now())
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("reach the running instance: %w", err)
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return 0, nil, fmt.Errorf("read the running instance's answer: %w", err)
	}
	return resp.StatusCode, body, nil
}
