package serverless

import (
	"strconv"

	"github.com/gatepost-dev/gatepost/internal/template"
)

// generateSchedules makes the rules of a schedule event, one for each of its
// expressions. before is how many the function has already; the new number is
// returned.
func (s *service) generateSchedules(e event, before int) int {
	s.unknown(e, "rate", "enabled", "name", "description", "input", "inputPath", "inputTransformer", "method", "roleArn", "groupName", "timezone")
	rate := e.value
	if e.value.Kind == template.Object && !isCall(e.value) {
		if rate = e.value.Get("rate"); rate == nil {
			s.problem(e.value.Place, "the event schedule needs a rate, such as rate(5 minutes) or cron(0 12 * * ? *)")
			return before
		}
	}
	expressions := []*template.Value{rate}
	if rate.Kind == template.List {
		expressions = rate.Items
	}
	for _, expression := range expressions {
		before++
		if s.word(e.value.Get("method"), "eventBus") == "scheduler" {
			s.generateScheduler(e, expression, before)
			continue
		}
		s.generateRule(e, expression, idOf(e.function.name)+"EventsRuleSchedule"+strconv.Itoa(before))
		s.permit(e.at, idOf(e.function.name)+"LambdaPermissionEventsRuleSchedule"+strconv.Itoa(before), e.function, "events.amazonaws.com")
	}
	return before
}

// generateRule makes a rule of EventBridge.
func (s *service) generateRule(e event, expression *template.Value, id string) {
	p := s.generate(e.at, id, "AWS::Events::Rule").With("ScheduleExpression", expression).With("State", s.state(e))
	copies(e.value, p, "name", "Name", "description", "Description")
	target := template.Map(e.at).With("Arn", getAtt(e.at, e.function.id, "Arn")).With("Id", text(e.at, e.function.name+"Schedule"))
	target.With("Input", s.input(e)).With("InputPath", e.value.Get("inputPath"))
	if transformer := e.value.Get("inputTransformer"); transformer != nil {
		made := template.Map(transformer.Place)
		copies(transformer, made, "inputTemplate", "InputTemplate", "inputPathsMap", "InputPathsMap")
		target.With("InputTransformer", made)
	}
	p.With("Targets", template.ListOf(e.at, target))
}

// generateScheduler makes a schedule of EventBridge Scheduler.
func (s *service) generateScheduler(e event, expression *template.Value, n int) {
	target := template.Map(e.at).With("Arn", getAtt(e.at, e.function.id, "Arn")).With("RoleArn", getAtt(e.at, "IamRoleLambdaExecution", "Arn"))
	copies(e.value, target, "roleArn", "RoleArn")
	target.With("Input", s.input(e))
	p := s.generate(e.at, idOf(e.function.name)+"SchedulerSchedule"+strconv.Itoa(n), "AWS::Scheduler::Schedule").
		With("ScheduleExpression", expression).With("State", s.state(e)).With("Target", target).
		With("FlexibleTimeWindow", template.Map(e.at).With("Mode", text(e.at, "OFF")))
	copies(e.value, p, "name", "Name", "description", "Description", "groupName", "GroupName", "timezone", "ScheduleExpressionTimezone")
}

// generateBridgeSchedule makes the rule of an eventBridge event that has a
// schedule in place of a pattern.
func (s *service) generateBridgeSchedule(e event) {
	expression := e.value.Get("schedule")
	id := plainID(s.name+"-"+s.stage()+"-"+e.function.name+"-rule-"+strconv.Itoa(e.at.Line())) + "EventBridgeRule"
	s.generateRule(e, expression, id)
}

func (s *service) state(e event) *template.Value {
	if enabled := e.value.Get("enabled"); enabled != nil && enabled.Text == "false" {
		return text(enabled.Place, "DISABLED")
	}
	return text(e.at, "ENABLED")
}

// input returns the event of a schedule, which may be a map. The text under body
// is JSON.
func (s *service) input(e event) *template.Value {
	input := e.value.Get("input")
	if input == nil || input.IsScalar() || isCall(input) {
		return input
	}
	if body := input.Get("body"); body.IsScalar() {
		if parsed, _, err := template.ReadValue(s.file, []byte(body.Text)); err == nil && len(body.Text) > 0 && body.Text[0] == '{' {
			return text(input.Place, s.json(s.overlay(input, template.Map(input.Place).With("body", parsed), replace)))
		}
	}
	return text(input.Place, s.json(input))
}
