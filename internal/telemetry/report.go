package telemetry

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Report is what the platform tells of an invocation once it has ended: the
// numbers of Lambda's REPORT line.
type Report struct {
	// Init is how long the sandbox took to start, for the first event that it
	// got; zero for all others, which find it warm.
	Init time.Duration `json:"init,omitempty"`
	// Billed is what Lambda would bill: whole milliseconds, a start included.
	Billed time.Duration `json:"billed"`
	// MemoryMB is the function's MemorySize. MaxMemoryMB is the most memory that
	// the sandbox has used so far, of all its invocations, as on Lambda; zero
	// when that is not known.
	MemoryMB    int `json:"memoryMB"`
	MaxMemoryMB int `json:"maxMemoryMB,omitempty"`
	// Status is "success", "error" or "timeout".
	Status Status `json:"status"`
	// ErrorType is errorType of the answer.
	ErrorType string `json:"errorType,omitempty"`
	// Message is what the platform itself writes into the log of an invocation
	// that it had to end; "" when the function has spoken for itself.
	Message string `json:"message,omitempty"`
}

// Cold reports whether a sandbox had to be started for the invocation.
func (r *Report) Cold() bool { return r.Init > 0 }

// Status is how an invocation ended, in the words of Lambda's platform.report.
type Status string

// The outcomes of an invocation.
const (
	Success  Status = "success"
	Errored  Status = "error"
	TimedOut Status = "timeout"
)

// Logging is how a function logs: LoggingConfig of the template.
type Logging struct {
	// JSON says that the platform writes JSON objects in place of the lines
	// START, END and REPORT.
	JSON bool
	// WarnOnly says that it writes only those of failed invocations (JSON, and
	// the SystemLogLevel WARN).
	WarnOnly bool
}

// Billed is the duration that Lambda bills: whole milliseconds, rounded up, the
// start of the sandbox among them.
func Billed(duration, init time.Duration) time.Duration {
	return (duration + init + time.Millisecond - 1).Truncate(time.Millisecond)
}

// version is the only one that functions have.
const version = "$LATEST"

// The platform's lines, as Lambda writes them in its text format.

func startText(id string) string { return "START RequestId: " + id + " Version: " + version }

func endText(id string) string { return "END RequestId: " + id }

// reportText is the line with which Lambda ends an invocation's log. Tabs stand
// between its parts, and one behind the last unless a status follows.
func reportText(e *Event) string {
	var b strings.Builder
	fmt.Fprintf(&b, "REPORT RequestId: %s\tDuration: %.2f ms\tBilled Duration: %d ms\tMemory Size: %d MB\t",
		e.RequestID, milliseconds(e.Duration), e.Report.Billed.Milliseconds(), e.Report.MemoryMB)
	if e.Report.MaxMemoryMB > 0 {
		fmt.Fprintf(&b, "Max Memory Used: %d MB\t", e.Report.MaxMemoryMB)
	}
	if e.Report.Cold() {
		fmt.Fprintf(&b, "Init Duration: %.2f ms\t", milliseconds(e.Report.Init))
	}
	switch e.Report.Status {
	case TimedOut:
		b.WriteString("Status: timeout")
	case Errored:
		b.WriteString("Status: error\tError Type: " + e.Report.ErrorType)
	}
	return b.String()
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// record is a platform event of Lambda's JSON log format ("Lambda Telemetry API
// Event schema reference": platform.start, platform.report).
type record struct {
	Time   string `json:"time"`
	Type   string `json:"type"`
	Record any    `json:"record"`
}

type startRecord struct {
	RequestID string `json:"requestId"`
	Version   string `json:"version"`
}

// ReportRecord is the record of a platform.report event.
type ReportRecord struct {
	RequestID string        `json:"requestId"`
	Metrics   ReportMetrics `json:"metrics"`
	Status    Status        `json:"status"`
	ErrorType string        `json:"errorType,omitempty"`
}

// ReportMetrics are the numbers of a platform.report event.
type ReportMetrics struct {
	DurationMS       float64 `json:"durationMs"`
	BilledDurationMS int64   `json:"billedDurationMs"`
	MemorySizeMB     int     `json:"memorySizeMB"`
	MaxMemoryUsedMB  int     `json:"maxMemoryUsedMB,omitempty"`
	InitDurationMS   float64 `json:"initDurationMs,omitempty"`
}

func reportRecord(e *Event) *ReportRecord {
	micro := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return &ReportRecord{
		RequestID: e.RequestID, Status: e.Report.Status, ErrorType: e.Report.ErrorType,
		Metrics: ReportMetrics{
			DurationMS: micro(e.Duration), BilledDurationMS: e.Report.Billed.Milliseconds(), MemorySizeMB: e.Report.MemoryMB,
			MaxMemoryUsedMB: e.Report.MaxMemoryMB, InitDurationMS: micro(e.Report.Init),
		},
	}
}

// jsonText writes a platform event as one line.
func jsonText(at time.Time, typ string, content any) string {
	// Texts and finite numbers always marshal.
	line, _ := json.Marshal(record{Time: at.UTC().Format("2006-01-02T15:04:05.000Z"), Type: typ, Record: content})
	return string(line)
}
