// Package stack holds what a template declares, resolved: APIs, functions,
// queues, tables, event source mappings and schedules, with the notices about what was
// left out. It has plain values and Validate; package internal/template makes
// stacks, package gatepost runs them.
package stack

import (
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
)

// Stack is one deployable system. All references between its parts are by name
// or ARN and already resolved.
type Stack struct {
	// Name is the stack's name, by default the template's folder.
	Name string `json:"name"`
	// Region and Account are what AWS::Region and AWS::AccountId resolve to.
	Region  string `json:"region"`
	Account string `json:"account"`

	APIs      []apigw.API          `json:"apis"`
	Functions []Function           `json:"functions"`
	Queues    []Queue              `json:"queues"`
	Topics    []Topic              `json:"topics,omitempty"`
	Tables    []Table              `json:"tables"`
	Streams   []DataStream         `json:"streams,omitempty"`
	Mappings  []EventSourceMapping `json:"mappings"`
	Schedules []Schedule           `json:"schedules,omitempty"`
	// Subscriptions are those of the topics.
	Subscriptions []Subscription `json:"subscriptions,omitempty"`
	Outputs       []Output       `json:"outputs,omitempty"`
	// Files are the absolute paths of the files that the stack was read from, the
	// template and what it includes, and of settings beside them that need not be
	// there: what to watch, to know when to read it again.
	Files []string `json:"-"`
	// Folders are the absolute paths of folders in which any file that is written
	// may make the stack another one: that of a project of which the stack is what a
	// build has left, for as long as nothing is newer.
	Folders []string `json:"-"`
	// Notices name everything of the template that will not run, one each.
	Notices []Notice `json:"notices,omitempty"`
}

// Function is a Lambda function.
type Function struct {
	// LogicalID is the resource's name in the template.
	LogicalID string `json:"logicalId"`
	// Name is the function's name, unique in the stack (FunctionName, or the
	// logical id when the template gives none).
	Name string `json:"name"`
	ARN  string `json:"arn"`
	// Runtime is AWS's identifier, for example "provided.al2023".
	Runtime string `json:"runtime"`
	// Handler is passed on as _HANDLER.
	Handler string `json:"handler"`
	// Code is the absolute path of the folder or file that holds the code:
	// Go source to build, or a folder with an executable "bootstrap".
	Code string `json:"code,omitempty"`
	// Inline is source code that stands in the template itself, of JavaScript
	// or Python; Code is empty then. It becomes the file index.js or index.py.
	Inline string `json:"inline,omitempty"`
	// BuildMethod is the template's Metadata.BuildMethod, "go1.x" or
	// "makefile" or "".
	BuildMethod string `json:"buildMethod,omitempty"`
	// Layers are what Lambda unpacks into /opt, one over the other in this
	// order; at most five.
	Layers []Layer `json:"layers,omitempty"`
	// Command, when set, is run as it is and nothing is built: argv of the
	// function's process.
	Command []string `json:"command,omitempty"`
	// Environment is the function's own variables, resolved.
	Environment map[string]string `json:"environment,omitempty"`
	// EnvironmentAt says where the template sets a variable, "template.yaml:12",
	// and NoEcho which ones hold the value of a parameter with NoEcho.
	EnvironmentAt map[string]string `json:"-"`
	NoEcho        []string          `json:"-"`
	// Timeout is 1 to 900 s; AWS's default is 3 s.
	Timeout time.Duration `json:"timeout"`
	// MemoryMB is 128 to 10,240; AWS's default is 128.
	MemoryMB int `json:"memoryMB"`
	// EphemeralMB is how much its temporary folder may hold, 512 to 10,240; zero
	// means AWS's default, 512.
	EphemeralMB int `json:"ephemeralMB,omitempty"`
	// Logging is how it logs; the zero value is plain text.
	Logging Logging `json:"logging,omitzero"`
	// MaxConcurrency bounds the events at one time (ReservedConcurrentExecutions);
	// a further one is throttled. Zero means no such bound: events wait for one of
	// the host's sandboxes.
	MaxConcurrency int `json:"maxConcurrency,omitempty"`
	// Async says what becomes of asynchronous invocations; nil means Lambda's
	// defaults.
	Async *AsyncInvocation `json:"async,omitempty"`
	// Throttled refuses every event, as ReservedConcurrentExecutions of 0 does.
	Throttled bool `json:"throttled,omitempty"`
	// Freeze says whether the function's processes are stopped while they have no
	// event, as on Lambda; nil leaves it to whoever runs the stack.
	Freeze *bool `json:"freeze,omitempty"`
	// Line is where the template declares the function; 0 when unknown.
	Line int `json:"line,omitempty"`
}

// AsyncInvocation is a function's EventInvokeConfig together with its
// DeadLetterConfig.
type AsyncInvocation struct {
	// Retries is how often a failed invocation is tried again, 0 to 2; nil means
	// 2.
	Retries *int `json:"retries,omitempty"`
	// MaxAge is how long an event may wait for its function, 60 s to 6 h; zero
	// means 6 h.
	MaxAge time.Duration `json:"maxAge,omitempty"`
	// OnSuccess and OnFailure are the ARNs of a queue, a topic or a function of
	// the stack that gets a record of each invocation that ended well or was
	// given up; "" is nobody.
	OnSuccess string `json:"onSuccess,omitempty"`
	OnFailure string `json:"onFailure,omitempty"`
	// DeadLetterARN is the queue or topic that gets the events which were given
	// up; "" is none.
	DeadLetterARN string `json:"deadLetterArn,omitempty"`
}

// Logging is a function's LoggingConfig. Empty fields mean AWS's defaults.
type Logging struct {
	// Format is "JSON" or "Text".
	Format string `json:"format,omitempty"`
	// ApplicationLevel ("TRACE" to "FATAL") is told to the function. SystemLevel
	// ("DEBUG", "INFO" or "WARN") says what the platform writes. Both need the
	// format JSON; their default is INFO.
	ApplicationLevel string `json:"applicationLevel,omitempty"`
	SystemLevel      string `json:"systemLevel,omitempty"`
	// Group is the log group's name; the default is /aws/lambda/NAME.
	Group string `json:"group,omitempty"`
}

// JSON reports whether the platform writes its lines as JSON.
func (l Logging) JSON() bool { return l.Format == "JSON" }

// Layer is a layer of functions (AWS::Lambda::LayerVersion).
type Layer struct {
	// LogicalID is the resource's name in the template.
	LogicalID string `json:"logicalId"`
	ARN       string `json:"arn"`
	// Content is the absolute path of a folder or a zip archive, laid out as
	// below /opt: nodejs/node_modules, python, bin, lib.
	Content string `json:"content"`
	// BuildMethod is the template's Metadata.BuildMethod. With "makefile",
	// Content is the folder of a Makefile with the target build-LogicalID.
	BuildMethod string `json:"buildMethod,omitempty"`
}

// Queue is an SQS queue. Zero durations are meant as zero: the loader fills in
// AWS's defaults.
type Queue struct {
	LogicalID string `json:"logicalId"`
	Name      string `json:"name"`
	ARN       string `json:"arn"`
	// VisibilityTimeout is 0 to 12 h; AWS's default is 30 s.
	VisibilityTimeout time.Duration `json:"visibilityTimeout"`
	// Delay is 0 to 15 min.
	Delay time.Duration `json:"delay,omitempty"`
	// Retention is 60 s to 14 days; AWS's default is 4 days.
	Retention time.Duration `json:"retention"`
	// ReceiveWait is 0 to 20 s: the long poll when a call asks for none.
	ReceiveWait time.Duration `json:"receiveWait,omitempty"`
	// MaxMessageSize is in bytes.
	MaxMessageSize int `json:"maxMessageSize"`
	// Redrive names the dead-letter queue, or is nil.
	Redrive *Redrive `json:"redrive,omitempty"`
	// RedriveAllow says who may name this queue as its dead-letter queue; nil
	// lets everybody.
	RedriveAllow *RedriveAllow `json:"redriveAllow,omitempty"`
	// FIFO is set for a FIFO queue, whose name ends in ".fifo".
	FIFO *FIFO `json:"fifo,omitempty"`
	// Tags are returned to who asks, and do nothing.
	Tags map[string]string `json:"tags,omitempty"`
	Line int               `json:"line,omitempty"`
}

// FIFO is what only a FIFO queue has. The zero value is AWS's default.
type FIFO struct {
	// ContentBasedDeduplication makes the body's digest the deduplication id of
	// messages that have none.
	ContentBasedDeduplication bool `json:"contentBasedDeduplication,omitempty"`
	// DeduplicationScope is "queue" (as is "") or "messageGroup".
	DeduplicationScope string `json:"deduplicationScope,omitempty"`
	// ThroughputLimit is "perQueue" (as is "") or "perMessageGroupId".
	ThroughputLimit string `json:"throughputLimit,omitempty"`
}

// RedriveAllow is a queue's RedriveAllowPolicy.
type RedriveAllow struct {
	// Permission is "allowAll", "denyAll" or "byQueue".
	Permission string `json:"redrivePermission"`
	// SourceARNs are the queues of byQueue.
	SourceARNs []string `json:"sourceQueueArns,omitempty"`
}

// Redrive is a queue's RedrivePolicy.
type Redrive struct {
	// DeadLetterARN is the queue that takes what was received too often.
	DeadLetterARN string `json:"deadLetterTargetArn"`
	// MaxReceiveCount is 1 to 1,000 receives before a message moves.
	MaxReceiveCount int `json:"maxReceiveCount"`
}

// Topic is an SNS topic.
type Topic struct {
	LogicalID string `json:"logicalId"`
	// Name ends in ".fifo" for a FIFO topic.
	Name string `json:"name"`
	ARN  string `json:"arn"`
	// Attributes are those of SetTopicAttributes, JSON documents as text:
	// DisplayName, FifoTopic, ContentBasedDeduplication, DeliveryPolicy.
	Attributes map[string]string `json:"attributes,omitempty"`
	// Tags are stored and can be read; nothing else comes of them.
	Tags map[string]string `json:"tags,omitempty"`
	Line int               `json:"line,omitempty"`
}

// Subscription hands the messages of a topic on.
type Subscription struct {
	LogicalID string `json:"logicalId"`
	TopicARN  string `json:"topicArn"`
	// Protocol is sqs, lambda, http or https; Endpoint is the ARN of the queue
	// or function, or the URL.
	Protocol string `json:"protocol"`
	Endpoint string `json:"endpoint"`
	// Attributes are those of SetSubscriptionAttributes, JSON documents as text:
	// FilterPolicy, FilterPolicyScope, RawMessageDelivery, RedrivePolicy.
	Attributes map[string]string `json:"attributes,omitempty"`
	Line       int               `json:"line,omitempty"`
}

// Table is a DynamoDB table.
type Table struct {
	LogicalID  string       `json:"logicalId"`
	Name       string       `json:"name"`
	ARN        string       `json:"arn"`
	Key        []KeyElement `json:"key"`
	Attributes []Attribute  `json:"attributes"`
	Indexes    []TableIndex `json:"indexes,omitempty"`
	// TTLAttribute is the attribute that holds an item's end in seconds since
	// the epoch, or "" when items do not expire.
	TTLAttribute string `json:"ttlAttribute,omitempty"`
	// StreamView is what the table's stream shows of a change: "KEYS_ONLY",
	// "NEW_IMAGE", "OLD_IMAGE" or "NEW_AND_OLD_IMAGES"; "" means that the
	// table has no stream. StreamARN is the stream's name.
	StreamView string `json:"streamView,omitempty"`
	StreamARN  string `json:"streamArn,omitempty"`
	// DeletionProtection is true when DeleteTable is refused.
	DeletionProtection bool `json:"deletionProtection,omitempty"`
	Line               int  `json:"line,omitempty"`
}

// KeyElement is one attribute of a key; Type is "HASH" or "RANGE".
type KeyElement struct {
	Attribute string `json:"attribute"`
	Type      string `json:"type"`
}

// Attribute declares the type of a key attribute: "S", "N" or "B".
type Attribute struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// TableIndex is a secondary index.
type TableIndex struct {
	Name string       `json:"name"`
	Key  []KeyElement `json:"key"`
	// Local is true for a local secondary index.
	Local bool `json:"local,omitempty"`
	// Projection is "ALL", "KEYS_ONLY" or "INCLUDE", the last with NonKey.
	Projection string   `json:"projection"`
	NonKey     []string `json:"nonKey,omitempty"`
}

// MaxShards is how many shards a data stream may have here.
const MaxShards = 100

// DataStream is a stream of Kinesis.
type DataStream struct {
	LogicalID string `json:"logicalId"`
	Name      string `json:"name"`
	ARN       string `json:"arn"`
	// Shards is 1 to MaxShards; zero is as many as a stream on demand begins with.
	Shards int `json:"shards,omitempty"`
	// OnDemand is true for a stream that scales by itself on AWS. Here it keeps
	// its shards.
	OnDemand bool `json:"onDemand,omitempty"`
	// Retention is 24 h to 365 days; zero means 24 h.
	Retention time.Duration `json:"retention,omitempty"`
	// Tags are returned to who asks, and do nothing.
	Tags map[string]string `json:"tags,omitempty"`
	Line int               `json:"line,omitempty"`
}

// EventSourceMapping feeds the messages of a queue, or the records of a stream,
// to a function.
type EventSourceMapping struct {
	LogicalID string `json:"logicalId"`
	// SourceARN is the ARN of the queue or the stream.
	SourceARN string `json:"sourceArn"`
	// Function is the function's name.
	Function string `json:"function"`
	// BatchSize is 1 to 10,000; AWS's default is 10 for queues and 100 for
	// streams.
	BatchSize int `json:"batchSize"`
	// Window is how long a batch may wait to fill, 0 to 300 s.
	Window time.Duration `json:"window,omitempty"`
	// ReportItemFailures is true with FunctionResponseTypes
	// [ReportBatchItemFailures].
	ReportItemFailures bool `json:"reportItemFailures,omitempty"`
	// Filters are the patterns of FilterCriteria, as JSON: at least one must
	// match a message or record for the function to get it. Empty lets all
	// through.
	Filters []string `json:"filters,omitempty"`
	// MaxConcurrency bounds concurrent batches of a queue, 2 to 1,000; zero
	// means as many as the function runs at once.
	MaxConcurrency int `json:"maxConcurrency,omitempty"`
	// Stream has the settings of a mapping whose source is a stream, and is nil
	// for a queue.
	Stream *StreamSettings `json:"stream,omitempty"`
	// Disabled mappings are kept and not polled.
	Disabled bool `json:"disabled,omitempty"`
	Line     int  `json:"line,omitempty"`
}

// StreamSettings are what an event source mapping says of a stream.
type StreamSettings struct {
	// StartingPosition is "TRIM_HORIZON", "LATEST" or, for Kinesis,
	// "AT_TIMESTAMP" with StartingTimestamp.
	StartingPosition  string    `json:"startingPosition"`
	StartingTimestamp time.Time `json:"startingTimestamp,omitzero"`
	// Bisect is true when a batch that failed is tried again in two halves.
	Bisect bool `json:"bisect,omitempty"`
	// MaxRetries is how often a batch is tried again, 0 to 10,000; -1 is
	// without end.
	MaxRetries int `json:"maxRetries"`
	// MaxRecordAge is how old a record may be, 60 s to 7 days; zero is as old as
	// the stream keeps it.
	MaxRecordAge time.Duration `json:"maxRecordAge,omitempty"`
	// Parallelization is how many batches of a shard run at once, 1 to 10.
	Parallelization int `json:"parallelization"`
	// OnFailure is the ARN of the queue or topic that gets a record of each
	// batch which was given up; "" is none.
	OnFailure string `json:"onFailure,omitempty"`
}

// Schedule calls its targets at set times: a rule of EventBridge with a schedule
// expression, or a schedule of EventBridge Scheduler.
type Schedule struct {
	LogicalID string `json:"logicalId"`
	Name      string `json:"name"`
	ARN       string `json:"arn"`
	// Scheduler is true for a schedule of EventBridge Scheduler, whose events
	// and expressions differ from those of rules.
	Scheduler bool `json:"scheduler,omitempty"`
	// Expression is rate(…), cron(…) or, of Scheduler, at(…).
	Expression string `json:"expression"`
	// Timezone is an IANA name; "" is UTC. Rules have none.
	Timezone string `json:"timezone,omitempty"`
	// Start and End bound when it runs; zero means no bound. Rules have none.
	Start    time.Time        `json:"start,omitzero"`
	End      time.Time        `json:"end,omitzero"`
	Targets  []ScheduleTarget `json:"targets"`
	Disabled bool             `json:"disabled,omitempty"`
	Line     int              `json:"line,omitempty"`
}

// ScheduleTarget is a function, queue or topic that a schedule calls.
type ScheduleTarget struct {
	ARN string `json:"arn"`
	// Input replaces the event: JSON of a rule, any text of Scheduler. InputPath
	// takes a part of the event, of a rule, and Transformer writes another.
	Input       string            `json:"input,omitempty"`
	InputPath   string            `json:"inputPath,omitempty"`
	Transformer *InputTransformer `json:"transformer,omitempty"`
	// MessageGroupID is for a FIFO queue.
	MessageGroupID string `json:"messageGroupId,omitempty"`
}

// InputTransformer is what a rule's target says of the text that it gets.
type InputTransformer struct {
	// Paths are the variables, each with its JSONPath into the event.
	Paths map[string]string `json:"paths,omitempty"`
	// Template has them as <name>.
	Template string `json:"template"`
}

// Output is one resolved entry of the template's Outputs.
type Output struct {
	Name        string `json:"name"`
	Value       string `json:"value"`
	Description string `json:"description,omitempty"`
}

// Notice tells of one thing in the template that Gatepost does not run.
type Notice struct {
	// File and Line say where; Line is 1-based.
	File string `json:"file"`
	Line int    `json:"line"`
	// LogicalID and Type name the resource; both are empty for a notice about
	// the template as a whole.
	LogicalID string `json:"logicalId,omitempty"`
	Type      string `json:"type,omitempty"`
	// Text is a sentence: what is left out and why.
	Text string `json:"text"`
	// Inert is true when nothing is lost: what is left out has no meaning on
	// one machine, such as an IAM role or a log group.
	Inert bool `json:"inert,omitempty"`
}

// Function returns the function with this name, or nil.
func (s *Stack) Function(name string) *Function {
	for i := range s.Functions {
		if s.Functions[i].Name == name {
			return &s.Functions[i]
		}
	}
	return nil
}

// TopicByARN returns the topic with this ARN, or nil.
func (s *Stack) TopicByARN(arn string) *Topic {
	for i := range s.Topics {
		if s.Topics[i].ARN == arn {
			return &s.Topics[i]
		}
	}
	return nil
}

// StreamByARN returns the data stream with this ARN, or nil.
func (s *Stack) StreamByARN(arn string) *DataStream {
	for i := range s.Streams {
		if s.Streams[i].ARN == arn {
			return &s.Streams[i]
		}
	}
	return nil
}

// QueueByARN returns the queue with this ARN, or nil.
func (s *Stack) QueueByARN(arn string) *Queue {
	for i := range s.Queues {
		if s.Queues[i].ARN == arn {
			return &s.Queues[i]
		}
	}
	return nil
}
