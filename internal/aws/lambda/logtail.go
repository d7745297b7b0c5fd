package lambda

import (
	"fmt"
	"strings"
	"time"
)

// maxTail is how much of an invocation's log the caller gets, in bytes: the end.
const maxTail = 4 << 10

// tail is what Lambda returns with the log type Tail: the end of what the
// invocation logged, with the platform's own lines.
func (s *Service) tail(f Function, requestID string, took time.Duration) []byte {
	var t Trace
	if s.config.Logs != nil {
		t = s.config.Logs.Trace(requestID)
	}
	if t.Duration == 0 {
		t.Duration = took
	}
	text := logOf(f, requestID, t)
	return []byte(text[max(0, len(text)-maxTail):])
}

func logOf(f Function, requestID string, t Trace) string {
	var b strings.Builder
	for _, line := range t.Lines {
		b.WriteString(line)
		b.WriteByte('\n')
	}
	if strings.Contains(b.String(), "REPORT RequestId: "+requestID) {
		return b.String() // the host has written the platform's lines itself
	}
	return fmt.Sprintf("START RequestId: %s Version: %s\n%sEND RequestId: %s\n%s", requestID, latest, b.String(), requestID, report(f, requestID, t))
}

// report is the line with which Lambda ends an invocation's log. Its parts are
// separated by tabs. Lambda bills whole milliseconds, the start of the sandbox
// among them.
func report(f Function, requestID string, t Trace) string {
	var b strings.Builder
	fmt.Fprintf(&b, "REPORT RequestId: %s\tDuration: %s ms\tBilled Duration: %d ms\tMemory Size: %d MB\t",
		requestID, milliseconds(t.Duration), (t.Duration+t.Init+time.Millisecond-1)/time.Millisecond, f.MemoryMB)
	if t.MaxMemoryMB > 0 {
		fmt.Fprintf(&b, "Max Memory Used: %d MB\t", t.MaxMemoryMB)
	}
	if t.Init > 0 {
		fmt.Fprintf(&b, "Init Duration: %s ms\t", milliseconds(t.Init))
	}
	return b.String() + "\n"
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.2f", float64(d)/float64(time.Millisecond))
}
