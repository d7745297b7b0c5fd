package integration_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb"
	"github.com/gatepost-dev/gatepost/internal/aws/sqs"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/bus"
	"github.com/gatepost-dev/gatepost/internal/conformance"
	"github.com/gatepost-dev/gatepost/internal/integration"
)

// services are the real queues and tables behind the real AWS endpoint, which
// refuses what is not signed with the right credentials.
type services struct {
	queues   *sqs.Service
	tables   *dynamodb.Service
	backends *integration.Backends
}

func start(t *testing.T) *services {
	t.Helper()
	b, err := bus.Open(bus.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	s := new(services)
	if s.queues, err = sqs.New(sqs.Config{Bus: b, Region: "eu-west-1", Account: "123456789012"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.queues.Close() })
	if s.tables, err = dynamodb.Open(dynamodb.Config{Region: "eu-west-1"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.tables.Close() })

	credentials := awswire.NewCredentials()
	verifier := awswire.NewVerifier(func(id string) (awswire.Credentials, bool) { return credentials, id == credentials.AccessKeyID }, awswire.VerifierOptions{})
	endpoint := &awswire.Endpoint{Check: func(r *http.Request, body []byte) error {
		_, err := verifier.Verify(r, body, "")
		return err
	}}
	endpoint.Register(s.queues)
	endpoint.Register(s.tables)
	server := httptest.NewServer(endpoint)
	t.Cleanup(server.Close)
	s.backends = integration.New(integration.Config{AWS: server.URL, Credentials: credentials, Region: "eu-west-1", Account: "123456789012"})
	t.Cleanup(s.backends.Close)
	return s
}

// do runs a call of a service's own.
func do(t *testing.T, service awswire.Service, operation, body string) string {
	t.Helper()
	out, err := service.Do(t.Context(), &awswire.Call{Operation: operation, Body: []byte(body), Region: "eu-west-1", Host: "127.0.0.1"})
	if err != nil {
		t.Fatalf("%s: %v", operation, err)
	}
	return string(awswire.MarshalJSON(out))
}

// call sends a message to an integration.
func (s *services) call(t *testing.T, in apigw.Integration, body string) (*integration.Response, error) {
	t.Helper()
	in.Type, in.Method = apigw.AWSService, "POST"
	compiled, err := s.backends.Compile(&in)
	if err != nil {
		t.Fatal(err)
	}
	id, err := apigw.ParseConnectionID("JC1dgf9yoAMCK-g=")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return compiled.Call(ctx, &integration.Request{Kind: apigw.EventMessage, Body: []byte(body), Context: &apigw.RequestContext{ConnectionID: id, RequestID: "r1", Stage: "main"}})
}

func TestAMessageIntoAQueue(t *testing.T) {
	s := start(t)
	conformance.Covers(t, "integration.aws-sqs")
	do(t, s.queues, "CreateQueue", `{"QueueName":"chat"}`)
	out, err := s.call(t, apigw.Integration{
		URI:                         "arn:aws:apigateway:eu-west-1:sqs:path/123456789012/chat",
		RequestParameters:           map[string]string{"integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"},
		RequestTemplates:            map[string]string{"$default": "Action=SendMessage&MessageBody=$util.urlEncode($input.body)&MessageAttribute.1.Name=connectionId&MessageAttribute.1.Value.DataType=String&MessageAttribute.1.Value.StringValue=$util.urlEncode($context.connectionId)"},
		TemplateSelectionExpression: `\$default`,
		Responses:                   []apigw.IntegrationResponse{{Key: `/2\d\d/`, Templates: map[string]string{"$default": `{"queued":"$input.path('$.SendMessageResponse.SendMessageResult.MessageId')"}`}}, {Key: "$default"}},
	}, `{"text":"50 % & more"}`)
	if err != nil || !strings.HasPrefix(string(out.Body), `{"queued":"`) || strings.Contains(string(out.Body), "$input") || len(out.Body) < 40 {
		t.Fatalf("%v, %s", err, out.Body)
	}
	got := do(t, s.queues, "ReceiveMessage", `{"QueueUrl":"http://x/123456789012/chat","MessageAttributeNames":["All"],"WaitTimeSeconds":1}`)
	for _, want := range []string{`"Body":"{\"text\":\"50 % & more\"}"`, `"StringValue":"JC1dgf9yoAMCK-g="`} {
		if !strings.Contains(got, want) {
			t.Errorf("the queue has %s, want %s in it", got, want)
		}
	}
}

func TestAMessageForAQueueThatIsNotThere(t *testing.T) {
	s := start(t)
	out, err := s.call(t, apigw.Integration{
		URI:               "arn:aws:apigateway:eu-west-1:sqs:path/123456789012/nobody",
		RequestParameters: map[string]string{"integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"},
		RequestTemplates:  map[string]string{"$default": "Action=SendMessage&MessageBody=x"},
		Responses:         []apigw.IntegrationResponse{{Key: `/4\d\d/`, Templates: map[string]string{"$default": `$input.path('$.Error.Code')`}}},
	}, "x")
	if err != nil || out.Status != 400 || !strings.Contains(string(out.Body), "NonExistentQueue") {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestAMessageIntoATable(t *testing.T) {
	s := start(t)
	conformance.Covers(t, "integration.aws-dynamodb")
	do(t, s.tables, "CreateTable", `{"TableName":"Rooms","KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],"AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"BillingMode":"PAY_PER_REQUEST"}`)
	action := func(name string) string { return "arn:aws:apigateway:eu-west-1:dynamodb:action/" + name }
	all := []apigw.IntegrationResponse{{Key: "$default"}}
	for _, tt := range []struct{ action, template, want string }{
		{"PutItem", `{"TableName":"Rooms","Item":{"id":{"S":"$context.connectionId"},"said":{"S":$input.json('$.text')}}}`, `{}`},
		{"UpdateItem", `{"TableName":"Rooms","Key":{"id":{"S":"$context.connectionId"}},"UpdateExpression":"SET n = :n","ExpressionAttributeValues":{":n":{"N":"1"}}}`, `{}`},
		{"GetItem", `{"TableName":"Rooms","Key":{"id":{"S":"$context.connectionId"}}}`, `"said":{"S":"hi"}`},
		{"Query", `{"TableName":"Rooms","KeyConditionExpression":"id = :i","ExpressionAttributeValues":{":i":{"S":"$context.connectionId"}}}`, `"Count":1`},
		{"DeleteItem", `{"TableName":"Rooms","Key":{"id":{"S":"$context.connectionId"}}}`, `{}`},
		{"Scan", `{"TableName":"Rooms"}`, `"Count":0`},
	} {
		out, err := s.call(t, apigw.Integration{URI: action(tt.action), RequestTemplates: map[string]string{"$default": tt.template}, Responses: all}, `{"text":"hi"}`)
		if err != nil || !strings.Contains(string(out.Body), tt.want) || out.Status != 200 {
			t.Errorf("%s: %+v %v, want %s", tt.action, out, err, tt.want)
		}
	}
	out, err := s.call(t, apigw.Integration{URI: action("PutItem"), RequestTemplates: map[string]string{"$default": `{"TableName":"Nowhere","Item":{}}`},
		Responses: []apigw.IntegrationResponse{{Key: `/400/`}}}, "{}")
	if err != nil || out.Status != 400 || !strings.Contains(string(out.Body), "ResourceNotFoundException") {
		t.Errorf("a table that is not there: %+v, %v", out, err)
	}
}
