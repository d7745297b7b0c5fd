package lambda

import (
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost/internal/telemetry"
)

// maxTail is how much of an invocation's log the caller gets, in bytes: the end.
const maxTail = 4 << 10

// tail is what Lambda returns with the log type Tail: the end of what the
// invocation logged, with the platform's own lines.
func (s *Service) tail(f Function, requestID string, took time.Duration) []byte {
	var events []telemetry.Event
	if s.config.Logs != nil {
		events = s.config.Logs.Trace(requestID)
	}
	if n := len(events); n == 0 || events[n-1].Kind != telemetry.Invoked {
		// Nothing is known of its end but what the caller knows too.
		events = append(events, telemetry.Event{
			Time: time.Now(), Kind: telemetry.Invoked, RequestID: requestID, Duration: took,
			Report: &telemetry.Report{Billed: telemetry.Billed(took, 0), MemoryMB: f.MemoryMB, Status: telemetry.Success},
		})
	}
	var text strings.Builder
	var log telemetry.Transcript
	for _, line := range log.All(events) {
		text.WriteString(line.Message)
		text.WriteByte('\n')
	}
	return []byte(text.String()[max(0, text.Len()-maxTail):])
}
