package template

import (
	"slices"
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost/stack"
)

// expandInvokeConfig makes AWS::Lambda::EventInvokeConfig of the
// EventInvokeConfig of an AWS::Serverless::Function, and the queues and topics
// that SAM makes for destinations without an address.
func (l *loader) expandInvokeConfig(r *resource) {
	given := r.properties.field("EventInvokeConfig")
	if given == nil || given.kind != kindObject {
		return
	}
	id := r.id + "EventInvokeConfig"
	config := madeObject(given).with("FunctionName", madeRef(given, r.id))
	for _, f := range given.fields {
		if f.name == "DestinationConfig" && f.value.kind == kindObject {
			f.value = l.expandDestinations(r, id, f.value)
		}
		config.addField(f)
	}
	l.generate(r, id, "AWS::Lambda::EventInvokeConfig", given.line, config)
}

// expandDestinations fills in what SAM makes when a destination has a type only.
func (l *loader) expandDestinations(r *resource, id string, given *node) *node {
	made := madeObject(given)
	for _, f := range given.fields {
		kind := f.value.field("Type")
		if f.value.kind == kindObject && kind != nil {
			f.value = l.expandDestination(r, id+f.name, f.value, kind.text)
		}
		made.addField(f)
	}
	return made
}

func (l *loader) expandDestination(r *resource, id string, given *node, kind string) *node {
	made := madeObject(given)
	for _, f := range given.fields {
		if f.name != "Type" {
			made.addField(f)
		}
	}
	if given.field("Destination") != nil {
		return made
	}
	switch kind {
	case "SQS":
		l.generate(r, id+"Queue", "AWS::SQS::Queue", given.line, madeObject(given))
		made.with("Destination", madeObject(given).with("Fn::GetAtt", madeList(given, madeText(given, id+"Queue"), madeText(given, "Arn"))))
	case "SNS":
		l.generate(r, id+"Topic", "AWS::SNS::Topic", given.line, madeObject(given))
		made.with("Destination", madeRef(given, id+"Topic"))
	}
	return made
}

// loadInvokeConfig reads AWS::Lambda::EventInvokeConfig, also those that SAM
// makes. Gatepost runs one version of a function, so those of all qualifiers
// are the same.
func (l *loader) loadInvokeConfig(r *resource) {
	p := l.properties(r)
	p.require("FunctionName", "it is the function that the settings are for")
	target := p.text("FunctionName")
	p.text("Qualifier")
	if target == "" {
		return
	}
	found := l.findFunction(target)
	if found.problem != "" {
		l.problem(p.raw("FunctionName"), "the settings are for %s", found.problem)
		return
	}
	async := l.asyncOf(found.name)
	if async.MaxAge != 0 {
		l.problem(r.node, "the function %s has two EventInvokeConfigs; Gatepost runs one version of a function, so put them into one", found.name)
		return
	}
	async.MaxAge = p.seconds("MaximumEventAgeInSeconds", 60, 21600, int(6*time.Hour/time.Second))
	retries := p.number("MaximumRetryAttempts", 0, 2, 2)
	async.Retries = &retries
	if to := p.nested("DestinationConfig"); to != nil {
		async.OnSuccess, async.OnFailure = l.destination(to, "OnSuccess"), l.destination(to, "OnFailure")
		to.rest(nil, nil)
	}
	p.rest(nil, nil)
}

// asyncOf returns the settings of a function, which it makes if there are none.
func (l *loader) asyncOf(name string) *stack.AsyncInvocation {
	f := l.stack.Function(name)
	if f.Async == nil {
		f.Async = &stack.AsyncInvocation{}
	}
	return f.Async
}

// destination reads OnSuccess or OnFailure, and is the ARN of what gets the
// record, or "".
func (l *loader) destination(p *properties, name string) string {
	to := p.nested(name)
	if to == nil {
		return ""
	}
	to.require("Destination", "it is the ARN of a queue, a topic or a function")
	arn := to.text("Destination")
	to.rest(nil, nil)
	if found := l.findFunction(arn); strings.Contains(arn, ":lambda:") && found.problem == "" {
		return l.stack.Function(found.name).ARN
	}
	return l.recordEnd(to, "Destination", arn, "a queue, a topic or a function")
}

// loadDeadLetters reads where a function's events go that were given up: the
// DeadLetterConfig of AWS::Lambda::Function, or SAM's DeadLetterQueue. It runs
// once all queues and topics are known.
func (l *loader) loadDeadLetters(r *resource) {
	p := l.properties(r)
	for _, name := range []string{"DeadLetterConfig", "DeadLetterQueue"} {
		to := p.nested(name)
		if to == nil {
			continue
		}
		to.require("TargetArn", "it is the ARN of a queue or a topic")
		arn := to.text("TargetArn")
		to.oneOf("Type", "SQS", "SNS")
		to.rest(nil, nil)
		function, err := l.nameOf(r, "FunctionName")
		if arn = l.recordEnd(to, "TargetArn", arn, "a queue or a topic"); arn != "" && err == nil && l.stack.Function(function) != nil {
			l.asyncOf(function).DeadLetterARN = arn
		}
	}
}

// recordEnd checks that an ARN is a standard queue or topic of the stack. It is
// "" when it is not, which is noted or reported.
func (l *loader) recordEnd(p *properties, property, arn, means string) string {
	switch {
	case arn == "":
		return ""
	case strings.HasSuffix(arn, ".fifo"):
		l.problem(p.raw(property), "Lambda sends such records to standard queues and topics only, and %s is first-in-first-out", quote(arn))
		return ""
	case l.stack.QueueByARN(arn) != nil, l.stack.TopicByARN(arn) != nil:
		return arn
	case slices.ContainsFunc([]string{":events:", ":s3:"}, func(s string) bool { return strings.Contains(arn, s) }):
		l.note(p.resource, p.node.line, p.prefix+property+" has no effect: "+quote(arn)+" is of a service that Gatepost does not run; records can go to "+means)
		return ""
	}
	l.problem(p.raw(property), "%s is %s, which no resource of this template declares; give the ARN of %s of it", property, quote(arn), means)
	return ""
}
