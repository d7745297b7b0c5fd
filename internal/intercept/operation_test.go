package intercept

import (
	"io"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestOperation(t *testing.T) {
	const form = "application/x-www-form-urlencoded; charset=utf-8"
	long := "Action=Publish&Message=" + strings.Repeat("x", 3*peekSize)
	for _, c := range []struct{ method, target, header, contentType, body, want string }{
		{"POST", "/", "DynamoDB_20120810.PutItem", "application/x-amz-json-1.0", "{}", "PutItem"},
		{"POST", "/", "AmazonSQS.SendMessage", "application/x-amz-json-1.0", "{}", "SendMessage"},
		{"POST", "/main/@connections/abc%3D", "", "", "hi", "PostToConnection"},
		{"GET", "/main/@connections/abc=", "", "", "", "GetConnection"},
		{"DELETE", "/@connections/abc=", "", "", "", "DeleteConnection"},
		{"PUT", "/@connections/abc=", "", "", "", "PUT"},
		{"POST", "/2015-03-31/functions/f/invocations", "", "", "{}", "Invoke"},
		{"GET", "/2015-03-31/functions", "", "", "", "GET /2015-03-31/functions"},
		{"POST", "/", "", form, "Action=SendMessage&MessageBody=secret&Version=2012-11-05", "SendMessage"},
		{"POST", "/1/queue", "", form, "Version=2012-11-05&Action=ReceiveMessage", "ReceiveMessage"},
		{"POST", "/", "", form, long, "Publish"},
		{"POST", "/", "", form, "MessageBody=secret", "POST"},
		{"POST", "/", "", form, "Action=%zz", "POST"},
		{"GET", "/?Action=ListQueues&X-Amz-Signature=secret", "", "", "", "ListQueues"},
		{"GET", "/path?token=secret", "", "", "", "GET /path"},
		{"POST", "/", "a.b\r\nc", "", "", "b  c"},
		{"GET", "/" + strings.Repeat("p", 200), "", "", "", "GET /" + strings.Repeat("p", maxOperation-5)},
	} {
		r := httptest.NewRequest(c.method, c.target, strings.NewReader(c.body))
		r.Header.Set("X-Amz-Target", c.header)
		r.Header.Set("Content-Type", c.contentType)
		if got := operation(r); got != c.want {
			t.Errorf("%s %.60s %s: %q, want %q", c.method, c.target, c.header, got, c.want)
		}
		if body, err := io.ReadAll(r.Body); string(body) != c.body || err != nil {
			t.Errorf("%s %.60s: the body has become %.60q, %v", c.method, c.target, body, err)
		}
	}
}
