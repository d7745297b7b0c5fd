package template

import (
	"fmt"
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost/stack"
)

// loadMapping reads AWS::Lambda::EventSourceMapping, also those that SAM makes
// of a function's SQS events. Only queues are sources so far.
func (l *loader) loadMapping(r *resource) {
	p := l.properties(r)
	p.require("FunctionName", "it is the function that takes the messages")
	p.require("EventSourceArn", "it is the ARN of the queue to read")
	source, target := p.text("EventSourceArn"), p.text("FunctionName")
	if source == "" || target == "" || !l.isQueueSource(p, source) {
		return
	}
	m := stack.EventSourceMapping{
		LogicalID: r.id, SourceARN: source, Line: r.line,
		BatchSize: p.number("BatchSize", 1, 10000, 10),
		Window:    p.seconds("MaximumBatchingWindowInSeconds", 0, 300, 0),
		Disabled:  !p.flag("Enabled", true),
	}
	switch fifo := l.stack.QueueByARN(source).FIFO != nil; {
	case fifo && m.BatchSize > 10:
		l.problem(p.raw("BatchSize"), "a FIFO queue has a BatchSize of at most 10, as on AWS")
	case fifo && m.Window > 0:
		l.problem(p.raw("MaximumBatchingWindowInSeconds"), "a FIFO queue has no batching window, as on AWS")
	case m.BatchSize > 10 && m.Window == 0:
		l.problem(p.raw("BatchSize"), "a BatchSize above 10 needs a MaximumBatchingWindowInSeconds of 1 or more, as on AWS")
	}
	m.ReportItemFailures = l.reportsItemFailures(p)
	if scaling := p.nested("ScalingConfig"); scaling != nil {
		m.MaxConcurrency = scaling.number("MaximumConcurrency", 2, 1000, 0)
		scaling.rest(nil, nil)
	}
	p.rest([]string{"KmsKeyArn", "LoggingConfig", "MetricsConfig", "ProvisionedPollerConfig"},
		map[string]string{"FilterCriteria": "every message reaches the function"})
	if found := l.findFunction(target); found.problem != "" {
		l.problem(p.raw("FunctionName"), "the mapping feeds %s", found.problem)
	} else {
		m.Function = found.name
		l.checkVisibility(r, m)
		l.stack.Mappings = append(l.stack.Mappings, m)
	}
}

// isQueueSource reports whether the source is a queue of the stack. One that is
// not polled yet is noted, one that does not exist is a problem.
func (l *loader) isQueueSource(p *properties, source string) bool {
	parts := strings.Split(source, ":")
	switch {
	case l.stack.QueueByARN(source) != nil:
		return true
	case len(parts) >= 6 && parts[0] == "arn" && parts[2] != "sqs":
		l.note(p.resource, p.resource.line, "the mapping is left out: event sources of the kind "+quote(parts[2])+" are not supported yet")
	default:
		l.problem(p.raw("EventSourceArn"), "the source is %s, which no queue of this template has as its ARN; give the Arn of an AWS::SQS::Queue", quote(source))
	}
	return false
}

func (l *loader) reportsItemFailures(p *properties) bool {
	reports := false
	for _, kind := range p.texts("FunctionResponseTypes") {
		if kind != "ReportBatchItemFailures" {
			l.problem(p.raw("FunctionResponseTypes"), "the only response type is ReportBatchItemFailures, not %s", quote(kind))
		}
		reports = true
	}
	return reports
}

// checkVisibility notes what AWS refuses when it creates the mapping: a message
// must stay hidden for as long as the function may take.
func (l *loader) checkVisibility(r *resource, m stack.EventSourceMapping) {
	queue, function := l.stack.QueueByARN(m.SourceARN), l.stack.Function(m.Function)
	if queue.VisibilityTimeout >= function.Timeout {
		return
	}
	l.note(r, r.line, fmt.Sprintf("AWS refuses this mapping: the queue %s hides a message for %d s, and the function %s may take %d s; give the queue a VisibilityTimeout of %d or more",
		queue.Name, queue.VisibilityTimeout/time.Second, function.Name, function.Timeout/time.Second, 6*function.Timeout/time.Second))
}
