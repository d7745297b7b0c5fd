package template

import (
	"fmt"
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost/internal/pattern"
	"github.com/gatepost-dev/gatepost/stack"
)

// The figures of CreateEventSourceMapping in the Lambda API reference.
const (
	maxBatch       = 10000
	maxFIFOBatch   = 10
	maxFilters     = 10 // with a raised quota
	defaultFilters = 5
)

// loadMapping reads AWS::Lambda::EventSourceMapping, also those that SAM makes
// of a function's SQS, DynamoDB and Kinesis events.
func (l *loader) loadMapping(r *resource) {
	p := l.properties(r)
	p.require("FunctionName", "it is the function that takes the messages")
	p.require("EventSourceArn", "it is the ARN of the queue or the stream to read")
	source, target := p.text("EventSourceArn"), p.text("FunctionName")
	if source == "" || target == "" {
		return
	}
	m := stack.EventSourceMapping{LogicalID: r.id, SourceARN: source, Line: r.line, Disabled: !p.flag("Enabled", true)}
	m.Window = p.seconds("MaximumBatchingWindowInSeconds", 0, 300, 0)
	m.ReportItemFailures = l.reportsItemFailures(p)
	switch l.sourceOf(p, source) {
	case "sqs":
		l.loadQueueMapping(p, &m)
	case "stream":
		l.loadStreamMapping(p, &m)
	default:
		return
	}
	m.Filters = l.filters(p, &m)
	p.rest([]string{"KmsKeyArn", "LoggingConfig", "MetricsConfig", "ProvisionedPollerConfig"}, nil)
	found := l.findFunction(target)
	if found.problem != "" {
		l.problem(p.raw("FunctionName"), "the mapping feeds %s", found.problem)
		return
	}
	m.Function = found.name
	if m.Stream == nil {
		l.checkVisibility(r, m)
	}
	l.stack.Mappings = append(l.stack.Mappings, m)
}

// sourceOf returns "sqs" or "stream" for a source of the stack, else "". One
// that is not read here is noted, one that does not exist is a problem.
func (l *loader) sourceOf(p *properties, source string) string {
	parts := strings.Split(source, ":")
	isARN := len(parts) >= 6 && parts[0] == "arn"
	switch {
	case l.stack.QueueByARN(source) != nil:
		return "sqs"
	case l.stack.StreamByARN(source) != nil, l.hasStream(source):
		return "stream"
	case isARN && parts[2] == "dynamodb":
		l.problem(p.raw("EventSourceArn"), "the source is %s, which no table of this template has as its stream; give the StreamArn of an AWS::DynamoDB::Table that has a StreamSpecification", quote(source))
	case isARN && parts[2] == "kinesis" && !strings.Contains(parts[5], "/consumer/"):
		l.problem(p.raw("EventSourceArn"), "the source is %s, which no data stream of this template has as its ARN; give the Arn of an AWS::Kinesis::Stream", quote(source))
	case isARN && parts[2] != "sqs":
		l.note(p.resource, p.resource.line, "the mapping is left out: event sources of the kind "+quote(parts[2])+" are not supported yet")
	default:
		l.problem(p.raw("EventSourceArn"), "the source is %s, which no queue of this template has as its ARN; give the Arn of an AWS::SQS::Queue", quote(source))
	}
	return ""
}

// hasStream reports whether an ARN is that of the stream of a table that has
// one.
func (l *loader) hasStream(arn string) bool {
	table, _, ok := strings.Cut(arn, "/stream/")
	return ok && l.streamed[table]
}

// ofStreams and ofQueues are the properties that only one kind of source has.
var (
	ofStreams = []string{"StartingPosition", "StartingPositionTimestamp", "BisectBatchOnFunctionError", "MaximumRetryAttempts",
		"MaximumRecordAgeInSeconds", "ParallelizationFactor", "TumblingWindowInSeconds", "DestinationConfig"}
	ofQueues = []string{"ScalingConfig"}
)

// refuse reports properties that the mapping's kind of source does not have.
func (p *properties) refuse(names []string, why string) {
	for _, name := range names {
		if p.given(name) {
			p.loader.problem(p.raw(name), "%s", name+" "+why)
		}
	}
}

func (l *loader) loadQueueMapping(p *properties, m *stack.EventSourceMapping) {
	m.BatchSize = p.number("BatchSize", 1, maxBatch, 10)
	isFIFO := strings.HasSuffix(m.SourceARN, ".fifo")
	switch {
	case isFIFO && m.BatchSize > maxFIFOBatch:
		l.problem(p.raw("BatchSize"), "a FIFO queue has a BatchSize of at most 10, as on AWS")
	case isFIFO && m.Window > 0:
		l.problem(p.raw("MaximumBatchingWindowInSeconds"), "a FIFO queue has no batching window, as on AWS")
	case m.BatchSize > 10 && m.Window == 0:
		l.problem(p.raw("BatchSize"), "a BatchSize above 10 needs a MaximumBatchingWindowInSeconds of 1 or more, as on AWS")
	}
	if scaling := p.nested("ScalingConfig"); scaling != nil {
		m.MaxConcurrency = scaling.number("MaximumConcurrency", 2, 1000, 0)
		scaling.rest(nil, nil)
	}
	p.refuse(ofStreams, "is for streams, and the source is a queue; AWS refuses it")
}

func (l *loader) loadStreamMapping(p *properties, m *stack.EventSourceMapping) {
	m.BatchSize = p.number("BatchSize", 1, maxBatch, 100)
	s := &stack.StreamSettings{
		Bisect:          p.flag("BisectBatchOnFunctionError", false),
		MaxRetries:      p.number("MaximumRetryAttempts", -1, 10000, -1),
		Parallelization: p.number("ParallelizationFactor", 1, 10, 1),
	}
	m.Stream = s
	l.startingPosition(p, m)
	age := p.number("MaximumRecordAgeInSeconds", -1, 604800, -1)
	if age > -1 && age < 60 {
		l.problem(p.raw("MaximumRecordAgeInSeconds"), "MaximumRecordAgeInSeconds must be -1, for no limit, or a whole number from 60 to 604800, not %d", age)
	}
	s.MaxRecordAge = time.Duration(max(age, 0)) * time.Second
	if p.number("TumblingWindowInSeconds", 0, 900, 0) > 0 {
		l.note(p.resource, p.raw("TumblingWindowInSeconds").line, "TumblingWindowInSeconds is not supported: the function gets batches without a window and a state")
	}
	if to := p.nested("DestinationConfig"); to != nil {
		s.OnFailure = l.failureDestination(to)
		to.rest(nil, nil)
	}
	p.refuse(ofQueues, "is for queues, and the source is a stream; AWS refuses it")
}

// startingPosition reads where a stream's mapping begins. DynamoDB's streams
// have no AT_TIMESTAMP.
func (l *loader) startingPosition(p *properties, m *stack.EventSourceMapping) {
	p.require("StartingPosition", "it says which records come first: TRIM_HORIZON for the oldest, LATEST for those from now on")
	positions := []string{"TRIM_HORIZON", "LATEST"}
	if strings.HasPrefix(m.SourceARN, "arn:aws:kinesis:") {
		positions = append(positions, "AT_TIMESTAMP")
	}
	m.Stream.StartingPosition = p.oneOf("StartingPosition", positions...)
	at := p.decimal("StartingPositionTimestamp", 0)
	switch given := p.given("StartingPositionTimestamp"); {
	case given && m.Stream.StartingPosition != "AT_TIMESTAMP":
		l.problem(p.raw("StartingPositionTimestamp"), "StartingPositionTimestamp needs the StartingPosition AT_TIMESTAMP, which streams of Kinesis have")
	case !given && m.Stream.StartingPosition == "AT_TIMESTAMP":
		l.problem(p.raw("StartingPosition"), "AT_TIMESTAMP needs a StartingPositionTimestamp, in seconds since 1970")
	case given:
		m.Stream.StartingTimestamp = time.UnixMilli(int64(at * 1000)).UTC()
	}
}

// failureDestination reads OnFailure of a stream's DestinationConfig.
func (l *loader) failureDestination(p *properties) string {
	to := p.nested("OnFailure")
	if to == nil {
		return ""
	}
	to.require("Destination", "it is the ARN of a queue or a topic")
	arn := to.text("Destination")
	to.oneOf("Type", "SQS", "SNS", "S3", "Kafka")
	to.rest(nil, nil)
	return l.recordEnd(to, "Destination", arn, "a queue or a topic")
}

// filters reads FilterCriteria.
func (l *loader) filters(p *properties, m *stack.EventSourceMapping) (patterns []string) {
	criteria := p.nested("FilterCriteria")
	if criteria == nil {
		return nil
	}
	all := criteria.maps("Filters")
	switch {
	case len(all) > maxFilters:
		l.problem(criteria.raw("Filters"), "a mapping has %d filters at most, and this one has %d", maxFilters, len(all))
		return nil
	case len(all) > defaultFilters:
		l.note(p.resource, criteria.raw("Filters").line, fmt.Sprintf("AWS takes %d filters unless the account's quota was raised, and these are %d", defaultFilters, len(all)))
	}
	for _, f := range all {
		f.require("Pattern", `it is JSON as text, such as '{"body": {"kind": ["order"]}}'`)
		if text := f.text("Pattern"); text != "" {
			l.checkFilter(f, m, text)
			patterns = append(patterns, text)
		}
		f.rest(nil, nil)
	}
	criteria.rest(nil, nil)
	return patterns
}

// checkFilter reports what is wrong with a pattern, and what AWS would not look
// at.
func (l *loader) checkFilter(f *properties, m *stack.EventSourceMapping, text string) {
	compiled, err := pattern.Parse(text)
	if err != nil {
		l.problem(f.raw("Pattern"), "%v", err)
		return
	}
	for _, name := range compiled.Fields() {
		if m.Stream == nil && name != "body" {
			l.note(f.resource, f.raw("Pattern").line, "the pattern is on "+quote(name)+"; AWS filters the messages of queues by their body only")
		}
	}
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
