package publish

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/gatepost-dev/gatepost/push"
	"github.com/gatepost-dev/gatepost/push/function"
)

// grave notes the letters that are buried, or takes none.
type grave struct {
	letters []Letter
	full    bool
}

func (g *grave) Bury(_ context.Context, l Letter) error {
	if g.full {
		return errors.New("full")
	}
	g.letters = append(g.letters, l)
	return nil
}

// stage is a roster of ann (c1, c2) and bob (c3), of whom c1 and c3 are in the
// group blue, with what they get and what is buried.
func onStage(t *testing.T) (Options, *endpoint, *grave, *push.Memory) {
	t.Helper()
	e, g := &endpoint{}, &grave{}
	h, rows, _ := handler(t, e)
	for id, user := range map[string]string{"c1": "ann", "c2": "ann", "c3": "bob"} {
		c := push.Connection{ID: id, User: user, ConnectedAt: longAgo}
		if id != "c2" {
			c.Groups = []string{"blue"}
		}
		if err := rows.Add(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	o := h.Options
	o.Letters = g
	return o, e, g, rows
}

func parse[E any](t *testing.T, text string) (event E) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &event); err != nil {
		t.Fatal(err)
	}
	return event
}

func attributed(t *testing.T, attributes map[string]string, attempt, body string) events.SQSEvent {
	t.Helper()
	event := batch(t, body)
	for name, value := range attributes {
		event.Records[0].MessageAttributes[name] = events.SQSMessageAttribute{StringValue: aws.String(value), DataType: "String"}
	}
	event.Records[0].Attributes["ApproximateReceiveCount"] = attempt
	return event
}

func TestQueueTargets(t *testing.T) {
	o, e, g, _ := onStage(t)
	h := New(o)
	for target, want := range map[string][]string{"user:ann": {"c1", "c2"}, "group:blue": {"c1", "c3"}, "connection:c2": {"c2"}} {
		if failed := handle(t, t.Context(), h, attributed(t, map[string]string{"Target": target, "Except": "c3"}, "1", target)); len(failed) != 0 {
			t.Errorf("%s is reported", target)
		}
		for _, id := range []string{"c1", "c2", "c3"} {
			if got, wanted := slices.Contains(e.got[id], target), slices.Contains(want, id) && id != "c3"; got != wanted {
				t.Errorf("%s gets what is for %s but c3: %v", id, target, got)
			}
		}
	}
	if len(g.letters) != 0 {
		t.Errorf("buried %+v", g.letters)
	}
}

// What can never be delivered is buried with its reason, and not reported; when
// that fails it is.
func TestHopelessIsBuried(t *testing.T) {
	o, e, g, _ := onStage(t)
	h := New(o)
	event := batch(t, strings.Repeat("x", push.MaxMessage+1), "2")
	event.Records = append(event.Records, attributed(t, map[string]string{"Target": "room:7"}, "1", "3").Records[0])
	event.Records[2].MessageId = "m2"
	if failed := handle(t, t.Context(), h, event); len(failed) != 0 {
		t.Errorf("reported %q", failed)
	}
	e.want(t, "c1", "2")
	slices.SortFunc(g.letters, func(a, b Letter) int { return strings.Compare(a.MessageID, b.MessageID) })
	if len(g.letters) != 2 || !strings.Contains(g.letters[0].Reason, "too large") || g.letters[0].Source != "queue" || len(g.letters[0].Body) != push.MaxMessage+1 ||
		!strings.Contains(g.letters[1].Reason, `the Target is "room:7"`) || g.letters[1].Audience.Target != "room:7" {
		t.Errorf("buried %.300v", g.letters)
	}
	g.full = true
	if failed := handle(t, t.Context(), h, event); !slices.Equal(failed, []string{"m0", "m2"}) {
		t.Errorf("reported %q while nothing can be buried", failed)
	}
}

// At the last attempt a message is buried with those who missed it; sent again
// it reaches them alone.
func TestLastAttemptIsBuried(t *testing.T) {
	o, e, g, rows := onStage(t)
	stuck := true
	e.fail = func(_ context.Context, id, _ string) error {
		if id != "c1" && stuck {
			return errors.New("stuck")
		}
		return nil
	}
	h := New(o)
	h.last = 3
	if failed := handle(t, t.Context(), h, attributed(t, nil, "2", "hi")); len(failed) != 1 || len(g.letters) != 0 {
		t.Errorf("the second attempt: reported %q, buried %v", failed, g.letters)
	}
	if failed := handle(t, t.Context(), h, attributed(t, nil, "3", "hi")); len(failed) != 0 || len(g.letters) != 1 {
		t.Fatalf("the third attempt: reported %q, buried %v", failed, g.letters)
	}
	letter := g.letters[0]
	if letter.Audience.Missed != "c2,c3" || !strings.Contains(letter.Reason, "2 of 2 connections failed; the first, c") {
		t.Errorf("buried %+v", letter)
	}
	stuck = false
	if err := rows.Remove(t.Context(), "c3"); err != nil {
		t.Fatal(err)
	}
	again := attributed(t, map[string]string{"Missed": letter.Audience.Missed}, "1", string(letter.Body))
	again.Records[0].MessageId = "another"
	if failed := handle(t, t.Context(), h, again); len(failed) != 0 {
		t.Errorf("reported %q", failed)
	}
	e.want(t, "c1", "hi")
	e.want(t, "c2", "hi")
	e.want(t, "c3") // it was removed in the meantime
}

// A message that comes again is not posted to somebody who has left in between.
func TestAgainWithoutThoseWhoLeft(t *testing.T) {
	o, e, _, rows := onStage(t)
	stuck := true
	e.fail = func(_ context.Context, id, _ string) error {
		if stuck {
			return errors.New("stuck")
		}
		return nil
	}
	h := New(o)
	event := attributed(t, map[string]string{"Target": "group:blue"}, "1", "hi")
	if failed := handle(t, t.Context(), h, event); len(failed) != 1 {
		t.Fatalf("reported %q", failed)
	}
	stuck = false
	if err := rows.Leave(t.Context(), "c3", "blue"); err != nil {
		t.Fatal(err)
	}
	if failed := handle(t, t.Context(), h, event); len(failed) != 0 {
		t.Errorf("reported %q", failed)
	}
	e.want(t, "c1", "hi")
	e.want(t, "c3")
}

func TestTopic(t *testing.T) {
	const event = `{"Records":[{"EventSource":"aws:sns","Sns":{"MessageId":"t1","Message":"for ann","MessageAttributes":{"Target":{"Type":"String","Value":"user:ann"}}}}]}`
	o, e, g, _ := onStage(t)
	topic := NewTopic(o)
	if _, err := topic.Handle(t.Context(), parse[events.SNSEvent](t, event)); err != nil {
		t.Error(err)
	}
	e.want(t, "c1", "for ann")
	e.want(t, "c2", "for ann")
	e.want(t, "c3")
	if _, err := topic.Handle(t.Context(), parse[events.SNSEvent](t, strings.Replace(event, "user:ann", "user:", 1))); err != nil || len(g.letters) != 1 || g.letters[0].Source != "topic" {
		t.Errorf("%v, buried %+v", err, g.letters)
	}
	e.fail = func(_ context.Context, id, _ string) error {
		if id == "c2" {
			return errors.New("stuck")
		}
		return nil
	}
	if _, err := topic.Handle(t.Context(), parse[events.SNSEvent](t, event)); err == nil || !strings.Contains(err.Error(), "message t1: 1 of 2 connections failed; the first, c2: stuck") {
		t.Errorf("a failure gives %v", err)
	}
	e.fail = nil
	if _, err := topic.Handle(t.Context(), parse[events.SNSEvent](t, event)); err != nil {
		t.Error(err)
	}
	e.want(t, "c1", "for ann", "for ann") // not a third time
	e.want(t, "c2", "for ann", "for ann")
}

func TestStream(t *testing.T) {
	const event = `{"Records":[{"kinesis":{"sequenceNumber":"1","partitionKey":"user:ann","data":"AAH/"}},{"kinesis":{"sequenceNumber":"2","partitionKey":"no target","data":"Mg=="}},
		{"kinesis":{"sequenceNumber":"3","partitionKey":"user:bob","data":"Mw=="}},{"kinesis":{"sequenceNumber":"4","partitionKey":"user:ann","data":"NA=="}}]}`
	o, e, g, _ := onStage(t)
	s := NewStream(o, true)
	e.fail = func(_ context.Context, id, _ string) error {
		if id == "c3" {
			return errors.New("stuck")
		}
		return nil
	}
	out, err := s.Handle(t.Context(), parse[events.KinesisEvent](t, event))
	if err != nil || len(out.BatchItemFailures) != 1 || out.BatchItemFailures[0].ItemIdentifier != "3" {
		t.Errorf("reported %+v, %v; want the third", out.BatchItemFailures, err)
	}
	e.want(t, "c1", "\x00\x01\xff", "4")
	if len(g.letters) != 1 || g.letters[0].MessageID != "2" || g.letters[0].Source != "stream" {
		t.Errorf("buried %+v", g.letters)
	}
	o2, e2, _, _ := onStage(t)
	out, err = NewStream(o2, false).Handle(t.Context(), parse[events.KinesisEvent](t, event))
	if err != nil || len(out.BatchItemFailures) != 0 {
		t.Errorf("reported %+v, %v", out.BatchItemFailures, err)
	}
	e2.want(t, "c3", "\x00\x01\xff", "2", "3", "4")
}

func TestTable(t *testing.T) {
	const event = `{"Records":[{"eventName":"MODIFY","dynamodb":{"SequenceNumber":"1","Keys":{"id":{"S":"a"}},
		"NewImage":{"id":{"S":"a"},"n":{"N":"12345678901234567890.50"},"b":{"B":"AAE="},"t":{"BOOL":true},"no":{"NULL":true},"l":{"L":[{"S":"<"},{"M":{"x":{"N":"1"}}}]},"ss":{"SS":["p"]},"ns":{"NS":["1","2"]},"who":{"S":"user:bob"},"text":{"S":"hello"}},
		"OldImage":{"id":{"S":"a"}}}},{"eventName":"REMOVE","dynamodb":{"SequenceNumber":"2","Keys":{"id":{"S":"b"}},"OldImage":{"id":{"S":"b"},"who":{"S":"group:blue"}}}}]}`
	o, e, _, _ := onStage(t)
	out, err := NewTable(o, "", "who").Handle(t.Context(), parse[events.DynamoDBEvent](t, event))
	if err != nil || len(out.BatchItemFailures) != 0 {
		t.Errorf("reported %+v, %v", out.BatchItemFailures, err)
	}
	removed := `{"event":"REMOVE","keys":{"id":"b"},"old":{"id":"b","who":"group:blue"}}`
	changed := `{"event":"MODIFY","keys":{"id":"a"},"new":{"b":"AAE=","id":"a","l":["<",{"x":1}],"n":12345678901234567890.50,"no":null,"ns":[1,2],"ss":["p"],"t":true,"text":"hello","who":"user:bob"},"old":{"id":"a"}}`
	e.want(t, "c1", removed)
	e.want(t, "c2")
	slices.Sort(e.got["c3"]) // for two audiences there is no order
	e.want(t, "c3", changed, removed)

	o, e, _, _ = onStage(t)
	e.fail = func(context.Context, string, string) error { return errors.New("stuck") }
	out, err = NewTable(o, "text", "").Handle(t.Context(), parse[events.DynamoDBEvent](t, event))
	if err != nil || len(out.BatchItemFailures) != 1 || out.BatchItemFailures[0].ItemIdentifier != "1" {
		t.Errorf("reported %+v, %v; want the first", out.BatchItemFailures, err)
	}
	e.fail = nil
	if _, err := NewTable(o, "text", "").Handle(t.Context(), parse[events.DynamoDBEvent](t, event)); err != nil {
		t.Error(err)
	}
	e.want(t, "c2", "hello") // the removal has no text
}

// topics takes what a Relay publishes.
type topics struct{ in *sns.PublishInput }

func (c *topics) Publish(_ context.Context, in *sns.PublishInput, _ ...func(*sns.Options)) (*sns.PublishOutput, error) {
	if c.in = in; *in.Message == "fail" {
		return nil, errors.New("throttled")
	}
	return &sns.PublishOutput{MessageId: aws.String("t1")}, nil
}

func TestRequest(t *testing.T) {
	const token = "0123456789abcdef0123456789abcdef"
	bearer := map[string]string{"authorization": "bearer " + token}
	for _, tt := range []struct {
		name   string
		event  events.APIGatewayV2HTTPRequest
		method string
		signed bool
		relay  bool
		fail   bool
		want   string
		got    map[string][]string
	}{
		{name: "nobody", want: `401 {"message":"sign the request`},
		{name: "a wrong token", event: events.APIGatewayV2HTTPRequest{Headers: map[string]string{"authorization": "Bearer x"}}, want: "401"},
		{name: "a token in another scheme", event: events.APIGatewayV2HTTPRequest{Headers: map[string]string{"authorization": "Basic " + token}}, want: "401"},
		{name: "by token to everyone", event: events.APIGatewayV2HTTPRequest{Headers: bearer, Body: "hi"}, want: `200 {"sent":3,"gone":0,"failed":0,"remaining":0}`, got: map[string][]string{"c1": {"hi"}, "c2": {"hi"}, "c3": {"hi"}}},
		{name: "signed to a user, in the query", signed: true, event: events.APIGatewayV2HTTPRequest{Body: "hi", QueryStringParameters: map[string]string{"target": "user:bob"}}, want: "200", got: map[string][]string{"c3": {"hi"}}},
		{name: "to a group, in headers, as base64", signed: true, event: events.APIGatewayV2HTTPRequest{Body: "AAE=", IsBase64Encoded: true, Headers: map[string]string{"x-target": "group:blue", "x-except": "c3"}}, want: "200", got: map[string][]string{"c1": {"\x00\x01"}}},
		{name: "no base64", signed: true, event: events.APIGatewayV2HTTPRequest{Body: "?", IsBase64Encoded: true}, want: "400"},
		{name: "a wrong target", signed: true, event: events.APIGatewayV2HTTPRequest{QueryStringParameters: map[string]string{"target": "bob"}}, want: `400 {"message":"the Target is \"bob\"`},
		{name: "a GET", method: "GET", signed: true, want: "405"},
		{name: "too large", signed: true, event: events.APIGatewayV2HTTPRequest{Body: strings.Repeat("x", push.MaxMessage+1)}, want: "413"},
		{name: "not for everybody", signed: true, fail: true, event: events.APIGatewayV2HTTPRequest{Body: "hi"}, want: `502 {"message":"not every connection has the message: 3 of 3 connections failed`},
		{name: "by topic", signed: true, relay: true, event: events.APIGatewayV2HTTPRequest{Body: "hi", QueryStringParameters: map[string]string{"target": "user:bob"}}, want: `202 {"messageId":"t1"}`},
		{name: "by topic without a token", relay: true, want: "401"},
		{name: "nothing by topic", signed: true, relay: true, want: "400"},
		{name: "no text by topic", signed: true, relay: true, event: events.APIGatewayV2HTTPRequest{Body: "AAE=", IsBase64Encoded: true}, want: "400"},
		{name: "the topic fails", signed: true, relay: true, event: events.APIGatewayV2HTTPRequest{Body: "fail"}, want: `502 {"message":"the topic did not take the message"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o, e, g, _ := onStage(t)
			if tt.fail {
				e.fail = func(context.Context, string, string) error { return errors.New("stuck") }
			}
			h, client := NewRequest(o, token), &topics{}
			if tt.relay {
				h = NewRelay(client, "arn:topic", token, slog.New(slog.DiscardHandler))
			}
			if tt.event.RequestContext.HTTP.Method = tt.method; tt.method == "" {
				tt.event.RequestContext.HTTP.Method = "POST"
			}
			if tt.signed {
				tt.event.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{IAM: &events.APIGatewayV2HTTPRequestContextAuthorizerIAMDescription{}}
			}
			out, err := h.Handle(t.Context(), tt.event)
			if got := string(rune('0'+out.StatusCode/100)) + string(rune('0'+out.StatusCode/10%10)) + string(rune('0'+out.StatusCode%10)) + " " + out.Body; err != nil || !strings.HasPrefix(got, tt.want) {
				t.Errorf("answered %.300s, %v; want %s", got, err, tt.want)
			}
			for _, id := range []string{"c1", "c2", "c3"} {
				e.want(t, id, tt.got[id]...)
			}
			if len(g.letters) != 0 {
				t.Errorf("buried %+v", g.letters)
			}
			if tt.relay && client.in != nil && tt.event.QueryStringParameters != nil && *client.in.MessageAttributes["Target"].StringValue != "user:bob" {
				t.Errorf("published %+v", client.in)
			}
		})
	}
}

// Without a secret nothing but a checked request is let in.
func TestRequestWithoutASecret(t *testing.T) {
	o, _, _, _ := onStage(t)
	for _, header := range []string{"", "Bearer", "Bearer "} {
		event := events.APIGatewayV2HTTPRequest{Headers: map[string]string{"authorization": header}}
		event.RequestContext.HTTP.Method = "POST"
		if out, err := NewRequest(o, "").Handle(t.Context(), event); err != nil || out.StatusCode != 401 {
			t.Errorf("%q is answered %d, %v", header, out.StatusCode, err)
		}
	}
}

// queue takes what QueueLetters sends.
type queue struct{ in *sqs.SendMessageInput }

func (q *queue) SendMessage(_ context.Context, in *sqs.SendMessageInput, _ ...func(*sqs.Options)) (*sqs.SendMessageOutput, error) {
	q.in = in
	return &sqs.SendMessageOutput{}, nil
}

func TestQueueLetters(t *testing.T) {
	for _, tt := range []struct {
		name, body, want, encoding string
	}{
		{"text", "h\u00e9\n", "h\u00e9\n", ""},
		{"bytes", "\xff\x00", "/wA=", "base64"},
		{"a control character", "a\x01", "YQE=", "base64"},
		{"nothing", "", " ", "base64"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q := &queue{}
			letter := Letter{Body: []byte(tt.body), Reason: "a\nb" + strings.Repeat("é", maxReason), MessageID: "m1", Source: "queue", Audience: function.Audience{Target: "user:ann", Missed: "c1,c2"}}
			if err := (&QueueLetters{Client: q, URL: "https://q"}).Bury(t.Context(), letter); err != nil {
				t.Fatal(err)
			}
			value := func(name string) string { return aws.ToString(q.in.MessageAttributes[name].StringValue) }
			if *q.in.MessageBody != tt.want || value("Encoding") != tt.encoding || value("Target") != "user:ann" || value("Missed") != "c1,c2" || value("MessageId") != "m1" || value("Source") != "queue" {
				t.Errorf("sent %q, %+v", *q.in.MessageBody, q.in.MessageAttributes)
			}
			if reason := value("Reason"); len(reason) > maxReason || !strings.HasPrefix(reason, "a bé") || !isText(reason) {
				t.Errorf("the reason has %d bytes, %.20q", len(reason), reason)
			}
			if _, there := q.in.MessageAttributes["Except"]; there {
				t.Error("an empty attribute is sent, which SQS refuses")
			}
		})
	}
}

func FuzzTopicMessage(f *testing.F) {
	f.Add(`{"Message":"x","MessageAttributes":{"Target":{"Type":"String","Value":"user:ann"}}}`)
	f.Add(`{"MessageAttributes":{"Target":7,"Except":{"Value":[]}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		var entity events.SNSEntity
		if json.Unmarshal([]byte(text), &entity) == nil {
			topicMessage(&entity)
		}
		var record events.DynamoDBEventRecord
		if json.Unmarshal([]byte(text), &record) == nil {
			if m, ok := (&Table{}).message(&record); ok && m.refused == nil && !json.Valid(m.body) {
				t.Errorf("described as %q", m.body)
			}
		}
	})
}
