package dynamodb

import (
	"bytes"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/attribute"
	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/expression"
)

var errStartKey = invalid("The provided starting key is invalid")

// checkStart checks the part of a starting key that the schema names.
func (s keySchema) checkStart(from attribute.Map) error {
	for i, k := range s {
		if err := checkStartPart(from, k, i == 0); err != nil {
			return err
		}
	}
	return nil
}

func checkStartPart(from attribute.Map, k keyAttribute, partition bool) error {
	v := from.Get(k.Name)
	if v == nil {
		return errStartKey
	}
	return k.check(v, partition)
}

// assign gives each term of a key condition its place in the key. It checks
// the starting key on the way, as AWS does; nil is none.
func (s keySchema) assign(terms []expression.KeyTerm, from attribute.Map) (partition, sort *expression.KeyTerm, err error) {
	byName := make(map[string]*expression.KeyTerm, len(terms))
	for i := range terms {
		byName[terms[i].Attribute] = &terms[i]
	}
	for i, k := range s {
		if from != nil {
			if err := checkStartPart(from, k, i == 0); err != nil {
				return nil, nil, err
			}
		}
		if len(s) == 1 && len(terms) > 1 {
			return nil, nil, errNotQueryable
		}
		term := byName[k.Name]
		if term == nil {
			if i == 0 || len(terms) > 1 {
				return nil, nil, invalid("Query condition missed key schema element: %s", k.Name)
			}
			continue
		}
		if term.Operator == "" {
			return nil, nil, invalid("Attempted conditional constraint is not an indexable operation")
		}
		for _, v := range term.Values {
			if v.Type() != k.Type {
				return nil, nil, invalid(invalidValues + "Condition parameter type does not match schema type")
			}
		}
		if i == 0 && term.Operator != expression.KeyEqual {
			return nil, nil, errNotQueryable
		}
		if err := checkTerm(term, i == 0); err != nil {
			return nil, nil, err
		}
	}
	partition = byName[s[0].Name]
	if len(s) == 2 {
		sort = byName[s[1].Name]
	}
	return partition, sort, nil
}

var errNotQueryable = invalid("Query key condition not supported")

// checkTerm refuses values that no key can have, and begins_with on numbers.
func checkTerm(term *expression.KeyTerm, partition bool) error {
	for _, v := range term.Values {
		if what := empty(v); what != "" {
			return invalid(invalidValues+"The AttributeValue for a key attribute cannot contain an empty %s value. Key: %s", what, term.Attribute)
		}
		if err := checkKeySize(v, partition); err != nil {
			return err
		}
	}
	return nil
}

// checkStart refuses a starting key that lies outside of what a Query reads.
func (r *reading) checkStart(from attribute.Map, partition, sort *expression.KeyTerm) error {
	if from == nil {
		return nil
	}
	if err := r.t.keys.check(from); err != nil {
		return invalid("The provided starting key is invalid: %s", message(err))
	}
	samePartition := attribute.Equal(from.Get(partition.Attribute), partition.Values[0])
	switch {
	case sort == nil && !samePartition:
		return invalid("The provided starting key is outside query boundaries based on provided conditions")
	case sort != nil && !matches(sort, from.Get(sort.Attribute)):
		return invalid("The provided starting key does not match the range key predicate")
	case !samePartition:
		return invalid("The query can return at most one row and cannot be restarted")
	}
	return nil
}

// matches reports whether a key value meets the term.
func matches(term *expression.KeyTerm, v attribute.Value) bool {
	if term.Operator == expression.KeyBeginsWith {
		return attribute.HasPrefix(v, term.Values[0])
	}
	order, ok := attribute.Compare(v, term.Values[0])
	switch term.Operator {
	case expression.KeyEqual:
		return ok && order == 0
	case expression.KeyLess:
		return ok && order < 0
	case expression.KeyLessEqual:
		return ok && order <= 0
	case expression.KeyGreater:
		return ok && order > 0
	case expression.KeyBetween:
		upper, _ := attribute.Compare(v, term.Values[1])
		return ok && order >= 0 && upper <= 0
	}
	return ok && order >= 0
}

// termRange is the keys that meet the terms of a key condition; sort may be
// nil.
func termRange(partition, sort *expression.KeyTerm) keyRange {
	text, _ := attribute.ScalarKey(partition.Values[0])
	prefix := appendPartition(nil, text)
	r := prefixRange(prefix)
	if sort == nil {
		return r
	}
	text, _ = attribute.ScalarKey(sort.Values[0])
	at := appendPart(bytes.Clone(prefix), text)
	switch sort.Operator {
	case expression.KeyEqual:
		return prefixRange(at)
	case expression.KeyLess:
		r.high = at
	case expression.KeyLessEqual:
		r.high = after(at)
	case expression.KeyGreater:
		r.low = after(at)
	case expression.KeyGreaterEqual:
		r.low = at
	case expression.KeyBetween:
		text, _ = attribute.ScalarKey(sort.Values[1])
		r.low, r.high = at, after(appendPart(bytes.Clone(prefix), text))
	case expression.KeyBeginsWith:
		return prefixRange(appendPrefix(bytes.Clone(prefix), text))
	}
	return r
}

// resume narrows a Scan to what comes after its starting key.
func (r *reading) resume(segment, total *int64) error {
	from := r.in.ExclusiveStartKey.Map
	if from == nil {
		return r.checkAll()
	}
	schema, start := r.schema()
	switch {
	case len(from) != len(start) && r.index == nil:
		return invalid("The provided starting key is invalid: %s", message(errKeySchema))
	case len(from) != len(start):
		return errStartKey
	}
	if r.index != nil {
		if err := schema.checkStart(from); err != nil {
			return err
		}
	}
	if err := r.checkAll(); err != nil {
		return err
	}
	if err := r.t.keys.check(from); err != nil {
		return invalid("The provided starting key is invalid: %s", message(err))
	}
	key := r.key(from)
	if segment != nil && !r.keys.contains(key) {
		return invalid("The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment. TotalSegments: %d Segment: %d", *total, *segment)
	}
	r.keys = r.keys.from(key, false)
	return nil
}

func (r keyRange) contains(key []byte) bool {
	return bytes.Compare(key, r.low) >= 0 && (r.high == nil || bytes.Compare(key, r.high) < 0)
}
