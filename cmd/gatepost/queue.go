package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/gatepost-dev/gatepost/internal/instance"
)

type queueCommand struct {
	Ls      queueLsCommand      `cmd:"" help:"List the queues with their numbers of messages."`
	Send    queueSendCommand    `cmd:"" help:"Send a message to a queue."`
	Purge   queuePurgeCommand   `cmd:"" help:"Delete every message of a queue."`
	Redrive queueRedriveCommand `cmd:"" help:"Move the messages of a dead-letter queue back to where they came from."`
}

type queueLsCommand struct {
	target
	JSON bool `name:"json" help:"Print JSON."`
}

// Help gives the example.
func (queueLsCommand) Help() string { return "Example:\n  gatepost queue ls" }

// queueLine is one queue of a listing.
type queueLine struct {
	Name    string `json:"name"`
	URL     string `json:"url"`
	Visible string `json:"visible"`
	Hidden  string `json:"hidden"`
	Delayed string `json:"delayed"`
}

// Run prints a line a queue.
func (c queueLsCommand) Run(ctx context.Context, std streams) error {
	r, secrets, err := c.find()
	if err != nil {
		return err
	}
	lines, err := listQueues(ctx, r, secrets)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, lines)
	}
	if len(lines) == 0 {
		fmt.Fprintln(std.err, "There is no queue.")
		return nil
	}
	w := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "QUEUE\tVISIBLE\tHIDDEN\tDELAYED")
	for _, q := range lines {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", q.Name, q.Visible, q.Hidden, q.Delayed)
	}
	return w.Flush()
}

// listQueues reads every queue, page by page.
func listQueues(ctx context.Context, r *instance.Run, secrets instance.Credentials) ([]queueLine, error) {
	lines := []queueLine{}
	for token := ""; ; {
		var page struct {
			QueueUrls []string
			NextToken string
		}
		if err := sqs(ctx, r, secrets, "ListQueues", map[string]any{"MaxResults": 100, "NextToken": token}, &page); err != nil {
			return nil, fmt.Errorf("list the queues: %w", err)
		}
		for _, url := range page.QueueUrls {
			line, err := readQueue(ctx, r, secrets, url)
			if err != nil {
				return nil, err
			}
			lines = append(lines, line)
		}
		if token = page.NextToken; token == "" {
			return lines, nil
		}
	}
}

func readQueue(ctx context.Context, r *instance.Run, secrets instance.Credentials, url string) (queueLine, error) {
	const visible = "ApproximateNumberOfMessages"
	var queue struct{ Attributes map[string]string }
	in := map[string]any{"QueueUrl": url, "AttributeNames": []string{visible, visible + "NotVisible", visible + "Delayed"}}
	if err := sqs(ctx, r, secrets, "GetQueueAttributes", in, &queue); err != nil {
		return queueLine{}, fmt.Errorf("read the queue %s: %w", url, err)
	}
	return queueLine{Name: url[strings.LastIndex(url, "/")+1:], URL: url, Visible: queue.Attributes[visible],
		Hidden: queue.Attributes[visible+"NotVisible"], Delayed: queue.Attributes[visible+"Delayed"]}, nil
}

type queueSendCommand struct {
	target
	Name  string        `arg:"" help:"The queue's name."`
	Body  string        `arg:"" help:"The message; - reads it from the input."`
	Group string        `name:"group" help:"The message group; a FIFO queue needs one."`
	Dedup string        `name:"dedup" help:"The deduplication id, for a FIFO queue without content-based deduplication."`
	Delay time.Duration `name:"delay" help:"How long to hold the message back, in whole seconds up to 15m."`
	JSON  bool          `name:"json" help:"Print the answer as JSON."`
}

// Help gives the examples.
func (queueSendCommand) Help() string {
	return "Examples:\n  gatepost queue send socket-queue 'hello, everyone'\n  gatepost queue send orders.fifo 'first' --group ann --dedup 1"
}

// Run sends one message and prints its id.
func (c queueSendCommand) Run(ctx context.Context, std streams) error {
	if c.Delay%time.Second != 0 || c.Delay < 0 {
		return usageError{fmt.Errorf("--delay %s: give whole seconds, such as 5s", c.Delay)}
	}
	r, secrets, err := c.find()
	if err != nil {
		return err
	}
	body, err := argument(c.Body, std)
	if err != nil {
		return err
	}
	url, err := queueURL(ctx, r, secrets, c.Name)
	if err != nil {
		return err
	}
	in := map[string]any{"QueueUrl": url, "MessageBody": string(body)}
	if c.Group != "" {
		in["MessageGroupId"] = c.Group
	}
	if c.Dedup != "" {
		in["MessageDeduplicationId"] = c.Dedup
	}
	if c.Delay > 0 {
		in["DelaySeconds"] = int(c.Delay / time.Second)
	}
	var sent struct {
		MessageId, MD5OfMessageBody string
		SequenceNumber              string `json:",omitempty"`
	}
	if err := sqs(ctx, r, secrets, "SendMessage", in, &sent); err != nil {
		return fmt.Errorf("send to the queue %s: %w", c.Name, err)
	}
	if c.JSON {
		return printJSON(std.out, sent)
	}
	_, err = fmt.Fprintln(std.out, sent.MessageId)
	return err
}

// queueURL finds a queue by its name.
func queueURL(ctx context.Context, r *instance.Run, secrets instance.Credentials, name string) (string, error) {
	var queue struct{ QueueUrl string }
	if err := sqs(ctx, r, secrets, "GetQueueUrl", map[string]any{"QueueName": name}, &queue); err != nil {
		return "", fmt.Errorf("find the queue %s: %w", name, err)
	}
	return queue.QueueUrl, nil
}

type queuePurgeCommand struct {
	target
	Name string `arg:"" help:"The queue's name."`
}

// Help gives the example.
func (queuePurgeCommand) Help() string { return "Example:\n  gatepost queue purge socket-dlq" }

// Run purges the queue.
func (c queuePurgeCommand) Run(ctx context.Context) error {
	r, secrets, err := c.find()
	if err != nil {
		return err
	}
	url, err := queueURL(ctx, r, secrets, c.Name)
	if err != nil {
		return err
	}
	if err := sqs(ctx, r, secrets, "PurgeQueue", map[string]any{"QueueUrl": url}, &struct{}{}); err != nil {
		return fmt.Errorf("purge the queue %s: %w", c.Name, err)
	}
	return nil
}

type queueRedriveCommand struct {
	target
	Name string `arg:"" help:"The dead-letter queue's name."`
}

// Help gives the example.
func (queueRedriveCommand) Help() string { return "Example:\n  gatepost queue redrive socket-dlq" }

// redrivePoll is how often a redrive's progress is asked for.
const redrivePoll = 100 * time.Millisecond

// Run starts the move, waits for its end and prints how many messages it moved.
func (c queueRedriveCommand) Run(ctx context.Context, std streams) error {
	r, secrets, err := c.find()
	if err != nil {
		return err
	}
	url, err := queueURL(ctx, r, secrets, c.Name)
	if err != nil {
		return err
	}
	var queue struct{ Attributes map[string]string }
	if err := sqs(ctx, r, secrets, "GetQueueAttributes", map[string]any{"QueueUrl": url, "AttributeNames": []string{"QueueArn"}}, &queue); err != nil {
		return fmt.Errorf("read the queue %s: %w", c.Name, err)
	}
	source := map[string]any{"SourceArn": queue.Attributes["QueueArn"]}
	if err := sqs(ctx, r, secrets, "StartMessageMoveTask", source, &struct{}{}); err != nil {
		return fmt.Errorf("move the messages of %s: %w", c.Name, err)
	}
	for {
		var tasks struct {
			Results []struct {
				Status, FailureReason            string
				ApproximateNumberOfMessagesMoved int
			}
		}
		if err := sqs(ctx, r, secrets, "ListMessageMoveTasks", source, &tasks); err != nil {
			return fmt.Errorf("move the messages of %s: %w", c.Name, err)
		}
		if len(tasks.Results) == 1 && tasks.Results[0].Status != "RUNNING" {
			done := tasks.Results[0]
			fmt.Fprintf(std.out, "%d moved\n", done.ApproximateNumberOfMessagesMoved)
			if done.Status != "COMPLETED" {
				return fmt.Errorf("the move ended as %s: %s", done.Status, done.FailureReason)
			}
			return nil
		}
		select {
		case <-time.After(redrivePoll):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// sqs makes one call of the running instance's SQS in the JSON protocol.
func sqs(ctx context.Context, r *instance.Run, secrets instance.Credentials, operation string, in, out any) error {
	data, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encode the call: %w", err)
	}
	header := http.Header{"X-Amz-Target": {"AmazonSQS." + operation}, "Content-Type": {"application/x-amz-json-1.0"}}
	client := &http.Client{Timeout: callTimeout}
	status, body, err := call(ctx, client, secrets, r.Region, "sqs", http.MethodPost, r.AWS+"/", header, data)
	if err != nil {
		return err
	}
	if status == http.StatusOK {
		return json.Unmarshal(body, out)
	}
	var failure struct{ Message string }
	if json.Unmarshal(body, &failure) != nil || failure.Message == "" {
		failure.Message = string(body)
	}
	return errors.New(failure.Message)
}
