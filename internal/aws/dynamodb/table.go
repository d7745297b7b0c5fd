package dynamodb

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/attribute"
	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/expression"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/stack"
	"go.etcd.io/bbolt"
)

// The file's buckets: schemas holds a record for each table under account,
// region and name with zero bytes between them. Each table has a bucket of its own, named by its number, and
// in it one for items, one for expiry times and one for each index. The
// numbers of items and entries are kept as the sequences of their buckets, the
// table's size in bytes as that of its own bucket.
var (
	schemasBucket = []byte("schemas")
	itemsBucket   = []byte("items")
	expiryBucket  = []byte("expiry")
)

// tableID names a table.
type tableID struct{ account, region, name string }

func (id tableID) arn() string {
	return "arn:aws:dynamodb:" + id.region + ":" + id.account + ":table/" + id.name
}

func (id tableID) key() []byte { return []byte(id.account + "\x00" + id.region + "\x00" + id.name) }

// record is what is stored about a table.
type record struct {
	// Number names the table's bucket; it is never used again.
	Number  uint64    `json:"number"`
	Account string    `json:"account"`
	Region  string    `json:"region"`
	UUID    string    `json:"uuid"`
	Created time.Time `json:"created"`
	Billing billing   `json:"billing"`
	// Stream is the number of the table's latest stream, which may have ended;
	// zero means that it never had one.
	Stream uint64            `json:"stream,omitempty"`
	Tags   map[string]string `json:"tags,omitempty"`
	// Class is the table class, "" when none was given. It means nothing.
	Class string `json:"class,omitempty"`
	stack.Table
}

// table is a table as it is in use: its record and what follows from it. It is
// never changed, but replaced.
type table struct {
	record
	id      tableID
	bucket  []byte
	keys    keySchema
	indexes []*index
}

// index is a secondary index.
type index struct {
	stack.TableIndex
	bucket []byte
	// keys is the index's own key, table the table's; start is both, each
	// attribute once: what a key to start from has.
	keys, table, start keySchema
	// view is what the index shows of an item; nil means all.
	view *expression.Projection
}

func newTable(r record) *table {
	t := &table{record: r, id: tableID{r.Account, r.Region, r.Name}, keys: schemaOf(r.Key, r.Attributes)}
	t.bucket = binary.BigEndian.AppendUint64([]byte("table"), r.Number)
	for _, declared := range r.Indexes {
		t.indexes = append(t.indexes, t.newIndex(declared))
	}
	return t
}

func (t *table) newIndex(declared stack.TableIndex) *index {
	x := &index{TableIndex: declared, bucket: []byte("index:" + declared.Name), keys: schemaOf(declared.Key, t.Attributes), table: t.keys}
	x.start = slices.Clone(x.keys)
	for _, k := range t.keys {
		if x.keys.find(k.Name) < 0 {
			x.start = append(x.start, k)
		}
	}
	if declared.Projection != "ALL" {
		x.view = expression.ProjectAttributes(append(x.start.names(), declared.NonKey...)...)
	}
	return x
}

func schemaOf(key []stack.KeyElement, declared []stack.Attribute) keySchema {
	keys := make(keySchema, len(key))
	for i, k := range key {
		keys[i].Name = k.Attribute
		for _, a := range declared {
			if a.Name == k.Attribute {
				keys[i].Type = attribute.Type(a.Type)
			}
		}
	}
	return keys
}

// sortKey is the name of the table's sort key, or "".
func (t *table) sortKey() string {
	if len(t.keys) < 2 {
		return ""
	}
	return t.keys[1].Name
}

// index returns the named index.
func (t *table) index(name string) (*index, error) {
	for _, x := range t.indexes {
		if x.Name == name {
			return x, nil
		}
	}
	return nil, invalid("The table does not have the specified index: %s", name)
}

// loadTables reads all records.
func loadTables(s *store) (map[tableID]*table, error) {
	tables := make(map[tableID]*table)
	var moved []string
	err := s.view(func(tx *bbolt.Tx) error {
		schemas := tx.Bucket(schemasBucket)
		if schemas == nil {
			return nil
		}
		return schemas.ForEach(func(key, value []byte) error {
			var r record
			if err := json.Unmarshal(value, &r); err != nil {
				return fmt.Errorf("read the schema of table %q: %w", key, err)
			}
			if r.Account == "" { // of a file that kept no accounts apart
				r.Account = accountOf(r.ARN)
				moved = append(moved, string(key))
			}
			t := newTable(r)
			tables[t.id] = t
			return nil
		})
	})
	if err != nil || len(moved) == 0 {
		return tables, err
	}
	return tables, rename(s, tables, moved)
}

// rename saves all tables under their present keys and removes the old ones.
func rename(s *store, tables map[tableID]*table, old []string) error {
	return s.update(context.Background(), &write{run: func(tx *writeTx) error {
		for _, t := range tables {
			if err := t.save(tx); err != nil {
				return err
			}
		}
		for _, key := range old {
			if err := tx.Bucket(schemasBucket).Delete([]byte(key)); err != nil {
				return fmt.Errorf("rename table %q: %w", key, err)
			}
		}
		return nil
	}})
}

// accountOf returns the account in an ARN, or "".
func accountOf(arn string) string {
	if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 {
		return parts[4]
	}
	return ""
}

// table returns the named table for a call on items.
func (s *Service) table(id tableID) (*table, error) {
	if t := s.lookup(id); t != nil {
		return t, nil
	}
	return nil, awswire.Errorf("ResourceNotFoundException", "Requested resource not found")
}

func (s *Service) lookup(id tableID) *table {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.tables[id]
}

// save writes a table's record.
func (t *table) save(tx *writeTx) error {
	tx.wrote = true
	schemas, err := tx.CreateBucketIfNotExists(schemasBucket)
	if err != nil {
		return fmt.Errorf("open schemas: %w", err)
	}
	text, err := json.Marshal(t.record)
	if err != nil {
		return fmt.Errorf("encode the schema of table %s: %w", t.Name, err)
	}
	return schemas.Put(t.id.key(), text)
}

// create makes the buckets of a new table and gives it its number.
func (t *table) create(tx *writeTx) (*table, error) {
	tx.wrote = true
	schemas, err := tx.CreateBucketIfNotExists(schemasBucket)
	if err != nil {
		return nil, fmt.Errorf("open schemas: %w", err)
	}
	r := t.record
	if r.Number, err = schemas.NextSequence(); err != nil {
		return nil, fmt.Errorf("number table %s: %w", t.Name, err)
	}
	created := newTable(r)
	root, err := tx.CreateBucket(created.bucket)
	if err != nil {
		return nil, fmt.Errorf("create table %s: %w", t.Name, err)
	}
	names := [][]byte{itemsBucket, expiryBucket}
	for _, x := range created.indexes {
		names = append(names, x.bucket)
	}
	for _, name := range names {
		if _, err := root.CreateBucket(name); err != nil {
			return nil, fmt.Errorf("create table %s: %w", t.Name, err)
		}
	}
	return created, created.save(tx)
}

// drop removes a table and everything in it.
func (t *table) drop(tx *writeTx) error {
	tx.wrote = true
	if err := tx.DeleteBucket(t.bucket); err != nil {
		return fmt.Errorf("delete table %s: %w", t.Name, err)
	}
	return tx.Bucket(schemasBucket).Delete(t.id.key())
}

// stats counts what is in a table and its indexes.
type stats struct {
	items, bytes int64
	entries      map[string]int64
}

func (s *Service) stats(t *table) stats {
	out := stats{entries: make(map[string]int64)}
	s.store.view(func(tx *bbolt.Tx) error {
		root := tx.Bucket(t.bucket)
		if root == nil {
			return nil // deleted just now
		}
		out.items, out.bytes = int64(root.Bucket(itemsBucket).Sequence()), int64(root.Sequence())
		for _, x := range t.indexes {
			if entries := root.Bucket(x.bucket); entries != nil {
				out.entries[x.Name] = int64(entries.Sequence())
			}
		}
		return nil
	})
	return out
}
