package template

import (
	"regexp"
	"slices"

	"github.com/gatepost-dev/gatepost/stack"
)

func tableTypes() map[string]resourceType {
	table := resourceType{complete: true, ref: named("TableName"), attributes: map[string]attribute{
		"Arn":       arnOf("dynamodb", "table/", "TableName"),
		"TableId":   func(e *evaluator, r *resource) (string, error) { return e.uuid(r.id), nil },
		"StreamArn": streamARN,
	}}
	return map[string]resourceType{
		"AWS::DynamoDB::Table":       table,
		"AWS::DynamoDB::GlobalTable": table,
		"AWS::Serverless::SimpleTable": {complete: true, ref: named("TableName"), attributes: map[string]attribute{
			"Arn": arnOf("dynamodb", "table/", "TableName"),
		}},
	}
}

// streamLabel ends the ARN of a table's stream. AWS ends it in the time at which
// the stream was made; here that is always the same, so that it can be known
// before the table is.
const streamLabel = "2020-01-01T00:00:00.000"

// streamARN is the ARN of a table's stream.
func streamARN(e *evaluator, r *resource) (string, error) {
	if r.properties.field("StreamSpecification") == nil {
		return "", e.errorf(r.properties, "the table has no StreamSpecification and so no StreamArn")
	}
	name, err := e.nameOf(r, "TableName")
	return e.arn("dynamodb", "table/"+name+"/stream/"+streamLabel), err
}

var tableNameForm = regexp.MustCompile(`^[a-zA-Z0-9_.-]{3,255}$`)

// ofGlobalTables are the properties that only AWS::DynamoDB::GlobalTable has.
var ofGlobalTables = []string{"GlobalTableSourceArn", "GlobalTableWitnesses", "MultiRegionConsistency", "GlobalTableSettingsReplicationMode", "ReadOnDemandThroughputSettings",
	"ReadProvisionedThroughputSettings", "Replicas", "WriteOnDemandThroughputSettings", "WriteProvisionedThroughputSettings"}

// loadTable reads AWS::DynamoDB::Table, and AWS::DynamoDB::GlobalTable, of which
// there is one replica here.
func (l *loader) loadTable(r *resource) {
	p := l.properties(r)
	t, ok := l.namedTable(r, p)
	if !ok {
		return
	}
	p.require("KeySchema", "it names the attributes of the table's key")
	p.require("AttributeDefinitions", "it gives the types of the key's attributes")
	t.Attributes = l.attributes(p)
	t.Key = l.keySchema(p)
	t.Indexes = append(l.indexes(p, "GlobalSecondaryIndexes", false), l.indexes(p, "LocalSecondaryIndexes", true)...)
	l.checkKeys(p, t)
	if ttl := p.nested("TimeToLiveSpecification"); ttl != nil && ttl.flag("Enabled", false) {
		ttl.require("AttributeName", "it names the attribute that holds an item's end")
		t.TTLAttribute = ttl.text("AttributeName")
	}
	t.DeletionProtection = p.flag("DeletionProtectionEnabled", false)
	l.loadStream(p, &t)
	if r.typ == "AWS::DynamoDB::GlobalTable" {
		p.inert(ofGlobalTables...)
	}
	p.rest([]string{"BillingMode", "ContributorInsightsSpecification", "OnDemandThroughput",
		"PointInTimeRecoverySpecification", "ProvisionedThroughput", "ResourcePolicy", "SSESpecification", "TableClass", "WarmThroughput"},
		map[string]string{
			"KinesisStreamSpecification": "changes of items are not delivered to anyone",
			"ImportSourceSpecification":  "the table begins empty",
		})
	l.stack.Tables = append(l.stack.Tables, t)
}

// namedTable begins a table with its name, which must be its own.
func (l *loader) namedTable(r *resource, p *properties) (t stack.Table, ok bool) {
	t = stack.Table{LogicalID: r.id, Line: r.line, Name: l.name(p, "TableName", tableNameForm, "3 to 255 letters, digits, dots, hyphens and underscores")}
	if t.Name == "" {
		return t, false
	}
	if slices.ContainsFunc(l.stack.Tables, func(other stack.Table) bool { return other.Name == t.Name }) {
		l.problem(nodeOr(p.raw("TableName"), r.node), "another table of this template has the name %s already; names are unique", t.Name)
		return t, false
	}
	t.ARN = l.arn("dynamodb", "table/"+t.Name)
	return t, true
}

// loadStream reads StreamSpecification. A template's has no StreamEnabled: that
// it is there means yes.
func (l *loader) loadStream(p *properties, t *stack.Table) {
	s := p.nested("StreamSpecification")
	if s == nil {
		return
	}
	l.streamed[t.ARN] = true
	s.require("StreamViewType", "it says what the stream shows of a change")
	view := s.text("StreamViewType")
	if !slices.Contains([]string{"KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"}, view) {
		l.problem(nodeOr(s.raw("StreamViewType"), s.node), "StreamViewType must be KEYS_ONLY, NEW_IMAGE, OLD_IMAGE or NEW_AND_OLD_IMAGES, not %s", quote(view))
		return
	}
	s.rest([]string{"ResourcePolicy"}, nil)
	t.StreamView, t.StreamARN = view, l.arn("dynamodb", "table/"+t.Name+"/stream/"+streamLabel)
}

func (l *loader) attributes(p *properties) []stack.Attribute {
	var all []stack.Attribute
	for _, d := range p.maps("AttributeDefinitions") {
		d.require("AttributeName", "it names the attribute")
		a := stack.Attribute{Name: d.text("AttributeName"), Type: d.text("AttributeType")}
		if !slices.Contains([]string{"S", "N", "B"}, a.Type) {
			l.problem(nodeOr(d.raw("AttributeType"), d.node), "AttributeType must be S, N or B, not %s", quote(a.Type))
		}
		all = append(all, a)
	}
	return all
}

// keySchema reads a key: one HASH, then at most one RANGE.
func (l *loader) keySchema(p *properties) []stack.KeyElement {
	var key []stack.KeyElement
	for _, k := range p.maps("KeySchema") {
		key = append(key, stack.KeyElement{Attribute: k.text("AttributeName"), Type: k.text("KeyType")})
	}
	valid := len(key) == 1 && key[0].Type == "HASH" || len(key) == 2 && key[0].Type == "HASH" && key[1].Type == "RANGE"
	if n := p.raw("KeySchema"); n != nil && !valid {
		l.problem(n, "a key is one attribute of KeyType HASH, or one of HASH followed by one of RANGE")
	}
	if !valid {
		return nil
	}
	return key
}

// maxIndexes is DynamoDB's quota of global indexes; that of local ones is 5.
const maxIndexes = 20

func (l *loader) indexes(p *properties, property string, local bool) []stack.TableIndex {
	var all []stack.TableIndex
	declared := p.maps(property)
	if len(declared) > maxIndexes {
		l.problem(p.raw(property), "a table has at most %d indexes of a kind", maxIndexes)
		return nil
	}
	for _, i := range declared {
		i.require("IndexName", "it is what queries ask for")
		i.require("KeySchema", "it names the attributes of the index's key")
		index := stack.TableIndex{Name: i.text("IndexName"), Key: l.keySchema(i), Local: local}
		if projection := i.nested("Projection"); projection != nil {
			index.Projection, index.NonKey = projection.text("ProjectionType"), projection.texts("NonKeyAttributes")
		}
		if !slices.Contains([]string{"ALL", "KEYS_ONLY", "INCLUDE"}, index.Projection) {
			l.problem(nodeOr(i.raw("Projection"), i.node), "an index needs a Projection whose ProjectionType is ALL, KEYS_ONLY or INCLUDE")
		}
		if i.resource.typ == "AWS::DynamoDB::GlobalTable" {
			i.inert(ofGlobalTables...)
		}
		i.rest([]string{"ContributorInsightsSpecification", "OnDemandThroughput", "ProvisionedThroughput", "WarmThroughput"}, nil)
		all = append(all, index)
	}
	return all
}

// checkKeys compares the keys with the attribute definitions, which must name
// the same attributes ("CreateTable" in the DynamoDB API reference).
func (l *loader) checkKeys(p *properties, t stack.Table) {
	undefined := make(map[string]bool)
	keys := slices.Clone(t.Key)
	wrong := len(t.Key) == 0
	for _, i := range t.Indexes {
		keys = append(keys, i.Key...)
		wrong = wrong || len(i.Key) == 0
	}
	if wrong {
		return
	}
	for _, k := range keys {
		if !slices.ContainsFunc(t.Attributes, func(a stack.Attribute) bool { return a.Name == k.Attribute }) && !undefined[k.Attribute] {
			undefined[k.Attribute] = true
			l.problem(nodeOr(p.raw("AttributeDefinitions"), p.node), "the key attribute %s has no definition here; give its type", quote(k.Attribute))
		}
	}
	for _, a := range t.Attributes {
		if !slices.ContainsFunc(keys, func(k stack.KeyElement) bool { return k.Attribute == a.Name }) {
			l.problem(p.raw("AttributeDefinitions"), "the attribute %s belongs to no key, and AWS refuses such a definition; remove it", quote(a.Name))
		}
	}
}
