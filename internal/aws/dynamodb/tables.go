package dynamodb

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/uuid"
	"github.com/gatepost-dev/gatepost/stack"
)

func (s *Service) tableID(call *awswire.Call, nameOrARN string) tableID {
	return tableID{s.region(call), nameOf(nameOrARN)}
}

func notFound(name string) error {
	return awswire.Errorf("ResourceNotFoundException", "Requested resource not found: Table: %s not found", name)
}

func (s *Service) createTable(ctx context.Context, call *awswire.Call) (any, error) {
	var in createTableInput
	if err := decode(call, &in); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	declared, b := in.declared()
	t, err := s.create(ctx, s.region(call), declared, b)
	if err != nil {
		return nil, err
	}
	return map[string]any{"TableDescription": t.describe(stats{})}, nil
}

// create makes a table; one of its name must not exist.
func (s *Service) create(ctx context.Context, region string, declared stack.Table, b billing) (*table, error) {
	declared.ARN = fmt.Sprintf("arn:aws:dynamodb:%s:%s:table/%s", region, s.cfg.Account, declared.Name)
	t := newTable(record{Region: region, UUID: uuid.New(), Created: time.Now(), Billing: b, Table: declared})
	err := s.store.update(ctx, &write{
		alone: true,
		run: func(tx *writeTx) (err error) {
			if s.lookup(t.id) != nil {
				return awswire.Errorf("ResourceInUseException", "Table already exists: %s", declared.Name)
			}
			t, err = t.create(tx)
			return err
		},
		committed: func() { s.setTable(t.id, t) },
	})
	return t, err
}

// setTable puts a table in the place of the one of its name; nil removes it.
func (s *Service) setTable(id tableID, t *table) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t == nil {
		delete(s.tables, id)
		return
	}
	s.tables[id] = t
}

// namedTable returns the table of a call that gives nothing but its name.
func (s *Service) namedTable(call *awswire.Call) (*table, error) {
	var in struct{ TableName *string }
	if err := decode(call, &in); err != nil {
		return nil, err
	}
	if err := requiredTableName(in.TableName); err != nil {
		return nil, err
	}
	var c constraints
	c.tableName(in.TableName)
	if err := c.err(); err != nil {
		return nil, err
	}
	if t := s.lookup(s.tableID(call, *in.TableName)); t != nil {
		return t, nil
	}
	return nil, notFound(nameOf(*in.TableName))
}

func (s *Service) describeTable(_ context.Context, call *awswire.Call) (any, error) {
	t, err := s.namedTable(call)
	if err != nil {
		return nil, err
	}
	return map[string]any{"Table": t.describe(s.stats(t))}, nil
}

func (s *Service) deleteTable(ctx context.Context, call *awswire.Call) (any, error) {
	t, err := s.namedTable(call)
	if err != nil {
		return nil, err
	}
	err = s.store.update(ctx, &write{
		alone: true,
		run: func(tx *writeTx) error {
			if now := s.lookup(t.id); now == nil || now.Number != t.Number {
				return notFound(t.Name)
			}
			return t.drop(tx)
		},
		committed: func() { s.setTable(t.id, nil) },
	})
	if err != nil {
		return nil, err
	}
	description := t.describe(stats{})
	description.TableStatus = "DELETING"
	return map[string]any{"TableDescription": description}, nil
}

func (s *Service) listTables(_ context.Context, call *awswire.Call) (any, error) {
	var in struct {
		ExclusiveStartTableName *string
		Limit                   *int64
	}
	if err := decode(call, &in); err != nil {
		return nil, err
	}
	var c constraints
	c.atLeast(in.Limit, "limit", 1)
	if in.Limit != nil && *in.Limit > 100 {
		c.add(*in.Limit, "limit", "Member must have value less than or equal to 100")
	}
	c.optionalName(in.ExclusiveStartTableName, "exclusiveStartTableName")
	if err := c.err(); err != nil {
		return nil, err
	}
	names := s.names(s.region(call))
	if in.ExclusiveStartTableName != nil {
		at, found := slices.BinarySearch(names, *in.ExclusiveStartTableName)
		if found {
			at++
		}
		names = names[at:]
	}
	out := struct {
		TableNames             []string
		LastEvaluatedTableName string `json:",omitempty"`
	}{TableNames: names}
	limit := 100
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	if len(names) > limit {
		out.TableNames, out.LastEvaluatedTableName = names[:limit], names[limit-1]
	}
	return out, nil
}

// names returns the names of a region's tables, sorted.
func (s *Service) names(region string) []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	names := []string{}
	for id := range s.tables {
		if id.region == region {
			names = append(names, id.name)
		}
	}
	slices.Sort(names)
	return names
}

// EnsureTable makes the table if it is missing. A table that is there keeps
// its items, and its indexes and time to live become the declared ones. A key
// other than the table's own is an error: items cannot follow it. The table
// belongs to Config.Region. It may be called together with anything.
func (s *Service) EnsureTable(declared stack.Table) error {
	id := tableID{s.cfg.Region, declared.Name}
	if err := s.ensure(id, declared); err != nil {
		return fmt.Errorf("set up table %s: %w", declared.Name, err)
	}
	return nil
}

func (s *Service) ensure(id tableID, declared stack.Table) error {
	if err := checkDeclared(declared); err != nil {
		return err
	}
	ctx := context.Background()
	t := s.lookup(id)
	if t == nil {
		_, err := s.create(ctx, id.region, declared, billing{Mode: "PAY_PER_REQUEST"})
		return err
	}
	if have, want := t.keys, schemaOf(declared.Key, declared.Attributes); !slices.Equal(have, want) {
		return fmt.Errorf("the data folder has it with the key %v, the template declares %v: keep the key, give the table another name, or delete it first (its items go with it)", have, want)
	}
	follow := func(r *record) error {
		r.Attributes, r.Indexes, r.TTLAttribute, r.LogicalID, r.Line = declared.Attributes, declared.Indexes, declared.TTLAttribute, declared.LogicalID, declared.Line
		return nil
	}
	followed := t.record
	if follow(&followed); reflect.DeepEqual(followed, t.record) {
		return nil // the usual start: nothing to write
	}
	return s.alter(ctx, id, follow)
}

// checkDeclared refuses a declaration that does not hold together.
func checkDeclared(t stack.Table) error {
	schemas := [][]stack.KeyElement{t.Key}
	for _, x := range t.Indexes {
		schemas = append(schemas, x.Key)
	}
	for _, key := range schemas {
		if len(key) < 1 || len(key) > 2 {
			return fmt.Errorf("a key has one or two attributes, not %d", len(key))
		}
		for _, k := range schemaOf(key, t.Attributes) {
			if k.Type != "S" && k.Type != "N" && k.Type != "B" {
				return fmt.Errorf("the key attribute %s needs an attribute definition with the type S, N or B", k.Name)
			}
		}
	}
	return nil
}

// alter changes a table's record and brings what is stored in line with it.
func (s *Service) alter(ctx context.Context, id tableID, change func(*record) error) error {
	var next *table
	return s.store.update(ctx, &write{
		alone: true,
		run: func(tx *writeTx) error {
			t := s.lookup(id)
			if t == nil {
				return notFound(id.name)
			}
			r := t.record
			if err := change(&r); err != nil {
				return err
			}
			next = newTable(r)
			return next.takeOver(tx, t)
		},
		committed: func() { s.setTable(id, next) },
	})
}

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
	if t.Billing.Mode == "PAY_PER_REQUEST" {
		d.BillingModeSummary = &billingSummary{t.Billing.Mode, seconds(t.Created)}
		d.TableThroughputModeSummary = &modeSummary{t.Billing.Mode, seconds(t.Created)}
	}
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
	var zero int64
	return throughputDescription{*cmp.Or(t.ReadCapacityUnits, &zero), *cmp.Or(t.WriteCapacityUnits, &zero), 0}
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
}

type throughputDescription struct{ ReadCapacityUnits, WriteCapacityUnits, NumberOfDecreasesToday int64 }

type billingSummary struct {
	BillingMode                       string
	LastUpdateToPayPerRequestDateTime float64
}

type modeSummary struct {
	TableThroughputMode               string
	LastUpdateToPayPerRequestDateTime float64
}

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
