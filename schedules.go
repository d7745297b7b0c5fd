package gatepost

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost/internal/aws/sns"
	"github.com/gatepost-dev/gatepost/internal/aws/sqs"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/console"
	"github.com/gatepost-dev/gatepost/internal/jsonpath"
	"github.com/gatepost-dev/gatepost/internal/schedule"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
	"github.com/gatepost-dev/gatepost/internal/uuid"
	"github.com/gatepost-dev/gatepost/stack"
)

// fireWithin bounds what one schedule does at one time.
const fireWithin = 10 * time.Second

// startSchedules starts the timers of the schedules. New has checked their
// expressions.
func (h *house) startSchedules() {
	all := h.stack().Schedules
	for i := range all {
		h.startSchedule(&all[i])
	}
}

// startSchedule starts a schedule's timer, in place of the one that it had.
func (h *house) startSchedule(s *stack.Schedule) {
	if s.Disabled {
		h.tasks.stop(scheduleTask(s))
		return
	}
	dialect := schedule.Rule
	if s.Scheduler {
		dialect = schedule.Scheduler
	}
	zone, err := schedule.LoadZone(s.Timezone)
	if err != nil {
		zone = time.UTC
	}
	expression, err := schedule.Parse(s.Expression, dialect, zone)
	if err != nil {
		h.cfg.Log.Error("a schedule does not run", "schedule", s.Name, "error", err)
		return
	}
	job := schedule.Job{
		Expression: expression, Start: s.Start, End: s.End, AtOnce: s.Scheduler,
		Fire: func(ctx context.Context, due time.Time) { h.fire(ctx, s, due) },
	}
	h.tasks.start(scheduleTask(s), job.Run)
}

func scheduleTask(s *stack.Schedule) string { return "schedule " + s.Name + " " + s.ARN }

// RunSchedule calls the targets of a schedule for the admin API.
func (h *house) RunSchedule(ctx context.Context, name string) ([]console.ScheduleCall, error) {
	s, err := findSchedule(h.stack().Schedules, name)
	if err != nil {
		return nil, err
	}
	return h.fire(ctx, s, time.Now()), nil
}

// findSchedule finds a schedule by its name, its logical id or its ARN.
func findSchedule(all []stack.Schedule, name string) (found *stack.Schedule, err error) {
	var names []string
	for i := range all {
		s := &all[i]
		names = append(names, s.Name)
		switch {
		case s.ARN == name:
			return s, nil
		case s.Name != name && s.LogicalID != name:
		case found != nil:
			return nil, fmt.Errorf("there are several schedules %s; say which one by its ARN: %s or %s", name, found.ARN, s.ARN)
		default:
			found = s
		}
	}
	switch {
	case found != nil:
		return found, nil
	case len(all) == 0:
		return nil, fmt.Errorf("there is no schedule %s; the running template has no schedules", name)
	}
	return nil, fmt.Errorf("there is no schedule %s; there are: %s", name, strings.Join(names, ", "))
}

// fire calls the targets of a schedule, and tells the feed.
func (h *house) fire(ctx context.Context, s *stack.Schedule, due time.Time) (calls []console.ScheduleCall) {
	ctx, cancel := context.WithTimeout(ctx, fireWithin)
	defer cancel()
	for _, t := range s.Targets {
		call := console.ScheduleCall{Target: t.ARN}
		started := time.Now()
		err := h.callTarget(ctx, t, scheduledEvent(s, t, due, h.cfg.Stack))
		e := telemetry.Event{Kind: telemetry.Delivered, Source: s.ARN, Function: lastOf(t.ARN), Duration: time.Since(started), Text: "scheduled"}
		if err != nil {
			call.Error = err.Error()
			e.Failed, e.Text = true, "scheduled, but the target could not be called: "+err.Error()
			h.cfg.Log.Error("a schedule's target could not be called", "schedule", s.Name, "target", t.ARN, "error", err)
		}
		h.feed.Record(e)
		calls = append(calls, call)
	}
	return calls
}

func lastOf(arn string) string { return arn[strings.LastIndexByte(arn, ':')+1:] }

// callTarget hands an event to a function's queue of asynchronous invocations, a
// queue or a topic.
func (h *house) callTarget(ctx context.Context, t stack.ScheduleTarget, event []byte) error {
	switch {
	case strings.HasPrefix(t.ARN, "arn:aws:lambda:"):
		return h.lambda.InvokeAsync(ctx, t.ARN, event)
	case strings.HasPrefix(t.ARN, "arn:aws:sns:"):
		_, err := h.topics.Publish(ctx, t.ARN, sns.Message{Body: string(event)})
		return err
	}
	return h.queueSender().Send(ctx, t.ARN, sqs.Outgoing{Body: string(event), GroupID: t.MessageGroupID, Sender: "events.amazonaws.com"})
}

// awsEvent is an event of EventBridge ("Amazon EventBridge event structure" in
// its user guide).
type awsEvent struct {
	Version    string          `json:"version"`
	ID         string          `json:"id"`
	DetailType string          `json:"detail-type"`
	Source     string          `json:"source"`
	Account    string          `json:"account"`
	Time       string          `json:"time"`
	Region     string          `json:"region"`
	Resources  []string        `json:"resources"`
	Detail     json.RawMessage `json:"detail"`
}

// scheduledEvent is what a target gets: its Input, or the event of the time that
// was due.
func scheduledEvent(s *stack.Schedule, t stack.ScheduleTarget, due time.Time, in *stack.Stack) []byte {
	at := due.UTC().Format("2006-01-02T15:04:05Z")
	if t.Input != "" {
		if !s.Scheduler {
			return []byte(t.Input)
		}
		return []byte(strings.NewReplacer("<aws.scheduler.schedule-arn>", s.ARN, "<aws.scheduler.scheduled-time>", at,
			"<aws.scheduler.execution-id>", strings.ReplaceAll(uuid.New(), "-", "")[:16], "<aws.scheduler.attempt-number>", "1").Replace(t.Input))
	}
	e := awsEvent{
		Version: "0", ID: uuid.New(), DetailType: "Scheduled Event", Source: "aws.events", Account: in.Account, Time: at, Region: in.Region,
		Resources: []string{s.ARN}, Detail: json.RawMessage("{}"),
	}
	if s.Scheduler {
		e.Source, e.Detail = "aws.scheduler", json.RawMessage(`"{}"`)
	}
	text := bytes.TrimSpace(awswire.MarshalJSON(e))
	switch {
	case t.InputPath != "":
		return part(text, t.InputPath)
	case t.Transformer != nil:
		return transformed(text, s.ARN, *t.Transformer)
	}
	return text
}

// transformed is what a target's InputTransformer makes of an event. The
// template has been read before, when the stack was validated.
func transformed(event []byte, arn string, by stack.InputTransformer) []byte {
	x, err := schedule.NewTransformer(by.Paths, by.Template)
	if err != nil {
		return event
	}
	text, err := x.Apply(arn, event)
	if err != nil {
		return event
	}
	return text
}

// part is what InputPath takes of an event; where it leads nowhere that is
// nothing, as {}.
func part(event []byte, inputPath string) []byte {
	path, err := jsonpath.Compile(inputPath)
	if err != nil {
		return event
	}
	found, ok, err := path.SelectBytes(event)
	if err != nil || !ok {
		return fmt.Append(nil, "{}")
	}
	return found.JSON()
}
