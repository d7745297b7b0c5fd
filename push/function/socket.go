package function

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"github.com/aws/aws-lambda-go/events"
)

// Socket and Answer are the event and the answer of a WebSocket route.
type (
	Socket = events.APIGatewayWebsocketProxyRequest
	Answer = events.APIGatewayProxyResponse
)

// Granted returns what the authorizer said of the client under a key, as text;
// "" when there is no authorizer or it said nothing. Its words are in the
// events of all routes of the connection.
func Granted(event *Socket, key string) string {
	context, _ := event.RequestContext.Authorizer.(map[string]any)
	switch v := context[key].(type) {
	case string:
		return v
	case float64, bool:
		return fmt.Sprint(v)
	}
	return ""
}

// User returns the user that the authorizer vouches for: what it said under
// "user", or its principalId; "" without an authorizer.
func User(event *Socket) string {
	if user := Granted(event, "user"); user != "" {
		return user
	}
	return Granted(event, "principalId")
}

// Names splits a list of names with commas between them; empty ones are left
// out, and each is there once.
func Names(list string) []string {
	var names []string
	seen := map[string]bool{}
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); name != "" && !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names
}

// Groups are the groups that clients may enter and send to by themselves.
type Groups struct{ patterns []string }

// NewGroups returns the groups of the variable ALLOWED_GROUPS: patterns with *
// and ? and [a-z] with commas between them, * when it is not set, none when it
// is "none". In a pattern, {user} stands for the client's own name.
func NewGroups(env *Environment) Groups {
	g := Groups{patterns: env.List("ALLOWED_GROUPS", "*")}
	if len(g.patterns) == 1 && g.patterns[0] == "none" {
		return Groups{}
	}
	for _, p := range g.patterns {
		if _, err := path.Match(p, ""); err != nil {
			env.problem("ALLOWED_GROUPS is %q: it must hold patterns such as room-*, with commas between them, or none.", strings.Join(g.patterns, ","))
			break
		}
	}
	return g
}

// Allow reports whether a client may enter a group or send to it: the
// authorizer has put it there, or a pattern allows it.
func (g Groups) Allow(event *Socket, user, group string) bool {
	for _, granted := range Names(Granted(event, "groups")) {
		if granted == group {
			return true
		}
	}
	for _, p := range g.patterns {
		if strings.Contains(p, "{user}") && user == "" {
			continue
		}
		if ok, _ := path.Match(strings.ReplaceAll(p, "{user}", quoteMeta(user)), group); ok {
			return true
		}
	}
	return false
}

// quoteMeta makes a user's name match itself alone.
func quoteMeta(name string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(name)
}

// maxFrameID bounds the id of a frame that is answered with, in bytes.
const maxFrameID = 128

// FrameID returns the id that a client gave its frame, as JSON, so that the
// answer can carry it: a string or a number of at most 128 bytes, else nil.
func FrameID(raw json.RawMessage) json.RawMessage {
	var id any
	if len(raw) > maxFrameID || json.Unmarshal(raw, &id) != nil {
		return nil
	}
	switch id.(type) {
	case string, float64:
		return raw
	}
	return nil
}

// Reply is an answer on a two-way route with a JSON body.
func Reply(body any) (Answer, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return Answer{}, fmt.Errorf("encode the answer: %w", err)
	}
	return Answer{StatusCode: 200, Body: string(text)}, nil
}

// TokenSubprotocol begins the subprotocol with which a browser, which can set no
// header, sends its token: "bearer." and the token. It is offered beside one
// that the API can choose.
const TokenSubprotocol = "bearer."

// Subprotocols returns what a client offers in Sec-WebSocket-Protocol.
func Subprotocols(headers map[string]string) []string {
	for name, value := range headers {
		if strings.EqualFold(name, "Sec-WebSocket-Protocol") {
			return Names(value)
		}
	}
	return nil
}
