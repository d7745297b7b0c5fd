package dynamodb

import (
	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/attribute"
	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/expression"
)

// maxItem is the largest item, names and values, in bytes.
const maxItem = 400 << 10

// checkItem finds what keeps an item out of the table.
func (t *table) checkItem(item attribute.Map) error {
	for i, k := range t.keys {
		v := item.Get(k.Name)
		switch {
		case v == nil:
			return invalid(invalidValues+"Missing the key %s in the item", k.Name)
		case v.Type() != k.Type:
			return invalid(invalidValues+"Type mismatch for key %s expected: %s actual: %s", k.Name, k.Type, v.Type())
		}
		if what := empty(v); what != "" {
			return invalid("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty %s value. Key: %s", what, k.Name)
		}
		if err := checkKeySize(v, i == 0); err != nil {
			return err
		}
	}
	return t.checkIndexKeys(item)
}

// checkIndexKeys refuses attributes that an index of the table cannot have as
// its key. An item without them is fine: it is not in the index.
func (t *table) checkIndexKeys(item attribute.Map) error {
	for _, x := range t.indexes {
		for i, k := range x.keys {
			v := item.Get(k.Name)
			if v == nil {
				continue
			}
			if v.Type() != k.Type {
				return invalid(invalidValues+"Type mismatch for Index Key %s Expected: %s Actual: %s IndexName: %s", k.Name, k.Type, v.Type(), x.Name)
			}
			if what := empty(v); what != "" {
				return invalid("One or more parameter values are not valid. A value specified for a secondary index key is not supported. The AttributeValue for a key attribute cannot contain an empty %s value. IndexName: %s, IndexKey: %s", what, x.Name, k.Name)
			}
			if err := checkKeySize(v, i == 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// emptyIndexKey names the type of the first empty value of an index's key.
func (t *table) emptyIndexKey(item attribute.Map) string {
	for _, x := range t.indexes {
		for _, k := range x.keys {
			if what := empty(item.Get(k.Name)); what != "" {
				return what
			}
		}
	}
	return ""
}

// checkKey checks the key that a call gives for one item.
func (t *table) checkKey(key attribute.Map) error {
	if len(key) != len(t.keys) {
		return errKeySchema
	}
	return t.keys.check(key)
}

var errKeySchema = invalid("The provided key element does not match the schema")

// check finds what is wrong with the key attributes of key.
func (s keySchema) check(key attribute.Map) error {
	for i, k := range s {
		if err := k.check(key.Get(k.Name), i == 0); err != nil {
			return err
		}
	}
	return nil
}

// check finds what is wrong with a value, which may be nil, as this part of
// a key.
func (k keyAttribute) check(v attribute.Value, partition bool) error {
	if v == nil || v.Type() != k.Type {
		return errKeySchema
	}
	if what := empty(v); what != "" {
		return invalid(invalidValues+"The AttributeValue for a key attribute cannot contain an empty %s value. Key: %s", what, k.Name)
	}
	return checkKeySize(v, partition)
}

// empty names the type of an empty string or binary.
func empty(v attribute.Value) string {
	switch v.(type) {
	case attribute.String:
		if v.Size() == 0 {
			return "string"
		}
	case attribute.Binary:
		if v.Size() == 0 {
			return "binary"
		}
	}
	return ""
}

func checkKeySize(v attribute.Value, partition bool) error {
	switch size := v.Size(); {
	case partition && size > maxPartitionKey:
		return invalid(invalidValues+"Size of hashkey has exceeded the maximum size limit of%d bytes", maxPartitionKey)
	case !partition && size > maxSortKey:
		return invalid(invalidValues+"Aggregated size of all range keys has exceeded the size limit of %d bytes", maxSortKey)
	}
	return nil
}

// checkUpdate finds what an update must not do to the table's items.
func (t *table) checkUpdate(u *expression.Update) error {
	for _, k := range t.keys {
		for _, p := range u.Paths() {
			if p[0].Name == k.Name {
				return invalid(invalidValues+"Cannot update attribute %s. This attribute is part of the key", k.Name)
			}
		}
	}
	for _, x := range t.indexes {
		for _, k := range x.keys {
			if err := checkIndexUpdate(u, x, k); err != nil {
				return err
			}
		}
	}
	return t.checkScalarKeys(u.AllPaths())
}

func checkIndexUpdate(u *expression.Update, x *index, k keyAttribute) (err error) {
	u.ValueTypes(func(name string, actual attribute.Type) {
		if err == nil && name == k.Name && actual != k.Type {
			err = invalid(invalidValues+"Type mismatch for Index Key %s Expected: %s Actual: %s IndexName: %s", name, k.Type, actual, x.Name)
		}
	})
	return err
}

// checkUpdated checks an item as an update has left it.
func (t *table) checkUpdated(item attribute.Map) error {
	if item.ItemSize() > maxItem {
		return invalid("Item size to update has exceeded the maximum allowed size")
	}
	for _, x := range t.indexes {
		for _, k := range x.keys {
			if v := item.Get(k.Name); v != nil && v.Type() != k.Type {
				return invalid("The update expression attempted to update the secondary index key to unsupported type")
			}
		}
	}
	if err := t.checkIndexKeys(item); isEmptyKey(err) {
		return invalid("One or more parameter values are not valid. The update expression attempted to update a secondary index key to a value that is not supported. The AttributeValue for a key attribute cannot contain an empty %s value.", t.emptyIndexKey(item))
	} else if err != nil {
		return err
	}
	return item.CheckDepth()
}

// checkScalarKeys refuses paths into key attributes, which have no inside.
func (t *table) checkScalarKeys(paths []expression.Path) error {
	nested := make(map[string]bool)
	for _, p := range paths {
		if len(p) > 1 {
			nested[p[0].Name] = true
		}
	}
	if len(nested) == 0 {
		return nil
	}
	const message = "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: %s: %s"
	for _, k := range t.keys {
		if nested[k.Name] {
			return invalid(message, "Key", k.Name)
		}
	}
	for _, x := range t.indexes {
		for _, k := range x.keys {
			if nested[k.Name] {
				return invalid(message, "IndexKey", k.Name)
			}
		}
	}
	return nil
}
