// Package authorizer is the Lambda function that decides who may connect: a
// REQUEST authorizer of the $connect route, which checks a JSON Web Token (RFC
// 7519) from the query string or from a subprotocol.
//
// Environment: JWT_ISSUER and JWT_AUDIENCE (required), and one of JWKS_URL, the
// address of the issuer's keys, and JWT_SECRET, at least 32 bytes that the
// issuer shares. JWT_ALGORITHMS (default RS256,ES256 with JWKS_URL, HS256 with
// JWT_SECRET), JWT_LEEWAY (default 30s), USER_CLAIM (default sub), GROUPS_CLAIM
// (default groups), TOKEN_PARAMETER (default token), JWKS_TTL (default 1h).
package authorizer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/gatepost-dev/gatepost/push/function"
)

// errUnauthorized has the very words that make API Gateway answer 401; every
// other error is a 500.
var errUnauthorized = errors.New("Unauthorized")

// maxToken bounds a token, in bytes. All headers of a handshake may have 8 KB
// together (Quotas for WebSocket APIs in the API Gateway developer guide).
const maxToken = 8 << 10

// maxContext bounds the groups that are handed on, in bytes.
const maxContext = 4 << 10

// Main runs the function.
func Main() { function.Main(build) }

func build(_ context.Context, env *function.Environment) (function.Handler[Request, events.APIGatewayCustomAuthorizerResponse], error) {
	o := Options{
		Issuer:      env.Text("JWT_ISSUER", "who makes the tokens: their claim iss"),
		Audience:    env.Text("JWT_AUDIENCE", "whom the tokens are for: their claim aud"),
		Leeway:      env.Duration("JWT_LEEWAY", 30*time.Second, 0, 5*time.Minute),
		UserClaim:   orElse(env.Optional("USER_CLAIM"), "sub"),
		GroupsClaim: orElse(env.Optional("GROUPS_CLAIM"), "groups"),
		Parameter:   orElse(env.Optional("TOKEN_PARAMETER"), "token"),
		Keys:        keysOf(env),
	}
	return New(o, function.Log()).Handle, nil
}

func orElse(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}

// Options say which tokens count. All fields are required but Leeway.
type Options struct {
	// Issuer and Audience are what the claims iss and aud must say.
	Issuer, Audience string
	// Leeway is how far the clocks may be apart.
	Leeway time.Duration
	// UserClaim and GroupsClaim name the claims that say who the client is and,
	// as a list or as words, in which groups.
	UserClaim, GroupsClaim string
	// Parameter is the query parameter that carries the token.
	Parameter string
	// Keys verify signatures.
	Keys Keys
}

// Request is an authorizer's event.
type Request struct {
	MethodArn             string            `json:"methodArn"`
	Headers               map[string]string `json:"headers"`
	QueryStringParameters map[string]string `json:"queryStringParameters"`
	RequestContext        struct {
		ConnectionID string `json:"connectionId"`
		RequestID    string `json:"requestId"`
	} `json:"requestContext"`
}

// Handler checks tokens.
type Handler struct {
	options Options
	log     *slog.Logger
}

// New returns the function's handler.
func New(o Options, log *slog.Logger) *Handler { return &Handler{options: o, log: log} }

// Handle lets a client in that has a good token, and gives it a context: user,
// and groups with commas between them, which the functions of all routes then
// find in their events. Any other client gets 401. When the issuer's keys
// cannot be had, nobody is let in: 500, and the client may try again.
//
// A good token is signed with one of the pinned algorithms by a key of the
// issuer, and says iss, aud, exp and the user; exp has not passed, and nbf and
// iat, if they are there, have.
func (h *Handler) Handle(ctx context.Context, event Request) (events.APIGatewayCustomAuthorizerResponse, error) {
	ctx, cancel := function.Deadline(ctx)
	defer cancel()
	log := function.WithRequest(ctx, h.log).With("connectionId", event.RequestContext.ConnectionID)
	claims, err := h.check(ctx, h.token(&event))
	if errors.Is(err, errNoKeys) {
		log.Error("nobody is let in: the issuer's keys cannot be had", "error", err)
		return events.APIGatewayCustomAuthorizerResponse{}, err
	}
	if err != nil {
		log.Warn("refused", "reason", err.Error())
		return events.APIGatewayCustomAuthorizerResponse{}, errUnauthorized
	}
	log.Info("let in", "groups", len(claims.groups))
	return allow(event.MethodArn, claims), nil
}

// token finds the token: in the query, else in a subprotocol.
func (h *Handler) token(event *Request) string {
	if token := event.QueryStringParameters[h.options.Parameter]; token != "" {
		return token
	}
	for _, offered := range function.Subprotocols(event.Headers) {
		if token, ok := strings.CutPrefix(offered, function.TokenSubprotocol); ok {
			return token
		}
	}
	return ""
}

// claims are what a token says of its bearer.
type claims struct {
	user   string
	groups []string
}

// check verifies a token and returns what it says. Its errors hold nothing of
// the token.
func (h *Handler) check(ctx context.Context, text string) (claims, error) {
	switch {
	case text == "":
		return claims{}, errors.New("there is no token")
	case len(text) > maxToken:
		return claims{}, fmt.Errorf("the token has %d bytes; it may have %d", len(text), maxToken)
	}
	token, err := jwt.ParseSigned(text, h.options.Keys.Algorithms())
	if err != nil || len(token.Headers) != 1 {
		return claims{}, errors.New("the token is malformed, or not signed with an allowed algorithm")
	}
	keys, err := h.options.Keys.Find(ctx, token.Headers[0].KeyID)
	if err != nil {
		return claims{}, err
	}
	for _, key := range keys {
		var all map[string]json.RawMessage
		if token.Claims(key, &all) != nil {
			continue
		}
		var standard jwt.Claims
		if err := token.Claims(key, &standard); err != nil {
			return claims{}, errors.New("iss, sub, aud, exp, nbf or iat is not what such a claim holds")
		}
		return h.accept(&standard, all)
	}
	return claims{}, errors.New("the signature is not that of a key of the issuer")
}

// accept checks the claims of a token whose signature is good.
func (h *Handler) accept(standard *jwt.Claims, all map[string]json.RawMessage) (claims, error) {
	if standard.Expiry == nil {
		return claims{}, errors.New("the token never expires: it has no exp")
	}
	expected := jwt.Expected{Issuer: h.options.Issuer, AnyAudience: jwt.Audience{h.options.Audience}, Time: time.Now()}
	if err := standard.ValidateWithLeeway(expected, h.options.Leeway); err != nil {
		return claims{}, err
	}
	var c claims
	if err := json.Unmarshal(all[h.options.UserClaim], &c.user); err != nil || function.CheckName(c.user) != nil {
		return claims{}, fmt.Errorf("the claim %s does not hold the user's name", h.options.UserClaim)
	}
	groups, err := groupsOf(all[h.options.GroupsClaim])
	if err != nil {
		return claims{}, fmt.Errorf("the claim %s: %w", h.options.GroupsClaim, err)
	}
	c.groups = groups
	return c, nil
}

// groupsOf reads the groups of a claim: a list, or a text with spaces or commas
// between the names.
func groupsOf(raw json.RawMessage) ([]string, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	var list []string
	var text string
	switch {
	case json.Unmarshal(raw, &list) == nil:
	case json.Unmarshal(raw, &text) == nil:
		list = strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
	default:
		return nil, errors.New("it is neither a list of names nor a text")
	}
	size := 0
	for _, name := range list {
		if err := function.CheckName(name); err != nil {
			return nil, err
		}
		size += len(name) + 1
	}
	if size > maxContext {
		return nil, fmt.Errorf("its names have %d bytes together; they may have %d", size, maxContext)
	}
	return list, nil
}

// allow is the answer that lets a client in.
func allow(resource string, c claims) events.APIGatewayCustomAuthorizerResponse {
	return events.APIGatewayCustomAuthorizerResponse{
		PrincipalID: c.user,
		PolicyDocument: events.APIGatewayCustomAuthorizerPolicy{
			Version:   "2012-10-17",
			Statement: []events.IAMPolicyStatement{{Action: []string{"execute-api:Invoke"}, Effect: "Allow", Resource: []string{resource}}},
		},
		Context: map[string]any{"user": c.user, "groups": strings.Join(c.groups, ",")},
	}
}
