package template

import (
	"regexp"
	"strings"

	"github.com/gatepost-dev/gatepost/stack"
)

func queueTypes() map[string]resourceType {
	url := func(e *evaluator, r *resource) (string, error) {
		name, err := e.queueName(r)
		return "https://sqs." + e.opts.Region + ".amazonaws.com/" + e.opts.Account + "/" + name, err
	}
	arn := func(e *evaluator, r *resource) (string, error) {
		name, err := e.queueName(r)
		return e.arn("sqs", name), err
	}
	return map[string]resourceType{
		"AWS::SQS::Queue": {complete: true, ref: url, attributes: map[string]attribute{
			"Arn": arn, "QueueUrl": url, "QueueName": (*evaluator).queueName}},
	}
}

// queueName is the queue's name; one that FifoQueue makes ends in ".fifo", as
// AWS asks for.
func (e *evaluator) queueName(r *resource) (string, error) {
	name, err := e.nameOf(r, "QueueName")
	if err == nil && name == defaultName(r.id, "QueueName") && r.properties.field("FifoQueue") != nil {
		fifo, err := e.text(r.properties.field("FifoQueue"))
		if strings.EqualFold(fifo, "true") {
			name += ".fifo"
		}
		return name, err
	}
	return name, err
}

var queueNameForm = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,80}(\.fifo)?$`)

// defaultMaxMessage is 1 MiB, the largest message that SQS takes.
const defaultMaxMessage = 1 << 20

// loadQueue reads AWS::SQS::Queue; AWS's defaults and ranges are those of the
// SetQueueAttributes reference.
func (l *loader) loadQueue(r *resource) {
	p := l.properties(r)
	name := l.name(p, "QueueName", queueNameForm, "1 to 80 letters, digits, hyphens and underscores")
	if name == "" {
		return
	}
	arn, _ := l.attributeOf(r.node, r, "Arn")
	if other := l.stack.QueueByARN(arn); other != nil {
		l.problem(nodeOr(p.raw("QueueName"), r.node), "the queue in line %d has the name %s already; names are unique", other.Line, name)
		return
	}
	if fifo := p.flag("FifoQueue", false); fifo || strings.HasSuffix(name, ".fifo") {
		l.leftOutQueues[arn] = true
		l.note(r, r.line, "FIFO queues are not supported yet; the queue and what reads it are left out")
		return
	}
	q := stack.Queue{
		LogicalID: r.id, Name: name, ARN: arn, Line: r.line,
		VisibilityTimeout: p.seconds("VisibilityTimeout", 0, 43200, 30),
		Delay:             p.seconds("DelaySeconds", 0, 900, 0),
		Retention:         p.seconds("MessageRetentionPeriod", 60, 1209600, 345600),
		ReceiveWait:       p.seconds("ReceiveMessageWaitTimeSeconds", 0, 20, 0),
		MaxMessageSize:    p.number("MaximumMessageSize", 1024, 1<<20, defaultMaxMessage),
		Redrive:           redrive(p.nested("RedrivePolicy")),
	}
	p.rest([]string{"KmsDataKeyReusePeriodSeconds", "KmsMasterKeyId", "SqsManagedSseEnabled"},
		map[string]string{"RedriveAllowPolicy": "every queue of the stack may name this one as its dead-letter queue"})
	l.stack.Queues = append(l.stack.Queues, q)
}

func redrive(p *properties) *stack.Redrive {
	if p == nil {
		return nil
	}
	p.require("deadLetterTargetArn", "it is the ARN of the dead-letter queue")
	p.require("maxReceiveCount", "it is how often a message may be received before it moves")
	policy := &stack.Redrive{DeadLetterARN: p.text("deadLetterTargetArn"), MaxReceiveCount: p.number("maxReceiveCount", 1, 1000, 1)}
	p.rest(nil, nil)
	return policy
}

// checkRedrive reports a dead-letter queue that does not exist; it runs once
// all queues are known.
func (l *loader) checkRedrive(r *resource) {
	policy := l.properties(r).nested("RedrivePolicy")
	if policy == nil {
		return
	}
	target := policy.value("deadLetterTargetArn")
	if target == nil || !target.isScalar() || l.stack.QueueByARN(target.text) != nil || l.leftOutQueues[target.text] {
		return
	}
	l.problem(policy.raw("deadLetterTargetArn"), "the dead-letter queue is %s, which no resource of this template declares; give the Arn of an AWS::SQS::Queue", quote(target.text))
}
