package vtl

import (
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/jsonpath"
)

// number is one of Java's: a whole number of 64 bits, a larger one, or a
// double.
type number struct {
	kind  numberKind
	whole int64
	huge  *big.Int
	float float64
	// written is how a document wrote it, if it came from one.
	written string
}

type numberKind uint8

const (
	whole numberKind = iota
	huge
	double
)

func intOf(i int64) number      { return number{kind: whole, whole: i} }
func doubleOf(f float64) number { return number{kind: double, float: f} }

// bigOf returns a whole number of any size, as small as it can be kept.
func bigOf(i *big.Int) number {
	if i.IsInt64() {
		return intOf(i.Int64())
	}
	return number{kind: huge, huge: i}
}

// numberOf reads a document's number. A text too long for arithmetic is a
// double that is still written as the document has it.
func numberOf(text string) number {
	isWhole := !strings.ContainsAny(text, ".eE")
	if n, ok := numberFrom(text, isWhole); ok {
		n := n.(number)
		n.written = text
		return n
	}
	f, _ := strconv.ParseFloat(text, 64) // out of range is infinite, which is what Java has
	return number{kind: double, float: f, written: text}
}

// String writes the number as the document had it, or as Java's toString does.
func (n number) String() string {
	switch {
	case n.written != "":
		return n.written
	case n.kind == whole:
		return strconv.FormatInt(n.whole, 10)
	case n.kind == huge:
		return n.huge.String()
	}
	return javaDouble(n.float)
}

// json is the number as a document can hold it: null for those that JSON has
// not.
func (n number) json() jsonpath.Value {
	v, _ := jsonpath.ParseNumber(n.String())
	return v
}

// javaDouble writes a double as Java's Double.toString: with at least one
// digit after the point, and with an exponent from ten million up and below a
// thousandth.
func javaDouble(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	if abs := math.Abs(f); abs != 0 && (abs < 1e-3 || abs >= 1e7) {
		mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'E', -1, 64), "E")
		if !strings.Contains(mantissa, ".") {
			mantissa += ".0"
		}
		e, _ := strconv.Atoi(exponent)
		return mantissa + "E" + strconv.Itoa(e)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// asFloat is the number as a double.
func (n number) asFloat() float64 {
	switch n.kind {
	case whole:
		return float64(n.whole)
	case huge:
		f, _ := new(big.Float).SetInt(n.huge).Float64()
		return f
	}
	return n.float
}

// asBig is a whole number of any size.
func (n number) asBig() *big.Int {
	if n.kind == huge {
		return n.huge
	}
	return big.NewInt(n.whole)
}

// asInt is the number as an index, as Java's intValue has it: cut off at the
// point. Numbers beyond 32 bits are far out of every list's range, and are so
// here too.
func (n number) asInt() int {
	switch n.kind {
	case whole:
		return int(max(math.MinInt32, min(math.MaxInt32, n.whole)))
	case huge:
		return n.huge.Sign() * math.MaxInt32
	}
	if math.IsNaN(n.float) {
		return 0
	}
	return int(max(math.MinInt32, min(math.MaxInt32, n.float)))
}

// compareNumbers orders two numbers: whole ones exactly, others as doubles.
// Nothing is in any order with NaN.
func compareNumbers(a, b number) (order int, ok bool) {
	if a.kind == double || b.kind == double {
		x, y := a.asFloat(), b.asFloat()
		switch {
		case x < y:
			return -1, true
		case x > y:
			return 1, true
		}
		return 0, x == y
	}
	return a.asBig().Cmp(b.asBig()), true
}

// calculate returns left operator right as Velocity's MathUtils does: whole
// numbers stay whole and grow beyond 64 bits where they must, a double makes
// the result one. There is no result, nil, for a division by zero.
func calculate(operator string, left, right number) value {
	if left.kind == double || right.kind == double {
		return calculateDoubles(operator, left.asFloat(), right.asFloat())
	}
	x, y, z := left.asBig(), right.asBig(), new(big.Int)
	switch operator {
	case "+":
		z.Add(x, y)
	case "-":
		z.Sub(x, y)
	case "*":
		z.Mul(x, y)
	case "/":
		if y.Sign() == 0 {
			return nil
		}
		z.Quo(x, y)
	default:
		if y.Sign() == 0 {
			return nil
		}
		z.Rem(x, y)
	}
	// A number that keeps growing must not: it becomes a double.
	if z.BitLen() > 4*maxDigits {
		return doubleOf(bigOf(z).asFloat())
	}
	return bigOf(z)
}

func calculateDoubles(operator string, x, y float64) value {
	switch operator {
	case "+":
		return doubleOf(x + y)
	case "-":
		return doubleOf(x - y)
	case "*":
		return doubleOf(x * y)
	}
	if y == 0 {
		return nil
	}
	if operator == "/" {
		return doubleOf(x / y)
	}
	return doubleOf(math.Mod(x, y))
}
