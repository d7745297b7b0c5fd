package integration

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/conformance"
)

// endpoint is an AWS endpoint that verifies signatures and records.
func endpoint(t *testing.T, service, region string, answer func(http.ResponseWriter, *http.Request)) (*recorder, *Backends) {
	t.Helper()
	credentials := awswire.NewCredentials()
	verifier := awswire.NewVerifier(func(id string) (awswire.Credentials, bool) { return credentials, id == credentials.AccessKeyID }, awswire.VerifierOptions{})
	rec := record(t, answer)
	checked := rec.Config.Handler
	rec.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		id, err := verifier.Verify(r, body, service)
		if err != nil || id.Region != region {
			t.Errorf("signature: %v, for the region %q", err, id.Region)
		}
		for _, name := range []string{"Authorization", "X-Amz-Date", "X-Amz-Security-Token", "User-Agent", "Accept-Encoding", "Content-Length"} {
			r.Header.Del(name)
		}
		checked.ServeHTTP(w, r)
	})
	return rec, newBackends(t, Config{AWS: rec.URL, Credentials: credentials, Region: "us-west-2", Account: "123456789012"})
}

func TestAServiceThatIsNotRunHereFailsEachCall(t *testing.T) {
	conformance.Covers(t, "integration.aws-other-services")
	rec, backends := endpoint(t, "states", "us-west-2", nil)
	in, err := backends.Compile(&apigw.Integration{Type: apigw.AWSService, URI: "arn:aws:apigateway:us-west-2:states:action/StartExecution"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = in.Call(t.Context(), &Request{Kind: apigw.EventMessage, Body: []byte("{}"), Context: &apigw.RequestContext{}})
	if err == nil || !strings.Contains(err.Error(), `the service "states" does not run here`) {
		t.Errorf("got %v", err)
	}
	if rec.last != "" {
		t.Errorf("a request was sent:\n%s", rec.last)
	}
}

func TestAWSRequestsOnTheWire(t *testing.T) {
	conformance.Covers(t, "integration.aws-sqs", "integration.aws-sns", "integration.aws-dynamodb", "integration.aws-credentials")
	form := map[string]string{"integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"}
	for _, tt := range []struct {
		name, service, region, uri string
		parameters                 map[string]string
		template                   string
		want                       string
	}{
		{"SendMessage by path, as public samples do", "sqs", "eu-west-1", "arn:aws:apigateway:eu-west-1:sqs:path/123456789012/chat.fifo", form,
			"Action=SendMessage&MessageGroupId=$input.path('$.group')&MessageAttribute.1.Name=connectionId&MessageAttribute.1.Value.StringValue=$context.connectionId&MessageAttribute.1.Value.DataType=String&MessageBody=x",
			`POST /123456789012/chat.fifo
Content-Type: application/x-www-form-urlencoded

Action=SendMessage&MessageGroupId=g1&MessageAttribute.1.Name=connectionId&MessageAttribute.1.Value.StringValue=JC1dgf9yoAMCK-g=&MessageAttribute.1.Value.DataType=String&MessageBody=x&Version=2012-11-05`},
		{"a version of its own", "sqs", "eu-west-1", "arn:aws:apigateway:eu-west-1:sqs:path/1/q", form, "Action=SendMessage&Version=2011-10-01&MessageBody=x",
			`POST /1/q
Content-Type: application/x-www-form-urlencoded

Action=SendMessage&Version=2011-10-01&MessageBody=x`},
		{"a queue without an account, a URI without a region", "sqs", "us-west-2", "arn:aws:apigateway::sqs:path/chat", form, "Action=SendMessage&MessageBody=x",
			`POST /123456789012/chat
Content-Type: application/x-www-form-urlencoded

Action=SendMessage&MessageBody=x&Version=2012-11-05`},
		{"a path without a type is JSON, as everywhere", "sqs", "eu-west-1", "arn:aws:apigateway:eu-west-1:sqs:path/1/q", nil, "Action=SendMessage&MessageBody=x",
			`POST /1/q
Content-Type: application/json

Action=SendMessage&MessageBody=x`},
		{"SendMessage as JSON by path", "sqs", "eu-west-1", "arn:aws:apigateway:eu-west-1:sqs:path/", map[string]string{
			"integration.request.header.Content-Type": "'application/x-amz-json-1.0'", "integration.request.header.X-Amz-Target": "'AmazonSQS.SendMessage'"}, `{"QueueUrl":"u","MessageBody":"x"}`,
			`POST /
Content-Type: application/x-amz-json-1.0
X-Amz-Target: AmazonSQS.SendMessage

{"QueueUrl":"u","MessageBody":"x"}`},
		{"SendMessage by action, as JSON", "sqs", "eu-west-1", "arn:aws:apigateway:eu-west-1:sqs:action/SendMessage", nil, `{"QueueUrl":"u","MessageBody":"x"}`,
			`POST /
Content-Type: application/x-amz-json-1.0
X-Amz-Target: AmazonSQS.SendMessage

{"QueueUrl":"u","MessageBody":"x"}`},
		{"SendMessage by action, as a form", "sqs", "eu-west-1", "arn:aws:apigateway:eu-west-1:sqs:action/SendMessage", form, `QueueUrl=u&MessageBody=x`,
			`POST /?Action=SendMessage&Version=2012-11-05
Content-Type: application/x-www-form-urlencoded

QueueUrl=u&MessageBody=x`},
		{"Publish by action, from query parameters", "sns", "eu-west-1", "arn:aws:apigateway:eu-west-1:sns:action/Publish", map[string]string{
			"integration.request.querystring.TopicArn": "'arn:aws:sns:eu-west-1:1:t'", "integration.request.querystring.Message": "route.request.body.text"}, `x`,
			`POST /?Action=Publish&Message=hi+%26+bye&TopicArn=arn%3Aaws%3Asns%3Aeu-west-1%3A1%3At&Version=2010-03-31
Content-Type: application/x-www-form-urlencoded

x`},
		{"Publish by path", "sns", "eu-west-1", "arn:aws:apigateway:eu-west-1:sns:path//", form, `Action=Publish&TopicArn=t&Message=x`,
			`POST /
Content-Type: application/x-www-form-urlencoded

Action=Publish&TopicArn=t&Message=x&Version=2010-03-31`},
		{"PutItem", "dynamodb", "eu-west-1", "arn:aws:apigateway:eu-west-1:dynamodb:action/PutItem", nil, `{"TableName":"T","Item":{"id":{"S":"$context.connectionId"}}}`,
			`POST /
Content-Type: application/x-amz-json-1.0
X-Amz-Target: DynamoDB_20120810.PutItem

{"TableName":"T","Item":{"id":{"S":"JC1dgf9yoAMCK-g="}}}`},
		{"PutItem whatever type is mapped", "dynamodb", "eu-west-1", "arn:aws:apigateway:eu-west-1:dynamodb:action/PutItem", form, `{}`,
			`POST /
Content-Type: application/x-amz-json-1.0
X-Amz-Target: DynamoDB_20120810.PutItem

{}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rec, b := endpoint(t, tt.service, tt.region, nil)
			in := compile(t, b, apigw.Integration{Type: apigw.AWSService, URI: tt.uri, Method: "POST", RequestParameters: tt.parameters, RequestTemplates: text(tt.template), TemplateSelectionExpression: `\$default`, PassthroughBehavior: never})
			if got := call(t, in, oneWay(`{"group":"g1","text":"hi & bye"}`)); got != "200" {
				t.Fatal(got)
			}
			if got := rec.got(); got != tt.want {
				t.Errorf("the endpoint got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

const sendMessageXML = `<?xml version="1.0"?><SendMessageResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><SendMessageResult><MessageId>m1</MessageId><MD5OfMessageBody>x</MD5OfMessageBody></SendMessageResult><ResponseMetadata><RequestId>r1</RequestId></ResponseMetadata></SendMessageResponse>`

func TestAWSAnswers(t *testing.T) {
	conformance.Covers(t, "integration.aws-sqs")
	xmlAnswer := func(status int, body string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/xml")
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	const failure = `<ErrorResponse><Error><Type>Sender</Type><Code>QueueDoesNotExist</Code></Error><RequestId>r</RequestId></ErrorResponse>`
	accept := map[string]string{"integration.request.header.Accept": "'application/xml'"}
	patterns := []apigw.IntegrationResponse{{Key: `/4\d\d/`, Templates: text(`refused: $input.path('$.Error.Code')`)}, {Key: "$default", Templates: text(`$input.path('$.SendMessageResponse.SendMessageResult.MessageId')`)}}
	for _, tt := range []struct {
		name       string
		answer     func(http.ResponseWriter, *http.Request)
		parameters map[string]string
		responses  []apigw.IntegrationResponse
		req        *Request
		want       string
	}{
		{"XML is JSON to templates", xmlAnswer(200, sendMessageXML), nil, patterns, message("x"), "200 m1"},
		{"XML stays when Accept asks for it", xmlAnswer(200, sendMessageXML), accept, anyAnswer, message("x"), "200 " + sendMessageXML},
		{"JSON stays", say(200, `{"a":1}`), nil, anyAnswer, message("x"), `200 {"a":1}`},
		{"a refusal selects by its status", xmlAnswer(400, failure), nil, patterns, message("x"), "400 refused: QueueDoesNotExist"},
		{"a refusal and $default", xmlAnswer(400, failure), nil, anyAnswer, message("x"), `502 {"Error":{"Type":"Sender","Code":"QueueDoesNotExist"},"RequestId":"r"}`},
		{"a refusal on $connect", xmlAnswer(400, failure), nil, anyAnswer, connect(nil), `~502 `},
		{"a refusal that nothing takes is an error, on one-way routes too", xmlAnswer(403, failure), nil, nil, oneWay("x"), "~sqs answered with status 403"},
		{"a success that nothing takes, one-way", xmlAnswer(200, sendMessageXML), nil, nil, oneWay("x"), "200"},
		{"a success that nothing takes, two-way", xmlAnswer(200, sendMessageXML), nil, nil, message("x"), "~no integration response matches"},
		{"XML that is none", xmlAnswer(200, "<a><b></a>"), nil, anyAnswer, message("x"), "~no XML"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, b := endpoint(t, "sqs", "eu-west-1", tt.answer)
			in := compile(t, b, apigw.Integration{Type: apigw.AWSService, URI: "arn:aws:apigateway:eu-west-1:sqs:path/1/q", RequestParameters: tt.parameters, Responses: tt.responses})
			if got := call(t, in, tt.req); !matches(got, tt.want) {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestXMLToJSON(t *testing.T) {
	conformance.Covers(t, "mapping.xml-as-json")
	for xml, want := range map[string]string{
		sendMessageXML:                                 `{"SendMessageResponse":{"SendMessageResult":{"MessageId":"m1","MD5OfMessageBody":"x"},"ResponseMetadata":{"RequestId":"r1"}}}`,
		`<R><M>1</M><N/><M>2</M></R>`:                  `{"R":{"M":["1","2"],"N":""}}`,
		"<R>\n <M a='b'>x &amp; y<!-- c --></M>\n</R>": `{"R":{"M":"x & y"}}`,
		`<R/>`: `{"R":""}`,
		`<ErrorResponse><Error/></ErrorResponse>`: `{"Error":""}`,
		``:        "error",
		`text`:    "error",
		`<R>`:     "error",
		`<R></S>`: "error",
		strings.Repeat("<a>", 100) + strings.Repeat("</a>", 100): "error",
	} {
		got, err := xmlToJSON([]byte(xml))
		if (err != nil) != (want == "error") || err == nil && string(got) != want {
			t.Errorf("%.60s: %s, %v; want %s", xml, got, err, want)
		}
	}
}

func FuzzXMLToJSON(f *testing.F) {
	f.Add([]byte(sendMessageXML))
	f.Add([]byte(`<a><b/><b>x</b></a>`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if out, err := xmlToJSON(text); err == nil && !parseDocument(out).ok {
			t.Errorf("%q became %q, which is no JSON", text, out)
		}
	})
}
