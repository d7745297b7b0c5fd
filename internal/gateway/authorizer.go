package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/policy"
)

// authorizeCustom asks a Lambda authorizer of the type REQUEST, each time anew:
// WebSocket APIs cache no answers.
func (o *opening) authorizeCustom() *refusal {
	r := o.d.connect
	for _, s := range r.identity {
		if o.value(s) == "" {
			return refuse(http.StatusUnauthorized, unauthorized, "Unauthorized").because("an identity source of the authorizer %s is missing: %s", r.Authorizer.Name, s.name)
		}
	}
	event, err := o.authorizerEvent().JSON()
	if err != nil {
		return o.authorizerFailure(authorizerFailed, err)
	}
	started := time.Now()
	out, err := o.invokeAuthorizer(event)
	latency := time.Since(started)
	if err != nil {
		return o.authorizerFailure(authorizerFailed, err)
	}
	answer, err := policy.ParseAnswer(out)
	if err != nil {
		return o.authorizerFailure(authorizerMalformed, err)
	}
	if no := o.judge(answer.Document); no != nil {
		return no
	}
	o.latency, o.usageKey = &latency, answer.UsageIdentifierKey
	o.s.authorizer = authorizerContext(answer)
	return nil
}

// invokeAuthorizer runs the function within the time of an integration; AWS
// documents no other limit.
func (o *opening) invokeAuthorizer(event []byte) ([]byte, error) {
	ctx := o.g.stopping
	if limit := o.g.Limits.IntegrationTimeout; limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	return o.g.Invoker.Invoke(ctx, o.d.connect.Authorizer.Function, event)
}

// judge asks the policy whether $connect may be invoked.
func (o *opening) judge(d *policy.Document) *refusal {
	now := time.Now()
	decision := d.Decide(policy.Request{
		Action: "execute-api:Invoke", Resource: o.g.connectARN(o.d),
		Context: map[string]string{
			"aws:sourceip": o.s.identity.SourceIP, "aws:useragent": o.s.identity.UserAgent, "aws:securetransport": strconv.FormatBool(o.secure),
			"aws:currenttime": now.UTC().Format(time.RFC3339), "aws:epochtime": strconv.FormatInt(now.Unix(), 10),
		},
	})
	const text = "User is not authorized to access this resource"
	switch decision {
	case policy.Allowed:
		return nil
	case policy.ExplicitDeny:
		return refuse(http.StatusForbidden, accessDenied, text+" with an explicit deny")
	}
	return refuse(http.StatusForbidden, accessDenied, text).because("the authorizer's policy does not allow %s", o.g.connectARN(o.d))
}

// authorizerFailure is 401 for a function that fails with "Unauthorized", which
// is how it refuses a client without a policy, and 500 for everything else,
// lateness and throttling too, as on REST APIs.
func (o *opening) authorizerFailure(kind string, err error) *refusal {
	if errorMessage(err) == "Unauthorized" {
		return refuse(http.StatusUnauthorized, unauthorized, "Unauthorized").because("the authorizer answered Unauthorized")
	}
	o.g.Log.Error("the authorizer failed", "authorizer", o.d.connect.Authorizer.Name, "connectionId", o.s.id.String(), "error", err)
	return refuse(http.StatusInternalServerError, kind, textInternal).because("%v", err)
}

// errorMessage returns errorMessage of what a failed function reported.
func errorMessage(err error) string {
	var reported interface{ ErrorPayload() []byte }
	if !errors.Is(err, apigw.ErrFunction) || !errors.As(err, &reported) {
		return ""
	}
	var payload struct {
		Message string `json:"errorMessage"`
	}
	if json.Unmarshal(reported.ErrorPayload(), &payload) != nil {
		return ""
	}
	return payload.Message
}

// authorizerEvent shows the client's headers with those that the integration
// does not get ("Create an API Gateway Lambda REQUEST authorizer").
func (o *opening) authorizerEvent() *apigw.AuthorizerEvent {
	headers := append(slices.Clone(o.clientHeaders()),
		apigw.Header{Name: "Connection", Value: "upgrade"},
		apigw.Header{Name: "Upgrade", Value: "websocket"},
		apigw.Header{Name: "content-length", Value: "0"})
	return &apigw.AuthorizerEvent{
		MethodARN:                       o.g.connectARN(o.d),
		Headers:                         apigw.NewHeaders(headers),
		MultiValueHeaders:               apigw.NewMultiHeaders(headers),
		QueryStringParameters:           o.query,
		MultiValueQueryStringParameters: o.multiQuery,
		StageVariables:                  o.d.api.Stage.Variables,
		RequestContext:                  *o.request(),
	}
}

// authorizerContext is requestContext.authorizer of the connection's events: the
// members of the answer's context in their order, then principalId. The names
// that are the gateway's own cannot be taken.
func authorizerContext(a *policy.Answer) json.RawMessage {
	members := make(apigw.Headers, 0, len(a.Context)+1)
	for _, m := range a.Context {
		if m[0] != "principalId" && m[0] != "integrationLatency" {
			members = append(members, apigw.Header{Name: m[0], Value: m[1]})
		}
	}
	members = append(members, apigw.Header{Name: "principalId", Value: a.PrincipalID})
	out, _ := members.MarshalJSON() // texts always marshal
	return out
}
