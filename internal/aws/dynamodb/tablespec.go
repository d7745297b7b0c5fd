package dynamodb

import (
	"cmp"
	"maps"
	"time"
)

// The parts of a table's specification that CreateTable and UpdateTable share.

const perRequest = "PAY_PER_REQUEST"

// throughput is what a table or an index is provisioned with. Both units are
// there once a request has been checked.
type throughput struct{ ReadCapacityUnits, WriteCapacityUnits *int64 }

// units are zero where none are given.
func (t throughput) units() (read, write int64) {
	var zero int64
	return *cmp.Or(t.ReadCapacityUnits, &zero), *cmp.Or(t.WriteCapacityUnits, &zero)
}

func (t throughput) equal(other throughput) bool {
	read, write := t.units()
	otherRead, otherWrite := other.units()
	return read == otherRead && write == otherWrite
}

// checkBounds refuses more than AWS could ever provide.
func (t *throughput) checkBounds() error {
	switch {
	case t == nil:
	case *t.ReadCapacityUnits > maxThroughput:
		return invalid("Given value %d for ReadCapacityUnits is out of bounds", *t.ReadCapacityUnits)
	case *t.WriteCapacityUnits > maxThroughput:
		return invalid("Given value %d for WriteCapacityUnits is out of bounds", *t.WriteCapacityUnits)
	}
	return nil
}

// billing is told again and means nothing.
type billing struct {
	// Mode is PAY_PER_REQUEST or PROVISIONED.
	Mode  string     `json:"mode"`
	Table throughput `json:"table"`
	// Increased and Decreased are when the table's throughput last was;
	// Decreases counts on the day of Decreased.
	Increased time.Time             `json:"increased,omitzero"`
	Decreased time.Time             `json:"decreased,omitzero"`
	Decreases int64                 `json:"decreases,omitempty"`
	Indexes   map[string]throughput `json:"indexes,omitempty"`
	// PerRequestSince is when a table was last changed to PAY_PER_REQUEST;
	// zero means since it was created.
	PerRequestSince time.Time `json:"perRequestSince,omitzero"`
}

func (b billing) clone() billing {
	b.Indexes = maps.Clone(b.Indexes)
	if b.Indexes == nil {
		b.Indexes = make(map[string]throughput)
	}
	return b
}

// change puts another throughput in the place of the table's.
func (b *billing) change(t throughput) {
	now := time.Now().UTC()
	read, write := t.units()
	hadRead, hadWrite := b.Table.units()
	if read > hadRead || write > hadWrite {
		b.Increased = now
	}
	if read < hadRead || write < hadWrite {
		if b.Decreased.Truncate(24*time.Hour) != now.Truncate(24*time.Hour) {
			b.Decreases = 0
		}
		b.Decreased = now
		b.Decreases++
	}
	b.Table = t
}

// streamSpecification says whether a table has a stream, and which.
type streamSpecification struct {
	StreamEnabled  *bool   `json:",omitempty"`
	StreamViewType *string `json:",omitempty"`
}

func (in *streamSpecification) constrain(c *constraints) {
	if in == nil {
		return
	}
	if in.StreamEnabled == nil {
		c.add(nil, "streamSpecification.streamEnabled", notNull)
	}
	c.oneOf(in.StreamViewType, "streamSpecification.streamViewType", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES", "KEYS_ONLY")
}

// view is the view type, "" for no stream.
func (in *streamSpecification) view() string {
	if in == nil || !*in.StreamEnabled {
		return ""
	}
	return *in.StreamViewType
}

// checkNew checks the stream of a table that is being created.
func (in *streamSpecification) checkNew() error {
	switch {
	case in == nil:
	case *in.StreamEnabled && in.StreamViewType == nil:
		return invalid(invalidValues + "Table is being created with a stream enabled, UpdateViewType is required")
	case !*in.StreamEnabled && in.StreamViewType != nil:
		return invalid(invalidValues + "Table is being created with a stream disabled, UpdateViewType should not be specified")
	}
	return nil
}

// apply changes the stream of a table that is there.
func (in *streamSpecification) apply(r *record) error {
	switch {
	case in == nil:
		return nil
	case *in.StreamEnabled && in.StreamViewType == nil:
		return invalid(invalidValues + "If stream is being enabled then UpdateViewType is required")
	case !*in.StreamEnabled && in.StreamViewType != nil:
		return invalid(invalidValues + "If stream is being disabled, then UpdateViewType must not be specified")
	case *in.StreamEnabled && r.StreamView != "":
		return invalid("Table already has an enabled stream: TableName: %s", r.Name)
	case !*in.StreamEnabled && r.StreamView == "":
		return invalid("Table has no stream to disable: TableName: %s", r.Name)
	}
	r.StreamView = in.view()
	if r.StreamView != "" {
		r.StreamARN = "" // a new one gets its own name
	}
	return nil
}

func checkTableClass(class *string) error {
	if class != nil && !is(class, "STANDARD", "STANDARD_INFREQUENT_ACCESS") {
		return invalid("Invalid table-class parameter provided. Please try again with a valid table-class value: [STANDARD, STANDARD_INFREQUENT_ACCESS].")
	}
	return nil
}
