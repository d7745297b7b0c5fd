package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/instance"
)

type invokeCommand struct {
	target
	Function string `arg:"" help:"The function's name, or its ARN."`
	Payload  string `arg:"" name:"event" optional:"" default:"{}" help:"The event: JSON, @FILE for the content of a file, or - for the input."`
	Async    bool   `name:"event" help:"Do not wait for the function: queue the event, and print the request id."`
	Log      bool   `name:"log" help:"Print the end of the function's log on standard error."`
}

// Help gives the examples.
func (invokeCommand) Help() string {
	return `Prints what the function answers. A function that fails is exit code 1, with its error as JSON on standard error.

Examples:
  gatepost invoke connect '{"requestContext":{"connectionId":"JC1dgf9yoAMCK-g="}}'
  gatepost invoke publish @event.json --log
  gatepost invoke publish --event`
}

// Run invokes the function through the AWS endpoint, as the SDKs do.
func (c invokeCommand) Run(ctx context.Context, std streams) error {
	r, secrets, err := c.find()
	if err != nil {
		return err
	}
	event, err := c.readEvent(std)
	if err != nil {
		return err
	}
	return c.invoke(ctx, std, lambdaCaller{r, secrets.Credentials}, event)
}

// readEvent returns the event that the command line gives, says where to read, or
// leaves out.
func (c invokeCommand) readEvent(std streams) ([]byte, error) {
	path, isFile := strings.CutPrefix(c.Payload, "@")
	if !isFile {
		return argument(c.Payload, std)
	}
	event, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the event: %w", err)
	}
	return event, nil
}

// invoke makes the call and prints what came of it.
func (c invokeCommand) invoke(ctx context.Context, std streams, lambda lambdaCaller, event []byte) error {
	header := make(http.Header)
	if c.Async {
		header.Set("X-Amz-Invocation-Type", "Event")
	}
	if c.Log && !c.Async {
		header.Set("X-Amz-Log-Type", "Tail")
	}
	answer, err := lambda.call(ctx, http.MethodPost, "/2015-03-31/functions/"+url.PathEscape(c.Function)+"/invocations", header, event)
	if err != nil {
		return err
	}
	if answer.status == http.StatusNotFound {
		return lambda.noFunction(ctx, c.Function, answer)
	}
	if answer.status >= 300 {
		return fmt.Errorf("invoke %s: %w", c.Function, answer.failure())
	}
	if c.Async {
		_, err := fmt.Fprintln(std.out, answer.header.Get("X-Amzn-Requestid"))
		return err
	}
	return errors.Join(c.printLog(std, answer), c.printAnswer(std, answer))
}

func (c invokeCommand) printLog(std streams, answer *lambdaAnswer) error {
	if !c.Log {
		return nil
	}
	text, err := base64.StdEncoding.DecodeString(answer.header.Get("X-Amz-Log-Result"))
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	_, err = std.err.Write(text)
	return err
}

// printAnswer prints the answer, to standard error if it is a failure.
func (c invokeCommand) printAnswer(std streams, answer *lambdaAnswer) error {
	failed := answer.header.Get("X-Amz-Function-Error") != ""
	to := std.out
	if failed {
		to = std.err
	}
	text := append(bytes.TrimSuffix(answer.body, []byte("\n")), '\n')
	if _, err := to.Write(text); err != nil {
		return err
	}
	if failed {
		return fmt.Errorf("the function %s failed", c.Function)
	}
	return nil
}

// invokeTimeout bounds one call: a function may take 15 minutes and wait for
// others before that.
const invokeTimeout = 20 * time.Minute

// maxLambdaAnswer bounds what is read of an answer; a function's is 6 MB at most.
const maxLambdaAnswer = 8 << 20

// lambdaCaller calls the Lambda API of a running instance.
type lambdaCaller struct {
	run  *instance.Run
	keys awswire.Credentials
}

type lambdaAnswer struct {
	status int
	header http.Header
	body   []byte
}

// call makes one signed call.
func (l lambdaCaller) call(ctx context.Context, method, path string, header http.Header, body []byte) (*lambdaAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, invokeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, l.run.AWS+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make the call: %w", err)
	}
	if header != nil {
		req.Header = header
	}
	awswire.Sign(req, body, l.keys, l.run.Region, "lambda", time.Now())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("reach the running instance: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxLambdaAnswer))
	if err != nil {
		return nil, fmt.Errorf("read the running instance's answer: %w", err)
	}
	return &lambdaAnswer{resp.StatusCode, resp.Header, text}, nil
}

// failure is what the API says is wrong.
func (a *lambdaAnswer) failure() error {
	var said struct{ Message string } // encoding/json does not mind the case
	if json.Unmarshal(a.body, &said) != nil || said.Message == "" {
		return fmt.Errorf("%d %s", a.status, bytes.TrimSpace(a.body))
	}
	return errors.New(said.Message)
}

// noFunction explains a function that was not found by those that there are.
func (l lambdaCaller) noFunction(ctx context.Context, name string, answer *lambdaAnswer) error {
	var there []string
	for marker := ""; ; {
		page, err := l.call(ctx, http.MethodGet, "/2015-03-31/functions?Marker="+url.QueryEscape(marker), nil, nil)
		if err != nil {
			return err
		}
		var list struct {
			Functions  []struct{ FunctionName string }
			NextMarker string
		}
		if page.status != http.StatusOK || json.Unmarshal(page.body, &list) != nil {
			return fmt.Errorf("invoke %s: %w", name, answer.failure())
		}
		for _, f := range list.Functions {
			there = append(there, f.FunctionName)
		}
		if marker = list.NextMarker; marker == "" {
			break
		}
	}
	if len(there) == 0 {
		return fmt.Errorf("invoke %s: %w; the running template has no functions", name, answer.failure())
	}
	return fmt.Errorf("invoke %s: %w; there are: %s", name, answer.failure(), strings.Join(there, ", "))
}
