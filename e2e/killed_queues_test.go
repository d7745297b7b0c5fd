package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// message is what the clients know of one message, which they tell by its body.
type message struct {
	sent     bool // its sending was acknowledged
	deleting bool // its deletion was begun
	// deleted is the number of acknowledged deletions when its own was; 0 before.
	deleted int
	arrived bool // somebody has received it
	// hidden is from when on nobody else may receive it for visibility; zero when
	// somebody may, as after a crash, which forgets the last receipts.
	hidden time.Time
}

// visibility is the queues' VisibilityTimeout.
const visibility = 4 * time.Second

// queueLoad is what the clients know of one queue.
type queueLoad struct {
	*load
	name       string
	comesTwice bool

	mu        sync.Mutex
	messages  map[string]*message
	deletions int
	next      map[string]int // the number of a sender's next message
}

func newQueueLoad(l *load, name string) *queueLoad {
	return &queueLoad{load: l, name: name, messages: make(map[string]*message), next: make(map[string]int)}
}

// begun notes that a sender's next message is on its way.
func (q *queueLoad) begun(sender string) (body string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	body = fmt.Sprintf("%s:%d", sender, q.next[sender])
	if q.messages[body] == nil {
		q.messages[body] = &message{}
	}
	return body
}

// done notes that it was acknowledged.
func (q *queueLoad) done(sender, body string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.messages[body].sent = true
	q.next[sender]++
	q.acknowledged.Add(1)
}

// send sends one message.
func (q *queueLoad) send(c calls, sender string) error {
	body := q.begun(sender)
	_, err := c.queues.SendMessage(forever, &sqs.SendMessageInput{QueueUrl: c.url(q.name), MessageBody: &body})
	if err == nil {
		q.done(sender, body)
	}
	return err
}

// sendInOrder sends the next message of a group. One that was not acknowledged is
// sent again, as a careful client does: the queue takes it once.
func (q *queueLoad) sendInOrder(c calls, group string) error {
	body := q.begun(group)
	_, err := c.queues.SendMessage(forever, &sqs.SendMessageInput{QueueUrl: c.url(q.name), MessageBody: &body, MessageGroupId: &group,
		MessageDeduplicationId: aws.String(strings.ReplaceAll(body, ":", "-"))})
	if err == nil {
		q.done(group, body)
	}
	return err
}

// publish sends one message by way of the topic.
func (q *queueLoad) publish(c calls, publisher string) error {
	body := q.begun(publisher)
	_, err := c.topics.Publish(forever, &sns.PublishInput{TopicArn: aws.String("arn:aws:sns:us-east-1:000000000000:news"), Message: &body})
	if err == nil {
		q.done(publisher, body)
	}
	return err
}

// receive takes a batch and deletes most of it; the rest it gives back or leaves
// to come back by itself.
func (q *queueLoad) receive(c calls) error {
	batch, err := q.take(c, 1)
	if err != nil {
		return err
	}
	for n, m := range batch {
		if rand.IntN(20) == 0 {
			return tolerant(q.giveBack(c, batch[n:]))
		}
		if err := q.delete(c, m); err != nil {
			return tolerant(err)
		}
		if rand.IntN(40) == 0 {
			return nil
		}
	}
	return nil
}

// take receives a batch and holds it against what is known.
func (q *queueLoad) take(c calls, wait int32) ([]types.Message, error) {
	before, asked := q.deletionsSoFar(), time.Now()
	out, err := c.queues.ReceiveMessage(forever, &sqs.ReceiveMessageInput{QueueUrl: c.url(q.name), MaxNumberOfMessages: 10, WaitTimeSeconds: wait})
	if err != nil {
		return nil, err
	}
	q.received.Add(int64(len(out.Messages)))
	q.see(out.Messages, before, asked)
	return out.Messages, nil
}

// tolerant lets errors pass that a receipt gets which is too old.
func tolerant(err error) error {
	for _, text := range []string{"expired", "not in flight", "not available for visibility timeout change"} {
		if err != nil && strings.Contains(err.Error(), text) {
			return nil
		}
	}
	return err
}

func (q *queueLoad) deletionsSoFar() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.deletions
}

// see holds what was received, asked for at a time, against what is known.
func (q *queueLoad) see(batch []types.Message, before int, asked time.Time) {
	now := time.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	inBatch := make(map[string]bool)
	for _, got := range batch {
		body := *got.Body
		m := q.messages[body]
		if m == nil {
			q.t.Errorf("%s: %q was never sent", q.name, body)
			continue
		}
		if m.deleted > 0 && m.deleted <= before && !q.comesTwice {
			q.t.Errorf("%s: %s came back after its deletion was acknowledged", q.name, body)
		}
		if inBatch[body] && !q.comesTwice {
			q.t.Errorf("%s: %s came twice in a batch", q.name, body)
		}
		if !m.hidden.IsZero() && now.Before(m.hidden.Add(visibility)) && !q.comesTwice {
			q.t.Errorf("%s: %s came %v after somebody else had received it", q.name, body, now.Sub(m.hidden))
		}
		m.arrived, m.hidden, inBatch[body] = true, asked, true
		if strings.HasSuffix(q.name, ".fifo") {
			q.seeOrder(body, inBatch)
		}
	}
}

// seeOrder holds that everything before a message of its group is gone, or came
// right before it.
func (q *queueLoad) seeOrder(body string, inBatch map[string]bool) {
	group, number, _ := strings.Cut(body, ":")
	n, _ := strconv.Atoi(number)
	for earlier := n - 1; earlier >= 0; earlier-- {
		before := fmt.Sprintf("%s:%d", group, earlier)
		if m := q.messages[before]; !m.deleting && !inBatch[before] {
			q.t.Errorf("%s: %s came before %s", q.name, body, before)
			return
		}
	}
}

func (q *queueLoad) delete(c calls, m types.Message) error {
	q.mu.Lock()
	known := q.messages[*m.Body]
	if known != nil {
		known.deleting = true
	}
	q.mu.Unlock()
	_, err := c.queues.DeleteMessage(forever, &sqs.DeleteMessageInput{QueueUrl: c.url(q.name), ReceiptHandle: m.ReceiptHandle})
	if err != nil || known == nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.deletions++
	known.deleted = q.deletions
	q.acknowledged.Add(1)
	return nil
}

// giveBack lets the rest of a batch come again at once.
func (q *queueLoad) giveBack(c calls, rest []types.Message) error {
	for _, m := range rest {
		q.show(*m.Body)
		if _, err := c.queues.ChangeMessageVisibility(forever, &sqs.ChangeMessageVisibilityInput{QueueUrl: c.url(q.name), ReceiptHandle: m.ReceiptHandle}); err != nil {
			return err
		}
	}
	return nil
}

// show notes that a message may be received again.
func (q *queueLoad) show(body string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if m := q.messages[body]; m != nil {
		m.hidden = time.Time{}
	}
}

// size is how many messages the queue says it has.
func (q *queueLoad) size(c calls) int {
	q.t.Helper()
	sizes := q.sizes(c)
	return sizes[0] + sizes[1] + sizes[2]
}

// inDoubt lists the messages whose deletion was begun and not acknowledged.
func (q *queueLoad) inDoubt() (bodies []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for body, m := range q.messages {
		if m.deleting && m.deleted == 0 {
			bodies = append(bodies, body)
		}
	}
	return bodies
}

// sizes is how many messages the queue says can be seen, are hidden, and are held
// back; none when it cannot say it.
func (q *queueLoad) sizes(c calls) (sizes [3]int) {
	q.t.Helper()
	out, err := c.queues.GetQueueAttributes(forever, &sqs.GetQueueAttributesInput{QueueUrl: c.url(q.name), AttributeNames: []types.QueueAttributeName{"All"}})
	if err != nil {
		q.t.Error(err)
		return sizes
	}
	for i, name := range []string{"", "NotVisible", "Delayed"} {
		if sizes[i], err = strconv.Atoi(out.Attributes["ApproximateNumberOfMessages"+name]); err != nil {
			q.t.Error(err)
		}
	}
	return sizes
}

// count compares the queue's size, after a start, with what is known: what nobody has begun to
// delete is there; what nobody knows the outcome of may be.
func (q *queueLoad) count(c calls) {
	q.t.Helper()
	n := q.size(c)
	q.mu.Lock()
	defer q.mu.Unlock()
	sure, doubtful := 0, 0
	for _, m := range q.messages {
		m.hidden = time.Time{}
		switch {
		case m.deleted > 0:
		case m.deleting || !m.sent && !m.arrived:
			doubtful++
		default:
			sure++
		}
	}
	if n < sure || n > sure+doubtful {
		q.t.Errorf("%s has %d messages, want %d, and %d are in doubt", q.name, n, sure, doubtful)
	}
}

// stuckAfter is how long a queue that is not empty, or a topic that has not
// delivered, may give nothing: much longer than a message that was on its way when
// the program was killed takes to come back.
const stuckAfter = 60 * time.Second

// drain receives until the queue is empty and nothing is missing.
func (q *queueLoad) drain(c calls) {
	for last := time.Now(); q.size(c) > 0 || q.missing() > 0; {
		batch, err := q.take(c, 1)
		for _, m := range batch {
			err = errors.Join(err, tolerant(q.delete(c, m)))
			last = time.Now()
		}
		if err != nil {
			q.t.Error(err)
			return
		}
		if time.Since(last) > stuckAfter {
			q.t.Errorf("%s gives nothing for %v: it has %v; nobody knows whether these were deleted: %v", q.name, stuckAfter, q.sizes(c), q.inDoubt())
			break
		}
	}
	if n := q.missing(); n > 0 {
		q.t.Errorf("%s: %d messages that were acknowledged have never come", q.name, n)
	}
}

func (q *queueLoad) missing() (n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, m := range q.messages {
		if m.sent && !m.arrived {
			n++
		}
	}
	return n
}
