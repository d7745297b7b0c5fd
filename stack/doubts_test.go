package stack

import (
	"strings"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
)

// TestDoubts has what is told of, and what is fine, each with a part of the
// sentence.
func TestDoubts(t *testing.T) {
	route := func(key string, integrated bool) apigw.Route {
		r := apigw.Route{Key: key}
		if integrated {
			r.Integration = &apigw.Integration{Type: apigw.Mock}
		}
		return r
	}
	queue := func(visibility time.Duration, receives int) *Stack {
		q := Queue{Name: "q", ARN: "arn:q", VisibilityTimeout: visibility}
		if receives > 0 {
			q.Redrive = &Redrive{MaxReceiveCount: receives}
		}
		return &Stack{Queues: []Queue{q}, Functions: []Function{{Name: "f", Timeout: 10 * time.Second}},
			Mappings: []EventSourceMapping{{SourceARN: "arn:q", Function: "f", BatchSize: 10}}}
	}
	for name, c := range map[string]struct {
		stack *Stack
		want  string // "" is no doubt
	}{
		"all is well":           {&Stack{APIs: []apigw.API{{Name: "a", Routes: []apigw.Route{route("$default", true)}}}}, ""},
		"no routes at all":      {&Stack{APIs: []apigw.API{{Name: "a"}}}, ""},
		"no $default":           {&Stack{APIs: []apigw.API{{Name: "a", Routes: []apigw.Route{route("x", true)}}}}, "the API a has no $default route"},
		"no integration":        {&Stack{APIs: []apigw.API{{Name: "a", Routes: []apigw.Route{route("$default", false)}}}}, "its messages are answered with an error frame"},
		"$connect without":      {&Stack{APIs: []apigw.API{{Name: "a", Routes: []apigw.Route{route("$connect", false), route("$default", true)}}}}, "nothing runs there"},
		"six times the timeout": {queue(time.Minute, 2), ""},
		"less":                  {queue(time.Minute-time.Second, 2), "AWS advises 60 s or more"},
		"less than AWS takes":   {queue(5*time.Second, 2), ""}, // a notice tells of it
		"one receive":           {queue(time.Minute, 1), "gives a message up after one receive"},
		"no dead letters":       {queue(time.Minute, 0), ""},
	} {
		got := strings.Join(c.stack.Doubts(), "\n")
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) || strings.Contains(got, "\n") {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
