package schedule

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cron is a cron expression of six fields ("Cron expressions reference" in the
// EventBridge user guide).
type cron struct {
	minutes, hours, months, years set
	days                          dayRule
}

// The years that cron expressions know.
const (
	firstYear = 1970
	lastYear  = 2199
)

// set holds the values of a field, by their distance from the field's lowest.
type set struct {
	low  int
	have []bool
}

func (s set) has(n int) bool { return n >= s.low && n-s.low < len(s.have) && s.have[n-s.low] }

// dayRule says which days of a month are meant, by day of the month or by day
// of the week, the other one being "?".
type dayRule struct {
	// ofMonth and ofWeek are plain values; one of them is used unless a special
	// form below is.
	ofMonth, ofWeek *set
	last            bool // L: the last day of the month
	lastWorkday     bool // LW: the last day from Monday to Friday
	nearest         int  // 15W: the day from Monday to Friday that is nearest to the 15th
	lastOf          int  // 6L: the last Friday; days of the week from 1, Sunday
	nth, nthOf      int  // 6#3: the third Friday
}

// fieldRule describes one field for the reader.
type fieldRule struct {
	name      string
	low, high int
	names     []string // of the values from low
	wraps     bool     // a range may go past the end: FRI-MON
}

var (
	minuteField  = fieldRule{"Minutes", 0, 59, nil, true}
	hourField    = fieldRule{"Hours", 0, 23, nil, true}
	monthDay     = fieldRule{"Day-of-month", 1, 31, nil, true}
	monthField   = fieldRule{"Month", 1, 12, []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}, true}
	weekDay      = fieldRule{"Day-of-week", 1, 7, []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}, true}
	yearField    = fieldRule{"Year", firstYear, lastYear, nil, false}
	fieldsInWord = "minutes, hours, day of month, month, day of week and year"
)

func parseCron(text string) (*cron, error) {
	fields := strings.Fields(text)
	if len(fields) != 6 {
		return nil, fmt.Errorf("a cron expression has six fields (%s), and this one has %d", fieldsInWord, len(fields))
	}
	c := new(cron)
	var err error
	for _, f := range []struct {
		rule fieldRule
		text string
		to   *set
	}{{minuteField, fields[0], &c.minutes}, {hourField, fields[1], &c.hours}, {monthField, fields[3], &c.months}, {yearField, fields[5], &c.years}} {
		if *f.to, err = f.rule.parse(f.text); err != nil {
			return nil, err
		}
	}
	c.days, err = parseDays(fields[2], fields[4])
	return c, err
}

func parseDays(ofMonth, ofWeek string) (r dayRule, err error) {
	switch {
	case ofMonth == "?" && ofWeek == "?":
		return r, fmt.Errorf("one of Day-of-month and Day-of-week is ?, and not both")
	case ofMonth != "?" && ofWeek != "?":
		return r, fmt.Errorf("one of Day-of-month and Day-of-week must be ?, as AWS wants it; they are %q and %q", ofMonth, ofWeek)
	case ofWeek == "?":
		return parseMonthDay(ofMonth)
	}
	return parseWeekDay(ofWeek)
}

func parseMonthDay(text string) (r dayRule, err error) {
	upper := strings.ToUpper(text)
	day, isNearest := strings.CutSuffix(upper, "W")
	switch {
	case upper == "L":
		r.last = true
	case upper == "LW":
		r.lastWorkday = true
	case isNearest:
		r.nearest, err = monthDay.value(day, text)
	default:
		var days set
		days, err = monthDay.parse(text)
		r.ofMonth = &days
	}
	return r, err
}

func parseWeekDay(text string) (r dayRule, err error) {
	upper := strings.ToUpper(text)
	day, isLast := strings.CutSuffix(upper, "L")
	of, nth, isNth := strings.Cut(upper, "#")
	switch {
	case upper == "L":
		days, _ := weekDay.parse("SAT") // the last day of the week
		r.ofWeek = &days
	case isLast:
		r.lastOf, err = weekDay.value(day, text)
	case isNth:
		if r.nthOf, err = weekDay.value(of, text); err != nil {
			return r, err
		}
		if r.nth, err = strconv.Atoi(nth); err != nil || r.nth < 1 || r.nth > 5 {
			return r, weekDay.wrong(text, "behind # stands which one of the month it is, from 1 to 5")
		}
	default:
		var days set
		days, err = weekDay.parse(text)
		r.ofWeek = &days
	}
	return r, err
}

func (f fieldRule) wrong(text, why string) error {
	return fmt.Errorf("the field %s is %q: %s", f.name, text, why)
}

// parse reads values, names, ranges and steps, with commas between them.
func (f fieldRule) parse(text string) (set, error) {
	s := set{low: f.low, have: make([]bool, f.high-f.low+1)}
	for part := range strings.SplitSeq(text, ",") {
		if err := f.add(&s, part, text); err != nil {
			return s, err
		}
	}
	return s, nil
}

// add adds one part: "*", "5", "MON-FRI", "0/15", "*/5" or "8-17/2".
func (f fieldRule) add(s *set, part, text string) error {
	values, stepText, stepped := strings.Cut(part, "/")
	step := 1
	if stepped {
		var err error
		if step, err = strconv.Atoi(stepText); err != nil || step < 1 || step > f.high-f.low+1 {
			return f.wrong(text, fmt.Sprintf("behind / stands a step from 1 to %d", f.high-f.low+1))
		}
	}
	low, high, err := f.bounds(values, stepped, text)
	if err != nil {
		return err
	}
	if high < low {
		high += len(s.have)
	}
	for n := low; n <= high; n += step {
		s.have[(n-f.low)%len(s.have)] = true
	}
	return nil
}

// bounds reads what stands before the slash. A single value with a step goes on
// to the end of the field.
func (f fieldRule) bounds(values string, stepped bool, text string) (low, high int, err error) {
	from, to, isRange := strings.Cut(values, "-")
	if values == "*" {
		return f.low, f.high, nil
	}
	if low, err = f.value(from, text); err != nil {
		return 0, 0, err
	}
	switch {
	case isRange:
		if high, err = f.value(to, text); err != nil {
			return 0, 0, err
		}
	case stepped:
		high = f.high
	default:
		high = low
	}
	if high < low && !f.wraps {
		return 0, 0, f.wrong(text, "a range goes from the lower to the higher value")
	}
	return low, high, nil
}

// value reads one value of the field, a number or a name.
func (f fieldRule) value(word, text string) (int, error) {
	if i := slices.Index(f.names, strings.ToUpper(word)); i >= 0 {
		return f.low + i, nil
	}
	n, err := strconv.Atoi(word)
	if err == nil && n >= f.low && n <= f.high && word[0] != '+' {
		return n, nil
	}
	what := fmt.Sprintf("it takes %d-%d", f.low, f.high)
	if f.names != nil {
		what += fmt.Sprintf(" or %s-%s", f.names[0], f.names[len(f.names)-1])
	}
	return 0, f.wrong(text, what)
}

// next looks for the first due minute after t, day by day.
func (c *cron) next(t time.Time, zone *time.Location) (time.Time, bool) {
	local := t.In(zone)
	year, month, day := local.Date()
	if year < firstYear {
		year, month, day = firstYear, time.January, 1
	}
	for ; year <= lastYear; year, month, day = year+1, time.January, 1 {
		if !c.years.has(year) {
			continue
		}
		for ; month <= time.December; month, day = month+1, 1 {
			if !c.months.has(int(month)) {
				continue
			}
			for ; day <= daysIn(year, month); day++ {
				if !c.days.has(year, month, day) {
					continue
				}
				if due, ok := c.within(year, month, day, t, zone); ok {
					return due, true
				}
			}
		}
	}
	return time.Time{}, false
}

// within looks for the first due minute of a day that is after t. What the clock
// shows later is later, as of two times that show the same the first counts.
func (c *cron) within(year int, month time.Month, day int, t time.Time, zone *time.Location) (time.Time, bool) {
	for hour := range 24 {
		if !c.hours.has(hour) {
			continue
		}
		for minute := range 60 {
			if !c.minutes.has(minute) {
				continue
			}
			if due, exists := wallClock(year, month, day, hour, minute, zone); exists && due.After(t) {
				return due, true
			}
		}
	}
	return time.Time{}, false
}

// wallClock returns the first time at which the clocks of a zone show this, and
// false when they never do.
func wallClock(year int, month time.Month, day, hour, minute int, zone *time.Location) (time.Time, bool) {
	t := time.Date(year, month, day, hour, minute, 0, 0, zone)
	if t.Hour() != hour || t.Minute() != minute {
		return t, false
	}
	for _, back := range []time.Duration{30 * time.Minute, time.Hour, 2 * time.Hour} {
		if earlier := t.Add(-back); earlier.Hour() == hour && earlier.Minute() == minute && earlier.Day() == day {
			return earlier, true
		}
	}
	return t, true
}

func daysIn(year int, month time.Month) int {
	return time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// weekdayOf counts from 1, Sunday, as cron expressions do.
func weekdayOf(year int, month time.Month, day int) int {
	return int(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Weekday()) + 1
}

const saturday, sunday = 7, 1

func (r dayRule) has(year int, month time.Month, day int) bool {
	days := daysIn(year, month)
	weekday := weekdayOf(year, month, day)
	switch {
	case r.ofMonth != nil:
		return r.ofMonth.has(day)
	case r.ofWeek != nil:
		return r.ofWeek.has(weekday)
	case r.last:
		return day == days
	case r.lastWorkday:
		return day == nearestWorkday(year, month, days, days)
	case r.nearest > 0:
		return r.nearest <= days && day == nearestWorkday(year, month, r.nearest, days)
	case r.lastOf > 0:
		return weekday == r.lastOf && day > days-7
	}
	return weekday == r.nthOf && (day-1)/7+1 == r.nth
}

// nearestWorkday is the day from Monday to Friday that is nearest to a day, in
// the same month.
func nearestWorkday(year int, month time.Month, day, days int) int {
	switch weekdayOf(year, month, day) {
	case saturday:
		if day == 1 {
			return 3
		}
		return day - 1
	case sunday:
		if day == days {
			return day - 2
		}
		return day + 1
	}
	return day
}
