package template

// expandEvents makes event source mappings of the SQS events of an
// AWS::Serverless::Function, subscriptions of its SNS events, and declares what else SAM generates beside it and
// templates like to refer to.
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
			l.expandQueueEvent(r, f)
		case typ.text == "SNS":
			l.expandTopicEvent(r, f)
		default:
			l.note(r, f.line, "the event "+f.name+" is left out: events of the type "+typ.text+" are not supported yet")
			l.declareImplicitAPI(r, typ.text)
		}
	}
}

// expandQueueEvent makes the mapping FunctionEvent of an SQS event.
func (l *loader) expandQueueEvent(r *resource, event field) {
	given := event.value.field("Properties")
	if given == nil || given.kind != kindObject {
		l.problem(event.value, "the SQS event needs Properties with at least a Queue")
		return
	}
	if given.field("Queue") == nil {
		l.problem(given, "the property Queue is missing; it is the ARN of the queue to read")
		return
	}
	mapping := madeObject(given).with("FunctionName", madeRef(event.value, r.id))
	for _, f := range given.fields {
		if f.name == "Queue" {
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
