package sqs

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/stack"
)

// MaxMessageSize is the largest message that SQS takes, and a queue's limit by
// default, in bytes: the body with its attributes' names, types and values.
const MaxMessageSize = 1 << 20

// minMessageLimit is the smallest limit that a queue can have, in bytes.
const minMessageLimit = 1 << 10

// maxVisibility bounds a visibility timeout, and the time that one receive may
// hide a message in all.
const maxVisibility = 12 * time.Hour

// settings are a queue's attributes that can be set.
type settings struct {
	Delay             time.Duration `json:"delay,omitempty"`
	VisibilityTimeout time.Duration `json:"visibilityTimeout"`
	Retention         time.Duration `json:"retention"`
	ReceiveWait       time.Duration `json:"receiveWait,omitempty"`
	MaxMessageSize    int           `json:"maxMessageSize"`
	Redrive           *redrive      `json:"redrive,omitempty"`
	// FIFO is nil for a standard queue.
	FIFO *fifoSettings `json:"fifo,omitempty"`
	// Kept are attributes that are stored and returned and change nothing.
	Kept map[string]string `json:"kept,omitempty"`
}

// fifoSettings are what only a FIFO queue has. Its throughput has no limit here:
// FifoThroughputLimit is accepted and returned.
type fifoSettings struct {
	ContentBased bool   `json:"contentBased,omitempty"`
	Scope        string `json:"scope"`
	Throughput   string `json:"throughput"`
}

func (f *fifoSettings) perGroup() bool { return f.Scope == "messageGroup" }

func fifoDefaults() *fifoSettings { return &fifoSettings{Scope: "queue", Throughput: "perQueue"} }

// redrive says after how many receives a message goes where.
type redrive struct {
	ARN             string `json:"deadLetterTargetArn"`
	MaxReceiveCount int    `json:"maxReceiveCount"`
}

// defaults are SQS's (API reference, SetQueueAttributes).
func defaults() settings {
	return settings{VisibilityTimeout: 30 * time.Second, Retention: 4 * 24 * time.Hour, MaxMessageSize: MaxMessageSize}
}

func settingsOf(q stack.Queue) settings {
	d := defaults()
	s := settings{
		Delay: q.Delay, VisibilityTimeout: q.VisibilityTimeout, ReceiveWait: q.ReceiveWait,
		Retention:      cmp.Or(q.Retention, d.Retention),
		MaxMessageSize: cmp.Or(q.MaxMessageSize, d.MaxMessageSize),
	}
	if q.Redrive != nil {
		s.Redrive = &redrive{q.Redrive.DeadLetterARN, q.Redrive.MaxReceiveCount}
	}
	if f := q.FIFO; f != nil || strings.HasSuffix(q.Name, fifoSuffix) {
		s.FIFO = fifoDefaults()
		if f != nil {
			s.FIFO = &fifoSettings{f.ContentBasedDeduplication, cmp.Or(f.DeduplicationScope, "queue"), cmp.Or(f.ThroughputLimit, "perQueue")}
		}
	}
	if a := q.RedriveAllow; a != nil {
		s.keep("RedriveAllowPolicy", string(awswire.MarshalJSON(a)))
	}
	return s
}

// seconds are the attributes that are times, with their bounds.
var seconds = []struct {
	name     string
	min, max time.Duration
	field    func(*settings) *time.Duration
}{
	{"DelaySeconds", 0, 15 * time.Minute, func(s *settings) *time.Duration { return &s.Delay }},
	{"MessageRetentionPeriod", time.Minute, 14 * 24 * time.Hour, func(s *settings) *time.Duration { return &s.Retention }},
	{"ReceiveMessageWaitTimeSeconds", 0, 20 * time.Second, func(s *settings) *time.Duration { return &s.ReceiveWait }},
	{"VisibilityTimeout", 0, maxVisibility, func(s *settings) *time.Duration { return &s.VisibilityTimeout }},
}

// kept are the attributes that are stored and returned only: there is nobody to
// tell apart by a policy, and the store is not encrypted.
var kept = map[string]bool{
	"Policy": true, "RedriveAllowPolicy": true, "SqsManagedSseEnabled": true,
	"KmsMasterKeyId": true, "KmsDataKeyReusePeriodSeconds": true,
}

// fifoOnly are the attributes that a standard queue does not have.
var fifoOnly = map[string]bool{
	"FifoQueue": true, "ContentBasedDeduplication": true, "DeduplicationScope": true, "FifoThroughputLimit": true,
}

// check checks what a template or set has filled in.
func (s *settings) check() error {
	for _, a := range seconds {
		if v := *a.field(s); v < a.min || v > a.max {
			return invalidAttribute(a.name)
		}
	}
	if s.FIFO != nil && s.FIFO.Throughput == "perMessageGroupId" && !s.FIFO.perGroup() {
		return awswire.Errorf("InvalidAttributeValue", "Invalid value for the parameter FifoThroughputLimit. Reason: The perMessageGroupId value is allowed only when the value for DeduplicationScope is messageGroup.")
	}
	if text, ok := s.Kept["RedriveAllowPolicy"]; ok {
		if _, err := parseRedriveAllow(text); err != nil {
			return err
		}
	}
	if s.MaxMessageSize < minMessageLimit || s.MaxMessageSize > MaxMessageSize {
		return invalidAttribute("MaximumMessageSize")
	}
	if s.Redrive != nil && (s.Redrive.MaxReceiveCount < 1 || s.Redrive.MaxReceiveCount > 1000) {
		return invalidParameter("Value %s for parameter RedrivePolicy is invalid. Reason: Invalid value for maxReceiveCount: %d, valid values are from 1 to 1000 both inclusive.",
			s.Redrive, s.Redrive.MaxReceiveCount)
	}
	return nil
}

// with returns the settings with attributes as clients write them.
func (s settings) with(attributes map[string]string) (settings, error) {
	s.Kept = maps.Clone(s.Kept)
	if s.FIFO != nil {
		own := *s.FIFO
		s.FIFO = &own
	}
	for name, text := range attributes {
		if err := s.set(name, text); err != nil {
			return s, err
		}
	}
	return s, s.check()
}

func (s *settings) set(name, text string) error {
	for _, a := range seconds {
		if a.name == name {
			n, err := strconv.Atoi(text)
			if err != nil || n < 0 || n > 1e9 {
				return invalidAttribute(name)
			}
			*a.field(s) = time.Duration(n) * time.Second
			return nil
		}
	}
	switch {
	case name == "MaximumMessageSize":
		n, err := strconv.Atoi(text)
		if err != nil {
			return invalidAttribute(name)
		}
		s.MaxMessageSize = n
		return nil
	case name == "RedrivePolicy":
		return s.setRedrive(text)
	case fifoOnly[name]:
		return s.setFIFO(name, text)
	case !kept[name]:
		return unknownAttribute(name)
	}
	if err := checkKept(name, text); err != nil {
		return err
	}
	s.keep(name, text)
	return nil
}

// setFIFO sets what only a FIFO queue has.
func (s *settings) setFIFO(name, text string) error {
	if s.FIFO == nil {
		return unknownAttribute(name)
	}
	oneOf := func(words ...string) error {
		if slices.Contains(words, text) {
			return nil
		}
		return invalidAttribute(name)
	}
	switch name {
	case "FifoQueue":
		if text != "true" {
			return awswire.Errorf("InvalidAttributeValue", "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.")
		}
		return nil
	case "ContentBasedDeduplication":
		s.FIFO.ContentBased = text == "true"
		return oneOf("true", "false")
	case "DeduplicationScope":
		s.FIFO.Scope = text
		return oneOf("queue", "messageGroup")
	}
	s.FIFO.Throughput = text
	return oneOf("perQueue", "perMessageGroupId")
}

// checkKept checks an attribute that is only stored; an empty one takes it away.
func checkKept(name, text string) error {
	valid := text == ""
	switch {
	case valid:
	case name == "RedriveAllowPolicy":
		_, err := parseRedriveAllow(text)
		return err
	case name == "Policy":
		valid = json.Valid([]byte(text)) && strings.HasPrefix(strings.TrimSpace(text), "{")
	case name == "SqsManagedSseEnabled":
		valid = text == "true" || text == "false"
	case name == "KmsDataKeyReusePeriodSeconds":
		n, err := strconv.Atoi(text)
		valid = err == nil && n >= 60 && n <= 86400
	default:
		valid = len(text) <= 2048
	}
	if !valid {
		return invalidAttribute(name)
	}
	return nil
}

func (s *settings) keep(name, text string) {
	if s.Kept = maps.Clone(s.Kept); s.Kept == nil {
		s.Kept = make(map[string]string)
	}
	if s.Kept[name] = text; text == "" {
		delete(s.Kept, name)
	}
}

// setRedrive reads a RedrivePolicy. Tools write the count as a number or as a
// string; an empty policy takes it away.
func (s *settings) setRedrive(text string) error {
	if s.Redrive = nil; text == "" {
		return nil
	}
	var policy struct {
		ARN   string          `json:"deadLetterTargetArn"`
		Count json.RawMessage `json:"maxReceiveCount"`
	}
	if err := json.Unmarshal([]byte(text), &policy); err != nil {
		return invalidParameter("Value %s for parameter RedrivePolicy is invalid. Reason: Redrive policy is not a valid JSON map.", clip(text))
	}
	count, err := strconv.Atoi(strings.Trim(string(policy.Count), `"`))
	if _, arnErr := parseARN(policy.ARN); err != nil || arnErr != nil {
		return invalidParameter("Value %s for parameter RedrivePolicy is invalid. Reason: It must have a deadLetterTargetArn that is a queue's ARN and a maxReceiveCount that is a number.", clip(text))
	}
	s.Redrive = &redrive{policy.ARN, count}
	return nil
}

// String is the policy as AWS returns it.
func (r *redrive) String() string {
	text, _ := json.Marshal(r) // strings and numbers only
	return string(text)
}

// texts are the settings as clients read them.
func (s *settings) texts() map[string]string {
	all := map[string]string{"MaximumMessageSize": strconv.Itoa(s.MaxMessageSize)}
	for _, a := range seconds {
		all[a.name] = strconv.FormatInt(int64(*a.field(s)/time.Second), 10)
	}
	if s.Redrive != nil {
		all["RedrivePolicy"] = s.Redrive.String()
	}
	if f := s.FIFO; f != nil {
		all["FifoQueue"], all["ContentBasedDeduplication"] = "true", strconv.FormatBool(f.ContentBased)
		all["DeduplicationScope"], all["FifoThroughputLimit"] = f.Scope, f.Throughput
	}
	maps.Copy(all, s.Kept)
	return all
}

func (s settings) equal(other settings) bool {
	for _, a := range seconds {
		if *a.field(&s) != *a.field(&other) {
			return false
		}
	}
	return maps.Equal(s.texts(), other.texts())
}

// redriveAllow says which queues may name a queue as their dead-letter queue.
type redriveAllow struct {
	Permission string   `json:"redrivePermission"`
	Sources    []string `json:"sourceQueueArns"`
}

func parseRedriveAllow(text string) (allow redriveAllow, err error) {
	invalid := func(reason string) (redriveAllow, error) {
		return allow, invalidParameter("Value %s for parameter RedriveAllowPolicy is invalid. Reason: %s", clip(text), reason)
	}
	if err := json.Unmarshal([]byte(text), &allow); err != nil {
		return invalid("Redrive allow policy is not a valid JSON map.")
	}
	switch {
	case allow.Permission != "allowAll" && allow.Permission != "denyAll" && allow.Permission != "byQueue":
		return invalid("redrivePermission must be allowAll, denyAll or byQueue.")
	case allow.Permission != "byQueue" && len(allow.Sources) > 0:
		return invalid("sourceQueueArns can only be given with the redrivePermission byQueue.")
	case allow.Permission == "byQueue" && (len(allow.Sources) == 0 || len(allow.Sources) > 10):
		return invalid("The redrivePermission byQueue needs 1 to 10 sourceQueueArns.")
	}
	for _, arn := range allow.Sources {
		if _, err := parseARN(arn); err != nil {
			return invalid("sourceQueueArns must be ARNs of queues.")
		}
	}
	return allow, nil
}

// allows reports whether the queue with these settings takes dead letters of
// the source. What cannot be read allows nothing.
func (s *settings) allows(source string) bool {
	text, ok := s.Kept["RedriveAllowPolicy"]
	if !ok {
		return true
	}
	allow, err := parseRedriveAllow(text)
	if err != nil || allow.Permission == "denyAll" {
		return false
	}
	if allow.Permission == "allowAll" {
		return true
	}
	for _, arn := range allow.Sources {
		if arn == source {
			return true
		}
	}
	return false
}
