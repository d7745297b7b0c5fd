package dynamodb

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/attribute"
)

// Keys in the store. An item lies under
//
//	hash(partition key) part(partition key) [part(sort key)]
//
// and an entry of an index under the same of the index's own key, followed by
// a hash and the parts of the table's key, which make it unique. A part is the value's
// ordered bytes with each 00 written as 00 FF, and 00 01 behind it: so parts
// sort as their values do, and none begins another.
//
// The hash makes a scan's order look as arbitrary as on AWS, so that nobody
// comes to rely on it, and cuts a table into segments for parallel scans.

// hashLength is the number of hash bytes before a partition key.
const hashLength = 3

// Limits of DynamoDB on key values, in bytes.
const (
	maxPartitionKey = 2048
	maxSortKey      = 1024
)

// keyAttribute is an attribute of a key and its declared type.
type keyAttribute struct {
	Name string
	Type attribute.Type
}

// keySchema is the partition key and, for some tables and indexes, the sort
// key.
type keySchema []keyAttribute

// String writes the key for people: PK (S), SK (S).
func (s keySchema) String() string {
	parts := make([]string, len(s))
	for i, k := range s {
		parts[i] = fmt.Sprintf("%s (%s)", k.Name, k.Type)
	}
	return strings.Join(parts, ", ")
}

// names returns the attributes' names.
func (s keySchema) names() []string {
	names := make([]string, len(s))
	for i, k := range s {
		names[i] = k.Name
	}
	return names
}

// find returns the position of the attribute in the key, or -1.
func (s keySchema) find(name string) int {
	for i, k := range s {
		if k.Name == name {
			return i
		}
	}
	return -1
}

// key returns the store's key for an item that has all key attributes.
func (s keySchema) key(item attribute.Map) []byte {
	key := make([]byte, 0, 64)
	for i, k := range s {
		text, _ := attribute.ScalarKey(item.Get(k.Name))
		if i == 0 {
			key = appendPartition(key, text)
		} else {
			key = appendPart(key, text)
		}
	}
	return key
}

// fits reports whether the key attributes, which the item has, have values
// that a key can have. Items that were there before the index may have others.
func (s keySchema) fits(item attribute.Map) bool {
	for i, k := range s {
		if v := item.Get(k.Name); empty(v) != "" || checkKeySize(v, i == 0) != nil {
			return false
		}
	}
	return true
}

// indexes reports whether an item has all attributes of an index's key in
// their declared types.
func (s keySchema) indexes(item attribute.Map) bool {
	for _, k := range s {
		if v := item.Get(k.Name); v == nil || v.Type() != k.Type {
			return false
		}
	}
	return item != nil
}

func appendPartition(dst []byte, text string) []byte {
	return appendPart(appendHash(dst, text), text)
}

func appendHash(dst []byte, text string) []byte {
	sum := md5.Sum([]byte("Outliers" + text))
	return append(dst, sum[:hashLength]...)
}

func appendPart(dst []byte, text string) []byte {
	return append(appendPrefix(dst, text), 0, 1)
}

// appendPrefix appends what the parts of all values that begin with text begin
// with.
func appendPrefix(dst []byte, text string) []byte {
	for {
		before, after, found := strings.Cut(text, "\x00")
		dst = append(dst, before...)
		if !found {
			return dst
		}
		dst = append(dst, 0, 0xff)
		text = after
	}
}

// keyRange is the keys from low up to, not including, high. A nil bound is the
// end of the bucket.
type keyRange struct{ low, high []byte }

// prefixRange is the keys that begin with prefix.
func prefixRange(prefix []byte) keyRange {
	return keyRange{prefix, after(prefix)}
}

// after returns the first key that sorts after all keys with the prefix; nil
// when there is none.
func after(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		end[i]++
		if end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// from narrows the range to what comes after the key, in reading direction.
func (r keyRange) from(key []byte, backward bool) keyRange {
	if backward {
		r.high = key
	} else {
		r.low = append(bytes.Clone(key), 0)
	}
	return r
}

// segmentRange is the part of a table that one of several parallel scans
// reads.
func segmentRange(segment, total int) keyRange {
	r := keyRange{low: hashBound(segment, total)}
	if segment+1 < total {
		r.high = hashBound(segment+1, total)
	}
	return r
}

// hashBound is the first hash of a segment. Segments are cut on twelve bits as
// long as there are no more of them than that allows.
func hashBound(segment, total int) []byte {
	bits := 12
	if total > 1<<bits {
		bits = 8 * hashLength
	}
	bound := (segment<<bits + total - 1) / total << (8*hashLength - bits)
	return []byte{byte(bound >> 16), byte(bound >> 8), byte(bound)}
}
