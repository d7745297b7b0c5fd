package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/gatepost-dev/gatepost/internal/instance"
)

type queueCommand struct {
	Send queueSendCommand `cmd:"" help:"Send a message to a queue."`
}

type queueSendCommand struct {
	target
	Name string `arg:"" help:"The queue's name."`
	Body string `arg:"" help:"The message; - reads it from the input."`
	JSON bool   `name:"json" help:"Print the answer as JSON."`
}

// Help gives the example.
func (queueSendCommand) Help() string {
	return "Example:\n  gatepost queue send socket-queue 'hello, everyone'"
}

// Run sends one message and prints its id.
func (c queueSendCommand) Run(ctx context.Context, std streams) error {
	r, secrets, err := c.find()
	if err != nil {
		return err
	}
	body, err := argument(c.Body, std)
	if err != nil {
		return err
	}
	var queue struct{ QueueUrl string }
	if err := sqs(ctx, r, secrets, "GetQueueUrl", map[string]any{"QueueName": c.Name}, &queue); err != nil {
		return fmt.Errorf("find the queue %s: %w", c.Name, err)
	}
	var sent struct{ MessageId, MD5OfMessageBody string }
	if err := sqs(ctx, r, secrets, "SendMessage", map[string]any{"QueueUrl": queue.QueueUrl, "MessageBody": string(body)}, &sent); err != nil {
		return fmt.Errorf("send to the queue %s: %w", c.Name, err)
	}
	if c.JSON {
		return printJSON(std.out, sent)
	}
	_, err = fmt.Fprintln(std.out, sent.MessageId)
	return err
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
