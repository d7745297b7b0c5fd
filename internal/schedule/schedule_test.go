package schedule

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// times returns the next n due times after a start, in the zone.
func times(t *testing.T, e *Expression, after string, n int) []string {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04", after, e.zone)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for range n {
		next, ok := e.Next(at)
		if !ok {
			return append(all, "never")
		}
		all = append(all, next.In(e.zone).Format("Mon 2006-01-02 15:04"))
		at = next
	}
	return all
}

// TestExpressionsOfTheUserGuide has the examples of "Cron expressions
// reference" and "Rate expressions", and the wildcards that it explains.
func TestExpressionsOfTheUserGuide(t *testing.T) {
	for _, c := range []struct{ expression, after, want string }{
		{"cron(0 10 * * ? *)", "2026-11-20 10:00", "Sat 2026-11-21 10:00, Sun 2026-11-22 10:00"},
		{"cron(15 12 * * ? *)", "2026-11-20 12:14", "Fri 2026-11-20 12:15, Sat 2026-11-21 12:15"},
		{"cron(0 18 ? * MON-FRI *)", "2026-11-20 12:00", "Fri 2026-11-20 18:00, Mon 2026-11-23 18:00"},
		{"cron(0 8 1 * ? *)", "2026-11-20 12:00", "Tue 2026-12-01 08:00, Fri 2027-01-01 08:00"},
		{"cron(0/15 * * * ? *)", "2026-11-20 12:50", "Fri 2026-11-20 13:00, Fri 2026-11-20 13:15"},
		{"cron(0/10 * ? * MON-FRI *)", "2026-11-20 23:45", "Fri 2026-11-20 23:50, Mon 2026-11-23 00:00"},
		{"cron(0/5 8-17 ? * MON-FRI *)", "2026-11-20 17:50", "Fri 2026-11-20 17:55, Mon 2026-11-23 08:00"},
		{"cron(0/30 20-2 ? * MON-FRI *)", "2026-11-20 02:00", "Fri 2026-11-20 02:30, Fri 2026-11-20 20:00"},
		{"cron(1/10 * * * ? *)", "2026-11-20 12:00", "Fri 2026-11-20 12:01, Fri 2026-11-20 12:11"},
		{"cron(0 0 1 JAN,FEB,MAR ? *)", "2026-11-20 12:00", "Fri 2027-01-01 00:00, Mon 2027-02-01 00:00"},
		{"cron(0 9 ? * 3#2 *)", "2026-11-20 12:00", "Tue 2026-12-08 09:00, Tue 2027-01-12 09:00"},
		{"cron(0 10 ? * 6L 2026-2027)", "2026-11-20 12:00", "Fri 2026-11-27 10:00, Fri 2026-12-25 10:00"},
		{"cron(0 9 ? * tue#5 *)", "2026-11-20 12:00", "Tue 2026-12-29 09:00, Tue 2027-03-30 09:00"},
		{"cron(0 0 L * ? *)", "2026-11-30 12:00", "Thu 2026-12-31 00:00, Sun 2027-01-31 00:00"},
		{"cron(0 0 L 2 ? *)", "2026-11-30 12:00", "Sun 2027-02-28 00:00, Tue 2028-02-29 00:00"},
		{"cron(0 0 LW * ? *)", "2027-01-01 12:00", "Fri 2027-01-29 00:00, Fri 2027-02-26 00:00"},
		{"cron(0 0 ? * L *)", "2026-11-20 12:00", "Sat 2026-11-21 00:00, Sat 2026-11-28 00:00"},
		{"cron(0 0 3W * ? *)", "2026-10-01 12:00", "Fri 2026-10-02 00:00, Tue 2026-11-03 00:00"},
		{"cron(0 0 1W * ? *)", "2026-07-31 12:00", "Mon 2026-08-03 00:00, Tue 2026-09-01 00:00"},
		{"cron(0 0 31W * ? *)", "2027-01-01 12:00", "Fri 2027-01-29 00:00, Wed 2027-03-31 00:00"},
		{"cron(0 0 ? * FRI-MON *)", "2026-11-20 12:00", "Sat 2026-11-21 00:00, Sun 2026-11-22 00:00, Mon 2026-11-23 00:00, Fri 2026-11-27 00:00"},
		{"cron(0 0 1 1 ? 2030)", "2026-11-20 12:00", "Tue 2030-01-01 00:00, never"},
		{"cron(0 0 29 2 ? 2027/2)", "2026-11-20 12:00", "never"},
		{"cron(0 0 30 FEB ? *)", "2026-11-20 12:00", "never"},
		{"cron(0 12/6,3 ? 6-8/2 2,4 2199)", "2199-07-31 12:00", "Mon 2199-08-05 03:00, Mon 2199-08-05 12:00, Mon 2199-08-05 18:00, Wed 2199-08-07 03:00"},
		{"rate(5 minutes)", "2026-11-20 12:01", "Fri 2026-11-20 12:06, Fri 2026-11-20 12:11"},
		{"rate(1 hour)", "2026-11-20 12:01", "Fri 2026-11-20 13:01"},
		{"rate(7 days)", "2026-11-20 12:01", "Fri 2026-11-27 12:01"},
	} {
		e, err := Parse(c.expression, Rule, nil)
		if err != nil {
			t.Errorf("%s: %v", c.expression, err)
			continue
		}
		if got := strings.Join(times(t, e, c.after, strings.Count(c.want, ",")+1), ", "); got != c.want {
			t.Errorf("%s after %s:\n got %s\nwant %s", c.expression, c.after, got, c.want)
		}
	}
}

func TestTimeZones(t *testing.T) {
	for _, c := range []struct{ expression, zone, after, want string }{
		{"cron(0 10 * * ? *)", "America/New_York", "2026-03-07 12:00", "2026-03-08T14:00Z 2026-03-09T14:00Z"},
		{"cron(30 2 * * ? *)", "America/New_York", "2026-03-07 01:00", "2026-03-07T07:30Z 2026-03-09T06:30Z"}, // 02:30 on the 8th is left out
		{"cron(30 1 * * ? *)", "America/New_York", "2026-10-31 12:00", "2026-11-01T05:30Z 2026-11-02T06:30Z"}, // 01:30 on the 1st comes twice
		{"cron(0 * * * ? *)", "America/New_York", "2026-11-01 00:30", "2026-11-01T05:00Z 2026-11-01T07:00Z"},
		{"cron(45 1 * * ? *)", "Australia/Lord_Howe", "2026-04-04 12:00", "2026-04-04T14:45Z 2026-04-05T15:15Z"}, // half an hour back
		{"at(2026-11-20T13:00:00)", "Europe/Zurich", "2026-11-20 12:00", "2026-11-20T12:00Z never"},
		{"rate(1 day)", "Europe/Zurich", "2026-03-28 12:00", "2026-03-29T11:00Z"},
	} {
		zone, err := LoadZone(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		e, err := Parse(c.expression, Scheduler, zone)
		if err != nil {
			t.Errorf("%s: %v", c.expression, err)
			continue
		}
		at, _ := time.ParseInLocation("2006-01-02 15:04", c.after, zone)
		var got []string
		for range strings.Fields(c.want) {
			next, ok := e.Next(at)
			if !ok {
				got = append(got, "never")
				break
			}
			got = append(got, next.UTC().Format("2006-01-02T15:04Z"))
			at = next
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s in %s after %s: got %s, want %s", c.expression, c.zone, c.after, s, c.want)
		}
	}
	for _, name := range []string{"Mars/Base", "Local", "../etc/passwd"} {
		if _, err := LoadZone(name); err == nil || !strings.Contains(err.Error(), "such as Europe/Zurich") {
			t.Errorf("zone %s: %v", name, err)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct{ expression, want string }{
		{"", "is not a schedule expression; write rate(5 minutes) or cron(0 10 * * ? *)"},
		{"every day", "is not a schedule expression"},
		{"rate 5 minutes", "is not a schedule expression"},
		{"at(2030-01-01T00:00:00)", "is not a schedule expression"},
		{"rate(5 minutes", "is not a schedule expression"},
		{"cron(" + strings.Repeat("0", 300) + ")", "is not a schedule expression"},
		{"rate(5)", "a rate has a value and a unit"},
		{"rate(0 minutes)", "the value must be a whole number of 1 or more"},
		{"rate(-1 minutes)", "the value must be a whole number"},
		{"rate(+1 minute)", "the value must be a whole number"},
		{"rate(1.5 hours)", "the value must be a whole number"},
		{"rate(5 seconds)", `the unit must be minutes, hours or days, not "seconds"`},
		{"rate(1 minutes)", `here it is "minutes" behind 1`},
		{"rate(5 minute)", `here it is "minute" behind 5`},
		{"rate(99999999 days)", "is too large"},
		{"cron(0 10 * * ?)", "a cron expression has six fields (minutes, hours, day of month, month, day of week and year), and this one has 5"},
		{"cron(0 10 * * * *)", `one of Day-of-month and Day-of-week must be ?`},
		{"cron(0 10 ? * ? *)", `and not both`},
		{"cron(60 10 * * ? *)", `the field Minutes is "60": it takes 0-59`},
		{"cron(0 +1 * * ? *)", `the field Hours is "+1": it takes 0-23`},
		{"cron(? 10 * * ? *)", `the field Minutes is "?": it takes 0-59`},
		{"cron(0 24 * * ? *)", `the field Hours is "24": it takes 0-23`},
		{"cron(0 0 0 * ? *)", `the field Day-of-month is "0": it takes 1-31`},
		{"cron(0 0 32W * ? *)", `the field Day-of-month is "32W": it takes 1-31`},
		{"cron(0 0 1 JANUARY ? *)", `the field Month is "JANUARY": it takes 1-12 or JAN-DEC`},
		{"cron(0 0 ? * 0 *)", `the field Day-of-week is "0": it takes 1-7 or SUN-SAT`},
		{"cron(0 0 ? * 3#6 *)", `the field Day-of-week is "3#6": behind # stands which one of the month it is`},
		{"cron(0 0 ? * 3#1,6#3 *)", `the field Day-of-week is "3#1,6#3"`},
		{"cron(0 0 ? * 8L *)", `the field Day-of-week is "8L"`},
		{"cron(0/0 0 * * ? *)", `the field Minutes is "0/0": behind / stands a step from 1 to 60`},
		{"cron(0/x 0 * * ? *)", `the field Minutes is "0/x"`},
		{"cron(0,,5 0 * * ? *)", `the field Minutes is "0,,5"`},
		{"cron(0 0 1 1 ? 2030-2020)", `the field Year is "2030-2020": a range goes from the lower to the higher value`},
		{"cron(0 0 1 1 ? 1969)", `the field Year is "1969": it takes 1970-2199`},
	} {
		if _, err := Parse(c.expression, Rule, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60s: got %v, want %s", c.expression, err, c.want)
		}
	}
	if _, err := Parse("at(2030-01-01)", Scheduler, nil); err == nil || !strings.Contains(err.Error(), "at(2030-12-31T23:59:59)") {
		t.Errorf("at without a time: %v", err)
	}
	if _, err := Parse("rate(1 minutes)", Scheduler, nil); err != nil {
		t.Errorf("Scheduler does not mind the plural: %v", err)
	}
}

// TestNextIsLaterAndMatches: whatever the expression and the zone, the next time
// is later, it is as the expression says, and nothing between would have been.
func TestNextIsLaterAndMatches(t *testing.T) {
	zones := []string{"UTC", "America/New_York", "Europe/Zurich", "Australia/Lord_Howe", "Asia/Kathmandu"}
	rapid.Check(t, func(t *rapid.T) {
		zone, _ := LoadZone(rapid.SampledFrom(zones).Draw(t, "zone"))
		field := func(name string, of ...string) string { return rapid.SampledFrom(of).Draw(t, name) }
		days := field("days", "* * ?", "? * MON-FRI", "L * ?", "15W * ?", "? 3,10,11 1", "? * 6#3", "1-7 */2 ?", "? * 2L", "LW * ?")
		text := fmt.Sprintf("cron(%s %s %s *)", field("minutes", "*", "0", "30", "0/7", "59"), field("hours", "*", "1", "2", "0,23", "20-3"), days)
		e, err := Parse(text, Scheduler, zone)
		if err != nil {
			t.Fatal(err)
		}
		after := time.Unix(rapid.Int64Range(1700000000, 1900000000).Draw(t, "after"), 0)
		next, ok := e.Next(after)
		if !ok || !next.After(after) || !matches(e.cron, next.In(zone)) {
			t.Fatalf("%s in %s after %s: %s %v", text, zone, after.In(zone), next, ok)
		}
		for at := after.Truncate(time.Minute).Add(time.Minute); at.Before(next) && at.Sub(after) < 50*time.Hour; at = at.Add(time.Minute) {
			if matches(e.cron, at.In(zone)) && isFirst(at.In(zone)) {
				t.Fatalf("%s in %s after %s gives %s and leaves out %s", text, zone, after.In(zone), next.In(zone), at.In(zone))
			}
		}
	})
}

func matches(c *cron, t time.Time) bool {
	return t.Second() == 0 && c.years.has(t.Year()) && c.months.has(int(t.Month())) && c.hours.has(t.Hour()) && c.minutes.has(t.Minute()) &&
		c.days.has(t.Year(), t.Month(), t.Day())
}

// isFirst reports whether the clock has not shown this before.
func isFirst(t time.Time) bool {
	for back := 30 * time.Minute; back <= 2*time.Hour; back += 30 * time.Minute {
		if e := t.Add(-back); e.Hour() == t.Hour() && e.Minute() == t.Minute() {
			return false
		}
	}
	return true
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"rate(5 minutes)", "cron(0/5 8-17 ? * MON-FRI *)", "at(2030-01-01T00:00:00)", "cron(0 0 LW 2 ? 2199)", "cron(0 0 ? * 6#3 */2)"} {
		f.Add(text, int64(1700000000))
	}
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		e, err := Parse(text, Scheduler, time.UTC)
		if err != nil {
			return
		}
		after := time.Unix(unix%(1<<33), 0)
		if next, ok := e.Next(after); ok && !next.After(after) {
			t.Errorf("%s after %s: %s", text, after, next)
		}
	})
}
