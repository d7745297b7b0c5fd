package stack

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost/internal/pattern"
	"github.com/gatepost-dev/gatepost/internal/schedule"
)

func (v *validation) mappings() {
	queues := set(collect(v.stack.Queues, func(q *Queue) string { return q.ARN }))
	functions := set(collect(v.stack.Functions, func(f *Function) string { return f.Name }))
	for i := range v.stack.Mappings {
		m := &v.stack.Mappings[i]
		of := "event source mapping " + cmp.Or(m.LogicalID, m.SourceARN+" -> "+m.Function)
		if !functions[m.Function] {
			v.addf("%s: its function %q is not a function of this stack", of, m.Function)
		}
		v.inRange(of, "the batch size", m.BatchSize, 1, 10000)
		v.durationInRange(of, "the batching window", m.Window, 0, 300*time.Second)
		for i, text := range m.Filters {
			if _, err := pattern.Parse(text); err != nil {
				v.addf("%s: filter %d: %w", of, i+1, err)
			}
		}
		if m.Stream != nil {
			v.streamMapping(of, m)
			continue
		}
		if !queues[m.SourceARN] {
			v.addf("%s: its source %q is not a queue of this stack", of, m.SourceARN)
		}
		if m.BatchSize > 10 && m.Window < time.Second {
			v.addf("%s: a batch size above 10 needs a batching window of 1 s or more", of)
		}
		if m.MaxConcurrency != 0 {
			v.inRange(of, "the concurrency", m.MaxConcurrency, 2, 1000)
		}
	}
}

func (v *validation) streamMapping(of string, m *EventSourceMapping) {
	s := m.Stream
	ofTable := slices.ContainsFunc(v.stack.Tables, func(t Table) bool { return t.ARN != "" && strings.HasPrefix(m.SourceARN, t.ARN+"/stream/") })
	if !ofTable && v.stack.StreamByARN(m.SourceARN) == nil {
		v.addf("%s: its source %q is neither a data stream nor the stream of a table of this stack", of, m.SourceARN)
	}
	v.oneOf(of, "the starting position", s.StartingPosition, []string{"", "TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"})
	if s.StartingPosition == "" {
		v.addf("%s: the starting position is missing; it is TRIM_HORIZON or LATEST", of)
	}
	if s.StartingPosition == "AT_TIMESTAMP" && !strings.HasPrefix(m.SourceARN, "arn:aws:kinesis:") {
		v.addf("%s: only streams of Kinesis have the starting position AT_TIMESTAMP", of)
	}
	v.inRange(of, "the number of retries", s.MaxRetries, -1, 10000)
	v.inRange(of, "the parallelization factor", s.Parallelization, 1, 10)
	if s.MaxRecordAge != 0 {
		v.durationInRange(of, "the age of a record", s.MaxRecordAge, time.Minute, 7*24*time.Hour)
	}
	if s.OnFailure != "" && v.stack.QueueByARN(s.OnFailure) == nil && v.stack.TopicByARN(s.OnFailure) == nil {
		v.addf("%s: the destination on failure, %q, is not a queue or topic of this stack", of, s.OnFailure)
	}
}

func (v *validation) schedules() {
	for i := range v.stack.Schedules {
		s := &v.stack.Schedules[i]
		of := "schedule " + cmp.Or(s.Name, s.LogicalID, s.Expression)
		dialect := schedule.Rule
		if s.Scheduler {
			dialect = schedule.Scheduler
		}
		zone, err := schedule.LoadZone(s.Timezone)
		if err != nil {
			v.addf("%s: %w", of, err)
		}
		if _, err := schedule.Parse(s.Expression, dialect, zone); err != nil {
			v.addf("%s: %w", of, err)
		}
		for _, t := range s.Targets {
			if v.stack.QueueByARN(t.ARN) == nil && v.stack.TopicByARN(t.ARN) == nil && !v.isFunction(t.ARN) {
				v.addf("%s: its target %q is not a function, queue or topic of this stack", of, t.ARN)
			}
			if x := t.Transformer; x != nil {
				if _, err := schedule.NewTransformer(x.Paths, x.Template); err != nil {
					v.addf("%s: its InputTransformer: %w", of, err)
				}
			}
		}
	}
}
