package sns

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	awssns "github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/gatepost-dev/gatepost/internal/telemetry"
)

// full is a message with everything that a message can have.
func full(topic string) *awssns.PublishInput {
	return &awssns.PublishInput{TopicArn: &topic, Message: aws.String("Hello <\"wörld\">\n"), Subject: aws.String("Greeting & more"),
		MessageAttributes: map[string]types.MessageAttributeValue{
			"n": {DataType: aws.String("Number"), StringValue: aws.String("99.12")},
			"s": {DataType: aws.String("String.Array"), StringValue: aws.String(`["a","b"]`)},
			"b": {DataType: aws.String("Binary"), BinaryValue: []byte{2, 3, 4}},
		}}
}

func TestQueueGetsTheDocument(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	topic := f.create(t, "t", nil)
	sub := f.join(t, topic, queueA, nil)
	out, err := f.client.Publish(t.Context(), full(topic))
	if err != nil {
		t.Fatal(err)
	}
	got := f.await(t, queueA, 1)[0].queue
	d := document(t, got.Body)
	want := fmt.Sprintf(`{
  "Type" : "Notification",
  "MessageId" : "%s",
  "TopicArn" : "%s",
  "Subject" : "Greeting & more",
  "Message" : "Hello <\"wörld\">\n",
  "Timestamp" : "%s",
  "SignatureVersion" : "1",
  "Signature" : "%s",
  "SigningCertURL" : "%s",
  "UnsubscribeURL" : "%s/?Action=Unsubscribe&SubscriptionArn=%s&Version=2010-03-31",
  "MessageAttributes" : {
    "b" : {"Type":"Binary","Value":"AgME"},
    "n" : {"Type":"Number","Value":"99.12"},
    "s" : {"Type":"String.Array","Value":"[\"a\",\"b\"]"}
  }
}`, *out.MessageId, topic, d["Timestamp"], d["Signature"], d["SigningCertURL"], f.server.URL, sub)
	if got.Body != want {
		t.Errorf("body\n%s\nwant\n%s", got.Body, want)
	}
	if len(got.Attributes) != 0 || got.GroupID != "" || got.DeduplicationID != "" {
		t.Errorf("beside the body: %+v", got)
	}
	if at, err := time.Parse("2006-01-02T15:04:05.000Z", d["Timestamp"].(string)); err != nil || time.Since(at) > time.Minute {
		t.Errorf("timestamp %v, %v", d["Timestamp"], err)
	}
	checkSignature(t, d, sha1.New().Size())
}

// checkSignature checks a document as its receiver would.
func checkSignature(t testing.TB, d map[string]any, size int) {
	t.Helper()
	res, err := http.Get(d["SigningCertURL"].(string))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	block, _ := pem.Decode(text)
	if err != nil || block == nil {
		t.Fatalf("certificate %q, %v", text, err)
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, name := range []string{"Message", "MessageId", "SubscribeURL", "Subject", "Timestamp", "Token", "TopicArn", "Type"} {
		if value, ok := d[name]; ok {
			fmt.Fprintf(&b, "%s\n%s\n", name, value)
		}
	}
	hash, sum := crypto.SHA1, sha1.Sum([]byte(b.String()))
	digest := sum[:]
	if size == sha256.Size {
		long := sha256.Sum256([]byte(b.String()))
		hash, digest = crypto.SHA256, long[:]
	}
	signature, err := base64.StdEncoding.DecodeString(d["Signature"].(string))
	if err != nil {
		t.Fatal(err)
	}
	if err := rsa.VerifyPKCS1v15(certificate.PublicKey.(*rsa.PublicKey), hash, digest, signature); err != nil {
		t.Errorf("signature: %v", err)
	}
}

func TestSignatureVersion2(t *testing.T) {
	t.Parallel()
	f := start(t, "", func(c *Config) { c.SigningKey = nil }) // one is made
	topic := f.create(t, "t", map[string]string{"SignatureVersion": "2"})
	f.join(t, topic, queueA, nil)
	f.say(t, topic, "x")
	d := document(t, f.await(t, queueA, 1)[0].queue.Body)
	if d["SignatureVersion"] != "2" || d["Subject"] != nil || d["MessageAttributes"] != nil {
		t.Errorf("document %v", d)
	}
	checkSignature(t, d, sha256.Size)
	if res, err := http.Get(f.server.URL + certificatePath + "other.pem"); err != nil || res.StatusCode != 404 {
		t.Errorf("another certificate: %v, %v", res, err)
	}
}

func TestRawDelivery(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	topic := f.create(t, "t", nil)
	f.join(t, topic, queueA, map[string]string{"RawMessageDelivery": "true"})
	if _, err := f.client.Publish(t.Context(), full(topic)); err != nil {
		t.Fatal(err)
	}
	got := f.await(t, queueA, 1)[0].queue
	if got.Body != "Hello <\"wörld\">\n" || len(got.Attributes) != 3 || string(got.Attributes["b"].BinaryValue) != "\x02\x03\x04" || got.Attributes["n"].StringValue != "99.12" {
		t.Errorf("raw message %+v", got)
	}
}

func TestRawWithTooManyAttributesIsADeadLetter(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	topic := f.create(t, "t", nil)
	f.join(t, topic, queueA, map[string]string{"RawMessageDelivery": "true", "RedrivePolicy": `{"deadLetterTargetArn":"` + dlq + `"}`})
	attributes := make(map[string]Attribute)
	for i := range 11 {
		attributes[fmt.Sprint("a", i)] = str("x")
	}
	if _, err := f.Publish(t.Context(), topic, Message{Body: "x", Attributes: attributes}); err != nil {
		t.Fatal(err)
	}
	if d := document(t, f.await(t, dlq, 1)[0].queue.Body); len(d["MessageAttributes"].(map[string]any)) != 11 {
		t.Errorf("dead letter %v", d)
	}
	if len(f.to(queueA)) != 0 {
		t.Error("the queue got it, too")
	}
}

func TestFunctionGetsTheEvent(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	topic := f.create(t, "t", nil)
	sub := f.join(t, topic, worker1, nil)
	out, err := f.client.Publish(t.Context(), full(topic))
	if err != nil {
		t.Fatal(err)
	}
	text := string(f.await(t, worker1, 1)[0].event)
	var e events.SNSEvent
	if err := json.Unmarshal([]byte(text), &e); err != nil || len(e.Records) != 1 {
		t.Fatalf("event %s, %v", text, err)
	}
	m := e.Records[0].SNS
	want := fmt.Sprintf(`{"Records":[{"EventSource":"aws:sns","EventVersion":"1.0","EventSubscriptionArn":"%s","Sns":{"Type":"Notification","MessageId":"%s","TopicArn":"%s",`+
		`"Subject":"Greeting & more","Message":"Hello <\"wörld\">\n","Timestamp":"%s","SignatureVersion":"1","Signature":"%s","SigningCertUrl":"%s",`+
		`"UnsubscribeUrl":"%s/?Action=Unsubscribe&SubscriptionArn=%s&Version=2010-03-31","MessageAttributes":{"b":{"Type":"Binary","Value":"AgME"},`+
		`"n":{"Type":"Number","Value":"99.12"},"s":{"Type":"String.Array","Value":"[\"a\",\"b\"]"}}}}]}`,
		sub, *out.MessageId, topic, m.Timestamp.Format("2006-01-02T15:04:05.000Z"), m.Signature, m.SigningCertURL, f.server.URL, sub)
	if text != want {
		t.Errorf("event\n%s\nwant\n%s", text, want)
	}
	f.say(t, topic, "plain")
	text = string(f.await(t, worker1, 2)[1].event)
	if !strings.Contains(text, `"Subject":null,`) || !strings.HasSuffix(text, `"MessageAttributes":{}}}]}`) {
		t.Errorf("event without subject and attributes: %s", text)
	}
}

func TestMessageForEachProtocol(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	topic := f.create(t, "t", nil)
	f.join(t, topic, queueA, nil)
	f.join(t, topic, worker1, nil)
	body := `{"default":"for all","sqs":"for queues","email":5,"http":null}`
	if _, err := f.Publish(t.Context(), topic, Message{Body: body, Structure: "json"}); err != nil {
		t.Fatal(err)
	}
	if d := document(t, f.await(t, queueA, 1)[0].queue.Body); d["Message"] != "for queues" {
		t.Errorf("queue got %v", d)
	}
	if text := string(f.await(t, worker1, 1)[0].event); !strings.Contains(text, `"Message":"for all"`) {
		t.Errorf("function got %s", text)
	}
}

func TestOnlyWhatPassesTheFilterIsDelivered(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	topic := f.create(t, "t", nil)
	f.join(t, topic, queueA, map[string]string{"FilterPolicy": `{"kind":["order"]}`})
	f.join(t, topic, queueB, map[string]string{"FilterPolicy": `{"o":{"kind":["order"]}}`, "FilterPolicyScope": "MessageBody"})
	for _, m := range []Message{
		{Body: `{"o":{"kind":"order"}}`}, {Body: "by attribute", Attributes: map[string]Attribute{"kind": str("order")}}, {Body: "neither"},
		{Body: `{"o":{"kind":"last"}}`, Attributes: map[string]Attribute{"kind": str("order")}}, {Body: `{"o":{"kind":["order"]},"last":1}`},
	} {
		if _, err := f.Publish(t.Context(), topic, m); err != nil {
			t.Fatal(err)
		}
	}
	f.await(t, queueA, 2)
	f.await(t, queueB, 2)
}

func TestStandardTopicPassesTheGroupOn(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	topic := f.create(t, "t", nil)
	f.join(t, topic, queueA, nil)
	if _, err := f.Publish(t.Context(), topic, Message{Body: "x", GroupID: "tenant"}); err != nil {
		t.Fatal(err)
	}
	if got := f.await(t, queueA, 1)[0].queue; got.GroupID != "tenant" || got.DeduplicationID != "" {
		t.Errorf("message %+v", got)
	}
}

// counting returns a failure for the first n deliveries to an end point.
func counting(to string, n int, err error) (fail func(delivery) error, count func() int) {
	var mu sync.Mutex
	tries := 0
	return func(d delivery) error {
			mu.Lock()
			defer mu.Unlock()
			if d.to != to {
				return nil
			}
			if tries++; tries <= n {
				return err
			}
			return nil
		}, func() int {
			mu.Lock()
			defer mu.Unlock()
			return tries
		}
}

func TestUnreachableEndpointIsTriedAgain(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	fail, count := counting(queueA, 3, errors.New("unreachable"))
	f.failing(fail)
	topic := f.create(t, "t", nil)
	f.join(t, topic, queueA, map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + dlq + `"}`})
	f.say(t, topic, "x")
	f.await(t, queueA, 1)
	if count() != 4 || len(f.to(dlq)) != 0 {
		t.Errorf("%d tries, %d dead letters", count(), len(f.to(dlq)))
	}
}

func TestDeadLetterAfterTheLastTry(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	fail, count := counting(worker1, 1000, errors.New("unreachable"))
	f.failing(fail)
	topic := f.create(t, "t", nil)
	f.join(t, topic, worker1, map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + dlq + `"}`})
	out, err := f.client.Publish(t.Context(), full(topic))
	if err != nil {
		t.Fatal(err)
	}
	d := document(t, f.await(t, dlq, 1)[0].queue.Body)
	if count() != 4 || d["MessageId"] != *out.MessageId || d["Type"] != "Notification" {
		t.Errorf("after %d tries: %v", count(), d)
	}
	awaitEvent(t, f, func(e telemetry.Event) bool {
		return e.Kind == telemetry.DeadLettered && strings.Contains(e.Text, "unreachable")
	})
}

// awaitEvent waits for an event in the feed.
func awaitEvent(t testing.TB, f *fixture, is func(telemetry.Event) bool) {
	t.Helper()
	deadline := time.After(patience)
	for {
		for _, e := range f.feed.Recent(1000) {
			if is(e) {
				return
			}
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-deadline:
			t.Fatalf("no such event in %v", f.feed.Recent(1000))
		}
	}
}

func TestMissingEndpointIsADeadLetterAtOnce(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	fail, count := counting(queueA, 1000, fmt.Errorf("queue a: %w", ErrNoEndpoint))
	f.failing(fail)
	topic := f.create(t, "t", nil)
	f.join(t, topic, queueA, map[string]string{"RawMessageDelivery": "true", "RedrivePolicy": `{"deadLetterTargetArn":"` + dlq + `"}`})
	if _, err := f.client.Publish(t.Context(), full(topic)); err != nil {
		t.Fatal(err)
	}
	got := f.await(t, dlq, 1)[0].queue
	if count() != 1 || got.Body != "Hello <\"wörld\">\n" || len(got.Attributes) != 3 {
		t.Errorf("after %d tries: %+v", count(), got)
	}
}

func TestFunctionErrorIsLambdasAffair(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	fail, count := counting(worker1, 1000, fmt.Errorf("exit status 1: %w", ErrFunctionFailed))
	f.failing(fail)
	topic := f.create(t, "t", nil)
	f.join(t, topic, worker1, map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + dlq + `"}`})
	f.say(t, topic, "x")
	awaitEvent(t, f, func(e telemetry.Event) bool { return e.Failed && strings.HasPrefix(e.Text, "given up") })
	if count() != 3 || len(f.to(dlq)) != 0 {
		t.Errorf("%d tries (want 3: two are repeated), %d dead letters (want none)", count(), len(f.to(dlq)))
	}
}

func TestWithoutRedrivePolicyItIsGivenUp(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	fail, count := counting(queueA, 1000, errors.New("unreachable"))
	f.failing(fail)
	topic := f.create(t, "t", nil)
	f.join(t, topic, queueA, nil)
	f.say(t, topic, "x")
	awaitEvent(t, f, func(e telemetry.Event) bool { return e.Failed && strings.Contains(e.Text, "no RedrivePolicy") })
	if count() != 4 {
		t.Errorf("%d tries", count())
	}
}

func TestOneSlowSubscriberHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	f := start(t, "", func(c *Config) { c.Functions = functions(func(string, []byte) error { <-release; return nil }) })
	defer close(release)
	topic := f.create(t, "t", nil)
	f.join(t, topic, worker1, nil)
	f.join(t, topic, queueA, nil)
	for i := range 3 * maxAttempts {
		f.say(t, topic, fmt.Sprint(i))
	}
	f.await(t, queueA, 3*maxAttempts)
}

func TestNobodyToDeliverTo(t *testing.T) {
	t.Parallel()
	f := start(t, "", func(c *Config) { c.Queues, c.Functions = nil, nil })
	topic := f.create(t, "t", nil)
	f.join(t, topic, queueA, nil)
	f.join(t, topic, worker1, nil)
	f.say(t, topic, "x")
	awaitEvent(t, f, func(e telemetry.Event) bool { return strings.Contains(e.Text, "no queues run here") })
	awaitEvent(t, f, func(e telemetry.Event) bool { return strings.Contains(e.Text, "no functions run here") })
}
