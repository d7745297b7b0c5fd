package sns

import (
	"crypto/sha1"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssns "github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/gatepost-dev/gatepost/internal/telemetry"
)

// httpServer is an HTTP end point that keeps what it gets and answers as told.
type httpServer struct {
	*httptest.Server
	requests chan request
}

type request struct {
	header http.Header
	body   string
}

func serveHTTP(t testing.TB, status func(n int) int) *httpServer {
	s := &httpServer{requests: make(chan request, 100)}
	var mu sync.Mutex
	n := 0
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		n++
		answer := status(n)
		mu.Unlock()
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(answer)
		s.requests <- request{r.Header, string(body)}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *httpServer) next(t testing.TB) request {
	t.Helper()
	select {
	case r := <-s.requests:
		return r
	case <-time.After(patience):
		t.Fatal("the HTTP end point got nothing")
		return request{}
	}
}

func always(int) int { return 200 }

func TestHTTPEndpointConfirmsAndGetsMessages(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	s := serveHTTP(t, always)
	topic := f.create(t, "t", nil)
	out, err := f.client.Subscribe(t.Context(), &awssns.SubscribeInput{TopicArn: &topic, Protocol: aws.String("http"), Endpoint: aws.String(s.URL + "/hook")})
	if err != nil || *out.SubscriptionArn != "pending confirmation" {
		t.Fatalf("Subscribe: %v, %v", out, err)
	}
	asked := s.next(t)
	d := document(t, asked.body)
	for name, want := range map[string]any{"Type": "SubscriptionConfirmation", "TopicArn": topic, "SignatureVersion": "1",
		"Message": "You have chosen to subscribe to the topic " + topic + ".\nTo confirm the subscription, visit the SubscribeURL included in this message."} {
		if d[name] != want {
			t.Errorf("%s = %v, want %v", name, d[name], want)
		}
	}
	for name, want := range map[string]string{"X-Amz-Sns-Message-Type": "SubscriptionConfirmation", "X-Amz-Sns-Topic-Arn": topic,
		"X-Amz-Sns-Message-Id": d["MessageId"].(string), "X-Amz-Sns-Subscription-Arn": "", "Content-Type": "text/plain; charset=UTF-8",
		"User-Agent": "Amazon Simple Notification Service Agent"} {
		if got := asked.header.Get(name); got != want {
			t.Errorf("header %s: %q, want %q", name, got, want)
		}
	}
	checkSignature(t, d, sha1.Size)
	f.say(t, topic, "before it is confirmed")
	list, _ := f.client.ListSubscriptionsByTopic(t.Context(), &awssns.ListSubscriptionsByTopicInput{TopicArn: &topic})
	if *list.Subscriptions[0].SubscriptionArn != "PendingConfirmation" {
		t.Errorf("listed as %s", *list.Subscriptions[0].SubscriptionArn)
	}

	res, err := http.Get(d["SubscribeURL"].(string))
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("visiting %s: %v, %v", d["SubscribeURL"], res, err)
	}
	text, _ := io.ReadAll(res.Body)
	if !strings.Contains(string(text), "<ConfirmSubscriptionResult><SubscriptionArn>"+topic+":") {
		t.Errorf("answer %s", text)
	}
	f.say(t, topic, "hello")
	told := s.next(t)
	n := document(t, told.body)
	if n["Message"] != "hello" || told.header.Get("X-Amz-Sns-Message-Type") != "Notification" || !strings.HasPrefix(told.header.Get("X-Amz-Sns-Subscription-Arn"), topic+":") {
		t.Errorf("notification %v, %v", told.header, n)
	}
	if res, err := http.Get(n["UnsubscribeURL"].(string)); err != nil || res.StatusCode != 200 {
		t.Errorf("visiting %s: %v, %v", n["UnsubscribeURL"], res, err)
	}
	list, _ = f.client.ListSubscriptionsByTopic(t.Context(), &awssns.ListSubscriptionsByTopicInput{TopicArn: &topic})
	if len(list.Subscriptions) != 0 {
		t.Errorf("after unsubscribing: %v", list.Subscriptions)
	}
}

func TestConfirmSubscriptionRules(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	s := serveHTTP(t, always)
	topic, other := f.create(t, "t", nil), f.create(t, "other", nil)
	f.join(t, topic, s.URL, nil)
	token := document(t, s.next(t).body)["Token"].(string)
	confirm := func(topic, token, guard string) (*awssns.ConfirmSubscriptionOutput, error) {
		return f.client.ConfirmSubscription(t.Context(), &awssns.ConfirmSubscriptionInput{TopicArn: &topic, Token: &token, AuthenticateOnUnsubscribe: &guard})
	}
	for _, x := range []struct{ topic, token, text string }{
		{topic, "x", "Invalid parameter: Token"},
		{topic, strings.Repeat("0", len(token)), "Invalid token"},
		{other, token, "Invalid token"},
		{topic + "x", token, "Invalid parameter: Topic"},
		{"x", token, "Invalid parameter: Topic"},
	} {
		_, err := confirm(x.topic, x.token, "")
		wantError(t, err, "InvalidParameter", x.text)
	}
	// Subscribing again sends the token again.
	f.join(t, topic, s.URL, nil)
	if again := document(t, s.next(t).body)["Token"]; again != token {
		t.Errorf("another token: %v", again)
	}
	out, err := confirm(topic, token, "true")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := confirm(topic, token, ""); err != nil || *again.SubscriptionArn != *out.SubscriptionArn {
		t.Errorf("confirmed twice: %v, %v", again, err)
	}
	res, err := http.Get(f.server.URL + "/?Action=Unsubscribe&Version=2010-03-31&SubscriptionArn=" + *out.SubscriptionArn)
	if err != nil || res.StatusCode != 403 {
		t.Errorf("unsubscribed without a signature: %v, %v", res, err)
	}
	if _, err := f.client.Unsubscribe(t.Context(), &awssns.UnsubscribeInput{SubscriptionArn: out.SubscriptionArn}); err != nil {
		t.Error(err)
	}
}

// confirmed subscribes an HTTP end point and confirms it.
func (f *fixture) confirmed(t testing.TB, s *httpServer, topic string, attributes map[string]string) {
	t.Helper()
	f.join(t, topic, s.URL, attributes)
	token := document(t, s.next(t).body)["Token"].(string)
	if _, err := f.client.ConfirmSubscription(t.Context(), &awssns.ConfirmSubscriptionInput{TopicArn: &topic, Token: &token}); err != nil {
		t.Fatal(err)
	}
}

func TestHTTPStatusDecides(t *testing.T) {
	t.Parallel()
	const quickly = `{"healthyRetryPolicy":{"numRetries":2,"numNoDelayRetries":2}}`
	for _, c := range []struct {
		status, tries int
		dead          bool
	}{
		{200, 1, false}, {204, 1, false}, {301, 1, true}, {404, 1, true}, {429, 3, true}, {500, 3, true}, {503, 3, true},
	} {
		t.Run(fmt.Sprint(c.status), func(t *testing.T) {
			t.Parallel()
			f := start(t, "")
			s := serveHTTP(t, func(n int) int {
				if n == 1 {
					return 200 // the confirmation
				}
				return c.status
			})
			topic := f.create(t, "t", nil)
			f.confirmed(t, s, topic, map[string]string{"DeliveryPolicy": quickly, "RedrivePolicy": `{"deadLetterTargetArn":"` + dlq + `"}`})
			f.say(t, topic, "x")
			for range c.tries {
				if d := document(t, s.next(t).body); d["Message"] != "x" {
					t.Errorf("document %v", d)
				}
			}
			if c.dead {
				f.await(t, dlq, 1)
			} else {
				awaitEvent(t, f, func(e telemetry.Event) bool { return e.Kind == telemetry.Delivered && !e.Failed && e.Bytes == 1 })
			}
			if len(s.requests) != 0 {
				t.Errorf("%d requests too many", len(s.requests))
			}
		})
	}
}

func TestRawHTTPAndContentType(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	s := serveHTTP(t, always)
	topic := f.create(t, "t", map[string]string{"DeliveryPolicy": `{"http":{"defaultRequestPolicy":{"headerContentType":"application/json"}}}`})
	f.confirmed(t, s, topic, map[string]string{"RawMessageDelivery": "true", "DeliveryPolicy": `{"throttlePolicy":{"maxReceivesPerSecond":1000}}`})
	f.say(t, topic, `{"a":1}`)
	got := s.next(t)
	if got.body != `{"a":1}` || got.header.Get("X-Amz-Sns-Rawdelivery") != "true" || got.header.Get("Content-Type") != "application/json" {
		t.Errorf("raw request %v %s", got.header, got.body)
	}
	list, _ := f.client.ListSubscriptions(t.Context(), &awssns.ListSubscriptionsInput{})
	out, err := f.client.GetSubscriptionAttributes(t.Context(), &awssns.GetSubscriptionAttributesInput{SubscriptionArn: list.Subscriptions[0].SubscriptionArn})
	if err != nil {
		t.Fatal(err)
	}
	effective := document(t, out.Attributes["EffectiveDeliveryPolicy"])
	if effective["throttlePolicy"].(map[string]any)["maxReceivesPerSecond"] != 1000.0 || effective["healthyRetryPolicy"].(map[string]any)["numRetries"] != 3.0 {
		t.Errorf("effective policy %v", effective)
	}
}
