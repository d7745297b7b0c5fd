package sqs

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// query makes a call of the query protocol, as SDKs before 2023 do, to a path;
// parameters are lines "Name=value".
func (f *fixture) query(t testing.TB, path, action, parameters string) (int, string) {
	t.Helper()
	form := url.Values{"Action": {action}, "Version": {"2012-11-05"}}
	for line := range strings.Lines(parameters) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		form.Set(name, value)
	}
	req, err := http.NewRequestWithContext(t.Context(), "POST", f.server.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKID/20261120/eu-west-1/sqs/aws4_request, SignedHeaders=host, Signature=0")
	return f.answer(t, req)
}

// call makes a call of the JSON protocol with the body as it is.
func (f *fixture) call(t testing.TB, operation, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", f.server.URL, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Amz-Target", "AmazonSQS."+operation)
	req.Header.Set("Content-Type", "application/x-amz-json-1.0")
	return f.answer(t, req)
}

func (f *fixture) answer(t testing.TB, req *http.Request) (int, string) {
	t.Helper()
	res, err := f.server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// xmlText returns the text of the first element of that name.
func xmlText(t testing.TB, document, name string) string {
	t.Helper()
	dec := xml.NewDecoder(strings.NewReader(document))
	for {
		token, err := dec.Token()
		if err != nil {
			t.Fatalf("no <%s> in %s", name, document)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == name {
			var text string
			if err := dec.DecodeElement(&text, &e); err != nil {
				t.Fatal(err)
			}
			return text
		}
	}
}

func TestQueryProtocol(t *testing.T) {
	f := start(t, "")
	ok := func(path, action, parameters string) string {
		t.Helper()
		status, body := f.query(t, path, action, parameters)
		if status != 200 {
			t.Fatalf("%s: %d %s", action, status, body)
		}
		if !strings.Contains(body, "<"+action+`Response xmlns="http://queue.amazonaws.com/doc/2012-11-05/">`) || xmlText(t, body, "RequestId") == "" {
			t.Fatalf("%s: %s", action, body)
		}
		return body
	}
	created := ok("/", "CreateQueue", "QueueName=old\nAttribute.1.Name=VisibilityTimeout\nAttribute.1.Value=60\nTag.1.Key=k\nTag.1.Value=v")
	queueURL := xmlText(t, created, "QueueUrl")
	if q, _ := f.byARN("arn:aws:sqs:eu-west-1:123456789012:old"); q.record().Tags["k"] != "v" {
		t.Errorf("tags %v", q.record().Tags)
	}
	path := "/123456789012/old"
	body := "a <b> &\r\n\tö"
	// The queue by its path, as these SDKs do, and by parameter.
	sent := ok(path, "SendMessage", "MessageBody=x\nMessageAttribute.1.Name=n\nMessageAttribute.1.Value.DataType=Binary\nMessageAttribute.1.Value.BinaryValue=AAE=")
	if got := xmlText(t, sent, "MD5OfMessageBody"); got != md5Hex([]byte("x")) {
		t.Errorf("digest %s", got)
	}
	form := "QueueUrl=" + queueURL + "\nSendMessageBatchRequestEntry.1.Id=one\nSendMessageBatchRequestEntry.1.MessageBody=y\nSendMessageBatchRequestEntry.2.Id=two\nSendMessageBatchRequestEntry.2.MessageBody="
	batch := ok("/", "SendMessageBatch", form)
	if !strings.Contains(batch, "<SendMessageBatchResultEntry><Id>one</Id>") ||
		!strings.Contains(batch, "<BatchResultErrorEntry><Id>two</Id><SenderFault>true</SenderFault><Code>MissingParameter</Code>") {
		t.Errorf("batch: %s", batch)
	}
	got := ok(path, "ReceiveMessage", "AttributeName.1=All\nMessageAttributeName.1=All\nMaxNumberOfMessages=1")
	if !strings.Contains(got, "<Attribute><Name>ApproximateReceiveCount</Name><Value>1</Value></Attribute>") ||
		!strings.Contains(got, "<MessageAttribute><Name>n</Name><Value><DataType>Binary</DataType><BinaryValue>AAE=</BinaryValue></Value></MessageAttribute>") {
		t.Errorf("received %s", got)
	}
	ok(path, "ChangeMessageVisibility", "VisibilityTimeout=0\nReceiptHandle="+xmlText(t, got, "ReceiptHandle"))
	ok(path, "DeleteMessage", "ReceiptHandle="+xmlText(t, got, "ReceiptHandle"))
	got = ok(path, "ReceiveMessage", "")
	deleted := ok(path, "DeleteMessageBatch", "DeleteMessageBatchRequestEntry.1.Id=d\nDeleteMessageBatchRequestEntry.1.ReceiptHandle="+xmlText(t, got, "ReceiptHandle"))
	if !strings.Contains(deleted, "<DeleteMessageBatchResultEntry><Id>d</Id></DeleteMessageBatchResultEntry>") {
		t.Errorf("deleted %s", deleted)
	}
	if attributes := ok(path, "GetQueueAttributes", "AttributeName.1=VisibilityTimeout\nAttributeName.2=ApproximateNumberOfMessages"); !strings.Contains(attributes,
		"<Attribute><Name>ApproximateNumberOfMessages</Name><Value>0</Value></Attribute><Attribute><Name>VisibilityTimeout</Name><Value>60</Value></Attribute>") {
		t.Errorf("attributes %s", attributes)
	}
	f.send(t, queueURL, body)
	if got := xmlText(t, ok(path, "ReceiveMessage", ""), "Body"); got != body {
		t.Errorf("body %q, want %q", got, body)
	}
	if listed := ok("/", "ListQueues", ""); xmlText(t, listed, "QueueUrl") != queueURL {
		t.Errorf("listed %s", listed)
	}
	ok(path, "PurgeQueue", "")
	ok(path, "DeleteQueue", "")
}

// TestErrors: each wrong call gets SQS's error in both protocols.
func TestErrors(t *testing.T) {
	f := start(t, "")
	f.create(t, "jobs", nil)
	f.create(t, "closed", map[string]string{"RedriveAllowPolicy": `{"redrivePermission":"denyAll"}`})
	const jobs = `"QueueUrl":"/123456789012/jobs"`
	many := strings.TrimSuffix(strings.Repeat(`{"Id":"x","MessageBody":"m"},`, 11), ",")
	for _, c := range []struct{ operation, body, kind, queryCode, text string }{
		{"Fold", `{}`, "UnknownOperationException", "InvalidAction", "no operation Fold"},
		{"SendMessage", `{`, "SerializationException", "", "not JSON"},
		{"SendMessage", `{"DelaySeconds":"1"}`, "SerializationException", "", "DelaySeconds"},
		{"SendMessage", `{"MessageBody":"x"}`, "MissingRequiredParameterException", "MissingParameter", "QueueUrl"},
		{"SendMessage", `{"QueueUrl":"jobs","MessageBody":"x"}`, "InvalidAddress", "", "jobs"},
		{"SendMessage", `{"QueueUrl":"http://h/1/jobs","MessageBody":"x"}`, "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", "does not exist"},
		{"SendMessage", `{` + jobs + `}`, "MissingRequiredParameterException", "MissingParameter", "MessageBody"},
		{"SendMessage", `{` + jobs + `,"MessageBody":"\u0000"}`, "InvalidMessageContents", "", "#x9"},
		{"SendMessage", `{` + jobs + `,"MessageBody":"x","DelaySeconds":901}`, "InvalidParameterValueException", "InvalidParameterValue", "DelaySeconds must be >= 0 and <= 900"},
		{"SendMessage", `{` + jobs + `,"MessageBody":"` + strings.Repeat("x", MaxMessageSize+1) + `"}`, "InvalidParameterValueException", "InvalidParameterValue", "shorter than 1048576"},
		{"SendMessage", `{` + jobs + `,"MessageBody":"x","MessageDeduplicationId":"1"}`, "InvalidParameterValueException", "InvalidParameterValue", "queue type"},
		{"SendMessage", `{` + jobs + `,"MessageBody":"x","MessageAttributes":{"a..b":{"DataType":"String","StringValue":"x"}}}`, "InvalidParameterValueException", "InvalidParameterValue", "a..b"},
		{"SendMessage", `{` + jobs + `,"MessageBody":"x","MessageAttributes":{"a":{"DataType":"Number","StringValue":"x"}}}`, "InvalidParameterValueException", "InvalidParameterValue", "to a number"},
		{"SendMessage", `{` + jobs + `,"MessageBody":"x","MessageAttributes":{"a":{"DataType":"String","BinaryValue":"eA=="}}}`, "InvalidParameterValueException", "InvalidParameterValue", "non-empty message attribute value"},
		{"SendMessage", `{` + jobs + `,"MessageBody":"x","MessageAttributes":{"a":{"DataType":"String","StringValue":"x","StringListValues":["y"]}}}`, "UnsupportedOperation", "AWS.SimpleQueueService.UnsupportedOperation", "list"},
		{"SendMessage", `{` + jobs + `,"MessageBody":"x","MessageSystemAttributes":{"a":{"DataType":"String","StringValue":"x"}}}`, "InvalidParameterValueException", "InvalidParameterValue", "system attribute"},
		{"SendMessageBatch", `{` + jobs + `}`, "EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest", "at least one"},
		{"SendMessageBatch", `{` + jobs + `,"Entries":[` + many + `]}`, "TooManyEntriesInBatchRequest", "AWS.SimpleQueueService.TooManyEntriesInBatchRequest", "You have sent 11"},
		{"SendMessageBatch", `{` + jobs + `,"Entries":[{"Id":"a","MessageBody":"x"},{"Id":"a","MessageBody":"x"}]}`, "BatchEntryIdsNotDistinct", "AWS.SimpleQueueService.BatchEntryIdsNotDistinct", "Id a repeated"},
		{"SendMessageBatch", `{` + jobs + `,"Entries":[{"Id":"a b","MessageBody":"x"}]}`, "InvalidBatchEntryId", "AWS.SimpleQueueService.InvalidBatchEntryId", "alphanumeric"},
		{"SendMessageBatch", `{` + jobs + `,"Entries":[{"Id":"a","MessageBody":"` + strings.Repeat("x", MaxMessageSize) + `"},{"Id":"b","MessageBody":"x"}]}`, "BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong", "1048577"},
		{"ReceiveMessage", `{` + jobs + `,"MaxNumberOfMessages":0}`, "InvalidParameterValueException", "InvalidParameterValue", "between 1 and 10"},
		{"ReceiveMessage", `{` + jobs + `,"WaitTimeSeconds":21}`, "InvalidParameterValueException", "InvalidParameterValue", "<= 20"},
		{"ReceiveMessage", `{` + jobs + `,"VisibilityTimeout":43201}`, "InvalidParameterValueException", "InvalidParameterValue", "43200"},
		{"ReceiveMessage", `{` + jobs + `,"AttributeNames":["Color"]}`, "InvalidAttributeName", "", "Color"},
		{"DeleteMessage", `{` + jobs + `}`, "MissingRequiredParameterException", "MissingParameter", "ReceiptHandle"},
		{"DeleteMessage", `{` + jobs + `,"ReceiptHandle":"x"}`, "ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid", "x"},
		{"ChangeMessageVisibility", `{` + jobs + `,"ReceiptHandle":"x"}`, "MissingRequiredParameterException", "MissingParameter", "VisibilityTimeout"},
		{"ChangeMessageVisibility", `{` + jobs + `,"ReceiptHandle":"x","VisibilityTimeout":-1}`, "InvalidParameterValueException", "InvalidParameterValue", "43200"},
		{"CreateQueue", `{}`, "MissingRequiredParameterException", "MissingParameter", "QueueName"},
		{"CreateQueue", `{"QueueName":"a b"}`, "InvalidParameterValueException", "InvalidParameterValue", "1 to 80"},
		{"CreateQueue", `{"QueueName":"x.fifo"}`, "InvalidParameterValueException", "InvalidParameterValue", "1 to 80"},
		{"CreateQueue", `{"QueueName":"x","Attributes":{"FifoQueue":"true"}}`, "InvalidParameterValueException", "InvalidParameterValue", "must end with .fifo"},
		{"CreateQueue", `{"QueueName":"x","Attributes":{"FifoQueue":"false"}}`, "InvalidAttributeName", "", "FifoQueue"},
		{"CreateQueue", `{"QueueName":"x","Attributes":{"Color":"red"}}`, "InvalidAttributeName", "", "Color"},
		{"CreateQueue", `{"QueueName":"x","Attributes":{"QueueArn":"red"}}`, "InvalidAttributeName", "", "QueueArn"},
		{"CreateQueue", `{"QueueName":"x","Attributes":{"VisibilityTimeout":"43201"}}`, "InvalidAttributeValue", "", "VisibilityTimeout"},
		{"CreateQueue", `{"QueueName":"x","Attributes":{"MaximumMessageSize":"9223372036854775807"}}`, "InvalidAttributeValue", "", "MaximumMessageSize"},
		{"SetQueueAttributes", `{` + jobs + `,"Attributes":{"RedrivePolicy":"x"}}`, "InvalidParameterValueException", "InvalidParameterValue", "JSON"},
		{"SetQueueAttributes", `{` + jobs + `,"Attributes":{"RedrivePolicy":"{\"deadLetterTargetArn\":\"arn:aws:sqs:us-east-1:123456789012:no\",\"maxReceiveCount\":1}"}}`, "InvalidParameterValueException", "InvalidParameterValue", "owner"},
		{"SetQueueAttributes", `{` + jobs + `,"Attributes":{"RedrivePolicy":"{\"deadLetterTargetArn\":\"arn:aws:sqs:eu-west-1:123456789012:no\",\"maxReceiveCount\":1}"}}`, "InvalidParameterValueException", "InvalidParameterValue", "does not exist"},
		{"SetQueueAttributes", `{` + jobs + `,"Attributes":{"RedrivePolicy":"{\"deadLetterTargetArn\":\"arn:aws:sqs:eu-west-1:123456789012:closed\",\"maxReceiveCount\":1}"}}`, "InvalidParameterValueException", "InvalidParameterValue", "RedriveAllowPolicy"},
		{"SetQueueAttributes", `{` + jobs + `,"Attributes":{"RedrivePolicy":"{\"deadLetterTargetArn\":\"arn:aws:sqs:eu-west-1:123456789012:closed\",\"maxReceiveCount\":0}"}}`, "InvalidParameterValueException", "InvalidParameterValue", "from 1 to 1000"},
		{"GetQueueAttributes", `{` + jobs + `,"AttributeNames":["Color"]}`, "InvalidAttributeName", "", "Color"},
		{"ListQueues", `{"MaxResults":1001}`, "InvalidParameterValueException", "InvalidParameterValue", "1000"},
		{"ListQueues", `{"NextToken":"?"}`, "InvalidParameterValueException", "InvalidParameterValue", "NextToken"},
	} {
		status, body := f.call(t, c.operation, c.body)
		var e struct {
			Type    string `json:"__type"`
			Message string `json:"message"`
		}
		if err := json.Unmarshal([]byte(body), &e); err != nil || status != 400 {
			t.Errorf("%s %.80s: %d %s", c.operation, c.body, status, body)
			continue
		}
		namespace, kind, _ := strings.Cut(e.Type, "#")
		if modelled[kind] != (namespace == "com.amazonaws.sqs") || kind != c.kind || !strings.Contains(e.Message, c.text) {
			t.Errorf("%s %.80s: %s: %s\nwant %s with %q", c.operation, c.body, e.Type, e.Message, c.kind, c.text)
		}
	}
	for _, c := range []struct{ path, action, parameters, code string }{
		{"/123456789012/none", "SendMessage", "MessageBody=x", "AWS.SimpleQueueService.NonExistentQueue"},
		{"/123456789012/jobs", "SendMessage", "", "MissingParameter"},
		{"/123456789012/jobs", "SendMessage", "MessageBody=\x01", "InvalidMessageContents"},
		{"/123456789012/jobs", "SendMessage", "MessageBody=\xff", "InvalidMessageContents"},
		{"/123456789012/jobs", "ReceiveMessage", "MaxNumberOfMessages=ten", "InvalidParameterValue"},
		{"/123456789012/jobs", "DeleteMessage", "ReceiptHandle=x", "ReceiptHandleIsInvalid"},
		{"/123456789012/jobs", "SendMessageBatch", "", "AWS.SimpleQueueService.EmptyBatchRequest"},
		{"/", "Fold", "", "InvalidAction"},
		{"/", "CreateQueue", "QueueName=jobs\nAttribute.1.Name=DelaySeconds\nAttribute.1.Value=1", "QueueAlreadyExists"},
	} {
		status, body := f.query(t, c.path, c.action, c.parameters)
		if status != 400 || xmlText(t, body, "Code") != c.code {
			t.Errorf("%s %s %q: %d %s\nwant %s", c.path, c.action, c.parameters, status, body, c.code)
		}
	}
}

// TestBatchEntries: entries fail one by one.
func TestBatchEntries(t *testing.T) {
	f := start(t, "")
	url := f.create(t, "jobs", map[string]string{"MaximumMessageSize": "1024"})
	status, body := f.call(t, "SendMessageBatch", fmt.Sprintf(`{"QueueUrl":%q,"Entries":[{"Id":"1","MessageBody":"a"},{"Id":"2","MessageBody":%q},{"Id":"3"},{"Id":"4","MessageBody":"b"},{"Id":"5","MessageBody":"c","DelaySeconds":900}]}`,
		url, strings.Repeat("x", 1025)))
	var sent sendMessageBatchOutput
	if err := json.Unmarshal([]byte(body), &sent); err != nil || status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	if len(sent.Successful) != 3 || sent.Successful[1].Id != "4" || len(sent.Failed) != 2 || sent.Failed[0].Id != "2" ||
		sent.Failed[0].Code != "InvalidParameterValue" || !sent.Failed[0].SenderFault || sent.Failed[1].Code != "MissingParameter" {
		t.Errorf("sent %s", body)
	}
	f.wantCounts(t, url, 2, 0, 1)
	got := f.receive(t, url, 0)
	want(t, got, "a/1", "b/1")
	status, body = f.call(t, "ChangeMessageVisibilityBatch", fmt.Sprintf(`{"QueueUrl":%q,"Entries":[{"Id":"1","ReceiptHandle":%q,"VisibilityTimeout":0},{"Id":"2","ReceiptHandle":"x","VisibilityTimeout":0},{"Id":"3","ReceiptHandle":%q}]}`,
		url, *got[0].ReceiptHandle, *got[1].ReceiptHandle))
	var changed changeMessageVisibilityBatchOutput
	if err := json.Unmarshal([]byte(body), &changed); err != nil || status != 200 || len(changed.Successful) != 1 || len(changed.Failed) != 2 ||
		changed.Failed[0].Code != "ReceiptHandleIsInvalid" || changed.Failed[1].Code != "MissingParameter" {
		t.Errorf("changed %d %s", status, body)
	}
	f.wantCounts(t, url, 1, 1, 1)
	status, body = f.call(t, "DeleteMessageBatch", fmt.Sprintf(`{"QueueUrl":%q,"Entries":[{"Id":"1","ReceiptHandle":%q},{"Id":"2","ReceiptHandle":"x"},{"Id":"3","ReceiptHandle":%q}]}`,
		url, *got[0].ReceiptHandle, *got[1].ReceiptHandle))
	var deleted deleteMessageBatchOutput
	if err := json.Unmarshal([]byte(body), &deleted); err != nil || status != 200 || len(deleted.Successful) != 2 || len(deleted.Failed) != 1 || deleted.Failed[0].Id != "2" {
		t.Errorf("deleted %d %s", status, body)
	}
	f.wantCounts(t, url, 0, 0, 1)
}

// TestShownAttributes: what a receive asks for is what it gets.
func TestShownAttributes(t *testing.T) {
	f := start(t, "")
	url := f.create(t, "jobs", map[string]string{"VisibilityTimeout": "0"})
	value := `{"DataType":"String","StringValue":"x"}`
	if status, body := f.call(t, "SendMessage", fmt.Sprintf(`{"QueueUrl":%q,"MessageBody":"m","MessageAttributes":{"bar.one":%s,"bar.two":%s,"foo":%s}}`, url, value, value, value)); status != 200 {
		t.Fatal(body)
	}
	for names, want := range map[string]int{``: 0, `"foo"`: 1, `"bar.*"`: 2, `"foo","bar.*"`: 3, `"All"`: 3, `".*"`: 3, `"fo"`: 0} {
		_, body := f.call(t, "ReceiveMessage", fmt.Sprintf(`{"QueueUrl":%q,"MessageAttributeNames":[%s],"AttributeNames":["SenderId"],"MessageSystemAttributeNames":["SentTimestamp"]}`, url, names))
		var got receiveMessageOutput
		if err := json.Unmarshal([]byte(body), &got); err != nil || len(got.Messages) != 1 {
			t.Fatal(body)
		}
		m := got.Messages[0]
		if len(m.MessageAttributes) != want || m.MD5OfMessageAttributes != md5OfAttributes(m.MessageAttributes) || len(m.Attributes) != 2 {
			t.Errorf("with [%s] got %s", names, body)
		}
	}
	if _, body := f.call(t, "ReceiveMessage", fmt.Sprintf(`{"QueueUrl":%q}`, url)); strings.Contains(body, "Attributes") {
		t.Errorf("without names got %s", body)
	}
}
