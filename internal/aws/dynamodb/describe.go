package dynamodb

import (
	"time"

	"github.com/gatepost-dev/gatepost/stack"
)

// describe returns the table's description as answers have it.
func (t *table) describe(st stats) *tableDescription {
	d := &tableDescription{
		TableName: t.Name, TableArn: t.ARN, TableId: t.UUID, TableStatus: "ACTIVE",
		CreationDateTime: seconds(t.Created), ItemCount: st.items, TableSizeBytes: st.bytes,
		KeySchema: describeKey(t.Key), ProvisionedThroughput: describeThroughput(t.Billing.Table),
	}
	for _, a := range t.Attributes {
		d.AttributeDefinitions = append(d.AttributeDefinitions, attributeDefinition{&a.Name, &a.Type})
	}
	if t.Billing.Mode == perRequest {
		since := t.Created
		if !t.Billing.PerRequestSince.IsZero() {
			since = t.Billing.PerRequestSince
		}
		d.BillingModeSummary = &billingSummary{perRequest, seconds(since)}
		d.TableThroughputModeSummary = &modeSummary{perRequest, seconds(since)}
	}
	d.ProvisionedThroughput.changed(t.Billing)
	if t.StreamView != "" {
		enabled := true
		d.StreamSpecification = &streamSpecification{&enabled, &t.StreamView}
	}
	if t.StreamARN != "" && t.Stream != 0 {
		d.LatestStreamArn, d.LatestStreamLabel = t.StreamARN, streamLabel(t.StreamARN)
	}
	if t.Class != "" {
		d.TableClassSummary = &classSummary{t.Class}
	}
	d.DeletionProtectionEnabled = &t.DeletionProtection
	for _, x := range t.indexes {
		t.describeIndex(d, x, st.entries[x.Name])
	}
	return d
}

func (t *table) describeIndex(d *tableDescription, x *index, entries int64) {
	out := indexDescription{
		IndexName: x.Name, IndexArn: t.ARN + "/index/" + x.Name, KeySchema: describeKey(x.Key),
		Projection: projection{&x.TableIndex.Projection, x.NonKey}, ItemCount: entries,
	}
	if x.Local {
		d.LocalSecondaryIndexes = append(d.LocalSecondaryIndexes, out)
		return
	}
	described := describeThroughput(t.Billing.Indexes[x.Name])
	out.IndexStatus, out.ProvisionedThroughput = "ACTIVE", &described
	d.GlobalSecondaryIndexes = append(d.GlobalSecondaryIndexes, out)
}

func describeKey(key []stack.KeyElement) []keyElement {
	out := make([]keyElement, len(key))
	for i, k := range key {
		out[i] = keyElement{&k.Attribute, &k.Type}
	}
	return out
}

func describeThroughput(t throughput) throughputDescription {
	read, write := t.units()
	return throughputDescription{ReadCapacityUnits: read, WriteCapacityUnits: write}
}

// changed fills in when the throughput last was changed.
func (d *throughputDescription) changed(b billing) {
	if !b.Increased.IsZero() {
		d.LastIncreaseDateTime = seconds(b.Increased)
	}
	if !b.Decreased.IsZero() {
		d.LastDecreaseDateTime = seconds(b.Decreased)
	}
	if b.Decreased.Truncate(24 * time.Hour).Equal(time.Now().UTC().Truncate(24 * time.Hour)) {
		d.NumberOfDecreasesToday = b.Decreases
	}
}

// creating is how CreateTable describes a table. AWS makes it in the seconds
// that follow; here it is there when the call returns.
func (d *tableDescription) creating() *tableDescription {
	d.TableStatus = "CREATING"
	for i := range d.GlobalSecondaryIndexes {
		d.GlobalSecondaryIndexes[i].IndexStatus = "CREATING"
	}
	if d.BillingModeSummary != nil {
		d.BillingModeSummary = &billingSummary{BillingMode: perRequest}
		d.TableThroughputModeSummary = &modeSummary{TableThroughputMode: perRequest}
	}
	if !*d.DeletionProtectionEnabled {
		d.DeletionProtectionEnabled = nil
	}
	return d
}

// seconds is how AWS's JSON has times.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

type tableDescription struct {
	TableName                  string
	TableArn                   string
	TableId                    string
	TableStatus                string
	CreationDateTime           float64
	AttributeDefinitions       []attributeDefinition
	KeySchema                  []keyElement
	ItemCount                  int64
	TableSizeBytes             int64
	ProvisionedThroughput      throughputDescription
	BillingModeSummary         *billingSummary    `json:",omitempty"`
	TableThroughputModeSummary *modeSummary       `json:",omitempty"`
	LocalSecondaryIndexes      []indexDescription `json:",omitempty"`
	GlobalSecondaryIndexes     []indexDescription `json:",omitempty"`

	StreamSpecification       *streamSpecification `json:",omitempty"`
	LatestStreamArn           string               `json:",omitempty"`
	LatestStreamLabel         string               `json:",omitempty"`
	TableClassSummary         *classSummary        `json:",omitempty"`
	DeletionProtectionEnabled *bool                `json:",omitempty"`
}

type throughputDescription struct {
	LastIncreaseDateTime   float64 `json:",omitempty"`
	LastDecreaseDateTime   float64 `json:",omitempty"`
	NumberOfDecreasesToday int64
	ReadCapacityUnits      int64
	WriteCapacityUnits     int64
}

type billingSummary struct {
	BillingMode                       string
	LastUpdateToPayPerRequestDateTime float64 `json:",omitempty"`
}

type modeSummary struct {
	TableThroughputMode               string
	LastUpdateToPayPerRequestDateTime float64 `json:",omitempty"`
}

type classSummary struct{ TableClass string }

type indexDescription struct {
	IndexName             string
	IndexArn              string
	IndexStatus           string `json:",omitempty"`
	KeySchema             []keyElement
	Projection            projection
	IndexSizeBytes        int64
	ItemCount             int64
	ProvisionedThroughput *throughputDescription `json:",omitempty"`
}
