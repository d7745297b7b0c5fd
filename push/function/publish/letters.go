package publish

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/gatepost-dev/gatepost/push/function"
)

// buryWithin bounds the call that puts a message into the dead-letter queue.
const buryWithin = 3 * time.Second

// maxReason is the longest Reason of a dead letter, in bytes.
const maxReason = 1024

// Letter is a message that could not be delivered.
type Letter struct {
	// Body is the message as it came.
	Body []byte
	// Audience is whom it was for; Missed names those who did not get it, when
	// that is known.
	Audience function.Audience
	// Reason is why, in one line.
	Reason string
	// MessageID is what its source calls it, Source what kind that is: queue,
	// topic, table or stream.
	MessageID, Source string
}

// Letters takes what cannot be delivered.
type Letters interface {
	// Bury keeps a letter. When it returns nil the letter is safe.
	Bury(context.Context, Letter) error
}

// QueueLetters is an SQS queue of dead letters. A letter's body is the message,
// and its attributes are Reason, MessageId, Source, and, as far as they are
// known, Target, Except and Missed: sent back to the queue it came from, it is
// posted to those who missed it. A body that is no text is in base64, and says
// so in the attribute Encoding.
type QueueLetters struct {
	// Client sends; URL is the queue's.
	Client interface {
		SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
	}
	URL string
}

// newLetters returns the queue of the variable DEAD_LETTER_QUEUE_URL, or nil.
func newLetters(cfg aws.Config, env *function.Environment) Letters {
	if env.Optional("DEAD_LETTER_QUEUE_URL") == "" {
		return nil
	}
	return &QueueLetters{Client: sqs.NewFromConfig(cfg), URL: env.URL("DEAD_LETTER_QUEUE_URL", "the address of the dead-letter queue")}
}

// Bury sends the letter to the queue.
func (q *QueueLetters) Bury(ctx context.Context, l Letter) error {
	body, encoding := string(l.Body), ""
	if !isText(body) || body == "" {
		body, encoding = base64.StdEncoding.EncodeToString(l.Body), "base64"
	}
	if body == "" {
		body = " " // SQS takes no empty message
	}
	attributes := map[string]types.MessageAttributeValue{}
	for name, value := range map[string]string{
		"Reason": line(l.Reason), "MessageId": line(l.MessageID), "Source": l.Source, "Encoding": encoding,
		function.TargetAttribute: line(l.Audience.Target), function.ExceptAttribute: line(l.Audience.Except), function.MissedAttribute: l.Audience.Missed,
	} {
		if value != "" {
			attributes[name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(value)}
		}
	}
	_, err := q.Client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &q.URL, MessageBody: &body, MessageAttributes: attributes})
	if err != nil {
		return fmt.Errorf("send to the dead-letter queue: %w", err)
	}
	return nil
}

// isText reports whether SQS takes a text as it is: UTF-8 without characters
// that XML 1.0 does not have (SendMessage in the SQS API reference).
func isText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF
	})
}

// line makes one line of at most maxReason bytes of a text, which SQS takes.
func line(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0xFFFE || r == 0xFFFF {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if len(s) > maxReason {
		s = strings.ToValidUTF8(s[:maxReason], "")
	}
	return s
}

func joinIDs(ids []string) string { return strings.Join(ids, ",") }
