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

// activeWithin bounds the making of a table or a stream, asked for every
// activeAgain.
const (
	activeWithin = time.Minute
	activeAgain  = 100 * time.Millisecond
)

func (t Target) awaitTable(ctx context.Context, name string) error {
	return t.awaitActive(ctx, "table "+name, func(ctx context.Context) (string, error) {
		var out struct{ Table struct{ TableStatus string } }
		err := t.Call(ctx, "DynamoDB_20120810.DescribeTable", map[string]string{"TableName": name}, &out)
		return out.Table.TableStatus, err
	})
}

// awaitActive asks for the status of what was made until it can be used.
func (t Target) awaitActive(ctx context.Context, what string, status func(context.Context) (string, error)) error {
	ctx, cancel := context.WithTimeout(ctx, activeWithin)
	defer cancel()
	again := time.NewTicker(activeAgain)
	defer again.Stop()
	for {
		is, err := status(ctx)
		if err != nil {
			return fmt.Errorf("wait for the %s at %s: %w", what, t.URL, err)
		}
		if is == "ACTIVE" {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for the %s at %s, which is %s: %w", what, t.URL, is, ctx.Err())
		}
	}
}

// CreateStream makes a data stream of the stack at a target that is not AWS, and
// waits until it can be used. One that is there is left as it is.
func (t Target) CreateStream(ctx context.Context, stream stack.DataStream) error {
	in := map[string]any{"StreamName": stream.Name}
	if stream.OnDemand {
		in["StreamModeDetails"] = map[string]string{"StreamMode": "ON_DEMAND"}
	} else {
		in["ShardCount"] = max(stream.Shards, 1)
	}
	var out struct{}
	err := t.Call(ctx, "Kinesis_20131202.CreateStream", in, &out)
	if reported, ok := errors.AsType[*awswire.Error](err); ok && reported.Code == "ResourceInUseException" {
		return nil
	}
	if err != nil {
		return fmt.Errorf("make the data stream %s at %s: %w", stream.Name, t.URL, err)
	}
	err = t.awaitActive(ctx, "data stream "+stream.Name, func(ctx context.Context) (string, error) {
		var out struct{ StreamDescriptionSummary struct{ StreamStatus string } }
		err := t.Call(ctx, "Kinesis_20131202.DescribeStreamSummary", map[string]string{"StreamName": stream.Name}, &out)
		return out.StreamDescriptionSummary.StreamStatus, err
	})
	hours := int(stream.Retention / time.Hour)
	if err != nil || hours <= 24 {
		return err
	}
	retention := map[string]any{"StreamName": stream.Name, "RetentionPeriodHours": hours}
	if err := t.Call(ctx, "Kinesis_20131202.IncreaseStreamRetentionPeriod", retention, &out); err != nil {
		return fmt.Errorf("set how long the data stream %s at %s keeps records: %w", stream.Name, t.URL, err)
	}
	return nil
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
