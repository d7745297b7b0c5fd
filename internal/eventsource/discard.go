package eventsource

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gatepost-dev/gatepost/internal/telemetry"
	"github.com/gatepost-dev/gatepost/internal/uuid"
)

// condition is why a batch was given up, in Lambda's words.
type condition string

const (
	retryAttemptsExhausted condition = "RetryAttemptsExhausted"
	eventAgeExceeded       condition = "EventAgeExceeded"
)

// failureRecord is what a destination gets of a batch that was given up: where
// its records are in the stream, and not the records ("Retain discarded records"
// in the Lambda developer guide).
type failureRecord struct {
	RequestContext  failureRequest   `json:"requestContext"`
	ResponseContext *failureResponse `json:"responseContext,omitempty"`
	Version         string           `json:"version"`
	Timestamp       string           `json:"timestamp"`
	DynamoDB        *batchInfo       `json:"DDBStreamBatchInfo,omitempty"`
	Kinesis         *batchInfo       `json:"KinesisBatchInfo,omitempty"`
}

type failureRequest struct {
	RequestID              string    `json:"requestId"`
	FunctionARN            string    `json:"functionArn"`
	Condition              condition `json:"condition"`
	ApproximateInvokeCount int       `json:"approximateInvokeCount"`
}

type failureResponse struct {
	StatusCode      int    `json:"statusCode"`
	ExecutedVersion string `json:"executedVersion"`
	FunctionError   string `json:"functionError,omitempty"`
}

type batchInfo struct {
	ShardID       string `json:"shardId"`
	StartSequence string `json:"startSequenceNumber"`
	EndSequence   string `json:"endSequenceNumber"`
	FirstArrival  string `json:"approximateArrivalOfFirstRecord"`
	LastArrival   string `json:"approximateArrivalOfLastRecord"`
	BatchSize     int    `json:"batchSize"`
	StreamARN     string `json:"streamArn"`
}

// failureOf describes a piece that is given up.
func (l *lane) failureOf(why condition, p *piece) []byte {
	first, last := &p.records[0], &p.records[len(p.records)-1]
	arn := cmp.Or(l.function.ARN, "arn:aws:lambda:"+l.cfg.Region+":"+l.cfg.Account+":function:"+l.declared.Function)
	r := failureRecord{
		RequestContext: failureRequest{uuid.New(), arn, why, p.invocations},
		Version:        "1.0", Timestamp: time.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
	}
	if p.last != nil {
		r.ResponseContext = &failureResponse{StatusCode: 200, ExecutedVersion: "$LATEST"}
		if p.last.failed {
			r.ResponseContext.FunctionError = "Unhandled"
		}
	}
	info := &batchInfo{
		l.shard, first.Sequence, last.Sequence, first.Arrived.UTC().Format(l.kind.timeForm), last.Arrived.UTC().Format(l.kind.timeForm),
		len(p.records), l.declared.SourceARN,
	}
	if l.kind.batchInfo == "KinesisBatchInfo" {
		r.Kinesis = info
	} else {
		r.DynamoDB = info
	}
	text, err := json.Marshal(r)
	if err != nil {
		panic("eventsource: a record of a failure cannot be encoded: " + err.Error())
	}
	return text
}

// deliverWithin bounds one attempt to tell a destination.
const deliverWithin = 10 * time.Second

// discard gives a piece up: its destination is told, for as long as that takes.
// It is false when ctx has ended before.
func (l *lane) discard(ctx context.Context, why condition, p *piece) bool {
	event := telemetry.Event{
		Kind: telemetry.DeadLettered, Source: l.declared.SourceARN, Function: l.declared.Function, Failed: true,
		Text: fmt.Sprintf("%s from %s given up: %s", recordsText(len(p.records)), p.records[0].Sequence, why),
	}
	to := l.declared.Stream.OnFailure
	if to == "" || l.cfg.Destination == nil {
		event.Kind = telemetry.Delivered
		l.cfg.Feed.Record(event)
		l.cfg.Log.Error("records of a stream are given up; give the mapping an OnFailure destination to keep track of them", "stream", l.declared.SourceARN,
			"shard", l.shard, "function", l.declared.Function, "from", p.records[0].Sequence, "records", len(p.records), "reason", string(why))
		return true
	}
	text := l.failureOf(why, p)
	for pause := retryMin; ; {
		err := l.tell(ctx, to, text)
		if err == nil {
			event.Text += "; told " + to
			break
		}
		if errors.Is(err, ErrRejected) {
			event.Text += "; " + to + " cannot be told: " + err.Error()
			l.cfg.Log.Error("a destination refuses the record of a failure", "destination", to, "error", err)
			break
		}
		if ctx.Err() != nil {
			return false
		}
		pause = rest(ctx, pause, retryMax)
	}
	l.cfg.Feed.Record(event)
	return true
}

func recordsText(n int) string {
	if n == 1 {
		return "1 record"
	}
	return fmt.Sprintf("%d records", n)
}

func (l *lane) tell(ctx context.Context, to string, text []byte) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deliverWithin)
	defer cancel()
	return l.cfg.Destination.Deliver(ctx, to, text)
}
