package function

import (
	"time"

	"github.com/gatepost-dev/gatepost/internal/telemetry"
)

// report returns what the platform tells of an invocation that has ended, or nil
// when it never got as far as the function. A nil sandbox means that no process
// had it.
func (f *function) report(s *sandbox, inv *invocation, took time.Duration, now time.Time, why *failure) *telemetry.Report {
	if inv.begun.IsZero() {
		return nil
	}
	r := &telemetry.Report{
		Init: inv.cold, Billed: telemetry.Billed(took, inv.cold), MemoryMB: f.spec.MemoryMB, Status: telemetry.Success,
	}
	if s != nil {
		r.MaxMemoryMB = s.memoryMB(took, now)
	}
	if why != nil {
		r.Status, r.ErrorType, r.Message = f.outcome(inv, why)
	}
	return r
}

// outcome returns how a failure stands in the report, and what Lambda writes
// into the log of an invocation that it had to end. What a runtime posts it has
// written there itself.
func (f *function) outcome(inv *invocation, why *failure) (status telemetry.Status, errorType, message string) {
	e, ok := inv.err.(*Error)
	if !ok { // refused: no function had it
		return telemetry.Errored, "", inv.err.Error()
	}
	switch e.Type {
	case typeTimeout:
		return telemetry.TimedOut, e.Type, e.Message
	case typeExit, typeEntrypoint, typeStorage:
		return telemetry.Errored, e.Type, e.Message + "\n" + e.Type
	}
	if why.payload == nil {
		message = e.Message
	}
	return telemetry.Errored, e.Type, message
}
