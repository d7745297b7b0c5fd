package telemetry

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

var began = time.Date(2026, 3, 4, 5, 6, 7, 8_900_000, time.UTC)

// invoked is the end of an invocation that took 12.345 ms.
func invoked(id string, change func(*Event)) Event {
	e := Event{
		Time: began.Add(12345 * time.Microsecond), Kind: Invoked, Function: "f", RequestID: id, Duration: 12345 * time.Microsecond,
		Report: &Report{Billed: Billed(12345*time.Microsecond, 0), MemoryMB: 128, MaxMemoryMB: 34, Status: Success},
	}
	if change != nil {
		change(&e)
	}
	return e
}

func wrote(id, text string) Event {
	return Event{Time: began, Kind: LogLine, Function: "f", RequestID: id, Text: text}
}

func asJSON(e *Event) { e.Logging = &Logging{JSON: true} }

func onlyWarnings(e *Event) { e.Logging = &Logging{JSON: true, WarnOnly: true} }

func with(e Event, change func(*Event)) Event {
	change(&e)
	return e
}

func TestTranscript(t *testing.T) {
	const report = "REPORT RequestId: a\tDuration: 12.35 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB\tMax Memory Used: 34 MB\t"
	for _, tt := range []struct {
		name   string
		events []Event
		want   []string
	}{
		{"an invocation that says nothing", []Event{invoked("a", nil)},
			[]string{"START RequestId: a Version: $LATEST", "END RequestId: a", report}},
		{"lines stand between START and END", []Event{wrote("a", "one"), wrote("a", "two"), invoked("a", nil)},
			[]string{"START RequestId: a Version: $LATEST", "one", "two", "END RequestId: a", report}},
		{"lines of the init phase belong to no invocation", []Event{wrote("", "init"), invoked("a", nil)},
			[]string{"init", "START RequestId: a Version: $LATEST", "END RequestId: a", report}},
		{"a cold start", []Event{invoked("a", func(e *Event) {
			e.Report.Init, e.Report.Billed = 5600*time.Microsecond, Billed(e.Duration, 5600*time.Microsecond)
		})},
			[]string{"START RequestId: a Version: $LATEST", "END RequestId: a",
				"REPORT RequestId: a\tDuration: 12.35 ms\tBilled Duration: 18 ms\tMemory Size: 128 MB\tMax Memory Used: 34 MB\tInit Duration: 5.60 ms\t"}},
		{"a time limit", []Event{invoked("a", func(e *Event) {
			e.Report.Status, e.Report.Message = TimedOut, "2026-03-04T05:06:07.891Z a Task timed out after 3.00 seconds"
		})}, []string{"START RequestId: a Version: $LATEST", "2026-03-04T05:06:07.891Z a Task timed out after 3.00 seconds", "END RequestId: a", report + "Status: timeout"}},
		{"a crash", []Event{invoked("a", func(e *Event) {
			e.Report.Status, e.Report.ErrorType = Errored, "Runtime.ExitError"
			e.Report.Message = "RequestId: a Error: Runtime exited with error: signal: killed\nRuntime.ExitError"
		})}, []string{"START RequestId: a Version: $LATEST", "RequestId: a Error: Runtime exited with error: signal: killed", "Runtime.ExitError", "END RequestId: a",
			report + "Status: error\tError Type: Runtime.ExitError"}},
		{"two invocations at a time", []Event{wrote("a", "of a"), wrote("b", "of b"), invoked("a", nil), wrote("b", "more of b")},
			[]string{"START RequestId: a Version: $LATEST", "of a", "START RequestId: b Version: $LATEST", "of b", "END RequestId: a", report, "more of b"}},
		{"a second attempt with the same id", []Event{wrote("a", "one"), invoked("a", nil), wrote("a", "two")},
			[]string{"START RequestId: a Version: $LATEST", "one", "END RequestId: a", report, "START RequestId: a Version: $LATEST", "two"}},
		{"an invocation that never got to its function", []Event{{Kind: Invoked, RequestID: "a", Failed: true, Text: "Gatepost.NotBuilt: no"}},
			[]string{"Gatepost.NotBuilt: no"}},
		{"memory that is not known", []Event{invoked("a", func(e *Event) { e.Report.MaxMemoryMB = 0 })},
			[]string{"START RequestId: a Version: $LATEST", "END RequestId: a", "REPORT RequestId: a\tDuration: 12.35 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB\t"}},
		{"what is no log", []Event{{Kind: Connected}, {Kind: Posted, Text: "x"}}, nil},
		{"JSON", []Event{with(wrote("a", `{"level":"INFO","message":"<one>"}`), asJSON), invoked("a", asJSON)},
			[]string{`{"time":"2026-03-04T05:06:07.008Z","type":"platform.start","record":{"requestId":"a","version":"$LATEST"}}`,
				`{"level":"INFO","message":"<one>"}`,
				`{"time":"2026-03-04T05:06:07.021Z","type":"platform.report","record":{"requestId":"a","metrics":{"durationMs":12.345,"billedDurationMs":13,"memorySizeMB":128,"maxMemoryUsedMB":34},"status":"success"}}`}},
		{"JSON, a cold start that failed", []Event{invoked("a", func(e *Event) {
			asJSON(e)
			e.Report.Init, e.Report.Status, e.Report.ErrorType, e.Report.Message = 5600*time.Microsecond, Errored, "Runtime.ExitError", "RequestId: a Error"
		})}, []string{`{"time":"2026-03-04T05:06:07.008Z","type":"platform.start","record":{"requestId":"a","version":"$LATEST"}}`,
			`{"time":"2026-03-04T05:06:07.021Z","type":"platform.report","record":{"requestId":"a","metrics":{"durationMs":12.345,"billedDurationMs":13,"memorySizeMB":128,"maxMemoryUsedMB":34,"initDurationMs":5.6},"status":"error","errorType":"Runtime.ExitError"}}`}},
		{"JSON, warnings only", []Event{with(wrote("a", "{}"), onlyWarnings), invoked("a", onlyWarnings)}, []string{"{}"}},
		{"JSON, warnings only, and a failure", []Event{invoked("a", func(e *Event) { onlyWarnings(e); e.Report.Status = TimedOut })},
			[]string{`{"time":"2026-03-04T05:06:07.021Z","type":"platform.report","record":{"requestId":"a","metrics":{"durationMs":12.345,"billedDurationMs":13,"memorySizeMB":128,"maxMemoryUsedMB":34},"status":"timeout"}}`}},
	} {
		var all, next Transcript
		var one []Line
		for _, e := range tt.events {
			one = append(one, next.Next(e)...)
		}
		for way, lines := range map[string][]Line{"at once": all.All(tt.events), "one by one": one} {
			var got []string
			for _, l := range lines {
				got = append(got, l.Message)
				if strings.HasPrefix(l.Message, "{") && !json.Valid([]byte(l.Message)) {
					t.Errorf("%s: no JSON: %s", tt.name, l.Message)
				}
			}
			if got, want := strings.Join(got, "\n"), strings.Join(tt.want, "\n"); got != want {
				t.Errorf("%s, %s:\n%s\nwant\n%s", tt.name, way, got, want)
			}
		}
	}
}

// START has the time at which the event came to the function, where that is
// known already, and not that of the first line.
func TestTimeOfStart(t *testing.T) {
	line := wrote("a", "late")
	line.Time = began.Add(10 * time.Millisecond)
	var all, next Transcript
	if l := all.All([]Event{line, invoked("a", nil)})[0]; l.Type != StartLine || !l.Time.Equal(began) {
		t.Errorf("%+v", l)
	}
	if l := next.Next(line)[0]; l.Type != StartLine || !l.Time.Equal(line.Time) {
		t.Errorf("%+v", l)
	}
	if l := next.Next(invoked("b", nil))[0]; l.Type != StartLine || !l.Time.Equal(began) {
		t.Errorf("%+v", l)
	}
}

// Ends that were missed do not add up.
func TestATranscriptIsBounded(t *testing.T) {
	var log Transcript
	for i := range 3 * maxStarted {
		log.Next(Event{Kind: LogLine, RequestID: time.Duration(i).String()})
	}
	if len(log.started) > maxStarted {
		t.Errorf("%d invocations are waited for", len(log.started))
	}
}

func TestBilled(t *testing.T) {
	for _, tt := range [][3]time.Duration{
		{0, 0, 0},
		{time.Nanosecond, 0, time.Millisecond},
		{2 * time.Millisecond, 0, 2 * time.Millisecond},
		{2*time.Millisecond + 1, 0, 3 * time.Millisecond},
		{3 * time.Second, 476750 * time.Microsecond, 3477 * time.Millisecond},
	} {
		if got := Billed(tt[0], tt[1]); got != tt[2] {
			t.Errorf("%v and a start of %v: %v, want %v", tt[0], tt[1], got, tt[2])
		}
	}
}
