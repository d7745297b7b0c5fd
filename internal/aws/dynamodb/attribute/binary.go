package attribute

import (
	"encoding/binary"
	"errors"
)

// The stored form of a value is a byte for its type and then its content:
// lengths and counts are unsigned varints, numbers are in their ordered form.
// The bytes are part of the format of tables on disk: never renumber them.
const (
	storedString byte = iota + 1
	storedNumber
	storedBinary
	storedTrue
	storedFalse
	storedNull
	storedMap
	storedList
	storedStringSet
	storedNumberSet
	storedBinarySet
)

// ErrStored tells that stored bytes are not what AppendItem wrote: the file is
// damaged.
var ErrStored = errors.New("attribute: stored item is damaged")

// AppendItem appends the stored form of an item.
func AppendItem(dst []byte, item Map) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(item)))
	for _, f := range item {
		dst = appendStored(appendText(dst, f.Name), f.Value)
	}
	return dst
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func appendStored(dst []byte, v Value) []byte {
	switch v := v.(type) {
	case String:
		return appendText(append(dst, storedString), string(v))
	case Number:
		return appendText(append(dst, storedNumber), v.enc)
	case Binary:
		return appendText(append(dst, storedBinary), string(v))
	case Bool:
		if v {
			return append(dst, storedTrue)
		}
		return append(dst, storedFalse)
	case Null:
		return append(dst, storedNull)
	case Map:
		return AppendItem(append(dst, storedMap), v)
	case List:
		return appendMembers(append(dst, storedList), v, appendStored)
	case StringSet:
		return appendMembers(append(dst, storedStringSet), v, appendText)
	case NumberSet:
		return appendMembers(append(dst, storedNumberSet), v, func(dst []byte, n Number) []byte { return appendText(dst, n.enc) })
	case BinarySet:
		return appendMembers(append(dst, storedBinarySet), v, appendText)
	}
	panic("attribute: value of unknown type")
}

func appendMembers[E any](dst []byte, list []E, each func([]byte, E) []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(list)))
	for _, e := range list {
		dst = each(dst, e)
	}
	return dst
}

// DecodeItem reads an item out of its stored form, which it copies once: the
// item's strings share the copy. The error is ErrStored.
func DecodeItem(stored []byte) (Map, error) {
	d := decoder{rest: string(stored)}
	item := d.fields()
	if d.damaged || d.rest != "" {
		return nil, ErrStored
	}
	return item, nil
}

// decoder takes values off the front of rest. After damage it returns zeros.
type decoder struct {
	rest    string
	depth   int
	damaged bool
}

func (d *decoder) fail() {
	d.damaged, d.rest = true, ""
}

func (d *decoder) uvarint() uint64 {
	var n uint64
	for i, shift := 0, 0; i < len(d.rest) && shift < 64; i, shift = i+1, shift+7 {
		c := d.rest[i]
		n |= uint64(c&0x7f) << shift
		if c < 0x80 {
			d.rest = d.rest[i+1:]
			return n
		}
	}
	d.fail()
	return 0
}

// count reads how many things follow; each takes a byte at least.
func (d *decoder) count() int {
	n := d.uvarint()
	if n > uint64(len(d.rest)) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) text() string {
	n := d.count()
	s := d.rest[:n]
	d.rest = d.rest[n:]
	return s
}

func (d *decoder) number() Number {
	enc := d.text()
	if len(enc) == 0 || len(enc) > fullLength {
		d.fail()
	}
	return Number{enc}
}

func (d *decoder) fields() Map {
	n := d.count()
	item := make(Map, 0, n)
	for range n {
		name := d.text()
		if v := d.value(); v != nil {
			item = append(item, Field{name, v})
		}
	}
	return item
}

func (d *decoder) value() Value {
	if d.rest == "" || d.depth > MaxDepth {
		d.fail()
		return nil
	}
	kind := d.rest[0]
	d.rest = d.rest[1:]
	switch kind {
	case storedString:
		return String(d.text())
	case storedNumber:
		return d.number()
	case storedBinary:
		return Binary(d.text())
	case storedTrue:
		return Bool(true)
	case storedFalse:
		return Bool(false)
	case storedNull:
		return Null{}
	}
	d.depth++
	defer func() { d.depth-- }()
	return d.collection(kind)
}

func (d *decoder) collection(kind byte) Value {
	switch kind {
	case storedMap:
		return d.fields()
	case storedList:
		return List(decodeMembers(d, d.value))
	case storedStringSet:
		return StringSet(decodeMembers(d, d.text))
	case storedNumberSet:
		return NumberSet(decodeMembers(d, d.number))
	case storedBinarySet:
		return BinarySet(decodeMembers(d, d.text))
	}
	d.fail()
	return nil
}

func decodeMembers[E any](d *decoder, each func() E) []E {
	n := d.count()
	list := make([]E, 0, n)
	for range n {
		if d.damaged {
			return nil
		}
		list = append(list, each())
	}
	return list
}
