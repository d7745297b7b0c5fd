package sns

import (
	"slices"
	"testing"
	"time"
)

func TestManagedRetries(t *testing.T) {
	p := managedRetries()
	var waits []time.Duration
	total, n := time.Duration(0), 0
	for {
		d, ok := p.wait(n + 1)
		if !ok {
			break
		}
		n++
		total += d
		if n <= 17 {
			waits = append(waits, d)
		}
	}
	if n != 100_015 || total < 23*24*time.Hour || total > 24*24*time.Hour || total > retention {
		t.Errorf("%d retries over %v", n, total)
	}
	if !slices.Equal(waits[:6], []time.Duration{0, 0, 0, time.Second, time.Second, time.Second}) || waits[14] != 20*time.Second || waits[15] != 20*time.Second || !slices.IsSorted(waits) {
		t.Errorf("waits %v", waits)
	}
}

func TestBackoffBeginsAtMinAndEndsAtMax(t *testing.T) {
	for _, function := range []string{"linear", "arithmetic", "geometric", "exponential", ""} {
		p := RetryPolicy{Backoff: 10, Min: 5 * time.Second, Max: 260 * time.Second, Function: function}
		var waits []time.Duration
		for n := 1; ; n++ {
			d, ok := p.wait(n)
			if !ok {
				break
			}
			waits = append(waits, d.Round(time.Millisecond))
		}
		if len(waits) != 10 || waits[0] != p.Min || waits[9] != p.Max || !slices.IsSorted(waits) {
			t.Errorf("%s: %v", function, waits)
		}
	}
	single := RetryPolicy{Backoff: 1, Min: time.Second, Max: time.Minute}
	if d, ok := single.wait(1); !ok || d != time.Second {
		t.Errorf("one retry after %v, %v", d, ok)
	}
}

func TestDeliveryPolicyFillsInDefaults(t *testing.T) {
	d, err := parseSubscriptionDelivery(`{"healthyRetryPolicy":{"numRetries":5,"numMinDelayRetries":2}}`)
	if err != nil {
		t.Fatal(err)
	}
	if want := (RetryPolicy{MinDelay: 2, Backoff: 3, Min: 20 * time.Second, Max: 20 * time.Second, Function: "linear"}); d.Retry.policy() != want {
		t.Errorf("policy %+v, want %+v", d.Retry.policy(), want)
	}
	topic, err := parseTopicDelivery(`{"http":{"defaultHealthyRetryPolicy":{"numRetries":1},"disableSubscriptionOverrides":true}}`)
	if err != nil {
		t.Fatal(err)
	}
	if got := d.effective(topic).Retry.NumRetries; got != 1 {
		t.Errorf("overridden though the topic forbids it: %d retries", got)
	}
	topic.HTTP.DisableOverrides = false
	if got := d.effective(topic).Retry.NumRetries; got != 5 {
		t.Errorf("%d retries, want the subscription's", got)
	}
}

func FuzzDeliveryPolicy(f *testing.F) {
	f.Add(`{"healthyRetryPolicy":{"minDelayTarget":1,"maxDelayTarget":60,"numRetries":50,"numNoDelayRetries":3,"numMinDelayRetries":2,"numMaxDelayRetries":35,"backoffFunction":"exponential"},"throttlePolicy":{"maxReceivesPerSecond":10}}`)
	f.Add(`{"http":{"defaultHealthyRetryPolicy":null}}`)
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := parseSubscriptionDelivery(text); err == nil {
			total := time.Duration(0)
			for n := 1; ; n++ {
				wait, ok := d.effective(topicDelivery{}).Retry.policy().wait(n)
				if !ok {
					break
				}
				if total += wait; wait < 0 || n > 100 || total > maxRetryTime {
					t.Fatalf("%s: retry %d after %v, %v in all", text, n, wait, total)
				}
			}
		}
		if d, err := parseTopicDelivery(text); err == nil {
			compactJSON(d.effective())
		}
	})
}

func FuzzEnvelope(f *testing.F) {
	subject := "s"
	f.Add((&envelope{ID: "1", Subject: &subject, Attributes: map[string]Attribute{"a": {DataType: "Binary", BinaryValue: []byte{0}}}, body: "x\ny"}).seal())
	f.Add([]byte("{}\n"))
	f.Add([]byte(`{"tries":-1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := openEnvelope(data)
		if err != nil {
			return
		}
		again, err := openEnvelope(e.seal())
		if err != nil || again.body != e.body || again.Tries != e.Tries || len(again.Attributes) != len(e.Attributes) {
			t.Errorf("%q became %+v (%v), was %+v", data, again, err, e)
		}
	})
}
