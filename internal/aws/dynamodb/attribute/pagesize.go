package attribute

// How DynamoDB counts a page of Query or Scan: by what an item takes up in its
// storage, where names are replaced by numbers and lengths are written down.
// AWS documents none of this; others have measured it, and it decides which
// item is the last of a page of 1 MB.

const (
	// storageBlock is how much of an item shares one head.
	storageBlock = 3072
	storageHead  = 18
)

// PageSize is the item's size towards the 1 MB of a page, in bytes. sortKey is
// the name of the table's sort key, "" when it has none.
func (v Map) PageSize(sortKey string) int {
	size, sort := 0, 0
	for _, f := range v {
		if f.Name == sortKey {
			sort = f.Value.Size() // stands in each head
			continue
		}
		size += 1 + storedValueSize(f.Value)
	}
	return 2 + size + (1+(1+size)/storageBlock)*(storageHead+sort)
}

func storedValueSize(v Value) int {
	switch v := v.(type) {
	case String:
		return len(v) + lengthSize(len(v))
	case Number:
		return v.Size() + 1
	case Binary:
		return len(v) + 1
	case StringSet:
		return v.Size() + len(v) + 1
	case NumberSet:
		return v.Size() + len(v) + 1
	case BinarySet:
		return v.Size() + len(v) + 1
	case Null:
		return 0
	case List:
		size := containerSize
		for _, member := range v {
			size += 1 + storedValueSize(member)
		}
		return size
	case Map:
		size := containerSize + len(v)
		for _, f := range v {
			size += 1 + storedValueSize(f.Value)
		}
		return size
	}
	return 1 // Bool
}

// lengthSize is how many bytes the length of a text takes, at seven bits each.
func lengthSize(n int) int {
	switch {
	case n < 1<<7:
		return 1
	case n < 1<<14:
		return 2
	}
	return 3
}
