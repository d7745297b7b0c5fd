// Package schedule owns times that come again: the schedule expressions of
// EventBridge rules and of EventBridge Scheduler, when they are next due, and
// the timers that wait for it.
package schedule

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // time zones on machines that have no list of them
)

// Dialect says whose expressions are read.
type Dialect int

// The dialects.
const (
	// Rule is that of AWS::Events::Rule: rate and cron, in UTC.
	Rule Dialect = iota
	// Scheduler is that of AWS::Scheduler::Schedule: rate, cron and at, in a
	// time zone.
	Scheduler
)

// maxExpression is the length of the longest expression, in bytes (API
// reference of PutRule and CreateSchedule).
const maxExpression = 256

// Expression is a schedule expression, compiled. It never changes.
type Expression struct {
	text string
	zone *time.Location
	// One of the three is set.
	rate time.Duration
	cron *cron
	at   time.Time
}

// Parse reads an expression. zone is where cron and at look at the clock; nil
// means UTC. The error names the field that is wrong.
func Parse(text string, d Dialect, zone *time.Location) (*Expression, error) {
	if zone == nil {
		zone = time.UTC
	}
	e := &Expression{text: text, zone: zone}
	name, rest, ok := strings.Cut(text, "(")
	inner, closed := strings.CutSuffix(rest, ")")
	if len(text) > maxExpression || !ok || !closed {
		return nil, e.wrong(d)
	}
	var err error
	switch {
	case name == "rate":
		e.rate, err = parseRate(inner, d)
	case name == "cron":
		e.cron, err = parseCron(inner)
	case name == "at" && d == Scheduler:
		e.at, err = time.ParseInLocation("2006-01-02T15:04:05", inner, zone)
		if err != nil {
			err = errors.New("it must be a time such as at(2030-12-31T23:59:59), without a zone")
		}
	default:
		return nil, e.wrong(d)
	}
	if err != nil {
		return nil, fmt.Errorf("%q: %w", text, err)
	}
	return e, nil
}

func (e *Expression) wrong(d Dialect) error {
	text := e.text
	if len(text) > maxExpression {
		text = text[:maxExpression] + "…"
	}
	forms := "rate(5 minutes) or cron(0 10 * * ? *)"
	if d == Scheduler {
		forms = "rate(5 minutes), cron(0 10 * * ? *) or at(2030-12-31T23:59:59)"
	}
	return fmt.Errorf("%q is not a schedule expression; write %s", text, forms)
}

// LoadZone finds a time zone by its IANA name, such as Europe/Zurich. The
// empty name is UTC.
func LoadZone(name string) (*time.Location, error) {
	if name == "Local" { // Go's own name, which AWS does not have
		name = "?"
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%.60q is not the name of a time zone, such as Europe/Zurich", name)
	}
	return zone, nil
}

// String returns the expression as it was written.
func (e *Expression) String() string { return e.text }

// IsRate reports whether the expression is an interval, whose times depend on
// when it began.
func (e *Expression) IsRate() bool { return e.rate > 0 }

// Next returns the first time that is due after t, and false when there is none
// any more. Of an interval it is t and the interval.
//
// Where the clocks go forward, times that the clock leaves out are left out;
// where they go back, times that come twice are due the first time ("Daylight
// saving time" in the user guide of EventBridge Scheduler).
func (e *Expression) Next(t time.Time) (time.Time, bool) {
	switch {
	case e.rate > 0:
		return t.Add(e.rate), true
	case e.cron != nil:
		return e.cron.next(t, e.zone)
	}
	return e.at, e.at.After(t)
}

// maxRate bounds an interval, so that times stay within what a clock can hold.
const maxRate = 100 * 365 * 24 * time.Hour

// parseRate reads "5 minutes". A rule wants the unit in the singular behind 1
// and in the plural behind all else; Scheduler takes either.
func parseRate(text string, d Dialect) (time.Duration, error) {
	fields := strings.Fields(text)
	if len(fields) != 2 {
		return 0, errors.New("a rate has a value and a unit, such as rate(5 minutes)")
	}
	n, err := strconv.Atoi(fields[0])
	if err != nil || n < 1 || strings.ContainsAny(fields[0], "+-") {
		return 0, fmt.Errorf("the value must be a whole number of 1 or more, not %q", fields[0])
	}
	unit, plural := strings.CutSuffix(fields[1], "s")
	of := map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}[unit]
	switch {
	case of == 0:
		return 0, fmt.Errorf("the unit must be minutes, hours or days, not %q", fields[1])
	case d == Rule && plural != (n > 1):
		return 0, fmt.Errorf("the unit is singular behind 1 and plural behind all else, as AWS wants it, and here it is %q behind %d", fields[1], n)
	case n > int(maxRate/of):
		return 0, fmt.Errorf("the value %d is too large", n)
	}
	return time.Duration(n) * of, nil
}
