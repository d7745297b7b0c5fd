package dynamodb

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/attribute"
	"github.com/gatepost-dev/gatepost/internal/awswire"
)

// The names of what a stream record tells of.
const (
	EventInsert = "INSERT"
	EventModify = "MODIFY"
	EventRemove = "REMOVE"
)

// ttlPrincipal is who deletes expired items.
const ttlPrincipal = "dynamodb.amazonaws.com"

// StreamRecord is one change of an item, as a table's stream has it.
type StreamRecord struct {
	// Sequence is the record's place in its shard, from 1. It grows, and has
	// gaps only where records are older than a day.
	Sequence uint64
	// ID is the record's own, 32 hexadecimal digits.
	ID string
	// Name is EventInsert, EventModify or EventRemove.
	Name string
	// Created is the time of the change, in milliseconds.
	Created time.Time
	Keys    attribute.Map
	// OldImage and NewImage are the item before and after, nil where the view
	// or the kind of change has none.
	OldImage, NewImage attribute.Map
	// View is the stream's view type.
	View string
	// ByService is true for an item whose time to live had ended.
	ByService bool
	// Region is the table's.
	Region string
}

// SizeBytes is the size of keys and images, as DynamoDB counts it.
func (r *StreamRecord) SizeBytes() int {
	return r.Keys.ItemSize() + r.OldImage.ItemSize() + r.NewImage.ItemSize()
}

// SequenceNumber is Sequence as AWS writes it: text of 21 digits, which sorts
// as the number does.
func (r *StreamRecord) SequenceNumber() string { return sequenceNumber(r.Sequence) }

func sequenceNumber(n uint64) string { return fmt.Sprintf("1%020d", n) }

// parseSequenceNumber is the inverse of sequenceNumber.
func parseSequenceNumber(text string) (n uint64, ok bool) {
	if len(text) != 21 || text[0] != '1' {
		return 0, false
	}
	n, err := strconv.ParseUint(text[1:], 10, 64)
	return n, err == nil
}

type recordIdentity struct {
	Type        string `json:"type"`
	PrincipalID string `json:"principalId"`
}

type recordChange struct {
	ApproximateCreationDateTime int64
	Keys                        attribute.Map
	NewImage                    attribute.Map `json:",omitempty"`
	OldImage                    attribute.Map `json:",omitempty"`
	SequenceNumber              string
	SizeBytes                   int
	StreamViewType              string
}

// EventJSON is the record as a Lambda function gets it in its event's Records;
// arn is the stream's. The order of members is that of AWS.
func (r *StreamRecord) EventJSON(arn string) []byte {
	event := struct {
		EventID        string          `json:"eventID"`
		EventName      string          `json:"eventName"`
		EventVersion   string          `json:"eventVersion"`
		EventSource    string          `json:"eventSource"`
		Region         string          `json:"awsRegion"`
		Change         recordChange    `json:"dynamodb"`
		Identity       *recordIdentity `json:"userIdentity,omitempty"`
		EventSourceARN string          `json:"eventSourceARN"`
	}{r.ID, r.Name, recordVersion, recordSource, r.Region, r.change(), nil, arn}
	if r.ByService {
		event.Identity = &recordIdentity{"Service", ttlPrincipal}
	}
	return awswire.MarshalJSON(event)
}

const (
	recordVersion = "1.1"
	recordSource  = "aws:dynamodb"
)

func (r *StreamRecord) change() recordChange {
	return recordChange{r.Created.Unix(), r.Keys, r.NewImage, r.OldImage, r.SequenceNumber(), r.SizeBytes(), r.View}
}

// A record is stored as its kind, its time in milliseconds, and three items,
// each behind its length: keys, old image, new image. Length zero is none.

const (
	kindInsert = byte(iota + 1)
	kindModify
	kindRemove
	// kindByService is added to one of the others.
	kindByService = 0x80
)

var kindNames = map[byte]string{kindInsert: EventInsert, kindModify: EventModify, kindRemove: EventRemove}

// capture adds a record of a change to the table's stream. The items are in
// their stored form, nil for none. A change that changes nothing has no record.
func (d *tableData) capture(old, stored []byte) error {
	before, err := decodeStored(old)
	if err != nil {
		return err
	}
	after, err := decodeStored(stored)
	if err != nil {
		return err
	}
	kind := kindModify
	item := after
	switch {
	case before == nil:
		kind = kindInsert
	case after == nil:
		kind, item = kindRemove, before
	case attribute.Equal(before, after):
		return nil
	}
	if d.byService {
		kind |= kindByService
	}
	record := append(make([]byte, 0, len(old)+len(stored)+64), kind)
	record = binary.BigEndian.AppendUint64(record, uint64(time.Now().UnixMilli()))
	record = appendLengthed(record, attribute.AppendItem(nil, d.t.keys.of(item)))
	record = appendLengthed(record, d.image(old, "OLD_IMAGE"))
	record = appendLengthed(record, d.image(stored, "NEW_IMAGE"))
	return d.stream.add(d.tx, record)
}

// image is the item's part in a record of the table's stream.
func (d *tableData) image(stored []byte, view string) []byte {
	if stored == nil || d.stream.View != view && d.stream.View != "NEW_AND_OLD_IMAGES" {
		return nil
	}
	_, n := binary.Uvarint(stored)
	return stored[n:]
}

func decodeStored(stored []byte) (attribute.Map, error) {
	if stored == nil {
		return nil, nil
	}
	return decodeItem(stored)
}

func appendLengthed(dst, part []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(part))), part...)
}

// add stores a record under the next sequence number.
func (st *stream) add(tx *writeTx, record []byte) error {
	records := st.records(tx.Tx)
	if records == nil {
		return nil // the stream has been removed
	}
	n, err := records.NextSequence()
	if err != nil {
		return fmt.Errorf("number a record of stream %s: %w", st.ARN, err)
	}
	records.FillPercent = 0.9 // records only come at the end
	tx.tells(st.news)
	return records.Put(binary.BigEndian.AppendUint64(nil, n), record)
}

// decodeRecord is the inverse of what capture stores.
func (st *stream) decodeRecord(key, stored []byte) (r StreamRecord, err error) {
	if len(key) != 8 || len(stored) < 9 {
		return r, attribute.ErrStored
	}
	r = StreamRecord{Sequence: binary.BigEndian.Uint64(key), View: st.View, Region: st.Table.Region}
	r.ID = st.recordID(key)
	r.Name, r.ByService = kindNames[stored[0]&^kindByService], stored[0]&kindByService != 0
	r.Created = recordTime(stored)
	rest := stored[9:]
	for _, part := range []*attribute.Map{&r.Keys, &r.OldImage, &r.NewImage} {
		size, n := binary.Uvarint(rest)
		if n <= 0 || size > uint64(len(rest)-n) {
			return r, attribute.ErrStored
		}
		if size > 0 {
			if *part, err = attribute.DecodeItem(rest[n : n+int(size)]); err != nil {
				return r, err
			}
		}
		rest = rest[n+int(size):]
	}
	return r, nil
}

func recordTime(stored []byte) time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(stored[1:])))
}

// recordID is the same each time a record is read.
func (st *stream) recordID(key []byte) string {
	sum := md5.Sum(fmt.Appendf(nil, "%s %d %x", st.ARN, st.Created.UnixMilli(), key))
	return hex.EncodeToString(sum[:])
}

// of returns the key attributes of an item.
func (s keySchema) of(item attribute.Map) attribute.Map {
	var key attribute.Map
	for _, k := range s {
		key.Set(k.Name, item.Get(k.Name))
	}
	return key
}
