package elsewhere

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/stack"
)

// CreateTable makes a table of the stack at a target that is not AWS, and waits
// until it can be used. One that is there is left as it is.
func (t Target) CreateTable(ctx context.Context, table stack.Table) error {
	in := map[string]any{"TableName": table.Name, "KeySchema": keySchema(table.Key), "BillingMode": "PAY_PER_REQUEST"}
	var attributes []map[string]string
	for _, a := range table.Attributes {
		attributes = append(attributes, map[string]string{"AttributeName": a.Name, "AttributeType": a.Type})
	}
	in["AttributeDefinitions"] = attributes
	indexes := make(map[string][]any)
	for _, index := range table.Indexes {
		kind := "GlobalSecondaryIndexes"
		if index.Local {
			kind = "LocalSecondaryIndexes"
		}
		projection := map[string]any{"ProjectionType": index.Projection}
		if len(index.NonKey) > 0 {
			projection["NonKeyAttributes"] = index.NonKey
		}
		indexes[kind] = append(indexes[kind], map[string]any{"IndexName": index.Name, "KeySchema": keySchema(index.Key), "Projection": projection})
	}
	for kind, list := range indexes {
		in[kind] = list
	}
	if table.StreamView != "" {
		in["StreamSpecification"] = map[string]any{"StreamEnabled": true, "StreamViewType": table.StreamView}
	}
	var out struct{}
	err := t.Call(ctx, "DynamoDB_20120810.CreateTable", in, &out)
	if reported, ok := errors.AsType[*awswire.Error](err); ok && reported.Code == "ResourceInUseException" {
		return nil
	}
	if err != nil {
		return fmt.Errorf("make the table %s at %s: %w", table.Name, t.URL, err)
	}
	if err := t.awaitTable(ctx, table.Name); err != nil || table.TTLAttribute == "" {
		return err
	}
	ttl := map[string]any{"TableName": table.Name, "TimeToLiveSpecification": map[string]any{"AttributeName": table.TTLAttribute, "Enabled": true}}
	if err := t.Call(ctx, "DynamoDB_20120810.UpdateTimeToLive", ttl, &out); err != nil {
		return fmt.Errorf("switch on the expiry of items of the table %s at %s: %w", table.Name, t.URL, err)
	}
	return nil
}

func keySchema(key []stack.KeyElement) []map[string]string {
	var all []map[string]string
	for _, k := range key {
		all = append(all, map[string]string{"AttributeName": k.Attribute, "KeyType": k.Type})
	}
	return all
}

// tableWithin bounds the making of a table, asked for every tableAgain.
const (
	tableWithin = time.Minute
	tableAgain  = 100 * time.Millisecond
)

func (t Target) awaitTable(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, tableWithin)
	defer cancel()
	again := time.NewTicker(tableAgain)
	defer again.Stop()
	for {
		var out struct{ Table struct{ TableStatus string } }
		if err := t.Call(ctx, "DynamoDB_20120810.DescribeTable", map[string]string{"TableName": name}, &out); err != nil {
			return fmt.Errorf("wait for the table %s at %s: %w", name, t.URL, err)
		}
		if out.Table.TableStatus == "ACTIVE" {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for the table %s at %s, which is %s: %w", name, t.URL, out.Table.TableStatus, ctx.Err())
		}
	}
}

// CreateQueue makes a queue of the stack at a target that is not AWS; its
// dead-letter queue must be there. One that is there with the same attributes is
// left as it is, and one with others is an error of the service.
func (t Target) CreateQueue(ctx context.Context, queue stack.Queue) error {
	seconds := func(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }
	attributes := map[string]string{
		"VisibilityTimeout": seconds(queue.VisibilityTimeout), "DelaySeconds": seconds(queue.Delay),
		"MessageRetentionPeriod": seconds(queue.Retention), "ReceiveMessageWaitTimeSeconds": seconds(queue.ReceiveWait),
	}
	if r := queue.Redrive; r != nil {
		attributes["RedrivePolicy"] = string(awswire.MarshalJSON(r))
	}
	if f := queue.FIFO; f != nil {
		attributes["FifoQueue"], attributes["ContentBasedDeduplication"] = "true", strconv.FormatBool(f.ContentBasedDeduplication)
		if f.DeduplicationScope != "" {
			attributes["DeduplicationScope"] = f.DeduplicationScope
		}
		if f.ThroughputLimit != "" {
			attributes["FifoThroughputLimit"] = f.ThroughputLimit
		}
	}
	var out struct{}
	err := t.Call(ctx, "AmazonSQS.CreateQueue", map[string]any{"QueueName": queue.Name, "Attributes": attributes}, &out)
	if err != nil {
		return fmt.Errorf("make the queue %s at %s: %w", queue.Name, t.URL, err)
	}
	return nil
}
