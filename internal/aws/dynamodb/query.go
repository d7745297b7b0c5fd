package dynamodb

import (
	"context"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/attribute"
	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/expression"
	"github.com/gatepost-dev/gatepost/internal/awswire"
)

// readInput is what Query and Scan share.
type readInput struct {
	TableName              *string
	IndexName              *string
	Select                 *string
	Limit                  *int64 `aws:"Integer"`
	ConsistentRead         bool
	ExclusiveStartKey      attribute.Input
	FilterExpression       *string
	ReturnConsumedCapacity *string
	projectionInput
	bindings
	ConditionalOperator *string
}

// constrain checks the members by themselves; filter is the one in the older
// form.
func (in *readInput) constrain(c *constraints, filter legacyConditions, filterName string) {
	c.oneOf(in.Select, "select", "SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES")
	c.optionalName(in.IndexName, "indexName")
	c.returnConsumedCapacity(in.ReturnConsumedCapacity)
	filter.constrain(c, filterName, true)
	c.tableName(in.TableName)
	c.oneOf(in.ConditionalOperator, "conditionalOperator", "OR", "AND")
	c.atLeast(in.Limit, "limit", 1)
	c.attributesToGet(in.AttributesToGet, "attributesToGet")
}

// prepare checks the members against each other and returns what the filter in
// its older form compares. The parameters are those of the key condition.
func (in *readInput) prepare(filter legacyConditions, filterName string, expressions, older []parameter) (*expression.Condition, error) {
	project, attributes := in.projectionInput.parameters()
	expressions = append([]parameter{project, {filterExpression, in.FilterExpression != nil}}, expressions...)
	older = append([]parameter{attributes, {filterName, filter != nil}, {"ConditionalOperator", in.ConditionalOperator != nil}}, older...)
	if err := in.checkUse(expressions, older...); err != nil {
		return nil, err
	}
	if filterName == "ScanFilter" { // a Query looks at its filter first
		if err := in.checkNames(); err != nil {
			return nil, err
		}
	}
	comparisons, err := filter.comparisons()
	if err != nil {
		return nil, err
	}
	if err := in.checkNames(); err != nil {
		return nil, err
	}
	return expression.CompareAll(comparisons, is(in.ConditionalOperator, "OR")), in.checkStartKey()
}

func (in *readInput) checkStartKey() error {
	_, err := in.ExclusiveStartKey.Check()
	if err == nil {
		return nil
	}
	for _, plain := range []string{"contains duplicates", "number set", "numeric value", "significant digits", "number with magnitude"} {
		if strings.Contains(err.Error(), plain) {
			return err
		}
	}
	return invalid("The provided starting key is invalid: %v", err)
}

// reading is one Query or Scan on its way.
type reading struct {
	in      *readInput
	t       *table
	index   *index // nil for the table itself
	filter  *expression.Condition
	project *expression.Projection
	keys    keyRange
	// backward reads from the end of keys.
	backward bool
}

// parse parses the expressions and returns the terms of the key condition,
// which a Scan does not have.
func (r *reading) parse(keyCondition *string, older legacyConditions) (terms []expression.KeyTerm, err error) {
	in := r.in
	b, err := in.bind()
	if err != nil {
		return nil, err
	}
	var keys func() ([]expression.KeyTerm, error)
	if keyCondition != nil {
		if keys, err = expression.ParseKeyCondition(*keyCondition, b); err != nil {
			return nil, err
		}
	}
	if in.FilterExpression != nil {
		if r.filter, err = expression.ParseCondition(filterExpression, *in.FilterExpression, b); err != nil {
			return nil, err
		}
	}
	if r.project, err = in.projectionInput.parse(b); err != nil {
		return nil, err
	}
	if err := b.CheckUsed(); err != nil {
		return nil, err
	}
	if keys != nil {
		return keys()
	}
	return older.terms()
}

// terms returns the conditions as those of a key.
func (l legacyConditions) terms() ([]expression.KeyTerm, error) {
	comparisons, err := l.comparisons()
	if err != nil {
		return nil, err
	}
	terms := make([]expression.KeyTerm, len(comparisons))
	for i, c := range comparisons {
		terms[i] = c.KeyTerm()
	}
	if l != nil && (len(terms) < 1 || len(terms) > 2) {
		return nil, invalid("Conditions can be of length 1 or 2 only")
	}
	return terms, nil
}

// open finds the table and the index.
func (r *reading) open(s *Service, call *awswire.Call) (err error) {
	in := r.in
	if err := r.checkSelect(); err != nil {
		return err
	}
	if r.t, err = s.table(s.tableID(call, *in.TableName)); err != nil || in.IndexName == nil {
		return err
	}
	if r.index, err = r.t.index(*in.IndexName); err != nil {
		return err
	}
	if !r.index.Local && in.ConsistentRead {
		return invalid("Consistent reads are not supported on global secondary indexes")
	}
	return nil
}

// checkSelect refuses a Select that contradicts the rest of the request.
func (r *reading) checkSelect() error {
	in := r.in
	switch {
	case in.Select == nil:
	case *in.Select == "SPECIFIC_ATTRIBUTES" && r.project == nil:
		return invalid("Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES")
	case *in.Select == "ALL_PROJECTED_ATTRIBUTES" && in.IndexName == nil:
		return invalid("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
	case *in.Select != "SPECIFIC_ATTRIBUTES" && in.ProjectionExpression != nil:
		return invalid("Cannot specify the ProjectionExpression when choosing to get %s", *in.Select)
	case *in.Select != "SPECIFIC_ATTRIBUTES" && in.AttributesToGet != nil:
		return invalid("Cannot specify the AttributesToGet when choosing to get %s", *in.Select)
	}
	return nil
}

// schema is the key by which the reading goes, start what a starting key has:
// the same, and the table's own key.
func (r *reading) schema() (schema, start keySchema) {
	if r.index == nil {
		return r.t.keys, r.t.keys
	}
	return r.index.keys, r.index.start
}

// key is the store's key for what a starting key names.
func (r *reading) key(from attribute.Map) []byte {
	if r.index == nil {
		return r.t.keys.key(from)
	}
	return r.index.entry(from)
}

// checkAll refuses to read more than a global index has.
func (r *reading) checkAll() error {
	if r.index != nil && !r.index.Local && r.index.view != nil && is(r.in.Select, "ALL_ATTRIBUTES") {
		return invalid(invalidValues+"Select type ALL_ATTRIBUTES is not supported for global secondary index %s because its projection type is not ALL", r.index.Name)
	}
	return nil
}

// checkPaths refuses paths into key attributes.
func (r *reading) checkPaths() error {
	if err := r.t.checkScalarKeys(r.project.Paths()); err != nil {
		return err
	}
	return r.t.checkScalarKeys(r.filter.Paths())
}

// whole is true when items are read in full rather than as an index shows
// them. A local index fetches from the table what it does not have.
func (r *reading) whole() bool {
	return r.index == nil || r.index.view == nil ||
		r.index.Local && (is(r.in.Select, "ALL_ATTRIBUTES") || r.project != nil)
}

// fetches is true when a local index reads from its table what it does not
// have itself.
func (r *reading) fetches() bool { return r.index != nil && r.index.view != nil && r.whole() }

func (s *Service) query(_ context.Context, call *awswire.Call) (any, error) {
	var in struct {
		readInput
		KeyConditionExpression *string
		KeyConditions          legacyConditions `aws:"Condition"`
		QueryFilter            legacyConditions `aws:"Condition"`
		ScanIndexForward       *bool
	}
	if err := decode(call, &in); err != nil {
		return nil, err
	}
	var c constraints
	in.constrain(&c, in.QueryFilter, "queryFilter")
	in.KeyConditions.constrain(&c, "keyConditions", true)
	if err := c.err(); err != nil {
		return nil, err
	}
	filter, err := in.prepare(in.QueryFilter, "QueryFilter", []parameter{{keyConditionExpression, in.KeyConditionExpression != nil}},
		[]parameter{{"KeyConditions", in.KeyConditions != nil && in.KeyConditionExpression != nil}})
	if err != nil {
		return nil, err
	}
	if in.KeyConditionExpression == nil && in.KeyConditions == nil {
		return nil, invalid("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
	}
	r := &reading{in: &in.readInput, filter: filter, backward: in.ScanIndexForward != nil && !*in.ScanIndexForward}
	terms, err := r.parse(in.KeyConditionExpression, in.KeyConditions)
	if err != nil {
		return nil, err
	}
	if err := r.open(s, call); err != nil {
		return nil, err
	}
	if err := r.aim(terms); err != nil {
		return nil, err
	}
	return s.readPage(r)
}

// aim finds the range of keys that a Query reads.
func (r *reading) aim(terms []expression.KeyTerm) error {
	schema, start := r.schema()
	from := r.in.ExclusiveStartKey.Map
	if from != nil && len(from) != len(start) {
		return errStartKey
	}
	partition, sort, err := schema.assign(terms, from)
	if err != nil {
		return err
	}
	if err := r.checkStart(from, partition, sort); err != nil {
		return err
	}
	if err := r.checkFilter(schema); err != nil {
		return err
	}
	if err := r.checkAll(); err != nil {
		return err
	}
	if err := r.checkPaths(); err != nil {
		return err
	}
	r.keys = termRange(partition, sort)
	if from != nil {
		r.keys = r.keys.from(r.key(from), r.backward)
	}
	return nil
}

// checkFilter refuses a Query's filter on the key, which the key condition is
// for.
func (r *reading) checkFilter(schema keySchema) error {
	for _, k := range schema {
		for _, p := range r.filter.Paths() {
			if p[0].Name == k.Name {
				return invalid("%s can only contain non-primary key attributes: Primary key attribute: %s", r.filterName(), k.Name)
			}
		}
	}
	return nil
}

func (r *reading) filterName() string {
	if r.in.FilterExpression == nil {
		return "QueryFilter"
	}
	return "Filter Expression"
}

func (s *Service) scan(_ context.Context, call *awswire.Call) (any, error) {
	var in struct {
		readInput
		ScanFilter             legacyConditions `aws:"Condition"`
		Segment, TotalSegments *int64           `aws:"Integer"`
	}
	if err := decode(call, &in); err != nil {
		return nil, err
	}
	var c constraints
	c.atLeast(in.TotalSegments, "totalSegments", 1)
	if in.TotalSegments != nil && *in.TotalSegments > maxSegments {
		c.add(*in.TotalSegments, "totalSegments", "Member must have value less than or equal to 1000000")
	}
	c.atLeast(in.Segment, "segment", 0)
	in.constrain(&c, in.ScanFilter, "scanFilter")
	if err := c.err(); err != nil {
		return nil, err
	}
	filter, err := in.prepare(in.ScanFilter, "ScanFilter", nil, nil)
	if err != nil {
		return nil, err
	}
	if err := checkSegment(in.Segment, in.TotalSegments); err != nil {
		return nil, err
	}
	r := &reading{in: &in.readInput, filter: filter}
	if _, err := r.parse(nil, nil); err != nil {
		return nil, err
	}
	if err := r.open(s, call); err != nil {
		return nil, err
	}
	if in.Segment != nil {
		r.keys = segmentRange(int(*in.Segment), int(*in.TotalSegments))
	}
	if err := r.resume(in.Segment, in.TotalSegments); err != nil {
		return nil, err
	}
	if err := r.checkPaths(); err != nil {
		return nil, err
	}
	return s.readPage(r)
}

const maxSegments = 1_000_000

func checkSegment(segment, total *int64) error {
	switch {
	case segment != nil && total == nil:
		return invalid("The TotalSegments parameter is required but was not present in the request when Segment parameter is present")
	case segment == nil && total != nil:
		return invalid("The Segment parameter is required but was not present in the request when parameter TotalSegments is present")
	case segment != nil && *segment >= *total:
		return invalid("The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: %d is not less than TotalSegments: %d", *segment, *total)
	}
	return nil
}
