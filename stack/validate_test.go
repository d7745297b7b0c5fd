package stack

import (
	"strings"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
)

// sockets is a small stack in which everything refers to everything.
func sockets() *Stack {
	return &Stack{
		Name: "sockets", Region: "us-east-1", Account: "000000000000",
		APIs: []apigw.API{{
			LogicalID: "Api", ID: "abcdefghij", Name: "sockets-api",
			RouteSelectionExpression: "$request.body.action",
			Stage:                    apigw.Stage{Name: "main"},
			Routes: []apigw.Route{
				{Key: "$connect"},
				{Key: "echo", TwoWay: true, Integration: &apigw.Integration{Type: apigw.AWSProxy, Function: "echo", Timeout: time.Second}},
			},
		}},
		Functions: []Function{
			{Name: "echo", Timeout: 3 * time.Second, MemoryMB: 128},
			{Name: "publish", Timeout: 900 * time.Second, MemoryMB: 10240, MaxConcurrency: 1},
		},
		Queues: []Queue{
			{Name: "socket-queue", ARN: "arn:queue", VisibilityTimeout: 30 * time.Second, Retention: time.Minute, MaxMessageSize: 1 << 20,
				Redrive: &Redrive{DeadLetterARN: "arn:dlq", MaxReceiveCount: 1}},
			{Name: "socket-dlq", ARN: "arn:dlq", Retention: 14 * 24 * time.Hour, MaxMessageSize: 1 << 10},
		},
		Tables: []Table{{
			Name: "SocketRoster", ARN: "arn:table", Key: []KeyElement{{"PK", "HASH"}, {"SK", "RANGE"}},
			Attributes: []Attribute{{"PK", "S"}, {"SK", "N"}},
			Indexes:    []TableIndex{{Name: "bySK", Key: []KeyElement{{"SK", "HASH"}}, Projection: "ALL"}},
		}},
		Mappings: []EventSourceMapping{
			{LogicalID: "Messages", SourceARN: "arn:queue", Function: "publish", BatchSize: 10},
			{LogicalID: "Changes", SourceARN: "arn:table/stream/x", Function: "publish", BatchSize: 100, Stream: stream()},
		},
		Schedules: []Schedule{{Name: "hourly", Expression: "rate(1 hour)", Targets: []ScheduleTarget{{ARN: "arn:queue"}}}},
	}
}

func stream() *StreamSettings {
	return &StreamSettings{StartingPosition: "LATEST", MaxRetries: -1, Parallelization: 1}
}

func TestValidateAccepts(t *testing.T) {
	if err := sockets().Validate(); err != nil {
		t.Error(err)
	}
	if err := (&Stack{}).Validate(); err != nil {
		t.Errorf("empty stack: %v", err)
	}
}

func TestValidateRefuses(t *testing.T) {
	for _, c := range []struct {
		want string
		harm func(*Stack)
	}{
		{`function "echo" is declared twice; names are unique`, func(s *Stack) { s.Functions[1].Name = "echo" }},
		{`"a.b" is not a valid name of a function`, func(s *Stack) { s.Functions[1].Name = "a.b" }},
		{`function echo: the timeout is 15m1s and must be from 1s to 15m0s`, func(s *Stack) { s.Functions[0].Timeout = 901 * time.Second }},
		{`function echo: the timeout is 0s and must be from 1s to 15m0s`, func(s *Stack) { s.Functions[0].Timeout = 0 }},
		{`function echo: the memory in MB is 64 and must be from 128 to 10240`, func(s *Stack) { s.Functions[0].MemoryMB = 64 }},
		{`function publish: the concurrency is -1 and must not be negative`, func(s *Stack) { s.Functions[1].MaxConcurrency = -1 }},
		{`function publish: it is throttled always and has a concurrency of 1`, func(s *Stack) { s.Functions[1].Throttled = true }},
		{`queue "socket-dlq" is declared twice; names are unique`, func(s *Stack) { s.Queues[0].Name = "socket-dlq" }},
		{`queue ARN "arn:dlq" is declared twice; names are unique`, func(s *Stack) { s.Queues[0].ARN = "arn:dlq" }},
		{`"" is not a valid name of a queue`, func(s *Stack) { s.Queues[0].Name = "" }},
		{`queue socket-queue: the visibility timeout is 12h0m1s`, func(s *Stack) { s.Queues[0].VisibilityTimeout = 12*time.Hour + time.Second }},
		{`queue socket-queue: the delay is 15m0.001s`, func(s *Stack) { s.Queues[0].Delay = 15*time.Minute + time.Millisecond }},
		{`queue socket-queue: the retention is 59s`, func(s *Stack) { s.Queues[0].Retention = 59 * time.Second }},
		{`queue socket-queue: the receive wait is 21s`, func(s *Stack) { s.Queues[0].ReceiveWait = 21 * time.Second }},
		{`queue socket-queue: the largest message in bytes is 1048577`, func(s *Stack) { s.Queues[0].MaxMessageSize++ }},
		{`queue socket-queue: the redrive policy's maxReceiveCount is 0`, func(s *Stack) { s.Queues[0].Redrive.MaxReceiveCount = 0 }},
		{`queue socket-queue: its dead-letter queue "arn:gone" is not a queue of this stack`, func(s *Stack) { s.Queues[0].Redrive.DeadLetterARN = "arn:gone" }},
		{`queue a.fifo: only the names of FIFO queues end in .fifo`, func(s *Stack) { s.Queues[0].Name = "a.fifo" }},
		{`queue socket-queue: the name of a FIFO queue ends in .fifo`, func(s *Stack) { s.Queues[0].FIFO = &FIFO{} }},
		{`queue socket-queue: its dead-letter queue "arn:dlq" is of another type`, func(s *Stack) { s.Queues[0].FIFO = &FIFO{} }},
		{`queue a.fifo: the FifoThroughputLimit perMessageGroupId needs`, func(s *Stack) {
			s.Queues[0].Name, s.Queues[0].FIFO = "a.fifo", &FIFO{ThroughputLimit: "perMessageGroupId"}
		}},
		{`topic a.fifo: the name of a FIFO topic ends in .fifo, and no other's`, func(s *Stack) { s.Topics = []Topic{{Name: "a.fifo"}} }},
		{`topic a: the name of a FIFO topic ends in .fifo, and no other's`, func(s *Stack) { s.Topics = []Topic{{Name: "a", Attributes: map[string]string{"FifoTopic": "true"}}} }},
		{`subscription a.fifo -> https://h: a FIFO topic delivers to queues only`, func(s *Stack) {
			s.Topics = []Topic{{Name: "a.fifo", ARN: "a.fifo", Attributes: map[string]string{"FifoTopic": "true"}}}
			s.Subscriptions = []Subscription{{TopicARN: "a.fifo", Protocol: "https", Endpoint: "https://h"}}
		}},
		{`subscription arn:topic -> q.fifo: a FIFO queue takes the messages of FIFO topics only`, func(s *Stack) {
			s.Topics = []Topic{{Name: "a", ARN: "arn:topic"}}
			s.Subscriptions = []Subscription{{TopicARN: "arn:topic", Protocol: "sqs", Endpoint: "q.fifo"}}
		}},
		{`has at most 80 characters, the suffix .fifo included`, func(s *Stack) {
			s.Queues[0].Name, s.Queues[0].FIFO = strings.Repeat("a", 80)+".fifo", &FIFO{}
		}},
		{`queue socket-queue: it is its own dead-letter queue`, func(s *Stack) { s.Queues[0].Redrive.DeadLetterARN = "arn:queue" }},
		{`"ab" is not a valid name of a table`, func(s *Stack) { s.Tables[0].Name = "ab" }},
		{`"a b" is not a valid name of a data stream`, func(s *Stack) { s.Streams = []DataStream{{Name: "a b", ARN: "a", Shards: 1}} }},
		{`data stream "s" is declared twice`, func(s *Stack) {
			s.Streams = []DataStream{{Name: "s", ARN: "a", Shards: 1}, {Name: "s", ARN: "b", Shards: 1}}
		}},
		{`data stream s: it needs a number of shards`, func(s *Stack) { s.Streams = []DataStream{{Name: "s"}} }},
		{`data stream s: the number of shards is 101`, func(s *Stack) { s.Streams = []DataStream{{Name: "s", Shards: MaxShards + 1}} }},
		{`data stream s: the retention is 1h0m0s`, func(s *Stack) { s.Streams = []DataStream{{Name: "s", Shards: 1, Retention: time.Hour}} }},
		{`table SocketRoster: the key must be one HASH attribute`, func(s *Stack) { s.Tables[0].Key[0].Type = "RANGE" }},
		{`table SocketRoster: the key attribute "PX" has no type`, func(s *Stack) { s.Tables[0].Key[0].Attribute = "PX" }},
		{`table SocketRoster: the attribute "PK" has the type "BOOL" and must have S, N or B`, func(s *Stack) { s.Tables[0].Attributes[0].Type = "BOOL" }},
		{`table SocketRoster, index bySK: the key must be one HASH attribute`, func(s *Stack) { s.Tables[0].Indexes[0].Key = nil }},
		{`table SocketRoster, index bySK: the projection is "SOME"`, func(s *Stack) { s.Tables[0].Indexes[0].Projection = "SOME" }},
		{`index of table SocketRoster "bySK" is declared twice`, func(s *Stack) { s.Tables[0].Indexes = append(s.Tables[0].Indexes, s.Tables[0].Indexes[0]) }},
		{`event source mapping Messages: its function "gone" is not a function of this stack`, func(s *Stack) { s.Mappings[0].Function = "gone" }},
		{`event source mapping Messages: its source "arn:gone" is not a queue of this stack`, func(s *Stack) { s.Mappings[0].SourceARN = "arn:gone" }},
		{`event source mapping Messages: the batch size is 0`, func(s *Stack) { s.Mappings[0].BatchSize = 0 }},
		{`event source mapping Messages: a batch size above 10 needs a batching window`, func(s *Stack) { s.Mappings[0].BatchSize = 11 }},
		{`event source mapping Messages: the batching window is 5m1s`, func(s *Stack) { s.Mappings[0].Window = 301 * time.Second }},
		{`event source mapping Messages: filter 1: a: the value must be a list or an object`, func(s *Stack) { s.Mappings[0].Filters = []string{`{"a":1}`} }},
		{`event source mapping Messages: its source "arn:queue" is neither a data stream nor the stream of a table of this stack`, func(s *Stack) { s.Mappings[0].Stream = stream() }},
		{`event source mapping Changes: the starting position is missing`, func(s *Stack) { s.Mappings[1].Stream.StartingPosition = "" }},
		{`event source mapping Changes: the starting position is "FIRST" and must be one of`, func(s *Stack) { s.Mappings[1].Stream.StartingPosition = "FIRST" }},
		{`event source mapping Changes: only streams of Kinesis have the starting position AT_TIMESTAMP`, func(s *Stack) { s.Mappings[1].Stream.StartingPosition = "AT_TIMESTAMP" }},
		{`event source mapping Changes: the number of retries is -2`, func(s *Stack) { s.Mappings[1].Stream.MaxRetries = -2 }},
		{`event source mapping Changes: the parallelization factor is 0`, func(s *Stack) { s.Mappings[1].Stream.Parallelization = 0 }},
		{`event source mapping Changes: the age of a record is 59s`, func(s *Stack) { s.Mappings[1].Stream.MaxRecordAge = 59 * time.Second }},
		{`event source mapping Changes: the destination on failure, "arn:gone", is not a queue or topic of this stack`, func(s *Stack) { s.Mappings[1].Stream.OnFailure = "arn:gone" }},
		{`schedule hourly: "rate(1 hours)"`, func(s *Stack) { s.Schedules[0].Expression = "rate(1 hours)" }},
		{`schedule hourly: "Mars" is not the name of a time zone`, func(s *Stack) { s.Schedules[0].Timezone = "Mars" }},
		{`schedule hourly: its target "arn:gone" is not a function, queue or topic of this stack`, func(s *Stack) { s.Schedules[0].Targets[0].ARN = "arn:gone" }},
		{`event source mapping Messages: the concurrency is 1 and must be from 2 to 1000`, func(s *Stack) { s.Mappings[0].MaxConcurrency = 1 }},
		{`API "sockets-api" is declared twice`, func(s *Stack) { s.APIs = append(s.APIs, s.APIs[0]) }},
		{`API sockets-api, RouteSelectionExpression: selection expression "$body": "body" at character 2`, func(s *Stack) { s.APIs[0].RouteSelectionExpression = "$body" }},
		{`API sockets-api: "$default" is not a valid name of a stage`, func(s *Stack) { s.APIs[0].Stage.Name = "$default" }},
		{`route of API sockets-api "echo" is declared twice`, func(s *Stack) { s.APIs[0].Routes[0].Key = "echo" }},
		{`API sockets-api, route $conect: "$conect" is not a route key`, func(s *Stack) { s.APIs[0].Routes[0].Key = "$conect" }},
		{`API sockets-api, route echo: its function "gone" is not a function of this stack`, func(s *Stack) { s.APIs[0].Routes[1].Integration.Function = "gone" }},
		{`API sockets-api, route echo: the integration's timeout is 30s and must be from 50ms to 29s`, func(s *Stack) { s.APIs[0].Routes[1].Integration.Timeout = 30 * time.Second }},
	} {
		s := sockets()
		c.harm(s)
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v\nwant %s", err, c.want)
		}
	}
}

func TestValidateJoinsSentences(t *testing.T) {
	s := sockets()
	s.Functions[0].MemoryMB, s.Mappings[0].BatchSize = 0, 0
	if lines := strings.Split(s.Validate().Error(), "\n"); len(lines) != 2 {
		t.Errorf("two mistakes make %d lines: %q", len(lines), lines)
	}
}

func TestLookups(t *testing.T) {
	s := sockets()
	if f := s.Function("publish"); f != &s.Functions[1] || s.Function("gone") != nil {
		t.Errorf("Function(publish) = %v", f)
	}
	if q := s.QueueByARN("arn:dlq"); q != &s.Queues[1] || s.QueueByARN("") != nil {
		t.Errorf("QueueByARN(arn:dlq) = %v", q)
	}
}
