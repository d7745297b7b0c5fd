package stack

import (
	"fmt"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
)

// Doubts returns a sentence for each thing that is allowed and hardly meant: a
// route without an integration, an API without a $default route, queues whose
// settings lose or repeat messages. They are for whoever reads them; everything
// runs as it is.
func (s *Stack) Doubts() []string {
	var all []string
	for _, a := range s.APIs {
		all = append(all, doubtsOfAPI(a)...)
	}
	for _, m := range s.Mappings {
		all = append(all, s.doubtsOfMapping(m)...)
	}
	return all
}

func doubtsOfAPI(a apigw.API) []string {
	var all []string
	for _, r := range a.Routes {
		if r.Integration == nil {
			all = append(all, fmt.Sprintf("the route %s of the API %s has no integration: %s", r.Key, a.Name, whatHappens(r.Key)))
		}
	}
	if len(a.Routes) > 0 && a.Route(apigw.RouteDefault) == nil {
		all = append(all, fmt.Sprintf("the API %s has no $default route: a message that fits no other is answered with an error frame", a.Name))
	}
	return all
}

// whatHappens says what a route without an integration does.
func whatHappens(key string) string {
	if key == apigw.RouteConnect || key == apigw.RouteDisconnect {
		return "nothing runs there"
	}
	return "its messages are answered with an error frame"
}

// sixTimes is by how much AWS advises a queue to hide messages for longer than
// its function may take ("Using Lambda with Amazon SQS" in the developer guide).
const sixTimes = 6

func (s *Stack) doubtsOfMapping(m EventSourceMapping) []string {
	queue, function := s.QueueByARN(m.SourceARN), s.Function(m.Function)
	if queue == nil || function == nil {
		return nil
	}
	var all []string
	least := sixTimes*function.Timeout + m.Window
	if function.Timeout <= queue.VisibilityTimeout && queue.VisibilityTimeout < least && m.BatchSize > 1 {
		all = append(all, fmt.Sprintf("the queue %s hides messages for %d s, and its function %s may take %d s for a batch of %d: AWS advises %d s or more, else a message may come twice",
			queue.Name, queue.VisibilityTimeout/time.Second, function.Name, function.Timeout/time.Second, m.BatchSize, least/time.Second))
	}
	if queue.Redrive != nil && queue.Redrive.MaxReceiveCount == 1 {
		all = append(all, fmt.Sprintf("the queue %s gives a message up after one receive (maxReceiveCount 1): one failed batch sends all of its messages to the dead-letter queue", queue.Name))
	}
	return all
}
