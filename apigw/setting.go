package apigw

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Setting is one of the Limits under the name by which people set it.
type Setting struct {
	// Name is lower case with hyphens, "integration-timeout".
	Name string
	// Text is a sentence about it.
	Text string
	// AWS is true when the default is AWS's own quota.
	AWS   bool
	field func(*Limits) any // a pointer to the field
}

// settings are in the order of the documentation.
var settings = []Setting{
	{"frame", "The largest frame from a client; a larger one closes the connection with 1009.", true, func(l *Limits) any { return (*size)(&l.MaxFrame) }},
	{"message", "The largest message in either direction; from a client a larger one closes with 1009, from @connections it is 413.", true, func(l *Limits) any { return (*size)(&l.MaxMessage) }},
	{"idle", "How long no message may pass before a connection is closed with 1001.", true, func(l *Limits) any { return &l.Idle }},
	{"ping-renews-idle", "Whether a client's ping counts as a message for the idle limit.", false, func(l *Limits) any { return &l.PingRenewsIdle }},
	{"compression", "Whether clients may compress their messages (permessage-deflate), which API Gateway does not offer.", false, func(l *Limits) any { return &l.Compression }},
	{"age", "How long a connection may live before it is closed with 1001.", true, func(l *Limits) any { return &l.MaxAge }},
	{"integration-timeout", "How long an integration without a timeout of its own may take.", true, func(l *Limits) any { return &l.IntegrationTimeout }},
	{"connect-rate", "New connections a second, and at once; past it a client gets 429.", true, func(l *Limits) any { return &l.ConnectRate }},
	{"rate", "Handshakes, messages and calls of @connections a second, on average; past it they get 429.", true, func(l *Limits) any { return &l.Rate }},
	{"burst", "Handshakes, messages and calls of @connections at once.", true, func(l *Limits) any { return &l.Burst }},
	{"url", "The longest URL of a handshake.", true, func(l *Limits) any { return (*size)(&l.MaxURL) }},
	{"head", "The largest request head of a handshake: URL and all headers.", true, func(l *Limits) any { return (*size)(&l.MaxHead) }},
	{"handshake", "How long a client may take to send the whole request head.", false, func(l *Limits) any { return &l.Handshake }},
	{"max-handshakes", "Sockets whose request head has not come yet; a further one is closed.", false, func(l *Limits) any { return &l.MaxHandshakes }},
	{"pending", "Bytes that may wait for a client that reads slowly; past it @connections answers 429.", false, func(l *Limits) any { return (*size)(&l.MaxPending) }},
	{"write-stall", "How long a client may leave its bytes unread before its connection is closed as slow.", false, func(l *Limits) any { return &l.WriteStall }},
	{"in-flight", "Messages of one connection that are handled at once; the next ones wait in the client's socket.", false, func(l *Limits) any { return &l.MaxInFlight }},
	{"queue-message", "The largest message of a queue, attributes included, 1KB to 1MB; a larger one is refused. SQS had 256KB until August 2025.", true, func(l *Limits) any { return (*size)(&l.MaxQueueMessage) }},
}

// Settings returns the limits that can be set by name.
func Settings() []Setting { return slices.Clone(settings) }

// Value returns the setting's value in l as Set reads it, "32KB", "10m0s",
// "500" or "false"; zero is "off".
func (s Setting) Value(l Limits) string {
	switch field := s.field(&l).(type) {
	case *size:
		return sizeText(int(*field))
	case *int:
		return orOff(*field == 0, strconv.Itoa(*field))
	case *bool:
		return strconv.FormatBool(*field)
	case *time.Duration:
		return orOff(*field == 0, field.String())
	}
	panic("apigw: a setting of an unknown type") // all are in the table above
}

// Set changes one limit: sizes in bytes, KB or MB of 1,024, times like 30s or
// 2h, numbers, true or false, and "off" for no limit. The error says which
// names or values there are.
func (l *Limits) Set(name, value string) error {
	i := slices.IndexFunc(settings, func(s Setting) bool { return s.Name == name })
	if i < 0 {
		names := make([]string, len(settings))
		for i, s := range settings {
			names[i] = s.Name
		}
		return fmt.Errorf("there is no limit %q; the limits are %s", name, strings.Join(names, ", "))
	}
	if problem := setField(settings[i].field(l), value); problem != "" {
		return fmt.Errorf("the limit %s cannot be %q: it is %s", name, value, problem)
	}
	return nil
}

// size is a number of bytes.
type size int

// setField parses into a field, or says what it takes.
func setField(field any, value string) (problem string) {
	off := value == "off"
	switch field := field.(type) {
	case *bool:
		yes, err := strconv.ParseBool(value)
		if err != nil {
			return "true or false"
		}
		*field = yes
	case *time.Duration:
		d, err := time.ParseDuration(value)
		if !off && (err != nil || d <= 0) {
			return `a time such as 500ms, 30s or 2h, or "off"`
		}
		*field = d
	case *size:
		n, ok := parseSize(value)
		if !off && !ok {
			return `a size such as 512, 32KB or 1MB, or "off"`
		}
		*field = size(n)
	case *int:
		n, err := strconv.Atoi(value)
		if !off && (err != nil || n <= 0) {
			return `a whole number above zero, or "off"`
		}
		*field = n
	}
	return ""
}

// units are what sizes may end in.
var units = []struct {
	suffix string
	bytes  int
}{{"MB", 1 << 20}, {"KB", 1 << 10}, {"B", 1}, {"", 1}}

// largestSize bounds sizes, in bytes.
const largestSize = 1 << 30

func parseSize(text string) (int, bool) {
	for _, u := range units {
		number, ok := strings.CutSuffix(text, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.Atoi(number)
		return n * u.bytes, err == nil && n > 0 && n <= largestSize/u.bytes
	}
	return 0, false
}

func sizeText(n int) string {
	switch {
	case n == 0:
		return "off"
	case n%(1<<20) == 0:
		return strconv.Itoa(n>>20) + "MB"
	case n%(1<<10) == 0:
		return strconv.Itoa(n>>10) + "KB"
	}
	return strconv.Itoa(n)
}

func orOff(off bool, text string) string {
	if off {
		return "off"
	}
	return text
}
