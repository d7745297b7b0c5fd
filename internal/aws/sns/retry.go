package sns

import (
	"cmp"
	"encoding/json"
	"math"
	"strings"
	"time"
)

// RetryPolicy says when a delivery that failed is tried again: first at once,
// then after a short wait, then after waits that grow, then at a steady pace
// (developer guide, "Message delivery retries").
type RetryPolicy struct {
	// NoDelay retries come at once.
	NoDelay int
	// MinDelay retries come after Min each.
	MinDelay int
	// Backoff retries come after waits that grow from Min to Max by Function.
	Backoff int
	// MaxDelay retries come after Max each.
	MaxDelay int
	Min, Max time.Duration
	// Function is linear, arithmetic, geometric or exponential; "" is
	// exponential.
	Function string
}

// managedRetries is the policy for queues and functions: 100,015 retries over
// 23 days.
func managedRetries() RetryPolicy {
	return RetryPolicy{NoDelay: 3, MinDelay: 2, Backoff: 10, MaxDelay: 100_000, Min: time.Second, Max: 20 * time.Second}
}

// retention is how long a message may wait for its delivery: longer than any
// policy tries.
const retention = 30 * 24 * time.Hour

// wait returns how long to wait before the n-th retry, counted from 1; ok is
// false when there is none any more.
func (p RetryPolicy) wait(n int) (d time.Duration, ok bool) {
	switch {
	case n < 1:
		return 0, true
	case n <= p.NoDelay:
		return 0, true
	case n <= p.NoDelay+p.MinDelay:
		return p.Min, true
	case n <= p.NoDelay+p.MinDelay+p.Backoff:
		return p.backoff(n - p.NoDelay - p.MinDelay), true
	case n <= p.NoDelay+p.MinDelay+p.Backoff+p.MaxDelay:
		return p.Max, true
	}
	return 0, false
}

// backoff is the n-th of Backoff waits. SNS gives the shapes' names and drawings
// only; each begins at Min and ends at Max.
func (p RetryPolicy) backoff(n int) time.Duration {
	if p.Backoff == 1 || p.Max <= p.Min {
		return p.Min
	}
	part := float64(n-1) / float64(p.Backoff-1)
	low, span := float64(p.Min), float64(p.Max-p.Min)
	ratio := float64(p.Max) / math.Max(low, 1)
	switch p.Function {
	case "linear":
		return time.Duration(low + span*part)
	case "arithmetic":
		steps := float64(p.Backoff-1) * float64(p.Backoff) / 2
		return time.Duration(low + span*(float64(n-1)*float64(n)/2)/steps)
	case "geometric":
		return time.Duration(low * math.Pow(ratio, part))
	}
	return time.Duration(low * math.Pow(ratio, part*(1+part)/2))
}

// healthyRetry is the retry part of a delivery policy, in seconds.
type healthyRetry struct {
	MinDelayTarget     int    `json:"minDelayTarget"`
	MaxDelayTarget     int    `json:"maxDelayTarget"`
	NumRetries         int    `json:"numRetries"`
	NumMaxDelayRetries int    `json:"numMaxDelayRetries"`
	NumNoDelayRetries  int    `json:"numNoDelayRetries"`
	NumMinDelayRetries int    `json:"numMinDelayRetries"`
	BackoffFunction    string `json:"backoffFunction"`
}

// UnmarshalJSON fills in the defaults for what a policy leaves out.
func (h *healthyRetry) UnmarshalJSON(text []byte) error {
	type plain healthyRetry
	p := plain(defaultHealthy())
	if err := json.Unmarshal(text, &p); err != nil {
		return err
	}
	*h = healthyRetry(p)
	return nil
}

func defaultHealthy() healthyRetry {
	return healthyRetry{MinDelayTarget: 20, MaxDelayTarget: 20, NumRetries: 3, BackoffFunction: "linear"}
}

type throttlePolicy struct {
	MaxReceivesPerSecond int `json:"maxReceivesPerSecond"`
}

type requestPolicy struct {
	HeaderContentType string `json:"headerContentType"`
}

// topicDelivery is a topic's DeliveryPolicy.
type topicDelivery struct {
	HTTP struct {
		Retry            *healthyRetry   `json:"defaultHealthyRetryPolicy,omitempty"`
		DisableOverrides bool            `json:"disableSubscriptionOverrides"`
		Throttle         *throttlePolicy `json:"defaultThrottlePolicy,omitempty"`
		Request          *requestPolicy  `json:"defaultRequestPolicy,omitempty"`
	} `json:"http"`
}

// subscriptionDelivery is a subscription's DeliveryPolicy, with null for what it
// does not say, as SNS returns it.
type subscriptionDelivery struct {
	Retry    *healthyRetry   `json:"healthyRetryPolicy"`
	Sickly   *healthyRetry   `json:"sicklyRetryPolicy"`
	Throttle *throttlePolicy `json:"throttlePolicy"`
	Request  *requestPolicy  `json:"requestPolicy"`
	Promised bool            `json:"guaranteed"`
}

func parseTopicDelivery(text string) (d topicDelivery, err error) {
	if text == "" {
		return d, nil
	}
	if err := decodePolicy("DeliveryPolicy", text, &d); err != nil {
		return d, err
	}
	return d, checkDelivery(d.HTTP.Retry, d.HTTP.Throttle, d.HTTP.Request)
}

func parseSubscriptionDelivery(text string) (d subscriptionDelivery, err error) {
	if text == "" {
		return d, nil
	}
	if err := decodePolicy("DeliveryPolicy", text, &d); err != nil {
		return d, err
	}
	return d, checkDelivery(d.Retry, d.Throttle, d.Request)
}

// decodePolicy reads an attribute that is a JSON object.
func decodePolicy(attribute, text string, into any) error {
	if len(text) > maxAttribute {
		return invalidParameter("%s: it is larger than %d bytes", attribute, maxAttribute)
	}
	if err := json.Unmarshal([]byte(text), into); err != nil || !strings.HasPrefix(strings.TrimSpace(text), "{") {
		return invalidParameter("%s: failed to parse JSON.", attribute)
	}
	return nil
}

// maxRetryTime bounds all the waits of an HTTP policy together.
const maxRetryTime = time.Hour

func checkDelivery(r *healthyRetry, t *throttlePolicy, q *requestPolicy) error {
	bad := func(reason string) error { return invalidParameter("DeliveryPolicy: %s", reason) }
	if t != nil && t.MaxReceivesPerSecond < 1 {
		return bad("throttlePolicy.maxReceivesPerSecond must be greater than or equal to 1")
	}
	if q != nil && !validContentType(q.HeaderContentType) {
		return bad("requestPolicy.headerContentType is not a media type")
	}
	if r == nil {
		return nil
	}
	phases := r.NumNoDelayRetries + r.NumMinDelayRetries + r.NumMaxDelayRetries
	switch {
	case r.MinDelayTarget < 1 || r.MinDelayTarget > r.MaxDelayTarget:
		return bad("minDelayTarget must be between 1 and maxDelayTarget")
	case r.MaxDelayTarget > 3600:
		return bad("maxDelayTarget must be at most 3600")
	case r.NumRetries < 0 || r.NumRetries > 100:
		return bad("numRetries must be between 0 and 100")
	case min(r.NumNoDelayRetries, r.NumMinDelayRetries, r.NumMaxDelayRetries) < 0 || phases > r.NumRetries:
		return bad("the retries of all phases must be at least 0 and together at most numRetries")
	}
	switch r.BackoffFunction {
	case "linear", "arithmetic", "geometric", "exponential":
	default:
		return bad("backoffFunction must be linear, arithmetic, geometric or exponential")
	}
	total := time.Duration(0)
	for n := 1; ; n++ {
		d, ok := r.policy().wait(n)
		if !ok {
			break
		}
		total += d
	}
	if total > maxRetryTime {
		return bad("the total retry time must be at most 3600 seconds")
	}
	return nil
}

func validContentType(s string) bool {
	return len(s) <= 256 && strings.Contains(s, "/") && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

func (r *healthyRetry) policy() RetryPolicy {
	return RetryPolicy{
		NoDelay: r.NumNoDelayRetries, MinDelay: r.NumMinDelayRetries, MaxDelay: r.NumMaxDelayRetries,
		Backoff: r.NumRetries - r.NumNoDelayRetries - r.NumMinDelayRetries - r.NumMaxDelayRetries,
		Min:     time.Duration(r.MinDelayTarget) * time.Second, Max: time.Duration(r.MaxDelayTarget) * time.Second,
		Function: r.BackoffFunction,
	}
}

const defaultContentType = "text/plain; charset=UTF-8"

// effective is what a topic's policy comes to, with SNS's own for what it does
// not say.
func (d topicDelivery) effective() topicDelivery {
	if d.HTTP.Retry == nil {
		r := defaultHealthy()
		d.HTTP.Retry = &r
	}
	if d.HTTP.Request == nil {
		d.HTTP.Request = &requestPolicy{defaultContentType}
	}
	return d
}

// effective is what a subscription's policy comes to under its topic's.
func (d subscriptionDelivery) effective(topic topicDelivery) subscriptionDelivery {
	t := topic.effective().HTTP
	if t.DisableOverrides {
		d = subscriptionDelivery{}
	}
	d.Retry = cmp.Or(d.Retry, t.Retry)
	d.Throttle = cmp.Or(d.Throttle, t.Throttle)
	d.Request = cmp.Or(d.Request, t.Request)
	return d
}
