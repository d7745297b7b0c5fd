package stack

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Validate checks what a stack must be to run: names are unique and of AWS's
// form, whatever refers to something finds it, numbers are in AWS's ranges. The
// error joins one sentence for each thing that is wrong, or is nil. A function's
// code and command may both be empty, because functions may be started in other
// ways.
func (s *Stack) Validate() error {
	v := &validation{stack: s, models: make(map[string]error)}
	v.functions()
	v.queues()
	v.topics()
	v.tables()
	v.streams()
	v.mappings()
	v.schedules()
	v.apis()
	return errors.Join(v.problems...)
}

// validation collects sentences.
type validation struct {
	stack    *Stack
	problems []error
	// models holds what each schema came to: many routes may have the same.
	models map[string]error
}

func (v *validation) addf(format string, args ...any) {
	v.problems = append(v.problems, fmt.Errorf(format, args...))
}

// names checks that the names of one kind are of a form and unique.
func (v *validation) names(kind string, form *regexp.Regexp, names []string) {
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		switch {
		case form != nil && !form.MatchString(name):
			v.addf("%q is not a valid name of a %s", name, kind)
		case seen[name]:
			v.addf("%s %q is declared twice; names are unique", kind, name)
		}
		seen[name] = true
	}
}

func (v *validation) inRange(of, what string, value, low, high int) {
	if value < low || value > high {
		v.addf("%s: %s is %d and must be from %d to %d", of, what, value, low, high)
	}
}

func (v *validation) durationInRange(of, what string, value, low, high time.Duration) {
	if value < low || value > high {
		v.addf("%s: %s is %v and must be from %v to %v", of, what, value, low, high)
	}
}

var (
	functionName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)
	queueName    = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,80}(\.fifo)?$`)
	topicName    = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,256}(\.fifo)?$`)
	streamName   = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,128}$`)
	tableName    = regexp.MustCompile(`^[a-zA-Z0-9_.-]{3,255}$`)
)

// collect returns one text of each item.
func collect[T any](items []T, text func(*T) string) []string {
	texts := make([]string, len(items))
	for i := range items {
		texts[i] = text(&items[i])
	}
	return texts
}

func (v *validation) functions() {
	functions := v.stack.Functions
	v.names("function", functionName, collect(functions, func(f *Function) string { return f.Name }))
	for i := range functions {
		f := &functions[i]
		of := "function " + f.Name
		v.durationInRange(of, "the timeout", f.Timeout, time.Second, 900*time.Second)
		v.inRange(of, "the memory in MB", f.MemoryMB, 128, 10240)
		if f.MaxConcurrency < 0 {
			v.addf("%s: the concurrency is %d and must not be negative", of, f.MaxConcurrency)
		}
		if f.Async != nil {
			v.async(of, f.Async)
		}
		v.environment(f)
		if f.Throttled && f.MaxConcurrency > 0 {
			v.addf("%s: it is throttled always and has a concurrency of %d", of, f.MaxConcurrency)
		}
	}
}

func (v *validation) async(of string, a *AsyncInvocation) {
	if a.Retries != nil {
		v.inRange(of, "the number of retries of asynchronous invocations", *a.Retries, 0, 2)
	}
	if a.MaxAge != 0 {
		v.durationInRange(of, "the age of asynchronous invocations", a.MaxAge, time.Minute, 6*time.Hour)
	}
	for _, end := range []struct{ what, arn string }{
		{"the destination on success", a.OnSuccess}, {"the destination on failure", a.OnFailure}, {"the dead-letter target", a.DeadLetterARN},
	} {
		if end.arn != "" && v.stack.QueueByARN(end.arn) == nil && v.stack.TopicByARN(end.arn) == nil &&
			(end.arn == a.DeadLetterARN || !v.isFunction(end.arn)) {
			v.addf("%s: %s of asynchronous invocations, %q, is not of this stack", of, end.what, end.arn)
		}
	}
}

func (v *validation) isFunction(arn string) bool {
	return slices.ContainsFunc(v.stack.Functions, func(f Function) bool { return f.ARN == arn })
}

func (v *validation) queues() {
	queues := v.stack.Queues
	v.names("queue", queueName, collect(queues, func(q *Queue) string { return q.Name }))
	list := collect(queues, func(q *Queue) string { return q.ARN })
	v.names("queue ARN", nil, list)
	arns := set(list)
	for i := range queues {
		q := &queues[i]
		of := "queue " + q.Name
		v.durationInRange(of, "the visibility timeout", q.VisibilityTimeout, 0, 12*time.Hour)
		v.durationInRange(of, "the delay", q.Delay, 0, 15*time.Minute)
		v.durationInRange(of, "the retention", q.Retention, time.Minute, 14*24*time.Hour)
		v.durationInRange(of, "the receive wait", q.ReceiveWait, 0, 20*time.Second)
		v.inRange(of, "the largest message in bytes", q.MaxMessageSize, 1<<10, 1<<20)
		if q.Redrive != nil {
			v.redrive(of, q, arns)
		}
		v.fifo(of, q)
	}
}

func (v *validation) redrive(of string, q *Queue, arns map[string]bool) {
	v.inRange(of, "the redrive policy's maxReceiveCount", q.Redrive.MaxReceiveCount, 1, 1000)
	switch target := q.Redrive.DeadLetterARN; {
	case target == q.ARN:
		v.addf("%s: it is its own dead-letter queue; name another one", of)
	case !arns[target]:
		v.addf("%s: its dead-letter queue %q is not a queue of this stack", of, target)
	case (v.stack.QueueByARN(target).FIFO != nil) != (q.FIFO != nil):
		v.addf("%s: its dead-letter queue %q is of another type; the dead letters of a FIFO queue go to a FIFO queue, and those of a standard queue to a standard one", of, target)
	}
}

// fifo checks what belongs together in a FIFO queue.
func (v *validation) fifo(of string, q *Queue) {
	isFIFO := strings.HasSuffix(q.Name, ".fifo")
	switch {
	case isFIFO && q.FIFO == nil:
		v.addf("%s: only the names of FIFO queues end in .fifo; set FifoQueue, or give it another name", of)
	case !isFIFO && q.FIFO != nil:
		v.addf("%s: the name of a FIFO queue ends in .fifo", of)
	case isFIFO && len(q.Name) > 80:
		v.addf("%s: the name of a FIFO queue has at most 80 characters, the suffix .fifo included", of)
	case isFIFO && q.FIFO.ThroughputLimit == "perMessageGroupId" && q.FIFO.DeduplicationScope != "messageGroup":
		v.addf("%s: the FifoThroughputLimit perMessageGroupId needs the DeduplicationScope messageGroup", of)
	}
}

func (v *validation) topics() {
	topics := v.stack.Topics
	for i := range topics {
		if t := &topics[i]; strings.HasSuffix(t.Name, ".fifo") != (t.Attributes["FifoTopic"] == "true") {
			v.addf("topic %s: the name of a FIFO topic ends in .fifo, and no other's; its attribute FifoTopic says which it is", t.Name)
		}
	}
	v.names("topic", topicName, collect(topics, func(t *Topic) string { return t.Name }))
	list := collect(topics, func(t *Topic) string { return t.ARN })
	v.names("topic ARN", nil, list)
	arns := set(list)
	queues := set(collect(v.stack.Queues, func(q *Queue) string { return q.ARN }))
	functions := set(collect(v.stack.Functions, func(f *Function) string { return f.ARN }))
	for i := range v.stack.Subscriptions {
		s := &v.stack.Subscriptions[i]
		of := "subscription " + cmp.Or(s.LogicalID, s.TopicARN+" -> "+s.Endpoint)
		switch {
		case !arns[s.TopicARN]:
			v.addf("%s: its topic %q is not a topic of this stack", of, s.TopicARN)
		case strings.HasSuffix(s.TopicARN, ".fifo") && s.Protocol != "sqs":
			v.addf("%s: a FIFO topic delivers to queues only", of)
		case !strings.HasSuffix(s.TopicARN, ".fifo") && strings.HasSuffix(s.Endpoint, ".fifo"):
			v.addf("%s: a FIFO queue takes the messages of FIFO topics only", of)
		case s.Protocol == "sqs" && !queues[s.Endpoint]:
			v.addf("%s: its queue %q is not a queue of this stack", of, s.Endpoint)
		case s.Protocol == "lambda" && !functions[s.Endpoint]:
			v.addf("%s: its function %q is not a function of this stack", of, s.Endpoint)
		case !slices.Contains([]string{"sqs", "lambda", "http", "https"}, s.Protocol):
			v.addf("%s: the protocol is %q and must be sqs, lambda, http or https", of, s.Protocol)
		}
	}
}

func set(texts []string) map[string]bool {
	all := make(map[string]bool, len(texts))
	for _, t := range texts {
		all[t] = true
	}
	return all
}

func (v *validation) streams() {
	streams := v.stack.Streams
	v.names("data stream", streamName, collect(streams, func(d *DataStream) string { return d.Name }))
	v.names("data stream's ARN", nil, collect(streams, func(d *DataStream) string { return d.ARN }))
	for i := range streams {
		d := &streams[i]
		of := "data stream " + d.Name
		v.inRange(of, "the number of shards", d.Shards, 0, MaxShards)
		if d.Shards == 0 && !d.OnDemand {
			v.addf("%s: it needs a number of shards, or OnDemand", of)
		}
		if d.Retention != 0 {
			v.durationInRange(of, "the retention", d.Retention, 24*time.Hour, 365*24*time.Hour)
		}
	}
}

func (v *validation) tables() {
	tables := v.stack.Tables
	v.names("table", tableName, collect(tables, func(t *Table) string { return t.Name }))
	for i := range tables {
		t := &tables[i]
		of := "table " + t.Name
		types := make(map[string]bool, len(t.Attributes))
		for _, a := range t.Attributes {
			types[a.Name] = true
			if !slices.Contains([]string{"S", "N", "B"}, a.Type) {
				v.addf("%s: the attribute %q has the type %q and must have S, N or B", of, a.Name, a.Type)
			}
		}
		v.key(of, t.Key, types)
		v.names("index of "+of, nil, collect(t.Indexes, func(x *TableIndex) string { return x.Name }))
		for _, x := range t.Indexes {
			v.key(of+", index "+x.Name, x.Key, types)
			if !slices.Contains([]string{"ALL", "KEYS_ONLY", "INCLUDE"}, x.Projection) {
				v.addf("%s, index %s: the projection is %q and must be ALL, KEYS_ONLY or INCLUDE", of, x.Name, x.Projection)
			}
		}
	}
}

// key checks that a key is HASH, or HASH and RANGE, over attributes with types.
func (v *validation) key(of string, key []KeyElement, types map[string]bool) {
	kinds := strings.Join(collect(key, func(k *KeyElement) string { return k.Type }), ",")
	if kinds != "HASH" && kinds != "HASH,RANGE" {
		v.addf("%s: the key must be one HASH attribute, or one HASH and one RANGE attribute", of)
	}
	for _, k := range key {
		if !types[k.Attribute] {
			v.addf("%s: the key attribute %q has no type", of, k.Attribute)
		}
	}
}
