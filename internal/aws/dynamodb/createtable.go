package dynamodb

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gatepost-dev/gatepost/stack"
)

// Limits of DynamoDB on a table's indexes.
const (
	maxLocalIndexes  = 5
	maxGlobalIndexes = 20
	maxThroughput    = 1_000_000_000_000
)

type keyElement struct{ AttributeName, KeyType *string }

type attributeDefinition struct{ AttributeName, AttributeType *string }

type projection struct {
	ProjectionType   *string
	NonKeyAttributes []string `json:",omitempty"`
}

type indexInput struct {
	IndexName             *string
	KeySchema             []keyElement `aws:"KeySchemaElement"`
	Projection            *projection
	ProvisionedThroughput *throughput
}

type createTableInput struct {
	TableName              *string
	AttributeDefinitions   []attributeDefinition `aws:"AttributeDefinition"`
	KeySchema              []keyElement          `aws:"KeySchemaElement"`
	BillingMode            *string
	ProvisionedThroughput  *throughput
	LocalSecondaryIndexes  []indexInput `aws:"LocalSecondaryIndex"`
	GlobalSecondaryIndexes []indexInput `aws:"GlobalSecondaryIndex"`

	StreamSpecification       *streamSpecification
	DeletionProtectionEnabled *bool
	TableClass                *string
	Tags                      []tag `aws:"Tag"`
}

// check finds what AWS would refuse, in AWS's order.
func (in *createTableInput) check() error {
	if err := requiredTableName(in.TableName); err != nil {
		return err
	}
	if err := in.checkMembers(); err != nil {
		return err
	}
	if err := in.checkBilling(); err != nil {
		return err
	}
	if err := in.checkKeys(); err != nil {
		return err
	}
	names := make(map[string]bool)
	if err := in.checkLocalIndexes(names); err != nil {
		return err
	}
	if err := in.checkGlobalIndexes(names); err != nil {
		return err
	}
	if err := in.checkAttributesUsed(); err != nil {
		return err
	}
	if err := in.StreamSpecification.checkNew(); err != nil {
		return err
	}
	if err := checkTableClass(in.TableClass); err != nil {
		return err
	}
	return checkTags(in.Tags)
}

// checkAttributesUsed refuses definitions of attributes that are no key's.
func (in *createTableInput) checkAttributesUsed() error {
	var used []string
	use := func(keys []keyElement) {
		for _, name := range keyNames(keys) {
			if !slices.Contains(used, name) {
				used = append(used, name)
			}
		}
	}
	use(in.KeySchema)
	for _, x := range slices.Concat(in.LocalSecondaryIndexes, in.GlobalSecondaryIndexes) {
		use(x.KeySchema)
	}
	if defined := in.definitions(); len(defined) != len(used) {
		return invalid(invalidValues+"Some AttributeDefinitions are not used. AttributeDefinitions: [%s], keys used: [%s]", strings.Join(defined, ", "), strings.Join(used, ", "))
	}
	return nil
}

func (in *createTableInput) checkMembers() error {
	var c constraints
	if in.AttributeDefinitions == nil {
		c.add(nil, "attributeDefinitions", notNull)
	}
	c.attributeDefinitions(in.AttributeDefinitions)
	if !isName(*in.TableName) {
		c.add(*in.TableName, "tableName", "Member must satisfy regular expression pattern: "+namePattern)
	}
	c.oneOf(in.BillingMode, "billingMode", "PROVISIONED", "PAY_PER_REQUEST")
	c.throughput(in.ProvisionedThroughput, "provisionedThroughput")
	c.keySchema(in.KeySchema, "keySchema")
	for i, x := range in.LocalSecondaryIndexes {
		c.index(x, fmt.Sprintf("localSecondaryIndexes.%d.member.", i+1))
	}
	for i, x := range in.GlobalSecondaryIndexes {
		c.index(x, fmt.Sprintf("globalSecondaryIndexes.%d.member.", i+1))
	}
	in.StreamSpecification.constrain(&c)
	c.tags(in.Tags)
	return c.err()
}

func (c *constraints) attributeDefinitions(definitions []attributeDefinition) {
	for i, a := range definitions {
		at := fmt.Sprintf("attributeDefinitions.%d.member.", i+1)
		c.length(a.AttributeName, at+"attributeName", 1, 255)
		c.required(a.AttributeType, at+"attributeType", "B", "N", "S")
	}
}

func (c *constraints) required(value *string, at string, values ...string) {
	if value == nil {
		c.add(nil, at, notNull)
	}
	c.oneOf(value, at, values...)
}

func (c *constraints) throughput(t *throughput, at string) {
	if t == nil {
		return
	}
	for _, unit := range []struct {
		value *int64
		name  string
	}{{t.WriteCapacityUnits, ".writeCapacityUnits"}, {t.ReadCapacityUnits, ".readCapacityUnits"}} {
		if unit.value == nil {
			c.add(nil, at+unit.name, notNull)
		}
		c.atLeast(unit.value, at+unit.name, 1)
	}
}

func (c *constraints) keySchema(keys []keyElement, at string) {
	c.count(len(keys), keys != nil, "[]", at, 1, 2)
	for i, k := range keys {
		element := fmt.Sprintf("%s.%d.member.", at, i+1)
		if k.AttributeName == nil {
			c.add(nil, element+"attributeName", notNull)
		}
		c.required(k.KeyType, element+"keyType", "HASH", "RANGE")
	}
}

func (c *constraints) index(x indexInput, at string) {
	c.name(x.IndexName, at+"indexName")
	c.keySchema(x.KeySchema, at+"keySchema")
	if x.Projection == nil {
		c.add(nil, at+"projection", notNull)
	} else {
		c.oneOf(x.Projection.ProjectionType, at+"projection.projectionType", "ALL", "INCLUDE", "KEYS_ONLY")
		if x.Projection.NonKeyAttributes != nil {
			c.count(len(x.Projection.NonKeyAttributes), true, "[]", at+"projection.nonKeyAttributes", 1, 100)
		}
	}
	c.throughput(x.ProvisionedThroughput, at+"provisionedThroughput")
}

const invalidValues = "One or more parameter values were invalid: "

func (in *createTableInput) perRequest() bool {
	return is(in.BillingMode, perRequest)
}

func (in *createTableInput) checkBilling() error {
	t := in.ProvisionedThroughput
	switch {
	case in.perRequest() && t != nil:
		return invalid(invalidValues + "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST")
	case in.perRequest():
	case t == nil:
		return invalid(invalidValues + "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED")
	}
	return t.checkBounds()
}

func (in *createTableInput) definitions() []string {
	names := make([]string, len(in.AttributeDefinitions))
	for i, a := range in.AttributeDefinitions {
		names[i] = *a.AttributeName
	}
	return names
}

func keyNames(keys []keyElement) []string {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = *k.AttributeName
	}
	return names
}

func (in *createTableInput) checkKeys() error {
	if len(in.KeySchema) > len(in.AttributeDefinitions) {
		return invalid("Invalid KeySchema: Some index key attribute have no definition")
	}
	if err := in.checkSchema(in.KeySchema); err != nil {
		return err
	}
	if in.LocalSecondaryIndexes == nil && in.GlobalSecondaryIndexes == nil && len(in.KeySchema) != len(in.AttributeDefinitions) {
		return invalid(invalidValues + "Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions")
	}
	return nil
}

// checkSchema checks the key of the table or of an index.
func (in *createTableInput) checkSchema(schema []keyElement) error {
	defined, keys := in.definitions(), keyNames(schema)
	for _, k := range keys {
		if !slices.Contains(defined, k) {
			return invalid(invalidValues+"Some index key attributes are not defined in AttributeDefinitions. Keys: [%s], AttributeDefinitions: [%s]",
				strings.Join(keys, ", "), strings.Join(defined, ", "))
		}
	}
	switch {
	case len(keys) == 2 && keys[0] == keys[1]:
		return invalid("Both the Hash Key and the Range Key element in the KeySchema have the same name")
	case *schema[0].KeyType != "HASH":
		return invalid("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
	case len(keys) == 2 && *schema[1].KeyType != "RANGE":
		return invalid("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")
	}
	return nil
}

func (in *createTableInput) checkLocalIndexes(names map[string]bool) error {
	switch {
	case in.LocalSecondaryIndexes == nil:
		return nil
	case len(in.LocalSecondaryIndexes) == 0:
		return invalid(invalidValues + "List of LocalSecondaryIndexes is empty")
	case len(in.KeySchema) != 2:
		return invalid(invalidValues + "Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex")
	}
	for _, x := range in.LocalSecondaryIndexes {
		if err := in.checkSchema(x.KeySchema); err != nil {
			return err
		}
		if len(x.KeySchema) != 2 {
			return invalid(invalidValues+"Index KeySchema does not have a range key for index: %s", *x.IndexName)
		}
		if table, own := *in.KeySchema[0].AttributeName, *x.KeySchema[0].AttributeName; table != own {
			return invalid(invalidValues+"Index KeySchema does not have the same leading hash key as table KeySchema for index: %s. index hash key: %s, table hash key: %s", *x.IndexName, own, table)
		}
		if err := in.checkIndex(x, names); err != nil {
			return err
		}
	}
	if len(in.LocalSecondaryIndexes) > maxLocalIndexes {
		return invalid(invalidValues+"Number of LocalSecondaryIndexes exceeds per-table limit of %d", maxLocalIndexes)
	}
	return nil
}

func (in *createTableInput) checkGlobalIndexes(names map[string]bool) error {
	if in.GlobalSecondaryIndexes == nil {
		return nil
	}
	if len(in.GlobalSecondaryIndexes) == 0 {
		return invalid(invalidValues + "List of GlobalSecondaryIndexes is empty")
	}
	for _, x := range in.GlobalSecondaryIndexes {
		if err := in.checkSchema(x.KeySchema); err != nil {
			return err
		}
		if err := in.checkIndex(x, names); err != nil {
			return err
		}
	}
	if len(in.GlobalSecondaryIndexes) > maxGlobalIndexes {
		return invalid(invalidValues+"GlobalSecondaryIndex count exceeds the per-table limit of %d", maxGlobalIndexes)
	}
	return nil
}

func (in *createTableInput) checkIndex(x indexInput, names map[string]bool) error {
	name, kind := *x.IndexName, x.Projection.ProjectionType
	switch {
	case kind == nil:
		return invalid(invalidValues + "Unknown ProjectionType: null")
	case *kind == "INCLUDE" && x.Projection.NonKeyAttributes == nil:
		return invalid(invalidValues + "ProjectionType is INCLUDE, but NonKeyAttributes is not specified")
	case x.Projection.NonKeyAttributes != nil && *kind != "INCLUDE":
		return invalid(invalidValues+"ProjectionType is %s, but NonKeyAttributes is specified", *kind)
	case x.ProvisionedThroughput != nil && in.perRequest():
		return invalid(invalidValues+"ProvisionedThroughput should not be specified for index: %s when BillingMode is PAY_PER_REQUEST", name)
	case names[name]:
		return invalid(invalidValues+"Duplicate index name: %s", name)
	}
	names[name] = true
	return nil
}

// declared turns a checked request into a declaration.
func (in *createTableInput) declared() (stack.Table, billing) {
	t := stack.Table{Name: nameOf(*in.TableName), Key: declaredKey(in.KeySchema), StreamView: in.StreamSpecification.view()}
	t.DeletionProtection = in.DeletionProtectionEnabled != nil && *in.DeletionProtectionEnabled
	for _, a := range in.AttributeDefinitions {
		t.Attributes = append(t.Attributes, stack.Attribute{Name: *a.AttributeName, Type: *a.AttributeType})
	}
	b := billing{Mode: "PROVISIONED", Indexes: make(map[string]throughput)}
	if in.perRequest() {
		b.Mode = perRequest
	}
	if in.ProvisionedThroughput != nil {
		b.Table = *in.ProvisionedThroughput
	}
	for _, x := range in.LocalSecondaryIndexes {
		t.Indexes = append(t.Indexes, x.declared(true))
	}
	for _, x := range in.GlobalSecondaryIndexes {
		t.Indexes = append(t.Indexes, x.declared(false))
		if x.ProvisionedThroughput != nil {
			b.Indexes[*x.IndexName] = *x.ProvisionedThroughput
		}
	}
	return t, b
}

func (x indexInput) declared(local bool) stack.TableIndex {
	return stack.TableIndex{
		Name: *x.IndexName, Key: declaredKey(x.KeySchema), Local: local,
		Projection: *x.Projection.ProjectionType, NonKey: x.Projection.NonKeyAttributes,
	}
}

func declaredKey(keys []keyElement) []stack.KeyElement {
	out := make([]stack.KeyElement, len(keys))
	for i, k := range keys {
		out[i] = stack.KeyElement{Attribute: *k.AttributeName, Type: *k.KeyType}
	}
	return out
}
