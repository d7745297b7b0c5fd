package telemetry

import (
	"strings"
	"time"
)

// LineType says who wrote a Line, in the words of Lambda's telemetry.
type LineType string

// The types of lines. An end is of the text format only.
const (
	FunctionLine LineType = "function"
	StartLine    LineType = "platform.start"
	EndLine      LineType = "platform.end"
	ReportLine   LineType = "platform.report"
	// FaultLine is what the platform says of an invocation that it had to end,
	// or of one that never got as far as its function.
	FaultLine LineType = "platform.fault"
)

// Line is one line of a function's log as it would stand in CloudWatch.
type Line struct {
	Time      time.Time `json:"time"`
	Function  string    `json:"function,omitempty"`
	RequestID string    `json:"requestId,omitempty"`
	Type      LineType  `json:"type"`
	Message   string    `json:"message"`
	// Record has a report's numbers.
	Record *ReportRecord `json:"record,omitempty"`
}

// Transcript turns events into the lines of functions' logs: it puts START
// before an invocation's first line, and END and REPORT after its last. It is
// for one goroutine.
type Transcript struct {
	started map[string]struct{} // the ids of invocations whose START is out
}

// maxStarted bounds the invocations whose end a Transcript waits for. There are
// that many only when ends were missed: then it forgets all of them.
const maxStarted = 10_000

// All returns the lines of events that belong together, oldest first. Unlike
// Next it knows when an invocation began that ended later.
func (t *Transcript) All(events []Event) []Line {
	begun := make(map[string]time.Time)
	for i := range events {
		if e := &events[i]; e.Kind == Invoked {
			begun[e.RequestID] = e.Time.Add(-e.Duration)
		}
	}
	var lines []Line
	for i := range events {
		lines = t.next(lines, &events[i], begun)
	}
	return lines
}

// Next returns the lines of the next event: none for one that is no part of a
// function's log.
func (t *Transcript) Next(e Event) []Line { return t.next(nil, &e, nil) }

func (t *Transcript) next(lines []Line, e *Event, begun map[string]time.Time) []Line {
	switch e.Kind {
	case LogLine:
		if e.RequestID != "" {
			at, known := begun[e.RequestID]
			if !known || at.After(e.Time) {
				at = e.Time
			}
			lines = t.start(lines, e, at)
		}
		return append(lines, e.line(FunctionLine, e.Text))
	case Invoked:
		return t.end(lines, e)
	}
	return lines
}

// start adds the START of an invocation that has none yet.
func (t *Transcript) start(lines []Line, e *Event, at time.Time) []Line {
	if _, out := t.started[e.RequestID]; out {
		return lines
	}
	if t.started == nil || len(t.started) >= maxStarted {
		t.started = make(map[string]struct{})
	}
	t.started[e.RequestID] = struct{}{}
	l := e.line(StartLine, startText(e.RequestID))
	l.Time = at
	if e.Logging != nil && e.Logging.JSON {
		if e.Logging.WarnOnly {
			return lines
		}
		l.Message = jsonText(at, string(StartLine), startRecord{e.RequestID, version})
	}
	return append(lines, l)
}

// end adds what follows an invocation's last line.
func (t *Transcript) end(lines []Line, e *Event) []Line {
	if e.Report == nil { // it never got as far as the function
		if e.Failed {
			lines = append(lines, e.line(FaultLine, e.Text))
		}
		return lines
	}
	lines = t.start(lines, e, e.Time.Add(-e.Duration))
	delete(t.started, e.RequestID)
	report := e.line(ReportLine, "")
	report.Record = reportRecord(e)
	if e.Logging != nil && e.Logging.JSON {
		if e.Logging.WarnOnly && e.Report.Status == Success {
			return lines
		}
		report.Message = jsonText(e.Time, string(ReportLine), report.Record)
		return append(lines, report)
	}
	if e.Report.Message != "" {
		for text := range strings.SplitSeq(e.Report.Message, "\n") {
			lines = append(lines, e.line(FaultLine, text))
		}
	}
	report.Message = reportText(e)
	return append(lines, e.line(EndLine, endText(e.RequestID)), report)
}

func (e *Event) line(typ LineType, message string) Line {
	return Line{Time: e.Time, Function: e.Function, RequestID: e.RequestID, Type: typ, Message: message}
}
