package stack

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
)

// system is a stack with a part of each kind.
func system() *Stack {
	return &Stack{
		Region: "us-east-1",
		APIs: []apigw.API{{Name: "chat", ID: "abcdefghij", Stage: apigw.Stage{Name: "main"}, RouteSelectionExpression: "$request.body.action", Routes: []apigw.Route{
			{Key: "$connect", Line: 3}, {Key: "say", Line: 5, Integration: &apigw.Integration{Type: apigw.AWSProxy, Function: "say", Line: 9}},
		}}},
		Functions: []Function{{LogicalID: "Say", Name: "say", Runtime: "provided.al2023", Code: "/say", Timeout: time.Second, MemoryMB: 128,
			Environment: map[string]string{"A": "a"}, EnvironmentAt: map[string]string{"A": "template.yaml:7"}, Line: 7}},
		Tables:        []Table{{Name: "roster", Key: []KeyElement{{"PK", "HASH"}}, Attributes: []Attribute{{"PK", "S"}}}},
		Queues:        []Queue{{Name: "jobs", ARN: "arn:aws:sqs:us-east-1:000000000000:jobs"}, {Name: "dead", ARN: "arn:aws:sqs:us-east-1:000000000000:dead"}},
		Topics:        []Topic{{Name: "news", ARN: "arn:aws:sns:us-east-1:000000000000:news"}},
		Subscriptions: []Subscription{{TopicARN: "arn:aws:sns:us-east-1:000000000000:news", Protocol: "sqs", Endpoint: "arn:aws:sqs:us-east-1:000000000000:jobs"}},
		Mappings:      []EventSourceMapping{{SourceARN: "arn:aws:sqs:us-east-1:000000000000:jobs", Function: "say", BatchSize: 10}},
		Schedules:     []Schedule{{Name: "hourly", Expression: "rate(1 hour)"}},
	}
}

func TestDifference(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Stack)
		want   []string
	}{
		{"nothing", func(*Stack) {}, nil},
		{"places and ids alone", func(s *Stack) {
			s.Functions[0].Line, s.APIs[0].Routes[1].Integration.Line, s.APIs[0].Routes[0].Line, s.Functions[0].LogicalID = 70, 71, 72, "Tell"
			s.Functions[0].EnvironmentAt, s.Queues[0].Tags, s.Notices = nil, map[string]string{}, []Notice{{Text: "x"}}
		}, nil},
		{"a route", func(s *Stack) {
			s.APIs[0].Routes = append(s.APIs[0].Routes, apigw.Route{Key: "shout", Integration: &apigw.Integration{Type: apigw.AWSProxy, Function: "say"}},
				apigw.Route{Key: "hear"}, apigw.Route{Key: "url", Integration: &apigw.Integration{Type: apigw.HTTPProxy, URI: "http://a/"}},
				apigw.Route{Key: "mock", Integration: &apigw.Integration{Type: apigw.Mock}})
		}, []string{"+ route shout -> say", "+ route hear -> nothing", "+ route url -> http://a/", "+ route mock -> MOCK"}},
		{"a route's integration", func(s *Stack) {
			s.APIs[0].Routes[1].Integration = &apigw.Integration{Type: apigw.AWSProxy, Function: "tell"}
		}, []string{"~ route say -> tell (integration)"}},
		{"a route's answers", func(s *Stack) { s.APIs[0].Routes[1].TwoWay = true }, []string{"~ route say (answers)"}},
		{"$connect's guards", func(s *Stack) {
			s.APIs[0].Routes[0].Authorization, s.APIs[0].Routes[0].APIKeyRequired = apigw.AuthorizationIAM, true
		}, []string{"~ route $connect (authorization, API key required)"}},
		{"a route that goes", func(s *Stack) { s.APIs[0].Routes = s.APIs[0].Routes[:1] }, []string{"- route say"}},
		{"an API's settings", func(s *Stack) {
			s.APIs[0].RouteSelectionExpression = "$request.body.kind"
			s.APIs[0].Stage.Throttle = &apigw.Throttle{Rate: 1}
		}, []string{"~ API chat (route selection, stage)"}},
		{"an API with another name", func(s *Stack) { s.APIs[0].Name = "talk" },
			[]string{"+ API talk", "- API chat", "+ route $connect -> nothing", "+ route say -> say", "- route $connect", "- route say"}},
		{"the value of an API key", func(s *Stack) { s.APIs[0].UsagePlans = []apigw.UsagePlan{{Keys: []apigw.APIKey{{Value: "x"}}}} }, []string{"~ API chat (usage plans)"}},
		{"a function's settings", func(s *Stack) {
			f := &s.Functions[0]
			f.Environment, f.Timeout, f.MemoryMB = map[string]string{"A": "b"}, 2*time.Second, 256
		}, []string{"~ function say (environment, timeout, memory)"}},
		{"a function's code", func(s *Stack) { s.Functions[0].Code = "/tell" }, []string{"~ function say (code)"}},
		{"a function more", func(s *Stack) { s.Functions = append(s.Functions, Function{Name: "tell"}) }, []string{"+ function tell"}},
		{"a function less", func(s *Stack) { s.Functions = nil }, []string{"- function say"}},
		{"a table's time to live", func(s *Stack) { s.Tables[0].TTLAttribute, s.Tables[0].StreamView = "end", "NEW_IMAGE" }, []string{"~ table roster (time to live, stream)"}},
		{"a table's key", func(s *Stack) { s.Tables[0].Key = []KeyElement{{"id", "HASH"}} }, []string{"~ table roster (key)"}},
		{"queues", func(s *Stack) {
			s.Queues[0].VisibilityTimeout, s.Queues[0].Redrive = time.Minute, &Redrive{"arn:aws:sqs:us-east-1:000000000000:dead", 3}
			s.Queues[1] = Queue{Name: "late"}
		}, []string{"~ queue jobs (visibility timeout, dead letters)", "+ queue late", "- queue dead"}},
		{"data streams", func(s *Stack) { s.Streams = []DataStream{{Name: "clicks"}} }, []string{"+ data stream clicks"}},
		{"a topic", func(s *Stack) { s.Topics[0].Attributes = map[string]string{"DisplayName": "x"} }, []string{"~ topic news (attributes)"}},
		{"a subscription", func(s *Stack) { s.Subscriptions[0].Endpoint = "http://127.0.0.1/hook" },
			[]string{"+ subscription news -> http://127.0.0.1/hook", "- subscription news -> jobs"}},
		{"a trigger", func(s *Stack) { s.Mappings[0].BatchSize, s.Mappings[0].Disabled = 1, true }, []string{"~ trigger jobs -> say (batch size, disabled)"}},
		{"the trigger of a stream", func(s *Stack) {
			s.Mappings[0].SourceARN = "arn:aws:dynamodb:us-east-1:000000000000:table/roster/stream/2026-01-01T00:00:00.000"
		}, []string{"+ trigger stream of roster -> say", "- trigger jobs -> say"}},
		{"a schedule", func(s *Stack) { s.Schedules[0].Expression = "rate(2 hours)" }, []string{"~ schedule hourly (expression)"}},
		{"a schedule's end", func(s *Stack) { s.Schedules[0].End = time.Unix(1, 0) }, []string{"~ schedule hourly (end)"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			to := system()
			tt.change(to)
			var got []string
			for _, c := range Difference(system(), to) {
				got = append(got, c.String())
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

// TestDifferenceKnowsEveryPart fails for whoever adds a part to Stack and does
// not say what becomes of it when a template changes.
func TestDifferenceKnowsEveryPart(t *testing.T) {
	compared := []string{"APIs", "Streams", "Functions", "Queues", "Topics", "Tables", "Mappings", "Schedules", "Subscriptions"}
	noParts := []string{"Name", "Region", "Account", "Outputs", "Notices", "Files", "Folders"}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Stack]()) {
		if !slices.Contains(compared, field.Name) && !slices.Contains(noParts, field.Name) {
			t.Errorf("Difference does not compare Stack.%s, and Server.Apply does not change it", field.Name)
		}
	}
}
