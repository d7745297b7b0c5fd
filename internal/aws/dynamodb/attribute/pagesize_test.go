package attribute

import (
	"strings"
	"testing"
)

// TestPageSize is what others have measured on AWS: after 24 of these items a
// page has room for one more, and with one byte more in the last it has not.
func TestPageSize(t *testing.T) {
	item := func(length int) Map {
		return NewMap([]Field{{"a", String(".123456789")}, {"b", String("00")}, {"e", String(strings.Repeat("e", length))}})
	}
	const page = 1 << 20
	for _, c := range []struct {
		last int
		full bool
	}{{43387, false}, {43388, true}} {
		sum := 23*item(43372).PageSize("b") + item(c.last).PageSize("b")
		if full := sum >= page; full != c.full {
			t.Errorf("with a last item of %d bytes the page has %d bytes, full: %v, want %v", c.last, sum, full, c.full)
		}
	}
	all := NewMap([]Field{{"s", String("é")}, {"n", NumberOf(7)}, {"b", Binary("xy")}, {"z", Null{}}, {"t", Bool(true)},
		{"l", List{Null{}, String("a")}}, {"m", NewMap([]Field{{"long", Bool(false)}})}, {"ss", StringSet{"a", "b"}}, {"ns", NumberSet{NumberOf(1)}}, {"bs", BinarySet{"a"}}})
	if got := all.PageSize(""); got != 2+10+1*18+(2+1)+(2+1)+(2+1)+0+1+(3+1+0+1+2)+(3+1+1+1)+(2+2+1)+(2+1+1)+(1+1+1) {
		t.Errorf("an item of all types has %d bytes", got)
	}
}
