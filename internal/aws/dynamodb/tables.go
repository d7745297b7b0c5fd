package dynamodb

import (
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
	return tableID{call.Account(s.cfg.Account), s.region(call), nameOf(nameOrARN)}
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
	r := record{Billing: b, Table: declared, Tags: tagMap(in.Tags)}
	if in.TableClass != nil {
		r.Class = *in.TableClass
	}
	t, err := s.create(ctx, s.tableID(call, declared.Name), r)
	if err != nil {
		return nil, err
	}
	return map[string]any{"TableDescription": t.describe(stats{}).creating()}, nil
}

// create makes a table; one of its name must not exist.
func (s *Service) create(ctx context.Context, id tableID, r record) (*table, error) {
	r.ARN, r.Account, r.Region, r.UUID, r.Created = id.arn(), id.account, id.region, uuid.New(), time.Now()
	var change streaming
	t := newTable(r)
	err := s.store.update(ctx, &write{
		alone: true,
		run: func(tx *writeTx) (err error) {
			if s.lookup(t.id) != nil {
				return awswire.Errorf("ResourceInUseException", "Table already exists: %s", id.name)
			}
			if t, err = t.create(tx); err != nil {
				return err
			}
			if change, err = s.follow(tx, nil, t); err != nil || change.begun == nil {
				return err
			}
			return t.save(tx)
		},
		committed: func() { s.setTable(t.id, t, change) },
	})
	return t, err
}

// setTable puts a table in the place of the one of its name; nil removes it.
// What changes about streams changes with it.
func (s *Service) setTable(id tableID, t *table, c streaming) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setStreamsLocked(c)
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
	err = s.removeTable(ctx, t)
	if err != nil {
		return nil, err
	}
	description := t.describe(stats{})
	description.TableStatus = "DELETING"
	return map[string]any{"TableDescription": description}, nil
}

func (s *Service) removeTable(ctx context.Context, t *table) error {
	var change streaming
	return s.store.update(ctx, &write{
		alone: true,
		run: func(tx *writeTx) (err error) {
			now := s.lookup(t.id)
			if now == nil || now.Number != t.Number {
				return notFound(t.Name)
			}
			if now.DeletionProtection {
				return errProtected
			}
			if change, err = s.follow(tx, now, nil); err != nil {
				return err
			}
			return t.drop(tx)
		},
		committed: func() { s.setTable(t.id, nil, change) },
	})
}

var errProtected = invalid("Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.")

func (s *Service) listTables(_ context.Context, call *awswire.Call) (any, error) {
	var in struct {
		ExclusiveStartTableName *string
		Limit                   *int64 `aws:"Integer"`
	}
	if err := decode(call, &in); err != nil {
		return nil, err
	}
	var c constraints
	c.between(in.Limit, "limit", 1, 100)
	c.optionalName(in.ExclusiveStartTableName, "exclusiveStartTableName")
	if err := c.err(); err != nil {
		return nil, err
	}
	names := s.names(s.tableID(call, ""))
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
	if limit := limitOf(in.Limit); len(names) > limit {
		out.TableNames, out.LastEvaluatedTableName = names[:limit], names[limit-1]
	}
	return out, nil
}

// names returns the names of the tables of an account in a region, sorted.
func (s *Service) names(of tableID) []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	names := []string{}
	for id := range s.tables {
		if id.account == of.account && id.region == of.region {
			names = append(names, id.name)
		}
	}
	slices.Sort(names)
	return names
}

// EnsureTable makes the table if it is missing. A table that is there keeps
// its items, and its indexes, time to live and stream become the declared
// ones. Its tags and its throughput stay. A key
// other than the table's own is an error: items cannot follow it. The table
// belongs to Config.Region. It may be called together with anything.
func (s *Service) EnsureTable(declared stack.Table) error {
	id := tableID{s.cfg.Account, s.cfg.Region, declared.Name}
	if err := s.ensure(id, declared); err != nil {
		return fmt.Errorf("set up table %s: %w", declared.Name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.declared[id] = declared
	return nil
}

// Undeclare says that a template does not declare a table any more: it stays, with
// its items, until it is deleted, and Reset does not make it again. It may be
// called of a table that nobody knows.
func (s *Service) Undeclare(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.declared, tableID{s.cfg.Account, s.cfg.Region, name})
}

func (s *Service) ensure(id tableID, declared stack.Table) error {
	if err := checkDeclared(declared); err != nil {
		return err
	}
	ctx := context.Background()
	t := s.lookup(id)
	if t == nil {
		_, err := s.create(ctx, id, record{Billing: billing{Mode: perRequest}, Table: declared})
		return err
	}
	if have, want := t.keys, schemaOf(declared.Key, declared.Attributes); !slices.Equal(have, want) {
		return fmt.Errorf("the data folder has it with the key %v, the template declares %v: keep the key, give the table another name, or delete it first (its items go with it)", have, want)
	}
	follow := func(r *record) error {
		r.Attributes, r.Indexes, r.TTLAttribute, r.LogicalID, r.Line = declared.Attributes, declared.Indexes, declared.TTLAttribute, declared.LogicalID, declared.Line
		r.DeletionProtection = declared.DeletionProtection
		if r.StreamView != declared.StreamView && declared.StreamView != "" {
			r.StreamARN = declared.StreamARN
		}
		r.StreamView = declared.StreamView
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
	var streams streaming
	return s.store.update(ctx, &write{
		alone: true,
		run: func(tx *writeTx) (err error) {
			t := s.lookup(id)
			if t == nil {
				return notFound(id.name)
			}
			r := t.record
			if err := change(&r); err != nil {
				return err
			}
			next = newTable(r)
			if streams, err = s.follow(tx, t, next); err != nil {
				return err
			}
			return next.takeOver(tx, t)
		},
		committed: func() { s.setTable(id, next, streams) },
	})
}
