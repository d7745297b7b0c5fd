package dynamodb

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/stack"
)

// indexUpdate is one entry of GlobalSecondaryIndexUpdates; one of its members
// is given.
type indexUpdate struct {
	Create *indexInput `aws:"CreateGlobalSecondaryIndexAction"`
	Update *struct {
		IndexName             *string
		ProvisionedThroughput *throughput
	} `aws:"UpdateGlobalSecondaryIndexAction"`
	Delete *struct{ IndexName *string } `aws:"DeleteGlobalSecondaryIndexAction"`
}

type updateTableInput struct {
	TableName                   *string
	AttributeDefinitions        []attributeDefinition `aws:"AttributeDefinition"`
	BillingMode                 *string
	ProvisionedThroughput       *throughput
	GlobalSecondaryIndexUpdates []indexUpdate `aws:"GlobalSecondaryIndexUpdate"`
	StreamSpecification         *streamSpecification
	DeletionProtectionEnabled   *bool
	TableClass                  *string
	SSESpecification            *struct{}
	OnDemandThroughput          *struct{}
	WarmThroughput              *struct{}
	ReplicaUpdates              []struct{}
}

// updateTable changes a table. Here the change is made when the call returns,
// an index filled; the answer shows the table as AWS does, on its way there.
func (s *Service) updateTable(ctx context.Context, call *awswire.Call) (any, error) {
	var in updateTableInput
	if err := decode(call, &in); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	id := s.tableID(call, *in.TableName)
	var before *table
	err := s.alter(ctx, id, func(r *record) error {
		before = newTable(*r)
		return in.apply(r)
	})
	if err != nil {
		return nil, err
	}
	after := s.lookup(id)
	if after == nil {
		return nil, notFound(id.name) // deleted just now
	}
	return map[string]any{"TableDescription": in.describe(before, after, s.stats(after))}, nil
}

// check finds what is wrong with the request by itself.
func (in *updateTableInput) check() error {
	if err := requiredTableName(in.TableName); err != nil {
		return err
	}
	var c constraints
	c.tableName(in.TableName)
	c.oneOf(in.BillingMode, "billingMode", "PROVISIONED", "PAY_PER_REQUEST")
	c.throughput(in.ProvisionedThroughput, "provisionedThroughput")
	for i := range in.GlobalSecondaryIndexUpdates {
		in.GlobalSecondaryIndexUpdates[i].constrain(&c, fmt.Sprintf("globalSecondaryIndexUpdates.%d.member.", i+1))
	}
	c.attributeDefinitions(in.AttributeDefinitions)
	in.StreamSpecification.constrain(&c)
	if err := c.err(); err != nil {
		return err
	}
	if err := in.ProvisionedThroughput.checkBounds(); err != nil {
		return err
	}
	if in.empty() {
		return invalid("At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates, SSESpecification, ReplicaUpdates, MultiAccountReplicaReady, ReplicaTransitRoleArn, MultiRegionConsistency, DeletionProtectionEnabled, OnDemandThroughput, WarmThroughput or TableClass is required")
	}
	if err := in.checkIndexUpdates(); err != nil {
		return err
	}
	return in.checkTogether()
}

func (in *updateTableInput) empty() bool {
	return in.ProvisionedThroughput == nil && in.BillingMode == nil && in.StreamSpecification == nil && len(in.GlobalSecondaryIndexUpdates) == 0 &&
		in.SSESpecification == nil && in.ReplicaUpdates == nil && in.DeletionProtectionEnabled == nil && in.OnDemandThroughput == nil && in.WarmThroughput == nil && in.TableClass == nil
}

func (u *indexUpdate) constrain(c *constraints, at string) {
	if u.Update != nil {
		c.name(u.Update.IndexName, at+"update.indexName")
		if u.Update.ProvisionedThroughput == nil {
			c.add(nil, at+"update.provisionedThroughput", notNull)
		}
		c.throughput(u.Update.ProvisionedThroughput, at+"update.provisionedThroughput")
	}
	if u.Create != nil {
		c.index(*u.Create, at+"create.")
	}
	if u.Delete != nil {
		c.name(u.Delete.IndexName, at+"delete.indexName")
	}
}

// name is the index's name, "" for an empty update.
func (u *indexUpdate) name() string {
	switch {
	case u.Create != nil:
		return *u.Create.IndexName
	case u.Update != nil:
		return *u.Update.IndexName
	case u.Delete != nil:
		return *u.Delete.IndexName
	}
	return ""
}

func (u *indexUpdate) count() int {
	n := 0
	for _, given := range []bool{u.Create != nil, u.Update != nil, u.Delete != nil} {
		if given {
			n++
		}
	}
	return n
}

func (in *updateTableInput) checkIndexUpdates() error {
	seen := make(map[string]bool)
	for i := range in.GlobalSecondaryIndexUpdates {
		u := &in.GlobalSecondaryIndexUpdates[i]
		switch n := u.count(); {
		case n == 0:
			return invalid(invalidValues + "One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, GlobalSecondaryIndexUpdate.Delete must not be null")
		case n > 1:
			return invalid(invalidValues + "Only one global secondary index action is allowed per GlobalSecondaryIndexUpdate object")
		case seen[u.name()]:
			return invalid(invalidValues+"Only one global secondary index update per index is allowed simultaneously. Index: %s", u.name())
		}
		seen[u.name()] = true
	}
	return nil
}

// checkTogether refuses changes that AWS makes only one at a time.
func (in *updateTableInput) checkTogether() error {
	onlyOne := func(what string) error {
		return invalid(invalidValues+"%s modification must be the only operation in the request", what)
	}
	indexes := slices.ContainsFunc(in.GlobalSecondaryIndexUpdates, func(u indexUpdate) bool { return u.Update == nil })
	rest := in.ProvisionedThroughput != nil || in.BillingMode != nil || in.StreamSpecification != nil || in.GlobalSecondaryIndexUpdates != nil
	switch {
	case in.ReplicaUpdates != nil:
		return invalid(invalidValues + "Gatepost has no global tables: a table lives in one region")
	case in.SSESpecification != nil && (rest || in.TableClass != nil || in.DeletionProtectionEnabled != nil):
		return onlyOne("Server-Side Encryption")
	case in.TableClass != nil && (rest || in.DeletionProtectionEnabled != nil):
		return onlyOne("TableClass")
	case in.DeletionProtectionEnabled != nil && rest:
		return onlyOne("DeletionProtection")
	case in.StreamSpecification != nil && in.ProvisionedThroughput != nil:
		return invalid(invalidValues + "You cannot modify stream status while updating table IOPS")
	case indexes && in.ProvisionedThroughput != nil:
		return invalid(invalidValues + "You cannot create or delete index while updating table IOPS")
	case indexes && in.StreamSpecification != nil:
		return invalid(invalidValues + "You cannot create or delete index while changing stream status")
	}
	return nil
}

// apply changes the table's record, or says why it cannot be changed so.
func (in *updateTableInput) apply(r *record) error {
	r.Billing = r.Billing.clone()
	if err := in.applyBilling(r); err != nil {
		return err
	}
	if err := in.applyIndexes(r); err != nil {
		return err
	}
	if in.DeletionProtectionEnabled != nil {
		r.DeletionProtection = *in.DeletionProtectionEnabled
	}
	if in.TableClass != nil {
		if err := checkTableClass(in.TableClass); err != nil {
			return err
		}
		r.Class = *in.TableClass
	}
	return in.StreamSpecification.apply(r)
}

func (in *updateTableInput) applyBilling(r *record) error {
	mode := r.Billing.Mode
	if in.BillingMode != nil {
		mode = *in.BillingMode
	}
	given := in.ProvisionedThroughput
	switch {
	case mode == perRequest && given != nil:
		return invalid(invalidValues + "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST")
	case mode != perRequest && mode != r.Billing.Mode && given == nil:
		return invalid(invalidValues + "ProvisionedThroughput must be specified when BillingMode is PROVISIONED")
	case mode != perRequest && mode != r.Billing.Mode:
		if missing := in.withoutThroughput(r); missing != "" {
			return invalid(invalidValues+"ProvisionedThroughput must be specified for index: %s", missing)
		}
	case given != nil && given.equal(r.Billing.Table):
		return unchanged("table", r.Billing.Table)
	}
	if mode == perRequest && r.Billing.Mode != perRequest {
		r.Billing = billing{PerRequestSince: time.Now(), Indexes: make(map[string]throughput)}
	}
	r.Billing.Mode = mode
	if given != nil {
		r.Billing.change(*given)
	}
	return nil
}

// unchanged refuses a throughput that is the present one.
func unchanged(what string, t throughput) error {
	read, write := *t.ReadCapacityUnits, *t.WriteCapacityUnits
	return invalid("The provisioned throughput for the %s will not change. The requested value equals the current value. Current ReadCapacityUnits provisioned for the %[1]s: %d. Requested ReadCapacityUnits: %[2]d. Current WriteCapacityUnits provisioned for the %[1]s: %[3]d. Requested WriteCapacityUnits: %[3]d. Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits.", what, read, write)
}

// withoutThroughput names the global indexes whose throughput the request does
// not give.
func (in *updateTableInput) withoutThroughput(r *record) string {
	var names []string
	for _, x := range r.Indexes {
		given := slices.ContainsFunc(in.GlobalSecondaryIndexUpdates, func(u indexUpdate) bool { return u.Update != nil && u.name() == x.Name })
		if !x.Local && !given {
			names = append(names, x.Name)
		}
	}
	return strings.Join(names, ",")
}

func (in *updateTableInput) applyIndexes(r *record) error {
	changes := 0
	for i := range in.GlobalSecondaryIndexUpdates {
		if in.GlobalSecondaryIndexUpdates[i].Update == nil {
			changes++
		}
	}
	if changes > 1 {
		return limitExceeded("Only 1 online index can be created or deleted simultaneously per table")
	}
	r.Indexes = slices.Clone(r.Indexes)
	for i := range in.GlobalSecondaryIndexUpdates {
		if err := in.applyIndex(r, &in.GlobalSecondaryIndexUpdates[i]); err != nil {
			return err
		}
	}
	r.Attributes = usedAttributes(r)
	return nil
}

func limitExceeded(what string) error {
	return awswire.Errorf("LimitExceededException", "Subscriber limit exceeded: %s", what)
}

func (in *updateTableInput) applyIndex(r *record, u *indexUpdate) error {
	name := u.name()
	at := slices.IndexFunc(r.Indexes, func(x stack.TableIndex) bool { return x.Name == name })
	switch {
	case u.Create != nil && at >= 0:
		return invalid("Attempting to create an index which already exists")
	case u.Create != nil:
		return in.createIndex(r, *u.Create)
	case at < 0 && u.Update != nil:
		return invalid("This operation cannot be performed with given input values. Please contact DynamoDB service team for more info: Action Blocked: IndexUpdate")
	case at < 0:
		return awswire.Errorf("ResourceNotFoundException", "Requested resource not found")
	case r.Indexes[at].Local && u.Update != nil:
		return invalid("Cannot update an index that is not a GlobalSecondaryIndex: %s", name)
	case r.Indexes[at].Local:
		return invalid("Cannot delete an index that is not a GlobalSecondaryIndex: %s", name)
	case u.Delete != nil:
		r.Indexes = slices.Delete(r.Indexes, at, at+1)
		delete(r.Billing.Indexes, name)
		return nil
	}
	return in.updateIndex(r, name, *u.Update.ProvisionedThroughput)
}

func (in *updateTableInput) updateIndex(r *record, name string, t throughput) error {
	if r.Billing.Mode == perRequest {
		return invalid(invalidValues+"Neither ReadCapacityUnits nor WriteCapacityUnits can be specified for index: %s when BillingMode is PAY_PER_REQUEST", name)
	}
	if err := t.checkBounds(); err != nil {
		return err
	}
	if t.equal(r.Billing.Indexes[name]) {
		return unchanged("index "+name, t)
	}
	r.Billing.Indexes[name] = t
	return nil
}

// createIndex adds an index. Its key may use attributes that the table has
// defined already, or that the request defines.
func (in *updateTableInput) createIndex(r *record, x indexInput) error {
	whole := createTableInput{BillingMode: &r.Billing.Mode}
	for _, a := range r.Attributes {
		whole.AttributeDefinitions = append(whole.AttributeDefinitions, attributeDefinition{&a.Name, &a.Type})
	}
	for _, a := range in.AttributeDefinitions {
		if !slices.Contains(whole.definitions(), *a.AttributeName) {
			whole.AttributeDefinitions = append(whole.AttributeDefinitions, a)
			r.Attributes = append(slices.Clip(r.Attributes), stack.Attribute{Name: *a.AttributeName, Type: *a.AttributeType})
		}
	}
	if err := whole.checkSchema(x.KeySchema); err != nil {
		return err
	}
	if err := whole.checkIndex(x, map[string]bool{}); err != nil {
		return err
	}
	global := 0
	for _, other := range r.Indexes {
		if !other.Local {
			global++
		}
	}
	switch {
	case global >= maxGlobalIndexes:
		return limitExceeded(fmt.Sprintf("GlobalSecondaryIndex count exceeds the per-table limit of %d", maxGlobalIndexes))
	case r.Billing.Mode != perRequest && x.ProvisionedThroughput == nil:
		return invalid(invalidValues+"ProvisionedThroughput must be specified for index: %s", *x.IndexName)
	case x.ProvisionedThroughput != nil:
		r.Billing.Indexes[*x.IndexName] = *x.ProvisionedThroughput
	}
	r.Indexes = append(r.Indexes, x.declared(false))
	return nil
}

// usedAttributes are the definitions that a key of the table uses.
func usedAttributes(r *record) []stack.Attribute {
	used := make(map[string]bool)
	for _, k := range r.Key {
		used[k.Attribute] = true
	}
	for _, x := range r.Indexes {
		for _, k := range x.Key {
			used[k.Attribute] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(r.Attributes), func(a stack.Attribute) bool { return !used[a.Name] })
}

// describe is the answer: the throughput as it was, indexes as they come and
// go, the rest as it is.
func (in *updateTableInput) describe(before, after *table, st stats) *tableDescription {
	d := after.describe(st)
	if in.DeletionProtectionEnabled == nil {
		d.TableStatus = "UPDATING"
	}
	if in.ProvisionedThroughput != nil {
		d.ProvisionedThroughput.ReadCapacityUnits, d.ProvisionedThroughput.WriteCapacityUnits = before.Billing.Table.units()
	}
	for i := range in.GlobalSecondaryIndexUpdates {
		u := &in.GlobalSecondaryIndexUpdates[i]
		status := map[bool]string{true: "CREATING", false: "UPDATING"}[u.Create != nil]
		for j := range d.GlobalSecondaryIndexes {
			if d.GlobalSecondaryIndexes[j].IndexName == u.name() {
				d.GlobalSecondaryIndexes[j].IndexStatus = status
			}
		}
		if x, err := before.index(u.name()); u.Delete != nil && err == nil {
			before.describeIndex(d, x, 0)
			d.GlobalSecondaryIndexes[len(d.GlobalSecondaryIndexes)-1].IndexStatus = "DELETING"
		}
	}
	return d
}
