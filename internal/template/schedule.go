package template

import (
	"cmp"
	"encoding/json"
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost/internal/jsonpath"
	"github.com/gatepost-dev/gatepost/internal/schedule"
	"github.com/gatepost-dev/gatepost/stack"
)

func scheduleTypes() map[string]resourceType {
	return map[string]resourceType{
		"AWS::Scheduler::ScheduleGroup": {ref: named("Name")},
		"AWS::Events::Rule": {complete: true, ref: named("Name"), attributes: map[string]attribute{
			"Arn": arnOf("events", "rule/", "Name")}},
		"AWS::Scheduler::Schedule": {complete: true, ref: named("Name"), attributes: map[string]attribute{
			"Arn": func(e *evaluator, r *resource) (string, error) {
				group, name := "default", ""
				if r.properties.field("GroupName") != nil {
					var err error
					if group, err = e.nameOf(r, "GroupName"); err != nil {
						return "", err
					}
				}
				name, err := e.nameOf(r, "Name")
				return e.arn("scheduler", "schedule/"+group+"/"+name), err
			}}},
	}
}

// loadRule reads AWS::Events::Rule, also those that SAM makes of a function's
// Schedule events. Only rules with a schedule run.
func (l *loader) loadRule(r *resource) {
	p := l.properties(r)
	if p.given("EventPattern") {
		why := "the rule is left out: there are no events here for its EventPattern; rules with a ScheduleExpression run"
		if p.given("ScheduleExpression") {
			why = "EventPattern has no effect: there are no events here; the schedule runs"
		}
		l.note(r, p.raw("EventPattern").line, why)
	}
	text := p.text("ScheduleExpression")
	if text == "" {
		if !p.given("EventPattern") {
			l.problem(p.node, "a rule needs a ScheduleExpression, such as rate(5 minutes)")
		}
		return
	}
	s := stack.Schedule{LogicalID: r.id, Name: p.text("Name"), Expression: text, Line: r.line}
	s.Name = cmp.Or(s.Name, l.prefix+r.id)
	s.ARN, _ = l.attributeOf(r.node, r, "Arn")
	s.Disabled = l.isDisabled(p)
	if _, err := schedule.Parse(text, schedule.Rule, nil); err != nil {
		l.problem(p.raw("ScheduleExpression"), "%v", err)
	}
	if bus := p.text("EventBusName"); bus != "" && bus != "default" {
		l.problem(p.raw("EventBusName"), "a rule with a schedule belongs to the default event bus, as on AWS, and not to %s", quote(bus))
	}
	for _, t := range p.maps("Targets") {
		l.loadRuleTarget(t, &s)
	}
	p.rest([]string{"RoleArn"}, nil)
	l.addSchedule(r, s)
}

func (l *loader) isDisabled(p *properties) bool {
	return strings.HasPrefix(p.oneOf("State", "ENABLED", "DISABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"), "DISABLED")
}

// loadRuleTarget reads one target of a rule.
func (l *loader) loadRuleTarget(p *properties, s *stack.Schedule) {
	p.require("Arn", "it is the ARN of a function, a queue or a topic")
	p.text("Id")
	t := stack.ScheduleTarget{Input: p.json("Input"), InputPath: p.text("InputPath")}
	if t.Input != "" && !json.Valid([]byte(t.Input)) {
		l.problem(p.raw("Input"), "Input must be JSON")
	}
	if t.InputPath != "" {
		if _, err := jsonpath.Compile(t.InputPath); err != nil {
			l.problem(p.raw("InputPath"), "%v", err)
		}
	}
	t.Transformer = l.transformer(p)
	for i, name := range inputKinds {
		for _, other := range inputKinds[:i] {
			if p.given(name) && p.given(other) {
				l.problem(p.raw(name), "a target has %s or %s, and not both; AWS refuses it", other, name)
			}
		}
	}
	l.finishTarget(p, s, t)
}

// inputKinds are the three ways to say what a target of a rule gets.
var inputKinds = []string{"Input", "InputPath", "InputTransformer"}

// transformer reads an InputTransformer, or returns nil.
func (l *loader) transformer(p *properties) *stack.InputTransformer {
	given := p.nested("InputTransformer")
	if given == nil {
		return nil
	}
	given.require("InputTemplate", `it is what the target gets, such as {"at": <time>}`)
	x := &stack.InputTransformer{Paths: given.textMap("InputPathsMap"), Template: given.text("InputTemplate")}
	given.rest(nil, nil)
	if x.Template == "" {
		return nil
	}
	if _, err := schedule.NewTransformer(x.Paths, x.Template); err != nil {
		l.problem(p.raw("InputTransformer"), "%v", err)
	}
	return x
}

// finishTarget reads what targets of rules and schedules have in common, and
// adds the target when it can be reached.
func (l *loader) finishTarget(p *properties, s *stack.Schedule, t stack.ScheduleTarget) {
	if sqs := p.nested("SqsParameters"); sqs != nil {
		t.MessageGroupID = sqs.text("MessageGroupId")
		sqs.rest(nil, nil)
	}
	for _, name := range []string{"RetryPolicy", "DeadLetterConfig"} {
		p.withoutEffect(name, "the target is in the same process; what becomes of a function's failure is its EventInvokeConfig's affair")
	}
	t.ARN = l.scheduleTarget(p)
	if q := l.stack.QueueByARN(t.ARN); q != nil && q.FIFO != nil && t.MessageGroupID == "" {
		l.problem(p.raw("Arn"), "the target is a FIFO queue, so it needs SqsParameters with a MessageGroupId; AWS refuses it without")
	}
	p.rest([]string{"RoleArn"}, map[string]string{"EcsParameters": "only functions, queues and topics are targets",
		"KinesisParameters": "only functions, queues and topics are targets", "EventBridgeParameters": "only functions, queues and topics are targets"})
	if t.ARN != "" {
		s.Targets = append(s.Targets, t)
	}
}

// scheduleTarget returns the ARN of a target that is of the stack, or "".
func (l *loader) scheduleTarget(p *properties) string {
	arn := p.text("Arn")
	service := ""
	if parts := strings.SplitN(arn, ":", 4); len(parts) == 4 {
		service = parts[2]
	}
	switch {
	case arn == "":
	case service == "lambda":
		found := l.findFunction(arn)
		if found.problem == "" {
			return l.stack.Function(found.name).ARN
		}
		l.problem(p.raw("Arn"), "the target is %s", found.problem)
	case l.stack.QueueByARN(arn) != nil || l.stack.TopicByARN(arn) != nil:
		return arn
	case service == "sqs" || service == "sns" || service == "":
		l.problem(p.raw("Arn"), "the target is %s, which no resource of this template declares; give the ARN of a function, a queue or a topic of it", quote(arn))
	default:
		l.note(p.resource, p.raw("Arn").line, "the target "+quote(arn)+" is left out: only functions, queues and topics are targets here")
	}
	return ""
}

// loadSchedule reads AWS::Scheduler::Schedule, also those that SAM makes of a
// function's ScheduleV2 events.
func (l *loader) loadSchedule(r *resource) {
	p := l.properties(r)
	p.require("ScheduleExpression", "it says when the target is called, such as rate(5 minutes)")
	p.require("Target", "it is what the schedule calls")
	s := stack.Schedule{LogicalID: r.id, Scheduler: true, Expression: p.text("ScheduleExpression"), Timezone: p.text("ScheduleExpressionTimezone"), Line: r.line}
	s.Name = cmp.Or(p.text("Name"), r.id)
	p.text("GroupName")
	s.ARN, _ = l.attributeOf(r.node, r, "Arn")
	s.Disabled = l.isDisabled(p)
	s.Start, s.End = l.date(p, "StartDate"), l.date(p, "EndDate")
	zone, err := schedule.LoadZone(s.Timezone)
	if err != nil {
		l.problem(p.raw("ScheduleExpressionTimezone"), "%v", err)
	}
	if s.Expression != "" {
		if _, err := schedule.Parse(s.Expression, schedule.Scheduler, zone); err != nil {
			l.problem(p.raw("ScheduleExpression"), "%v", err)
		}
	}
	l.flexibleWindow(p)
	if target := p.nested("Target"); target != nil {
		target.require("Arn", "it is the ARN of a function, a queue or a topic")
		l.finishTarget(target, &s, stack.ScheduleTarget{Input: target.text("Input")})
	}
	p.rest([]string{"ActionAfterCompletion", "KmsKeyArn"}, nil)
	l.addSchedule(r, s)
}

// flexibleWindow reads FlexibleTimeWindow: here the target is called when the
// window opens.
func (l *loader) flexibleWindow(p *properties) {
	w := p.nested("FlexibleTimeWindow")
	if w == nil {
		return
	}
	if w.oneOf("Mode", "OFF", "FLEXIBLE") == "FLEXIBLE" {
		l.note(p.resource, w.node.line, "FlexibleTimeWindow has no effect: the target is called when the window opens")
	}
	w.number("MaximumWindowInMinutes", 1, 1440, 1)
	w.rest(nil, nil)
}

// date reads a time such as 2030-12-31T23:59:59Z.
func (l *loader) date(p *properties, name string) (t time.Time) {
	text := p.text(name)
	if text == "" {
		return t
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		l.problem(p.raw(name), "%s must be a time such as 2030-12-31T23:59:59Z, not %s", name, quote(text))
	}
	return t.UTC()
}

// addSchedule adds a schedule that has something to call.
func (l *loader) addSchedule(r *resource, s stack.Schedule) {
	if len(s.Targets) == 0 {
		l.note(r, r.line, "the schedule is left out: it has no target that can be called here")
		return
	}
	l.stack.Schedules = append(l.stack.Schedules, s)
}

// expandScheduleEvent makes the rule FunctionEvent of a Schedule event.
func (l *loader) expandScheduleEvent(r *resource, event field) {
	given := l.eventProperties(event, "Schedule", "Schedule", "it says when the function is invoked, such as rate(5 minutes)")
	if given == nil {
		return
	}
	rule, target := madeObject(given), madeObject(given)
	target.with("Arn", l.functionARN(event.value, r)).with("Id", madeText(event.value, r.id+event.name+"LambdaTarget"))
	for _, f := range given.fields {
		switch f.name {
		case "Schedule":
			f.name = "ScheduleExpression"
			rule.addField(f)
		case "Enabled":
			f.name, f.value = "State", l.stateOf(f.value)
			rule.addField(f)
		case "Input", "DeadLetterConfig", "RetryPolicy":
			target.addField(f)
		case "Target":
			// It gives the target's Id only.
		default:
			rule.addField(f)
		}
	}
	rule.with("Targets", madeList(given, target))
	l.generate(r, r.id+event.name, "AWS::Events::Rule", event.line, rule)
}

// expandScheduleV2Event makes the schedule FunctionEvent of a ScheduleV2 event.
func (l *loader) expandScheduleV2Event(r *resource, event field) {
	given := l.eventProperties(event, "ScheduleV2", "ScheduleExpression", "it says when the function is invoked, such as rate(5 minutes)")
	if given == nil {
		return
	}
	made, target := madeObject(given), madeObject(given)
	target.with("Arn", l.functionARN(event.value, r))
	for _, f := range given.fields {
		switch f.name {
		case "Input", "DeadLetterConfig", "RetryPolicy", "RoleArn":
			target.addField(f)
		case "OmitName", "PermissionsBoundary":
		default:
			made.addField(f)
		}
	}
	made.with("Target", target)
	l.generate(r, r.id+event.name, "AWS::Scheduler::Schedule", event.line, made)
}

// stateOf is what Enabled of a SAM event means as a State.
func (l *loader) stateOf(enabled *node) *node {
	if v, err := l.evaluator.resolve(enabled); err == nil && v.isScalar() && strings.EqualFold(v.text, "false") {
		return madeText(enabled, "DISABLED")
	}
	return madeText(enabled, "ENABLED")
}

// functionARN is Fn::GetAtt of a function's Arn, placed at n.
func (l *loader) functionARN(n *node, r *resource) *node {
	return madeObject(n).with("Fn::GetAtt", madeList(n, madeText(n, r.id), madeText(n, "Arn")))
}

// eventProperties returns the Properties of a SAM event that must have one, or
// nil when that is reported.
func (l *loader) eventProperties(event field, kind, needed, advice string) *node {
	given := event.value.field("Properties")
	if given == nil || given.kind != kindObject {
		l.problem(event.value, "the %s event needs Properties with at least a %s", kind, needed)
		return nil
	}
	if given.field(needed) == nil {
		l.problem(given, "the property %s is missing; %s", needed, advice)
		return nil
	}
	return given
}
