package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-lambda-go/events"

	"github.com/gatepost-dev/gatepost/push/function"
)

// TableMain runs the function behind the stream of a DynamoDB table. Its event
// source mapping must have ReportBatchItemFailures, and should bound
// MaximumRetryAttempts. It also reads PAYLOAD_ATTRIBUTE, the name of an
// attribute of the items whose text is the message (without it the message
// tells the change), and TARGET_ATTRIBUTE, the name of one that says whom it is
// for, in the words of the message attribute Target.
func TableMain() {
	function.Main(func(ctx context.Context, env *function.Environment) (function.Handler[events.DynamoDBEvent, events.DynamoDBEventResponse], error) {
		payload, target := env.Optional("PAYLOAD_ATTRIBUTE"), env.Optional("TARGET_ATTRIBUTE")
		o, ok, err := options(ctx, env)
		if !ok {
			return nil, err
		}
		return NewTable(o, payload, target).Handle, nil
	})
}

// Table publishes the changes of a table.
type Table struct {
	*publication
	payload, target string
}

// NewTable returns the handler of a table's changes; payload and target name
// attributes of its items, or are "".
func NewTable(o Options, payload, target string) *Table {
	return &Table{newPublication(o), payload, target}
}

// Handle posts every change and reports the first that did not reach every live
// connection, as Stream does. Without a payload attribute a change is told as
//
//	{"event":"MODIFY","keys":{"id":"a"},"new":{"id":"a","stock":3},"old":{...}}
//
// with the images that the stream's view has, in plain JSON: numbers keep their
// digits, binary values are base64, sets are arrays. With one, changes without
// the attribute, removals for example, are not for clients and are passed over.
func (t *Table) Handle(ctx context.Context, event events.DynamoDBEvent) (events.DynamoDBEventResponse, error) {
	var messages []message
	for _, record := range event.Records {
		if m, ok := t.message(&record); ok {
			messages = append(messages, m)
		}
	}
	response := events.DynamoDBEventResponse{BatchItemFailures: []events.DynamoDBBatchItemFailure{}}
	if first := t.inOrder(ctx, messages); first >= 0 {
		response.BatchItemFailures = append(response.BatchItemFailures, events.DynamoDBBatchItemFailure{ItemIdentifier: messages[first].id})
	}
	return response, nil
}

func (t *Table) message(record *events.DynamoDBEventRecord) (message, bool) {
	change := &record.Change
	m := message{id: change.SequenceNumber, source: "table"}
	m.audience.Target = text(change.NewImage, t.target)
	if m.audience.Target == "" {
		m.audience.Target = text(change.OldImage, t.target)
	}
	if t.payload != "" {
		payload := text(change.NewImage, t.payload)
		m.body = []byte(payload)
		return m, payload != ""
	}
	m.body, m.refused = describe(record)
	return m, true
}

// text returns an attribute that is a string.
func text(image map[string]events.DynamoDBAttributeValue, name string) string {
	v, found := image[name]
	if !found || name == "" || v.DataType() != events.DataTypeString {
		return ""
	}
	return v.String()
}

// change is a change as clients read it.
type change struct {
	Event string         `json:"event"`
	Keys  map[string]any `json:"keys"`
	New   map[string]any `json:"new,omitempty"`
	Old   map[string]any `json:"old,omitempty"`
}

func describe(record *events.DynamoDBEventRecord) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(change{record.EventName, plain(record.Change.Keys), plain(record.Change.NewImage), plain(record.Change.OldImage)})
	if err != nil {
		return nil, fmt.Errorf("describe the change: %w", err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

func plain(image map[string]events.DynamoDBAttributeValue) map[string]any {
	if image == nil {
		return nil
	}
	values := make(map[string]any, len(image))
	for name, v := range image {
		values[name] = plainValue(v)
	}
	return values
}

// plainValue is an attribute's value as encoding/json writes it. Items nest 32
// deep at most (Limits in the DynamoDB developer guide).
func plainValue(v events.DynamoDBAttributeValue) any {
	switch v.DataType() {
	case events.DataTypeString:
		return v.String()
	case events.DataTypeNumber:
		return json.Number(v.Number())
	case events.DataTypeBoolean:
		return v.Boolean()
	case events.DataTypeBinary:
		return v.Binary()
	case events.DataTypeMap:
		return plain(v.Map())
	case events.DataTypeList:
		list := make([]any, 0, len(v.List()))
		for _, item := range v.List() {
			list = append(list, plainValue(item))
		}
		return list
	case events.DataTypeStringSet:
		return v.StringSet()
	case events.DataTypeNumberSet:
		numbers := make([]json.Number, 0, len(v.NumberSet()))
		for _, n := range v.NumberSet() {
			numbers = append(numbers, json.Number(n))
		}
		return numbers
	case events.DataTypeBinarySet:
		return v.BinarySet()
	}
	return nil
}
