package kinesis

import (
	"strconv"
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost/internal/awswire"
)

// Record is one record of a shard.
type Record struct {
	// Shard is the shard's id.
	Shard          string
	SequenceNumber string
	PartitionKey   string
	Data           []byte
	// Arrived is the approximate time of arrival, Expires when the stream forgets
	// the record.
	Arrived, Expires time.Time

	number uint64 // its place in the journal
}

// eventRecord is a record in the event of a function, member by member in AWS's
// order ("Using AWS Lambda with Amazon Kinesis" in the Lambda developer guide).
type eventRecord struct {
	Kinesis           eventPayload `json:"kinesis"`
	EventSource       string       `json:"eventSource"`
	EventVersion      string       `json:"eventVersion"`
	EventID           string       `json:"eventID"`
	EventName         string       `json:"eventName"`
	InvokeIdentityARN string       `json:"invokeIdentityArn"`
	AWSRegion         string       `json:"awsRegion"`
	EventSourceARN    string       `json:"eventSourceARN"`
}

type eventPayload struct {
	SchemaVersion  string  `json:"kinesisSchemaVersion"`
	PartitionKey   string  `json:"partitionKey"`
	SequenceNumber string  `json:"sequenceNumber"`
	Data           []byte  `json:"data"`
	Arrived        seconds `json:"approximateArrivalTimestamp"`
}

// seconds is a time in seconds since 1970, to the millisecond.
type seconds time.Time

// MarshalJSON writes a number.
func (s seconds) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(time.Time(s).UnixMilli())/1000, 'f', -1, 64), nil
}

// EventJSON is the record as it stands in the Records of a function's event. arn
// is the stream's, role that of who reads for the function.
func (r *Record) EventJSON(arn, role string) []byte {
	data := r.Data
	if data == nil {
		data = []byte{}
	}
	return awswire.MarshalJSON(eventRecord{
		Kinesis:     eventPayload{"1.0", r.PartitionKey, r.SequenceNumber, data, seconds(r.Arrived)},
		EventSource: "aws:kinesis", EventVersion: "1.0", EventID: r.Shard + ":" + r.SequenceNumber, EventName: "aws:kinesis:record",
		InvokeIdentityARN: role, AWSRegion: strings.Split(arn, ":")[3], EventSourceARN: arn,
	})
}

// FilterJSON is the record as the filters of an event source mapping see it: the
// members of "kinesis", with data decoded ("Using event filtering with a Kinesis
// event source").
func (r *Record) FilterJSON() []byte {
	return awswire.MarshalJSON(map[string]any{
		"kinesisSchemaVersion": "1.0", "partitionKey": r.PartitionKey, "sequenceNumber": r.SequenceNumber,
		"data": string(r.Data), "approximateArrivalTimestamp": seconds(r.Arrived),
	})
}
