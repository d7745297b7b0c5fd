package template

import (
	"regexp"
	"slices"
	"strings"

	"github.com/gatepost-dev/gatepost/stack"
)

func topicTypes() map[string]resourceType {
	arn := func(e *evaluator, r *resource) (string, error) {
		name, err := e.topicName(r)
		return e.arn("sns", name), err
	}
	return map[string]resourceType{
		"AWS::SNS::Topic": {complete: true, ref: arn, attributes: map[string]attribute{
			"TopicArn": arn, "TopicName": (*evaluator).topicName}},
		"AWS::SNS::Subscription": {complete: true, ref: func(e *evaluator, r *resource) (string, error) {
			return e.arn("sns", "subscription:"+e.id(r.id, 10)), nil
		}},
	}
}

// topicName is the topic's name; one that FifoTopic makes ends in ".fifo", as
// AWS asks for.
func (e *evaluator) topicName(r *resource) (string, error) {
	name, err := e.nameOf(r, "TopicName")
	if fifo := r.properties.field("FifoTopic"); err == nil && fifo != nil && name == e.defaultName(r.id, "TopicName") {
		yes, err := e.text(fifo)
		if strings.EqualFold(yes, "true") {
			name += ".fifo"
		}
		return name, err
	}
	return name, err
}

var topicNameForm = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,256}(\.fifo)?$`)

// loadTopic reads AWS::SNS::Topic with the subscriptions that stand in it.
func (l *loader) loadTopic(r *resource) {
	p := l.properties(r)
	name := l.name(p, "TopicName", topicNameForm, "1 to 256 letters, digits, hyphens and underscores")
	if name == "" {
		return
	}
	name, _ = l.attributeOf(r.node, r, "TopicName")
	arn, _ := l.attributeOf(r.node, r, "TopicArn")
	if other := l.stack.TopicByARN(arn); other != nil {
		l.problem(nodeOr(p.raw("TopicName"), r.node), "the topic in line %d has the name %s already; names are unique", other.Line, name)
		return
	}
	topic := stack.Topic{LogicalID: r.id, Name: name, ARN: arn, Attributes: make(map[string]string), Line: r.line}
	for _, attribute := range []string{"DisplayName", "DeliveryPolicy", "SignatureVersion", "TracingConfig"} {
		p.attribute(attribute, topic.Attributes)
	}
	p.fifoTopic(name, topic.Attributes)
	topic.Tags = l.tags(p.raw("Tags"))
	for _, s := range p.maps("Subscription") {
		l.subscribe(s, r, arn, nil)
		s.rest(nil, nil)
	}
	p.rest([]string{"KmsMasterKeyId", "DataProtectionPolicy", "DeliveryStatusLogging"},
		map[string]string{"ArchivePolicy": "messages are not archived"})
	l.stack.Topics = append(l.stack.Topics, topic)
}

// fifoTopic reads what only FIFO topics have.
func (p *properties) fifoTopic(name string, attributes map[string]string) {
	named := strings.HasSuffix(name, ".fifo")
	if !p.flag("FifoTopic", false) {
		for _, only := range []string{"ContentBasedDeduplication", "FifoThroughputScope"} {
			if p.given(only) {
				p.loader.problem(p.raw(only), "%s is for FIFO topics; give the topic FifoTopic: true, or leave it out", only)
			}
		}
		if named {
			p.loader.problem(nodeOr(p.raw("TopicName"), p.resource.node), "only the names of FIFO topics end in .fifo; give the topic FifoTopic: true, or another name")
		}
		return
	}
	if !named {
		p.loader.problem(nodeOr(p.raw("TopicName"), p.resource.node), "the name of a FIFO topic ends in .fifo")
	}
	attributes["FifoTopic"] = "true"
	if p.flag("ContentBasedDeduplication", false) {
		attributes["ContentBasedDeduplication"] = "true"
	}
	if p.given("FifoThroughputScope") {
		attributes["FifoThroughputScope"] = p.oneOf("FifoThroughputScope", "Topic", "MessageGroup")
	}
}

// attribute puts a property, a text or a map written as JSON, among attributes.
func (p *properties) attribute(name string, attributes map[string]string) {
	if text := p.json(name); text != "" {
		attributes[name] = text
	}
}

// loadSubscription reads AWS::SNS::Subscription, also those that SAM makes of a
// function's SNS events.
func (l *loader) loadSubscription(r *resource) {
	p := l.properties(r)
	p.require("TopicArn", "it is the topic to subscribe to")
	topic := p.text("TopicArn")
	attributes := make(map[string]string)
	for _, attribute := range []string{"FilterPolicy", "FilterPolicyScope", "RedrivePolicy", "DeliveryPolicy"} {
		p.attribute(attribute, attributes)
	}
	if p.flag("RawMessageDelivery", false) {
		attributes["RawMessageDelivery"] = "true"
	}
	switch {
	case topic == "":
	case l.stack.TopicByARN(topic) == nil:
		l.problem(p.raw("TopicArn"), "the topic is %s, which no resource of this template declares; refer to an AWS::SNS::Topic", quote(topic))
	default:
		l.subscribe(p, r, topic, attributes)
	}
	p.rest([]string{"Region", "SubscriptionRoleArn"}, map[string]string{"ReplayPolicy": "nothing is replayed"})
}

// protocols are the ends of subscriptions that Gatepost can reach.
var protocols = []string{"sqs", "lambda", "http", "https"}

// subscribe adds a subscription whose Protocol and Endpoint p has.
func (l *loader) subscribe(p *properties, r *resource, topic string, attributes map[string]string) {
	p.require("Protocol", "it is sqs, lambda, http or https")
	p.require("Endpoint", "it is the ARN of the queue or function, or the URL")
	protocol, endpoint := p.text("Protocol"), p.text("Endpoint")
	switch {
	case protocol == "" || endpoint == "":
		return
	case !slices.Contains(protocols, protocol):
		l.note(r, p.raw("Protocol").line, "the subscription is left out: the protocol "+quote(protocol)+" cannot be reached from here; those that can are "+strings.Join(protocols, ", "))
		return
	case strings.HasSuffix(topic, ".fifo") && protocol != "sqs":
		l.problem(p.raw("Protocol"), "a FIFO topic delivers to queues only, as on AWS; the protocol is sqs, not %s", protocol)
		return
	case !strings.HasSuffix(topic, ".fifo") && strings.HasSuffix(endpoint, ".fifo"):
		l.problem(p.raw("Endpoint"), "a FIFO queue takes the messages of FIFO topics only, as on AWS; give the topic FifoTopic: true, or another queue")
		return
	case protocol == "sqs" && l.stack.QueueByARN(endpoint) == nil:
		l.problem(p.raw("Endpoint"), "the queue is %s, which no resource of this template declares; give the Arn of an AWS::SQS::Queue", quote(endpoint))
		return
	case protocol == "lambda":
		found := l.findFunction(endpoint)
		if found.problem != "" {
			l.problem(p.raw("Endpoint"), "the subscription feeds %s", found.problem)
			return
		}
		endpoint = l.stack.Function(found.name).ARN
	}
	l.stack.Subscriptions = append(l.stack.Subscriptions, stack.Subscription{
		LogicalID: r.id, TopicARN: topic, Protocol: protocol, Endpoint: endpoint, Attributes: attributes, Line: r.line,
	})
}

// expandTopicEvent makes the subscription FunctionEvent of an SNS event.
func (l *loader) expandTopicEvent(r *resource, event field) {
	given := event.value.field("Properties")
	if given == nil || given.kind != kindObject {
		l.problem(event.value, "the SNS event needs Properties with at least a Topic")
		return
	}
	if given.field("Topic") == nil {
		l.problem(given, "the property Topic is missing; it is the ARN of the topic to subscribe to")
		return
	}
	subscription := madeObject(given).with("Protocol", madeText(event.value, "lambda")).with("Endpoint", madeRef(event.value, r.id))
	for _, f := range given.fields {
		switch f.name {
		case "Topic":
			f.name = "TopicArn"
		case "SqsSubscription":
			l.note(r, f.line, "SqsSubscription has no effect: the topic's messages reach the function without a queue between them")
			continue
		}
		subscription.addField(f)
	}
	l.generate(r, r.id+event.name, "AWS::SNS::Subscription", event.line, subscription)
}
