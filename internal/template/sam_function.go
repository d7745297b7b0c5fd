package template

// expandEvents makes event source mappings of the SQS, DynamoDB and Kinesis
// events of an AWS::Serverless::Function, subscriptions of its SNS events and
// schedules of its Schedule and ScheduleV2 events, and declares what else SAM
// generates beside it and templates like to refer to.
func (l *loader) expandEvents(r *resource) {
	if role := r.id + "Role"; r.properties.field("Role") == nil && l.resources[role] == nil {
		l.generate(r, role, "AWS::IAM::Role", r.line, madeObject(r.node))
	}
	for _, f := range l.entries(r.properties.field("Events")) {
		typ := f.value.field("Type")
		switch {
		case typ == nil || !typ.isScalar():
			l.problem(f.value, "the event needs a Type, for example SQS")
		case typ.text == "SQS":
			l.expandMappingEvent(r, f, "SQS", "Queue", "it is the ARN of the queue to read")
		case typ.text == "DynamoDB" || typ.text == "Kinesis":
			l.expandMappingEvent(r, f, typ.text, "Stream", "it is the ARN of the stream to read")
		case typ.text == "Schedule":
			l.expandScheduleEvent(r, f)
		case typ.text == "ScheduleV2":
			l.expandScheduleV2Event(r, f)
		case typ.text == "SNS":
			l.expandTopicEvent(r, f)
		default:
			l.note(r, f.line, "the event "+f.name+" is left out: events of the type "+typ.text+" are not supported yet")
			l.declareImplicitAPI(r, typ.text)
		}
	}
}

// expandMappingEvent makes the mapping FunctionEvent of an event whose source is
// in the property of that name.
func (l *loader) expandMappingEvent(r *resource, event field, kind, source, advice string) {
	given := l.eventProperties(event, kind, source, advice)
	if given == nil {
		return
	}
	mapping := madeObject(given).with("FunctionName", madeRef(event.value, r.id))
	for _, f := range given.fields {
		if f.name == source {
			f.name = "EventSourceArn"
		}
		mapping.addField(f)
	}
	l.generate(r, r.id+event.name, "AWS::Lambda::EventSourceMapping", event.line, mapping)
}

// declareImplicitAPI declares the API that SAM makes for events of the types
// Api and HttpApi, to which outputs refer by a fixed name.
func (l *loader) declareImplicitAPI(r *resource, eventType string) {
	id := map[string]string{"Api": "ServerlessRestApi", "HttpApi": "ServerlessHttpApi"}[eventType]
	if id != "" && l.resources[id] == nil {
		typ, none := "AWS::Serverless::"+eventType, madeObject(r.node)
		l.declare(&resource{id: id, typ: typ, declared: typ, generated: true, node: none, properties: none, line: r.line})
	}
}
