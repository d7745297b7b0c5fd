package sqs

import (
	"context"
	"errors"
	"regexp"

	"github.com/gatepost-dev/gatepost/internal/awswire"
)

// maxBatch is how many entries a batch may have.
const maxBatch = 10

// failure is a batch entry that did not work. A batch as a whole succeeds.
type failure struct {
	Id          string
	SenderFault bool
	Code        string
	Message     string `json:",omitempty"`
}

// fail reports an entry's error. In batches both protocols use the older codes.
func fail(id string, err error) failure {
	e, ok := errors.AsType[*awswire.Error](apiError(err))
	if !ok {
		return failure{id, false, "InternalError", "The request processing has failed because of an internal error."}
	}
	code := e.QueryCode
	if code == "" {
		code = e.Code
	}
	return failure{id, e.Status < 500, code, e.Message}
}

var validEntryID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

// checkBatch checks what concerns a batch as a whole; kind is the entries' name
// in messages.
func checkBatch[E any](entries []E, kind string, id func(*E) string) error {
	if len(entries) == 0 {
		return batchError("EmptyBatchRequest", "There should be at least one %s in the request.", kind)
	}
	if len(entries) > maxBatch {
		return batchError("TooManyEntriesInBatchRequest", "Maximum number of entries per request are %d. You have sent %d.", maxBatch, len(entries))
	}
	seen := make(map[string]bool, len(entries))
	for i := range entries {
		name := id(&entries[i])
		if !validEntryID.MatchString(name) {
			return batchError("InvalidBatchEntryId", "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.")
		}
		if seen[name] {
			return batchError("BatchEntryIdsNotDistinct", "Id %s repeated.", name)
		}
		seen[name] = true
	}
	return nil
}

type sendEntry struct {
	Id                      string
	MessageBody             string
	DelaySeconds            *int
	MessageAttributes       map[string]MessageAttribute `query:"MessageAttribute,flat,Name,Value"`
	MessageSystemAttributes map[string]MessageAttribute `query:"MessageSystemAttribute,flat,Name,Value"`
	MessageDeduplicationId  string
	MessageGroupId          string
}

func (e *sendEntry) outgoing() *outgoing {
	return &outgoing{e.MessageBody, e.DelaySeconds, e.MessageAttributes, e.MessageSystemAttributes,
		e.MessageDeduplicationId, e.MessageGroupId}
}

type sendMessageBatchInput struct {
	QueueUrl string
	Entries  []sendEntry `query:"SendMessageBatchRequestEntry,flat"`
}

type sendMessageBatchOutput struct {
	Successful []sentEntry `query:"SendMessageBatchResultEntry,flat"`
	Failed     []failure   `json:",omitempty" query:"BatchResultErrorEntry,flat"`
}

type sentEntry struct {
	Id                           string
	MessageId                    string
	MD5OfMessageBody             string
	MD5OfMessageAttributes       string `json:",omitempty"`
	MD5OfMessageSystemAttributes string `json:",omitempty"`
	SequenceNumber               string `json:",omitempty"`
}

func sendMessageBatch(ctx context.Context, c *caller, in *sendMessageBatchInput) (*sendMessageBatchOutput, error) {
	q, err := c.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if err := checkBatch(in.Entries, "SendMessageBatchRequestEntry", func(e *sendEntry) string { return e.Id }); err != nil {
		return nil, err
	}
	total := 0
	for i := range in.Entries {
		total += in.Entries[i].outgoing().size()
	}
	if most := c.config.MaxMessageSize; total > most {
		return nil, batchError("BatchRequestTooLong", "Batch requests cannot be longer than %d bytes. You have sent %d bytes.", most, total)
	}
	return c.sendAll(ctx, q, in.Entries), nil
}

// sendAll sends the entries that are in order, in their order.
func (c *caller) sendAll(ctx context.Context, q *queue, entries []sendEntry) *sendMessageBatchOutput {
	out := &sendMessageBatchOutput{Successful: []sentEntry{}}
	settings := q.record().Settings
	var messages []*envelope
	var sound []sendEntry
	for _, entry := range entries {
		e := entry.outgoing()
		if err := e.check(&settings); err != nil {
			out.Failed = append(out.Failed, fail(entry.Id, err))
			continue
		}
		messages = append(messages, e.envelope(c.sender, &settings))
		sound = append(sound, entry)
	}
	for i, s := range q.line.send(ctx, messages) {
		if s.err != nil {
			out.Failed = append(out.Failed, fail(sound[i].Id, s.err))
			continue
		}
		a := sound[i].outgoing().answer(s)
		out.Successful = append(out.Successful, sentEntry{sound[i].Id, a.MessageId, a.MD5OfMessageBody,
			a.MD5OfMessageAttributes, a.MD5OfMessageSystemAttributes, a.SequenceNumber})
	}
	return out
}

type doneEntry struct {
	Id string
}

type deleteEntry struct {
	Id            string
	ReceiptHandle string
}

type deleteMessageBatchInput struct {
	QueueUrl string
	Entries  []deleteEntry `query:"DeleteMessageBatchRequestEntry,flat"`
}

type deleteMessageBatchOutput struct {
	Successful []doneEntry `query:"DeleteMessageBatchResultEntry,flat"`
	Failed     []failure   `json:",omitempty" query:"BatchResultErrorEntry,flat"`
}

func deleteMessageBatch(ctx context.Context, c *caller, in *deleteMessageBatchInput) (*deleteMessageBatchOutput, error) {
	q, err := c.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if err := checkBatch(in.Entries, "DeleteMessageBatchRequestEntry", func(e *deleteEntry) string { return e.Id }); err != nil {
		return nil, err
	}
	out := &deleteMessageBatchOutput{Successful: []doneEntry{}}
	handles := make([]string, len(in.Entries))
	for i, e := range in.Entries {
		handles[i] = e.ReceiptHandle
	}
	for i, err := range q.line.remove(ctx, handles) {
		if err != nil {
			out.Failed = append(out.Failed, fail(in.Entries[i].Id, err))
		} else {
			out.Successful = append(out.Successful, doneEntry{in.Entries[i].Id})
		}
	}
	return out, nil
}

type visibilityEntry struct {
	Id                string
	ReceiptHandle     string
	VisibilityTimeout *int
}

type changeMessageVisibilityBatchInput struct {
	QueueUrl string
	Entries  []visibilityEntry `query:"ChangeMessageVisibilityBatchRequestEntry,flat"`
}

type changeMessageVisibilityBatchOutput struct {
	Successful []doneEntry `query:"ChangeMessageVisibilityBatchResultEntry,flat"`
	Failed     []failure   `json:",omitempty" query:"BatchResultErrorEntry,flat"`
}

func changeMessageVisibilityBatch(ctx context.Context, c *caller, in *changeMessageVisibilityBatchInput) (*changeMessageVisibilityBatchOutput, error) {
	q, err := c.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if err := checkBatch(in.Entries, "ChangeMessageVisibilityBatchRequestEntry", func(e *visibilityEntry) string { return e.Id }); err != nil {
		return nil, err
	}
	out := &changeMessageVisibilityBatchOutput{Successful: []doneEntry{}}
	for _, e := range in.Entries {
		if err := q.changeVisibilitySeconds(ctx, e.ReceiptHandle, e.VisibilityTimeout); err != nil {
			out.Failed = append(out.Failed, fail(e.Id, err))
			continue
		}
		out.Successful = append(out.Successful, doneEntry{e.Id})
	}
	return out, nil
}
