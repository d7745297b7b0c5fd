package bus

import (
	"fmt"
	"log/slog"
)

// serverLog leads the server's lines to slog. Notices are debug lines here:
// what the server calls notable is of no interest to Gatepost's user.
type serverLog struct {
	log *slog.Logger
	// fatal is told why the server cannot start.
	fatal func(line string)
}

func (l serverLog) Noticef(format string, v ...any) { l.log.Debug(line(format, v)) }
func (l serverLog) Debugf(format string, v ...any)  { l.log.Debug(line(format, v)) }
func (l serverLog) Tracef(format string, v ...any)  { l.log.Debug(line(format, v)) }
func (l serverLog) Warnf(format string, v ...any)   { l.log.Warn(line(format, v)) }
func (l serverLog) Errorf(format string, v ...any)  { l.log.Error(line(format, v)) }

// Fatalf does not end the process: Open reports it.
func (l serverLog) Fatalf(format string, v ...any) { l.fatal(fmt.Sprintf(format, v...)) }

func line(format string, v []any) string { return "bus: " + fmt.Sprintf(format, v...) }
