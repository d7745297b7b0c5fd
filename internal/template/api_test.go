package template

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/gatepost-dev/gatepost/internal/conformance"
	"github.com/gatepost-dev/gatepost/stack"
)

func mustLoad(t *testing.T, text string) *stack.Stack {
	t.Helper()
	s, err := LoadBytes("template.yaml", []byte(text), t.TempDir(), Options{StackName: t.Name()})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAPIsHaveIDsOfAWSsForm(t *testing.T) {
	conformance.Covers(t, "handshake.api-id-form")
	var text strings.Builder
	text.WriteString("Resources:\n")
	for i := range 40 {
		fmt.Fprintf(&text, "  Api%d: {Type: 'AWS::ApiGatewayV2::Api', Properties: {Name: api-%d, ProtocolType: WEBSOCKET, RouteSelectionExpression: $request.body.action}}\n", i, i)
		fmt.Fprintf(&text, "  Stage%d: {Type: 'AWS::ApiGatewayV2::Stage', Properties: {ApiId: !Ref Api%d, StageName: test}}\n", i, i)
	}
	seen := make(map[string]bool)
	for _, a := range mustLoad(t, text.String()).APIs {
		if !regexp.MustCompile(`^[a-z0-9]{10}$`).MatchString(a.ID) || seen[a.ID] {
			t.Errorf("the id of %s is %q", a.Name, a.ID)
		}
		seen[a.ID] = true
	}
	if len(seen) != 40 {
		t.Errorf("%d APIs, want 40", len(seen))
	}
}

func TestTextsOfTheGatewayCannotBeChanged(t *testing.T) {
	conformance.Covers(t, "mapping.gateway-responses-fixed")
	s := mustLoad(t, `Resources:
  Api: {Type: 'AWS::ApiGatewayV2::Api', Properties: {Name: api, ProtocolType: WEBSOCKET, RouteSelectionExpression: $request.body.action}}
  Stage: {Type: 'AWS::ApiGatewayV2::Stage', Properties: {ApiId: !Ref Api, StageName: test}}
  Denied: {Type: 'AWS::ApiGateway::GatewayResponse', Properties: {RestApiId: !Ref Api, ResponseType: ACCESS_DENIED, ResponseTemplates: {application/json: '{}'}}}
`)
	for _, n := range s.Notices {
		if n.LogicalID == "Denied" && n.Line == 4 && !n.Inert {
			return
		}
	}
	t.Errorf("no notice tells that the gateway response is left out: %+v", s.Notices)
}
