package serverless

import (
	"slices"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/template"
)

// event is one entry of a function's events.
type event struct {
	function *function
	kind     string
	at       template.Place
	// value is what stands under the kind, resolved.
	value *template.Value
}

// foreign are the kinds of events that Gatepost does not bring, and what they
// are.
var foreign = map[string]string{
	"http": "REST APIs", "httpApi": "HTTP APIs", "s3": "S3's notifications", "alb": "load balancers", "cloudFront": "CloudFront",
	"cognitoUserPool": "Cognito's triggers", "cloudwatchEvent": "EventBridge's patterns", "cloudwatchLog": "log subscriptions",
	"iot": "IoT rules", "iotFleetProvisioning": "IoT provisioning", "alexaSkill": "Alexa skills", "alexaSmartHome": "Alexa smart home",
	"msk": "Kafka", "kafka": "Kafka", "activemq": "ActiveMQ", "rabbitmq": "RabbitMQ", "eventBridge": "EventBridge's patterns",
	"appSync": "AppSync", "docDb": "DocumentDB's streams",
}

// generateEvents makes the resources of all events: those of websockets last, as
// they share an API.
func (s *service) generateEvents() {
	var websockets []event
	for i := range s.functions {
		f := &s.functions[i]
		schedules := 0
		for _, e := range s.events(f) {
			switch e.kind {
			case "websocket":
				websockets = append(websockets, e)
			case "sqs":
				s.generateQueueMapping(e)
			case "sns":
				s.generateSubscription(e)
			case "stream":
				s.generateStreamMapping(e)
			case "schedule":
				schedules = s.generateSchedules(e, schedules)
			default:
				s.skip(e)
			}
		}
	}
	s.generateWebsockets(websockets)
}

// skip tells of an event that is not brought.
func (s *service) skip(e event) {
	if e.kind == "eventBridge" && e.value.Get("schedule") != nil {
		s.generateBridgeSchedule(e)
		return
	}
	what, known := foreign[e.kind]
	if !known {
		names := []string{"websocket", "sqs", "sns", "stream", "schedule"}
		s.note(e.at, "the event "+template.Quote(e.kind)+" of the function "+e.function.name+" is not one that Gatepost knows; it is left out"+template.DidYouMean(e.kind, names))
		return
	}
	s.note(e.at, "the event "+e.kind+" of the function "+e.function.name+" is left out: "+what+" are not run here")
}

// events returns the events of a function.
func (s *service) events(f *function) []event {
	given := s.value(f.given.Get("events"))
	if given == nil || given.Missing == "" && given.Kind == template.Null {
		return nil
	}
	if given.Missing != "" || given.Kind != template.List {
		s.problem(f.given.Get("events").Place, "events must be a list%s", because(given))
		return nil
	}
	var all []event
	for i, item := range given.Items {
		if i == maxEvents {
			s.problem(item.Place, "the function has more than %d events; AWS takes 500 resources", maxEvents)
			break
		}
		at := item.Place
		item = s.value(item)
		switch {
		case item.Missing != "":
			s.problem(at, "%s", item.Missing)
		case item.Kind == template.List: // a file of events
			for _, inner := range item.Items {
				all = append(all, s.event(f, s.value(inner))...)
			}
		default:
			all = append(all, s.event(f, item)...)
		}
	}
	return all[:min(len(all), maxEvents)]
}

func because(v *template.Value) string {
	if v.Missing != "" {
		return ": " + v.Missing
	}
	return ", not " + v.Kind.String()
}

// event reads one entry, a map with one key, or a bare kind.
func (s *service) event(f *function, item *template.Value) []event {
	switch {
	case item.IsScalar():
		return []event{{function: f, kind: item.Text, at: item.Place, value: template.Map(item.Place)}}
	case item.Missing != "" || item.Kind != template.Object || len(item.Entries) == 0:
		s.problem(item.Place, "an event must be a map such as {websocket: $connect}%s", because(item))
		return nil
	}
	// The settings of an event indented too little stand beside its kind.
	e := item.Entries[0]
	value := s.all(e.Value)
	if value.Missing == "" && value.Kind == template.Null && len(item.Entries) > 1 {
		s.problem(item.Entries[1].Place, "%s stands beside %s and must stand under it: indent it by two more", item.Entries[1].Name, e.Name)
		return nil
	}
	if value.Missing != "" {
		s.problem(e.Value.Place, "%s", value.Missing)
		return nil
	}
	return []event{{function: f, kind: e.Name, at: e.Place, value: value}}
}

// unknown notes settings of an event that are not known.
func (s *service) unknown(e event, names ...string) {
	if e.value.Kind != template.Object || isCall(e.value) {
		return
	}
	for _, entry := range e.value.Entries {
		if !slices.Contains(names, entry.Name) {
			s.note(entry.Place, "the setting "+template.Quote(entry.Name)+" of the event "+e.kind+" is not known to Gatepost and has no effect"+template.DidYouMean(entry.Name, names))
		}
	}
}

// arn returns the ARN of an event: the event itself, or its arn.
func (s *service) arn(e event) *template.Value {
	arn := e.value
	if e.value.Kind == template.Object && !isCall(e.value) {
		arn = e.value.Get("arn")
	}
	if arn == nil || arn.Missing == "" && arn.Kind != template.Object && (!arn.IsScalar() || arn.Text == "") {
		s.problem(e.value.Place, "the event %s needs an arn", e.kind)
		return nil
	}
	if arn.Missing != "" {
		s.problem(arn.Place, "%s", arn.Missing)
		return nil
	}
	return arn
}

// copies puts settings of an event under the names that CloudFormation has.
func copies(from, to *template.Value, names ...string) {
	for i := 0; i+1 < len(names); i += 2 {
		to.With(names[i+1], from.Get(names[i]))
	}
}

// mapping begins an event source mapping.
func (s *service) mapping(e event, id string, arn *template.Value, batch string) *template.Value {
	p := s.generate(e.at, id, "AWS::Lambda::EventSourceMapping")
	p.With("EventSourceArn", arn).With("FunctionName", getAtt(e.at, e.function.id, "Arn"))
	p.With("BatchSize", number(e.at, batch)).With("Enabled", template.Scalar(e.at, template.Bool, "true"))
	copies(e.value, p, "batchSize", "BatchSize", "enabled", "Enabled")
	if response := e.value.Get("functionResponseType"); response != nil {
		p.With("FunctionResponseTypes", template.ListOf(response.Place, response))
	}
	if patterns := e.value.Get("filterPatterns"); patterns != nil {
		p.With("FilterCriteria", s.filters(patterns))
	}
	return p
}

// filters returns FilterCriteria.
func (s *service) filters(patterns *template.Value) *template.Value {
	list := template.ListOf(patterns.Place)
	for _, pattern := range patterns.Items {
		list.Items = append(list.Items, template.Map(pattern.Place).With("Pattern", text(pattern.Place, s.json(pattern))))
	}
	return template.Map(patterns.Place).With("Filters", list)
}

// generateQueueMapping makes the mapping of an sqs event.
func (s *service) generateQueueMapping(e event) {
	s.unknown(e, "arn", "batchSize", "enabled", "maximumBatchingWindow", "functionResponseType", "filterPatterns", "maximumConcurrency", "provisionedPollerConfig")
	arn := s.arn(e)
	if arn == nil {
		return
	}
	p := s.mapping(e, idOf(e.function.name)+"EventSourceMappingSQS"+plainID(sourceName(arn, ":")), arn, "10")
	copies(e.value, p, "maximumBatchingWindow", "MaximumBatchingWindowInSeconds")
	if most := e.value.Get("maximumConcurrency"); most != nil {
		p.With("ScalingConfig", template.Map(most.Place).With("MaximumConcurrency", most))
	}
}

// generateStreamMapping makes the mapping of a stream event, of a table or of
// Kinesis.
func (s *service) generateStreamMapping(e event) {
	s.unknown(e, "arn", "type", "batchSize", "parallelizationFactor", "startingPosition", "startingPositionTimestamp", "enabled", "consumer", "batchWindow",
		"maximumRetryAttempts", "bisectBatchOnFunctionError", "maximumRecordAgeInSeconds", "functionResponseType", "destinations", "tumblingWindowInSeconds", "filterPatterns")
	arn := s.arn(e)
	if arn == nil {
		return
	}
	kind := s.streamKind(e, arn)
	if kind == "" {
		return
	}
	name := sourceName(arn, "/")
	if arn.IsScalar() {
		name = strings.Split(arn.Text+"/", "/")[1]
	}
	p := s.mapping(e, idOf(e.function.name)+"EventSourceMapping"+upper(kind)+plainID(name), arn, "10")
	p.With("StartingPosition", text(e.at, "TRIM_HORIZON"))
	copies(e.value, p, "startingPosition", "StartingPosition", "startingPositionTimestamp", "StartingPositionTimestamp", "parallelizationFactor", "ParallelizationFactor",
		"batchWindow", "MaximumBatchingWindowInSeconds", "maximumRetryAttempts", "MaximumRetryAttempts", "bisectBatchOnFunctionError", "BisectBatchOnFunctionError",
		"maximumRecordAgeInSeconds", "MaximumRecordAgeInSeconds", "tumblingWindowInSeconds", "TumblingWindowInSeconds")
	if to := e.value.Get("destinations").Get("onFailure"); to != nil {
		p.With("DestinationConfig", template.Map(to.Place).With("OnFailure", template.Map(to.Place).With("Destination", s.target(to))))
	}
	if consumer := e.value.Get("consumer"); consumer != nil && consumer.Text != "false" {
		s.noteInert(consumer.Place, "the stream is read without a consumer of its own")
	}
}

// streamKind is dynamodb or kinesis: type says it where the ARN does not.
func (s *service) streamKind(e event, arn *template.Value) string {
	kind := s.word(e.value.Get("type"), "")
	if parts := strings.Split(arn.Text, ":"); kind == "" && arn.IsScalar() && len(parts) > 2 {
		kind = parts[2]
	}
	switch kind {
	case "dynamodb", "kinesis":
		return kind
	}
	s.problem(e.value.Place, "the event stream needs a type, dynamodb or kinesis, where its arn is not written out")
	return ""
}

// generateSubscription makes what an sns event needs: a subscription to a topic,
// or a topic with one.
func (s *service) generateSubscription(e event) {
	s.unknown(e, "arn", "topicName", "displayName", "filterPolicy", "filterPolicyScope", "redrivePolicy")
	arn, name := e.value.Get("arn"), s.word(e.value.Get("topicName"), "")
	switch {
	case e.value.IsScalar() && strings.HasPrefix(e.value.Text, "arn:"), isCall(e.value):
		arn = e.value
	case e.value.IsScalar():
		name = e.value.Text
	}
	if arn != nil && name == "" {
		name = sourceName(arn, ":")
	}
	if arn == nil && name == "" {
		s.problem(e.value.Place, "the event sns needs the name of a topic, or its arn")
		return
	}
	endpoint := getAtt(e.at, e.function.id, "Arn")
	policies := template.Map(e.at)
	copies(e.value, policies, "filterPolicy", "FilterPolicy", "filterPolicyScope", "FilterPolicyScope")
	policies.With("RedrivePolicy", s.redrive(e.value.Get("redrivePolicy")))
	id := idOf(e.function.name) + "SnsSubscription" + plainID(name)
	if arn == nil {
		topic := "SNSTopic" + plainID(name)
		if s.resources.get(topic) == nil {
			s.generate(e.at, topic, "AWS::SNS::Topic").With("TopicName", text(e.at, name)).With("DisplayName", e.value.Get("displayName"))
		}
		properties := s.resources.get(topic).Get("Properties")
		if len(policies.Entries) == 0 {
			list := properties.Get("Subscription")
			if list == nil {
				list = template.ListOf(e.at)
				properties.With("Subscription", list)
			}
			list.Items = append(list.Items, template.Map(e.at).With("Endpoint", endpoint).With("Protocol", text(e.at, "lambda")))
			arn = nil
		} else {
			arn = ref(e.at, topic)
		}
	}
	if arn != nil {
		p := s.generate(e.at, id, "AWS::SNS::Subscription").With("TopicArn", arn).With("Protocol", text(e.at, "lambda")).With("Endpoint", endpoint)
		p.Entries = append(p.Entries, policies.Entries...)
	}
	s.permit(e.at, idOf(e.function.name)+"LambdaPermission"+plainID(name)+"SNS", e.function, "sns.amazonaws.com")
}

// permit makes the permission of a service to call a function.
func (s *service) permit(at template.Place, id string, f *function, principal string) {
	s.generate(at, id, "AWS::Lambda::Permission").With("FunctionName", getAtt(at, f.id, "Arn")).
		With("Action", text(at, "lambda:InvokeFunction")).With("Principal", text(at, principal))
}

// redrive returns the RedrivePolicy of a subscription.
func (s *service) redrive(given *template.Value) *template.Value {
	if given == nil {
		return nil
	}
	target := given.Get("deadLetterTargetArn")
	if named := given.Get("deadLetterTargetRef"); target == nil && named != nil {
		target = getAtt(named.Place, s.word(named, ""), "Arn")
	}
	if imported := given.Get("deadLetterTargetImport").Get("arn"); target == nil && imported != nil {
		target = template.Map(imported.Place).With("Fn::ImportValue", imported)
	}
	if target == nil {
		s.problem(given.Place, "redrivePolicy needs deadLetterTargetArn or deadLetterTargetRef")
		return nil
	}
	return template.Map(given.Place).With("deadLetterTargetArn", target)
}
