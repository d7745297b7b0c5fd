package publish

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/gatepost-dev/gatepost/push"
	"github.com/gatepost-dev/gatepost/push/function"
)

// RequestMain runs the function behind a Function URL or a route of an HTTP API
// (events of format 2.0). It also reads PUBLISH_TOKEN, a secret of at least 32
// bytes that lets in requests with "Authorization: Bearer SECRET", and
// TOPIC_ARN: with it a message is handed to that topic, whose function posts
// it, and TABLE_NAME and CALLBACK_URL are not needed.
func RequestMain() {
	function.Main(func(ctx context.Context, env *function.Environment) (function.Handler[events.APIGatewayV2HTTPRequest, events.APIGatewayV2HTTPResponse], error) {
		token := env.Optional("PUBLISH_TOKEN")
		if token != "" && len(token) < minToken {
			env.Problem("PUBLISH_TOKEN has %d bytes: it must have at least %d.", len(token), minToken)
		}
		if topic := env.Optional("TOPIC_ARN"); topic != "" {
			cfg, err := function.AWS(ctx, env)
			if err != nil || len(env.Problems()) > 0 {
				return nil, err
			}
			return NewRelay(sns.NewFromConfig(cfg), topic, token, function.Log()).Handle, nil
		}
		o, ok, err := options(ctx, env)
		if !ok {
			return nil, err
		}
		return NewRequest(o, token).Handle, nil
	})
}

// minToken is the least length of a shared secret, in bytes.
const minToken = 32

// Request publishes the bodies of HTTP requests.
type Request struct {
	door door
	take func(context.Context, message) (int, any)
}

// NewRequest returns the handler of HTTP requests; token is the secret of those
// that nothing before the function has checked, "" for none.
func NewRequest(o Options, token string) *Request {
	o.Letters = nil // whoever calls is told, and decides
	p := newPublication(o)
	return &Request{door: newDoor(token, p.Log), take: p.now}
}

// Topic API of a Relay.
type topicClient interface {
	Publish(context.Context, *sns.PublishInput, ...func(*sns.Options)) (*sns.PublishOutput, error)
}

// NewRelay returns a handler of HTTP requests that hands them to a topic.
func NewRelay(client topicClient, topic, token string, log *slog.Logger) *Request {
	return &Request{door: newDoor(token, log), take: relay{client, topic, log}.later}
}

// Handle posts the request's body, byte for byte, to the audience that the
// query parameters target and except name, or the headers X-Target and
// X-Except. It answers
//
//	200 {"sent":2,"gone":0,"failed":0,"remaining":0}   everybody has it
//	202 {"messageId":"..."}                            the topic has it
//	400, 401, 405, 413 {"message":"..."}               the request is wrong
//	502 {"message":"...","sent":1,...}                 not everybody has it
//
// A request that got past IAM or an authorizer, which its event says, is let
// in, and else one with the secret. Nobody is let in because nothing was set.
func (r *Request) Handle(ctx context.Context, event events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	if !r.door.opens(&event) {
		function.WithRequest(ctx, r.door.log).Warn("refused: the request is not authorized", "httpRequestId", event.RequestContext.RequestID)
		return answer(http.StatusUnauthorized, problem("sign the request, or send the function's PUBLISH_TOKEN as a bearer token"))
	}
	if method := event.RequestContext.HTTP.Method; method != http.MethodPost {
		return answer(http.StatusMethodNotAllowed, problem("the method is "+method+"; use POST"))
	}
	m, err := requestMessage(&event)
	if err != nil {
		return answer(http.StatusBadRequest, problem(err.Error()))
	}
	if len(m.body) > push.MaxMessage {
		return answer(http.StatusRequestEntityTooLarge, problem(fmt.Sprintf("the message has %d bytes; API Gateway takes %d", len(m.body), push.MaxMessage)))
	}
	return answer(r.take(ctx, m))
}

func requestMessage(event *events.APIGatewayV2HTTPRequest) (message, error) {
	either := func(name string) string {
		if v := event.QueryStringParameters[name]; v != "" {
			return v
		}
		return event.Headers["x-"+name]
	}
	m := message{id: event.RequestContext.RequestID, source: "request", body: []byte(event.Body)}
	m.audience = function.Audience{Target: either("target"), Except: either("except")}
	if event.IsBase64Encoded {
		body, err := base64.StdEncoding.DecodeString(event.Body)
		if err != nil {
			return m, fmt.Errorf("the body is not the base64 that the event says: %w", err)
		}
		m.body = body
	}
	_, err := m.audience.Receivers()
	return m, err
}

// now posts a message while the caller waits.
func (p *publication) now(ctx context.Context, m message) (int, any) {
	o := p.publish(ctx, []message{m})[0]
	result := counts{Sent: o.Sent, Gone: o.Gone, Failed: len(o.Failed), Remaining: len(o.Remaining)}
	if o.Complete() {
		return http.StatusOK, result
	}
	p.unfinished.take(m.id)
	result.Message = "not every connection has the message: " + o.reason()
	return http.StatusBadGateway, result
}

// counts is the answer to a request whose message was posted.
type counts struct {
	Message   string `json:"message,omitempty"`
	Sent      int    `json:"sent"`
	Gone      int    `json:"gone"`
	Failed    int    `json:"failed"`
	Remaining int    `json:"remaining"`
}

// relay hands messages to a topic.
type relay struct {
	client topicClient
	topic  string
	log    *slog.Logger
}

func (r relay) later(ctx context.Context, m message) (int, any) {
	ctx, cancel := function.Deadline(ctx)
	defer cancel()
	log := function.WithRequest(ctx, r.log)
	if !isText(string(m.body)) || len(m.body) == 0 {
		return http.StatusBadRequest, problem("the body must be text, and not empty: topics take nothing else")
	}
	attributes := map[string]types.MessageAttributeValue{}
	for name, value := range map[string]string{function.TargetAttribute: m.audience.Target, function.ExceptAttribute: m.audience.Except} {
		if value != "" {
			attributes[name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(value)}
		}
	}
	out, err := r.client.Publish(ctx, &sns.PublishInput{TopicArn: &r.topic, Message: aws.String(string(m.body)), MessageAttributes: attributes})
	if err != nil {
		log.Error("not handed to the topic", "error", err)
		return http.StatusBadGateway, problem("the topic did not take the message")
	}
	log.Info("handed to the topic", "messageId", aws.ToString(out.MessageId))
	return http.StatusAccepted, map[string]string{"messageId": aws.ToString(out.MessageId)}
}

// door decides who may publish.
type door struct {
	secret [sha256.Size]byte
	locked bool // there is no secret
	log    *slog.Logger
}

func newDoor(token string, log *slog.Logger) door {
	return door{secret: sha256.Sum256([]byte(token)), locked: token == "", log: log}
}

func (d door) opens(event *events.APIGatewayV2HTTPRequest) bool {
	if a := event.RequestContext.Authorizer; a != nil && (a.IAM != nil || a.JWT != nil || a.Lambda != nil) {
		return true
	}
	scheme, token, _ := strings.Cut(event.Headers["authorization"], " ")
	given := sha256.Sum256([]byte(token))
	return !d.locked && strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(given[:], d.secret[:]) == 1
}

func problem(text string) map[string]string { return map[string]string{"message": text} }

func answer(status int, body any) (events.APIGatewayV2HTTPResponse, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return events.APIGatewayV2HTTPResponse{}, errors.Join(errors.New("encode the answer"), err)
	}
	return events.APIGatewayV2HTTPResponse{StatusCode: status, Headers: map[string]string{"content-type": "application/json"}, Body: string(text)}, nil
}
