package dynamodb

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost/internal/awswire"
)

// iteratorLife is how long a shard iterator may be used.
const iteratorLife = 15 * time.Minute

// Streams is the API of DynamoDB Streams over the streams of a Service.
type Streams struct{ s *Service }

var _ awswire.Service = Streams{}

// Streams returns the API of the tables' streams, to register beside the
// tables' own.
func (s *Service) Streams() Streams { return Streams{s} }

// TargetPrefix is DynamoDB Streams'.
func (Streams) TargetPrefix() string { return "DynamoDBStreams_20120810" }

// QueryVersion is empty: DynamoDB Streams has no query protocol.
func (Streams) QueryVersion() string { return "" }

var streamOperations = map[string]operation{
	"DescribeStream":   (*Service).describeStream,
	"GetRecords":       (*Service).getRecords,
	"GetShardIterator": (*Service).getShardIterator,
	"ListStreams":      (*Service).listStreams,
}

// Do runs one call. Its errors are *awswire.Error, but for internal ones and
// those of ctx.
func (a Streams) Do(ctx context.Context, call *awswire.Call) (any, error) {
	return a.s.do(ctx, call, streamOperations)
}

// Refuse is that of the tables.
func (a Streams) Refuse(call *awswire.Call, e *awswire.Error) *awswire.Error {
	return a.s.Refuse(call, e)
}

func streamNotFound(arn string) error {
	return awswire.Errorf("ResourceNotFoundException", "Requested resource not found: Stream: %s not found", clip(arn))
}

// calledStream returns the stream of that name which the call's account has in
// its region.
func (s *Service) calledStream(call *awswire.Call, arn string) (*stream, error) {
	st := s.streamNamed(arn)
	if st == nil || st.Table.Region != s.region(call) || st.Table.Account != call.Account(s.cfg.Account) {
		return nil, streamNotFound(arn)
	}
	return st, nil
}

func (s *Service) listStreams(_ context.Context, call *awswire.Call) (any, error) {
	var in struct {
		TableName               *string
		Limit                   *int64 `aws:"Integer"`
		ExclusiveStartStreamArn *string
	}
	if err := decode(call, &in); err != nil {
		return nil, err
	}
	var c constraints
	c.optionalName(in.TableName, "tableName")
	c.between(in.Limit, "limit", 1, 100)
	c.optionalLength(in.ExclusiveStartStreamArn, "exclusiveStartStreamArn", 37, 1024)
	if err := c.err(); err != nil {
		return nil, err
	}
	type listed struct{ StreamArn, StreamLabel, TableName string }
	out := struct {
		Streams                []listed
		LastEvaluatedStreamArn string `json:",omitempty"`
	}{Streams: []listed{}}
	for _, st := range s.streamsOf(s.tableID(call, ""), in.TableName) {
		if in.ExclusiveStartStreamArn != nil && st.ARN <= *in.ExclusiveStartStreamArn {
			continue
		}
		if len(out.Streams) == limitOf(in.Limit) {
			out.LastEvaluatedStreamArn = out.Streams[len(out.Streams)-1].StreamArn
			break
		}
		out.Streams = append(out.Streams, listed{st.ARN, st.label(), st.Table.Name})
	}
	return out, nil
}

// limitOf is the most that a list may have.
func limitOf(limit *int64) int {
	if limit == nil {
		return 100
	}
	return int(*limit)
}

// streamsOf returns an account's streams in a region, of all tables or of one,
// sorted by ARN.
func (s *Service) streamsOf(of tableID, table *string) []*stream {
	var streams []*stream
	for _, st := range s.allStreams() {
		if st.Table.Account == of.account && st.Table.Region == of.region && (table == nil || st.Table.Name == nameOf(*table)) {
			streams = append(streams, st)
		}
	}
	slices.SortFunc(streams, func(a, b *stream) int { return strings.Compare(a.ARN, b.ARN) })
	return streams
}

type sequenceRange struct {
	StartingSequenceNumber string
	EndingSequenceNumber   string `json:",omitempty"`
}

type shardDescription struct {
	ShardId             string
	SequenceNumberRange sequenceRange
}

type streamDescription struct {
	StreamArn, StreamLabel, StreamStatus, StreamViewType string
	CreationRequestDateTime                              float64
	TableName                                            string
	KeySchema                                            []keyElement
	Shards                                               []shardDescription
}

func (s *Service) describeStream(_ context.Context, call *awswire.Call) (any, error) {
	var in struct {
		StreamArn             *string
		Limit                 *int64 `aws:"Integer"`
		ExclusiveStartShardId *string
		ShardFilter           *struct{ Type, ShardId *string }
	}
	if err := decode(call, &in); err != nil {
		return nil, err
	}
	var c constraints
	c.length(in.StreamArn, "streamArn", 37, 1024)
	c.between(in.Limit, "limit", 1, 100)
	c.optionalLength(in.ExclusiveStartShardId, "exclusiveStartShardId", 28, 65)
	if in.ShardFilter != nil {
		c.oneOf(in.ShardFilter.Type, "shardFilter.type", "CHILD_SHARDS")
		c.optionalLength(in.ShardFilter.ShardId, "shardFilter.shardId", 28, 65)
	}
	if err := c.err(); err != nil {
		return nil, err
	}
	st, err := s.calledStream(call, *in.StreamArn)
	if err != nil {
		return nil, err
	}
	out := streamDescription{
		StreamArn: st.ARN, StreamLabel: st.label(), StreamStatus: "ENABLED", StreamViewType: st.View,
		CreationRequestDateTime: seconds(st.Created), TableName: st.Table.Name, Shards: []shardDescription{},
	}
	for i, k := range st.Keys {
		out.KeySchema = append(out.KeySchema, keyElement{&k.Name, &keyTypes[i]})
	}
	shard := shardDescription{st.shard(), sequenceRange{StartingSequenceNumber: sequenceNumber(1)}}
	if !st.Ended.IsZero() {
		latest, err := (&Stream{s, st.ARN}).Latest()
		if err != nil {
			return nil, streamNotFound(st.ARN)
		}
		out.StreamStatus, shard.SequenceNumberRange.EndingSequenceNumber = "DISABLED", sequenceNumber(max(latest, 1))
	}
	// The only shard is nobody's child.
	if in.ShardFilter == nil && (in.ExclusiveStartShardId == nil || *in.ExclusiveStartShardId < shard.ShardId) {
		out.Shards = append(out.Shards, shard)
	}
	return map[string]any{"StreamDescription": out}, nil
}

var keyTypes = []string{"HASH", "RANGE"}

func (s *Service) getShardIterator(_ context.Context, call *awswire.Call) (any, error) {
	var in struct{ StreamArn, ShardId, ShardIteratorType, SequenceNumber *string }
	if err := decode(call, &in); err != nil {
		return nil, err
	}
	var c constraints
	c.length(in.ShardId, "shardId", 28, 65)
	c.optionalLength(in.SequenceNumber, "sequenceNumber", 21, 40)
	c.required(in.ShardIteratorType, "shardIteratorType", "AFTER_SEQUENCE_NUMBER", "LATEST", "AT_SEQUENCE_NUMBER", "TRIM_HORIZON")
	c.length(in.StreamArn, "streamArn", 37, 1024)
	if err := c.err(); err != nil {
		return nil, err
	}
	st, err := s.calledStream(call, *in.StreamArn)
	if err != nil {
		return nil, err
	}
	if *in.ShardId != st.shard() {
		return nil, awswire.Errorf("ResourceNotFoundException", "Requested resource not found: Shard does not exist")
	}
	after, err := s.startAfter(st, *in.ShardIteratorType, in.SequenceNumber)
	if err != nil {
		return nil, err
	}
	return map[string]any{"ShardIterator": iterator{after, time.Now()}.token(st)}, nil
}

// startAfter is the sequence after which an iterator reads.
func (s *Service) startAfter(st *stream, kind string, number *string) (after uint64, err error) {
	named := kind == "AT_SEQUENCE_NUMBER" || kind == "AFTER_SEQUENCE_NUMBER"
	switch {
	case named && number == nil:
		return 0, invalid("The parameter SequenceNumber must be specified when the ShardIteratorType is %s", kind)
	case !named && number != nil:
		return 0, invalid("The parameter SequenceNumber must not be specified when the ShardIteratorType is %s", kind)
	case kind == "TRIM_HORIZON":
		return 0, nil
	}
	latest, err := (&Stream{s, st.ARN}).Latest()
	if err != nil {
		return 0, streamNotFound(st.ARN)
	}
	if kind == "LATEST" {
		return latest, nil
	}
	n, ok := parseSequenceNumber(*number)
	if !ok || n == 0 || n > max(latest, 1) {
		return 0, invalid("Invalid SequenceNumber: %s is not one of the shard %s", clip(*number), st.shard())
	}
	if kind == "AT_SEQUENCE_NUMBER" {
		n--
	}
	if _, _, err := s.readStream(st, n, 1); err != nil {
		return 0, s.readError(st, err)
	}
	return n, nil
}

// readError turns the errors of Stream into those of the API.
func (s *Service) readError(st *stream, err error) error {
	switch {
	case errors.Is(err, ErrTrimmed):
		return awswire.Errorf("TrimmedDataAccessException", "The operation attempted to read past the oldest stream record in a shard.")
	case errors.Is(err, ErrNoStream):
		return streamNotFound(st.ARN)
	}
	return err
}

// iterator is a place in a shard, and when it was given out.
type iterator struct {
	after uint64
	made  time.Time
}

// token is the iterator as clients have it: the stream's ARN, a version, and
// what AWS keeps to itself.
func (i iterator) token(st *stream) string {
	inside := binary.BigEndian.AppendUint64(nil, i.after)
	inside = binary.BigEndian.AppendUint64(inside, uint64(i.made.UnixMilli()))
	return st.ARN + "|1|" + base64.StdEncoding.EncodeToString(inside)
}

func parseIterator(token string) (arn string, i iterator, ok bool) {
	parts := strings.Split(token, "|")
	if len(parts) != 3 || parts[1] != "1" {
		return "", i, false
	}
	inside, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(inside) != 16 {
		return "", i, false
	}
	i.after = binary.BigEndian.Uint64(inside)
	i.made = time.UnixMilli(int64(binary.BigEndian.Uint64(inside[8:])))
	return parts[0], i, true
}

// wireRecord is a record in the answer of GetRecords.
type wireRecord struct {
	EventID      string        `json:"eventID"`
	EventName    string        `json:"eventName"`
	EventVersion string        `json:"eventVersion"`
	EventSource  string        `json:"eventSource"`
	Region       string        `json:"awsRegion"`
	Change       recordChange  `json:"dynamodb"`
	Identity     *wireIdentity `json:"userIdentity,omitempty"`
}

// wireIdentity has other names here than in a function's event.
type wireIdentity struct{ PrincipalId, Type string }

func (s *Service) getRecords(_ context.Context, call *awswire.Call) (any, error) {
	var in struct {
		ShardIterator *string
		Limit         *int64 `aws:"Integer"`
	}
	if err := decode(call, &in); err != nil {
		return nil, err
	}
	var c constraints
	c.length(in.ShardIterator, "shardIterator", 1, 2048)
	c.between(in.Limit, "limit", 1, maxStreamRecords)
	if err := c.err(); err != nil {
		return nil, err
	}
	arn, from, ok := parseIterator(*in.ShardIterator)
	if !ok {
		return nil, invalid("Invalid ShardIterator")
	}
	st, err := s.calledStream(call, arn)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	if now.Sub(from.made) > iteratorLife {
		return nil, expiredIterator(from.made, now)
	}
	limit := maxStreamRecords
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	records, ended, err := s.readStream(st, from.after, limit)
	if err != nil {
		return nil, s.readError(st, err)
	}
	out := struct {
		Records           []wireRecord
		NextShardIterator string `json:",omitempty"`
	}{Records: make([]wireRecord, 0, len(records))}
	next := iterator{from.after, now}
	for i := range records {
		out.Records = append(out.Records, records[i].wire())
		next.after = records[i].Sequence
	}
	if !ended {
		out.NextShardIterator = next.token(st)
	}
	return out, nil
}

func expiredIterator(made, now time.Time) error {
	return awswire.Errorf("ExpiredIteratorException", "Iterator expired. The iterator was created at time %s while right now it is %s which is further in the future than the tolerated delay of %d milliseconds.",
		made.UTC().Format(time.UnixDate), now.UTC().Format(time.UnixDate), iteratorLife.Milliseconds())
}

func (r *StreamRecord) wire() wireRecord {
	out := wireRecord{r.ID, r.Name, recordVersion, recordSource, r.Region, r.change(), nil}
	if r.ByService {
		out.Identity = &wireIdentity{ttlPrincipal, "Service"}
	}
	return out
}
