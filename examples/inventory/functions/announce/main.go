// Command announce is the function behind the stream of the table Stock: it tells
// every page what is left of an item.
//
// Environment: TABLE_NAME and CALLBACK_URL (required), PARALLELISM (default 32),
// POST_TIMEOUT (default 3s), ROSTER_SHARDS (default 4).
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/aws/aws-lambda-go/events"

	"github.com/gatepost-dev/gatepost/examples/inventory/shop"
	"github.com/gatepost-dev/gatepost/push"
	"github.com/gatepost-dev/gatepost/push/function"
)

func main() { function.Main(build) }

func build(ctx context.Context, env *function.Environment) (function.Handler[events.DynamoDBEvent, any], error) {
	cfg, err := function.AWS(ctx, env)
	if err != nil {
		return nil, err
	}
	publisher, err := function.Publisher(cfg, env)
	if err != nil || publisher == nil {
		return nil, err
	}
	return handler{publisher, function.Log()}.handle, nil
}

type handler struct {
	publisher *push.Publisher
	log       *slog.Logger
}

// handle tells everyone. A page that cannot be reached is not tried again: it asks
// for the whole stock when it is back. Only if nobody could be told, because the
// roster cannot be read, the batch fails, and comes again.
func (h handler) handle(ctx context.Context, event events.DynamoDBEvent) (any, error) {
	log := function.WithRequest(ctx, h.log)
	ctx, cancel := function.Deadline(ctx)
	defer cancel()
	messages, err := announcements(event.Records)
	if err != nil {
		return nil, err
	}
	for _, report := range h.publisher.PublishBatch(ctx, push.Everyone, messages) {
		if report.Err != nil {
			return nil, report.Err
		}
		log.Info("announced", "sent", report.Sent, "gone", report.Gone, "failed", len(report.Failed), "remaining", len(report.Remaining))
	}
	return nil, nil
}

// announcements are one message for each item that has changed, with its newest
// row: what it was in between is of no use to anybody.
func announcements(records []events.DynamoDBEventRecord) ([][]byte, error) {
	newest := make(map[string]shop.Item)
	var skus []string
	for _, record := range records {
		if len(record.Change.NewImage) == 0 {
			continue // the item is not sold any more
		}
		item, err := itemOf(record.Change.NewImage)
		if err != nil {
			return nil, err
		}
		before, known := newest[item.SKU]
		if !known {
			skus = append(skus, item.SKU)
		}
		if item.Version >= before.Version {
			newest[item.SKU] = item
		}
	}
	var messages [][]byte
	for _, sku := range skus {
		text, err := json.Marshal(map[string]any{"type": "stock", "items": []shop.Item{newest[sku]}})
		if err != nil {
			return nil, err
		}
		messages = append(messages, text)
	}
	return messages, nil
}

// itemOf reads a row as the stream has it.
func itemOf(row map[string]events.DynamoDBAttributeValue) (item shop.Item, err error) {
	for name, to := range map[string]*string{"SKU": &item.SKU, "Name": &item.Name} {
		if row[name].DataType() != events.DataTypeString {
			return item, fmt.Errorf("a row of the stock has no %s", name)
		}
		*to = row[name].String()
	}
	for name, to := range map[string]*int64{"Cents": &item.Cents, "Left": &item.Left, "Version": &item.Version} {
		if row[name].DataType() != events.DataTypeNumber {
			return item, fmt.Errorf("%s has no %s", item.SKU, name)
		}
		if *to, err = strconv.ParseInt(row[name].Number(), 10, 64); err != nil {
			return item, fmt.Errorf("%s: %s: %w", item.SKU, name, err)
		}
	}
	return item, nil
}
