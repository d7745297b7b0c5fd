package lambda

import (
	"fmt"
	"strings"
	"time"
)

// Lambda's bounds and defaults of an EventInvokeConfig.
const (
	maxRetries  = 2
	maxEventAge = 6 * time.Hour
	minEventAge = time.Minute
)

// EventInvokeConfig says how asynchronous invocations of one function are tried
// again and who is told how they ended: what AWS::Lambda::EventInvokeConfig, the
// EventInvokeConfig of AWS::Serverless::Function and the DeadLetterConfig of a
// function declare.
type EventInvokeConfig struct {
	// Function is the function's name.
	Function string
	// MaximumRetryAttempts is how often a function that failed is invoked again,
	// 0 to 2; nil means 2.
	MaximumRetryAttempts *int
	// MaximumEventAge is how long an event may wait for its function, 60 seconds
	// to 6 hours; zero means 6 hours.
	MaximumEventAge time.Duration
	// OnSuccess and OnFailure are the ARNs of who gets a record of each
	// invocation that ended well or was given up: a standard SQS queue, a
	// standard SNS topic or a function. "" is nobody.
	OnSuccess, OnFailure string
	// DeadLetter is the ARN of a standard SQS queue or SNS topic that gets the
	// events of invocations that were given up; "" is none.
	DeadLetter string
}

func (c EventInvokeConfig) retries() int {
	if c.MaximumRetryAttempts == nil {
		return maxRetries
	}
	return *c.MaximumRetryAttempts
}

func (c EventInvokeConfig) age() time.Duration {
	if c.MaximumEventAge == 0 {
		return maxEventAge
	}
	return c.MaximumEventAge
}

// declared reports whether there is more than a dead-letter queue, which is not a
// part of it on AWS.
func (c EventInvokeConfig) declared() bool {
	return c.MaximumRetryAttempts != nil || c.MaximumEventAge != 0 || c.OnSuccess != "" || c.OnFailure != ""
}

// eventConfigs checks the settings and returns them by function.
func (cfg *Config) eventConfigs() (map[string]EventInvokeConfig, error) {
	all := make(map[string]EventInvokeConfig, len(cfg.EventConfigs))
	for _, c := range cfg.EventConfigs {
		if _, twice := all[c.Function]; twice {
			return nil, fmt.Errorf("function %s has two EventInvokeConfigs; Gatepost runs one version of a function, so put them into one", c.Function)
		}
		if err := cfg.checkEvents(c); err != nil {
			return nil, fmt.Errorf("EventInvokeConfig of function %s: %w", c.Function, err)
		}
		all[c.Function] = c
	}
	return all, nil
}

// SetEventConfigs puts other settings in the place of Config.EventConfigs:
// invocations that end from now on follow them. After an error, which is New's,
// everything is as it was. It may be called together with anything.
func (s *Service) SetEventConfigs(all []EventInvokeConfig) error {
	cfg := s.config
	cfg.EventConfigs = all
	configs, err := cfg.eventConfigs()
	if err != nil {
		return err
	}
	s.configs.Store(&configs)
	return nil
}

// configOf returns the settings of a function, and whether it has some.
func (s *Service) configOf(function string) (EventInvokeConfig, bool) {
	c, ok := (*s.configs.Load())[function]
	return c, ok
}

func (cfg *Config) checkEvents(c EventInvokeConfig) error {
	if n := c.retries(); n < 0 || n > maxRetries {
		return fmt.Errorf("MaximumRetryAttempts is %d; it is 0 to %d", n, maxRetries)
	}
	if age := c.age(); age < minEventAge || age > maxEventAge {
		return fmt.Errorf("MaximumEventAgeInSeconds is %d; it is 60 to 21600", age/time.Second)
	}
	for _, t := range []struct {
		place, arn string
		functions  bool
	}{{"OnSuccess", c.OnSuccess, true}, {"OnFailure", c.OnFailure, true}, {"DeadLetterConfig", c.DeadLetter, false}} {
		if err := cfg.checkTarget(t.arn, t.functions); err != nil {
			return fmt.Errorf("%s: %w", t.place, err)
		}
	}
	return nil
}

func (cfg *Config) checkTarget(arn string, functions bool) error {
	if arn == "" {
		return nil
	}
	kind := serviceOf(arn)
	switch {
	case isFIFO(arn):
		return fmt.Errorf("%s is first-in-first-out; Lambda sends to standard queues and topics only", clip(arn))
	case kind == "sqs" && cfg.Queues != nil, kind == "sns" && cfg.Topics != nil:
		return nil
	case kind == "lambda" && functions:
		_, err := parseReference(arn)
		return err
	case functions:
		return fmt.Errorf("%s cannot be a destination here; it is the ARN of an SQS queue, an SNS topic or a Lambda function", clip(arn))
	}
	return fmt.Errorf("%s cannot be a dead-letter queue here; it is the ARN of an SQS queue or an SNS topic", clip(arn))
}

// serviceOf is the service of an ARN: "sqs", "sns", "lambda" or another; "" when
// the text is none.
func serviceOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" || parts[5] == "" {
		return ""
	}
	return parts[2]
}

// isFIFO reports whether an ARN names a FIFO queue or topic.
func isFIFO(arn string) bool { return strings.HasSuffix(arn, ".fifo") }
