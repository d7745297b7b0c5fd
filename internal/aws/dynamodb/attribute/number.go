package attribute

import (
	"math/big"
	"strconv"
	"strings"
)

// The range and precision of a DynamoDB number: 38 significant digits, and
// magnitudes from 1E-130 to 9.99…E+125.
const (
	maxDigits   = 38
	maxExponent = 126  // of 0.d1d2d3… × 10^exponent
	minExponent = -129 // likewise
)

// Number is an exact decimal number of up to 38 significant digits. Two
// numbers are equal if and only if they are == . The zero value is not a
// number: use ParseNumber or NumberOf.
//
// It is held in an order-preserving binary form, base 100 like the NUMBER
// format of Oracle's databases: a byte for sign and exponent, then two digits
// a byte. The bytes of two numbers compare as the numbers do; their count is
// the number's size as DynamoDB counts it.
type Number struct{ enc string }

// NumberOf returns the number n.
func NumberOf(n int64) Number {
	number, err := ParseNumber(strconv.FormatInt(n, 10))
	if err != nil {
		panic("attribute: an int64 has at most 19 digits")
	}
	return number
}

// ParseNumber reads a decimal number with an optional sign, fraction and
// exponent. Its errors are *ValueError with AWS's wording.
func ParseNumber(text string) (Number, error) {
	if text == "" {
		return Number{}, errorf("The parameter cannot be converted to a numeric value")
	}
	var d decimal
	if !d.parse(text) {
		return Number{}, errorf("The parameter cannot be converted to a numeric value: %s", clip(text))
	}
	return d.number()
}

// Compare returns -1, 0 or +1 as n is less than, equal to or greater than m.
func (n Number) Compare(m Number) int { return strings.Compare(n.enc, m.enc) }

// Key returns bytes that sort as the numbers do.
func (n Number) Key() string { return n.enc }

// String returns the number as DynamoDB answers it: without an exponent,
// without superfluous zeros.
func (n Number) String() string { return string(n.AppendText(nil)) }

// AppendText appends what String returns.
func (n Number) AppendText(dst []byte) []byte {
	var d decimal
	d.decode(n.enc)
	if d.n == 0 {
		return append(dst, '0')
	}
	if d.neg {
		dst = append(dst, '-')
	}
	if d.exp <= 0 {
		dst = append(dst, "0."...)
		dst = appendZeros(dst, -d.exp)
	}
	for i, digit := range d.digits[:d.n] {
		if i == d.exp && i > 0 {
			dst = append(dst, '.')
		}
		dst = append(dst, '0'+digit)
	}
	return appendZeros(dst, d.exp-d.n)
}

// Int64 returns the number's integer part; ok is false when it does not fit.
func (n Number) Int64() (i int64, ok bool) {
	text, _, _ := strings.Cut(n.String(), ".")
	i, err := strconv.ParseInt(text, 10, 64)
	return i, err == nil
}

// Add returns n + m; the error is a *ValueError when the sum is out of range
// or needs more than 38 digits.
func (n Number) Add(m Number) (Number, error) { return sum(n, m, false) }

// Sub returns n - m, with the errors of Add.
func (n Number) Sub(m Number) (Number, error) { return sum(n, m, true) }

func sum(n, m Number, negate bool) (Number, error) {
	var a, b decimal
	a.decode(n.enc)
	b.decode(m.enc)
	if negate {
		b.neg = !b.neg
	}
	if x, ok := a.small(); ok {
		if y, ok := b.small(); ok {
			return NumberOf(x + y), nil
		}
	}
	return bigSum(&a, &b)
}

// bigSum adds two numbers of any size. The exponents are at most 255 apart,
// so the integers stay below 300 digits.
func bigSum(a, b *decimal) (Number, error) {
	scale := min(a.exp-a.n, b.exp-b.n)
	total := a.scaled(scale)
	total.Add(total, b.scaled(scale))
	return ParseNumber(total.String() + "e" + strconv.Itoa(scale))
}

func appendZeros(dst []byte, n int) []byte {
	for range n {
		dst = append(dst, '0')
	}
	return dst
}

// decimal is a number taken apart: 0.d1d2d3… × 10^exp, with neither leading
// nor trailing zeros among the digits. Zero has no digits.
type decimal struct {
	neg    bool
	exp    int
	n      int // digits in use; may exceed maxDigits+1 while parsing
	digits [maxDigits + 2]byte
}

// parse reads text and reports whether it is a number.
func (d *decimal) parse(text string) bool {
	text = d.parseSign(text)
	rest, seen := d.parseDigits(text)
	if !seen {
		return false
	}
	if rest != "" {
		e, ok := parseExponent(rest)
		if !ok {
			return false
		}
		d.exp += e
	}
	return true
}

func (d *decimal) parseSign(text string) string {
	if text[0] != '-' && text[0] != '+' {
		return text
	}
	d.neg = text[0] == '-'
	return text[1:]
}

// parseDigits reads digits with at most one point among them and returns what
// follows. It keeps zeros back until a later digit shows that they count.
func (d *decimal) parseDigits(text string) (rest string, seen bool) {
	zeros, point, i := 0, false, 0
	for ; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '.' && !point:
			point = true
			continue
		case c == '0':
			zeros++
		case c >= '1' && c <= '9':
			d.push(zeros, c-'0')
			zeros = 0
		default:
			return text[i:], seen
		}
		seen = true
		d.place(point)
	}
	return "", seen
}

// place keeps account of the decimal point for the digit just read: before the
// point a digit raises the exponent once a digit counts, after the point
// a zero lowers it while none does.
func (d *decimal) place(point bool) {
	switch {
	case !point && d.n > 0:
		d.exp++
	case point && d.n == 0:
		d.exp--
	}
}

// push appends the zeros held back and a digit. Leading zeros are dropped.
func (d *decimal) push(zeros int, digit byte) {
	if d.n == 0 {
		zeros = 0
	}
	for range min(zeros, len(d.digits)) {
		d.put(0)
	}
	d.n += max(zeros-len(d.digits), 0)
	d.put(digit)
}

func (d *decimal) put(digit byte) {
	if d.n < len(d.digits) {
		d.digits[d.n] = digit
	}
	d.n++
}

// parseExponent reads "e-12"; what lies far outside of the range is cut to
// a number that still does.
func parseExponent(text string) (int, bool) {
	if text[0] != 'e' && text[0] != 'E' {
		return 0, false
	}
	digits, sign := text[1:], 1
	if digits != "" && (digits[0] == '-' || digits[0] == '+') {
		if digits[0] == '-' {
			sign = -1
		}
		digits = digits[1:]
	}
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	e, err := strconv.Atoi(digits)
	if err != nil {
		e = 1e9
	}
	return sign * min(e, 1e9), true
}

// number checks the limits and encodes.
func (d *decimal) number() (Number, error) {
	switch {
	case d.n == 0:
		return Number{zeroKey}, nil
	case d.exp > maxExponent:
		return Number{}, errorf("Number overflow. Attempting to store a number with magnitude larger than supported range")
	case d.exp < minExponent:
		return Number{}, errorf("Number underflow. Attempting to store a number with magnitude smaller than supported range")
	case d.n > maxDigits:
		return Number{}, errorf("Attempting to store more than 38 significant digits in a Number")
	}
	return Number{d.encode()}, nil
}

// The parts of the encoding: the first byte of a positive number is its
// exponent to the base 100 plus exponentBias; a negative number has every byte
// turned round, and ends in negativeEnd, unless it is of full length, so that
// the longer of two sorts first.
const (
	zeroKey      = "\x80"
	exponentBias = 192
	negativeEnd  = 102
	fullLength   = 21
)

func (d *decimal) encode() string {
	var buf [fullLength + 1]byte
	odd := d.exp & 1 // an odd exponent puts a zero before the first digit
	out := append(buf[:0], byte((d.exp+odd)/2+exponentBias))
	for i := -odd; i < d.n; i += 2 {
		pair := 10*d.digit(i) + d.digit(i+1)
		if d.neg {
			out = append(out, 101-pair)
		} else {
			out = append(out, pair+1)
		}
	}
	if d.neg {
		out[0] = ^out[0]
		if len(out) < fullLength {
			out = append(out, negativeEnd)
		}
	}
	return string(out)
}

func (d *decimal) digit(i int) byte {
	if i < 0 || i >= d.n {
		return 0
	}
	return d.digits[i]
}

// decode takes an encoded number apart.
func (d *decimal) decode(enc string) {
	if len(enc) < 2 {
		return // zero
	}
	first := enc[0]
	d.neg = isNegative(enc)
	if d.neg {
		first, enc = ^first, strings.TrimSuffix(enc, string(rune(negativeEnd)))
	}
	d.exp = 2 * (int(first) - exponentBias)
	for _, b := range []byte(enc[1:]) {
		pair := b - 1
		if d.neg {
			pair = 101 - b
		}
		d.put(pair / 10)
		d.put(pair % 10)
	}
	d.trim()
}

// isNegative tells the sign of an encoded number other than zero. Exponents
// reach from -64 to 63, so a positive number's first byte is 128 or more.
func isNegative(enc string) bool { return enc[0] < 0x80 }

// trim drops the zero that pairing put before or after the digits.
func (d *decimal) trim() {
	if d.n > 0 && d.digits[0] == 0 {
		copy(d.digits[:], d.digits[1:d.n])
		d.n--
		d.exp--
	}
	if d.n > 0 && d.digits[d.n-1] == 0 {
		d.n--
	}
}

// small returns the number as an integer of at most 18 digits, if it is one.
func (d *decimal) small() (i int64, ok bool) {
	if d.exp > 18 || d.exp < d.n {
		return 0, false
	}
	for _, digit := range d.digits[:d.n] {
		i = 10*i + int64(digit)
	}
	for range d.exp - d.n {
		i *= 10
	}
	if d.neg {
		i = -i
	}
	return i, true
}

// scaled returns the number divided by 10^scale, where that is an integer.
func (d *decimal) scaled(scale int) *big.Int {
	i := new(big.Int)
	for _, digit := range d.digits[:d.n] {
		i.Add(i.Mul(i, big.NewInt(10)), big.NewInt(int64(digit)))
	}
	if shift := d.exp - d.n - scale; d.n > 0 {
		i.Mul(i, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(shift)), nil))
	}
	if d.neg {
		i.Neg(i)
	}
	return i
}
