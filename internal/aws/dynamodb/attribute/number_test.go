package attribute

import (
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseNumber(t *testing.T) {
	for in, want := range map[string]string{
		"0": "0", "-0": "0", "0.000": "0", "0e999": "0", "00012": "12", "+7": "7",
		"1": "1", "-1": "-1", "10": "10", "100": "100", "0.1": "0.1", ".5": "0.5", "5.": "5",
		"-0.0010": "-0.001", "1.50": "1.5", "12.340e1": "123.4", "1e3": "1000", "1E-3": "0.001", "1e+2": "100",
		"99.99":                           "99.99",
		"0.00000000000000000001":          "0.00000000000000000001",
		"1" + strings.Repeat("0", 125):    "1" + strings.Repeat("0", 125),
		"1e125":                           "1" + strings.Repeat("0", 125),
		"1e-130":                          "0." + strings.Repeat("0", 129) + "1",
		"9e125":                           "9" + strings.Repeat("0", 125),
		strings.Repeat("9", 38):           strings.Repeat("9", 38),
		"-" + strings.Repeat("9", 38):     "-" + strings.Repeat("9", 38),
		"-1." + strings.Repeat("9", 37):   "-1." + strings.Repeat("9", 37),
		"1." + strings.Repeat("0", 60):    "1",
		"1e00000000000000000000000000003": "1000",
	} {
		n, err := ParseNumber(in)
		if err != nil || n.String() != want {
			t.Errorf("ParseNumber(%q) = %s, %v; want %s", in, n, err, want)
		}
	}
}

func TestParseNumberRefuses(t *testing.T) {
	const (
		notNumeric = "The parameter cannot be converted to a numeric value"
		overflow   = "Number overflow. Attempting to store a number with magnitude larger than supported range"
		underflow  = "Number underflow. Attempting to store a number with magnitude smaller than supported range"
		tooLong    = "Attempting to store more than 38 significant digits in a Number"
	)
	for in, want := range map[string]string{
		"": notNumeric, "x": notNumeric + ": x", "-": notNumeric + ": -", ".": notNumeric + ": .", "1.2.3": notNumeric + ": 1.2.3",
		" 1": notNumeric + ":  1", "1 ": notNumeric + ": 1 ", "1e": notNumeric + ": 1e", "1e+": notNumeric + ": 1e+", "1e+-5": notNumeric + ": 1e+-5",
		"e5": notNumeric + ": e5", "NaN": notNumeric + ": NaN", "0x10": notNumeric + ": 0x10", "--1": notNumeric + ": --1", "١": notNumeric + ": ١",
		"1e126": overflow, "-1e126": overflow, "1e99999999999999999999": overflow,
		"1e-131": underflow, "-1e-131": underflow, "1e-99999999999999999999": underflow,
		strings.Repeat("1", 39): tooLong, "1" + strings.Repeat("0", 50) + "1": tooLong,
	} {
		if _, err := ParseNumber(in); err == nil || err.Error() != want {
			t.Errorf("ParseNumber(%q): %v; want %s", in, err, want)
		}
	}
}

// The sizes are those that DynamoDB bills: a byte for two digits and one more,
// with the digits paired around the decimal point.
func TestNumberSize(t *testing.T) {
	for in, want := range map[string]int{
		"0": 1, "1": 2, "12": 2, "123": 3, "1234": 3, "-1": 3, "-12": 3, "0.1": 2, "0.01": 2, "1.2": 3, "10": 2, "100": 2,
		strings.Repeat("9", 38): 20, "-" + strings.Repeat("9", 38): 21, "9" + strings.Repeat("9", 36) + ".9": 21,
	} {
		if n := mustNumber(t, in); n.Size() != want {
			t.Errorf("size of %s = %d, want %d (%x)", in, n.Size(), want, n.enc)
		}
	}
}

func mustNumber(t interface{ Fatalf(string, ...any) }, text string) Number {
	n, err := ParseNumber(text)
	if err != nil {
		t.Fatalf("ParseNumber(%q): %v", text, err)
	}
	return n
}

// numberText draws the text of any valid number.
func numberText() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		digits := rapid.StringMatching(`[0-9]{1,38}`).Draw(t, "digits")
		point := rapid.IntRange(0, len(digits)).Draw(t, "point")
		sign := rapid.SampledFrom([]string{"", "-"}).Draw(t, "sign")
		exp := rapid.OneOf(rapid.IntRange(-3, 3), rapid.IntRange(-91, 87)).Draw(t, "exp")
		return sign + digits[:point] + "." + digits[point:] + "e" + big.NewInt(int64(exp)).String()
	})
}

func ratOf(t *rapid.T, text string) *big.Rat {
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		t.Fatalf("big.Rat refuses %q", text)
	}
	return r
}

func TestNumberOrderIsNumeric(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := numberText().Draw(t, "a"), numberText().Draw(t, "b")
		x, y := mustNumber(t, a), mustNumber(t, b)
		want := ratOf(t, a).Cmp(ratOf(t, b))
		if got := strings.Compare(x.Key(), y.Key()); got != want {
			t.Fatalf("%s (%x) against %s (%x): %d, want %d", a, x.enc, b, y.enc, got, want)
		}
		if (x == y) != (want == 0) {
			t.Fatalf("%s == %s is %v", a, b, x == y)
		}
	})
}

func TestNumberText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := numberText().Draw(t, "text")
		n := mustNumber(t, text)
		if ratOf(t, n.String()).Cmp(ratOf(t, text)) != 0 {
			t.Fatalf("%s became %s", text, n)
		}
		if mustNumber(t, n.String()) != n {
			t.Fatalf("%s does not read back as itself", n)
		}
	})
}

func TestNumberSum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := numberText().Draw(t, "a"), numberText().Draw(t, "b")
		x, y := mustNumber(t, a), mustNumber(t, b)
		for _, c := range []struct {
			sum  func(Number) (Number, error)
			want *big.Rat
		}{{x.Add, new(big.Rat).Add(ratOf(t, a), ratOf(t, b))}, {x.Sub, new(big.Rat).Sub(ratOf(t, a), ratOf(t, b))}} {
			got, err := c.sum(y)
			if err == nil && ratOf(t, got.String()).Cmp(c.want) != 0 {
				t.Fatalf("%s and %s make %s, want %s", x, y, got, c.want)
			}
			if digits := strings.Trim(strings.ReplaceAll(c.want.FloatString(170), ".", ""), "-0"); (err == nil) != (len(digits) <= maxDigits) {
				t.Fatalf("%s and %s: %v with %d digits", x, y, err, len(digits))
			}
		}
	})
}

func FuzzParseNumber(f *testing.F) {
	for _, seed := range []string{"0", "-12.5e3", "1e-130", "9.9e125", ".", "1e", "00.100", "+1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := ParseNumber(text)
		if err != nil {
			return
		}
		if again := mustNumber(t, n.String()); again != n {
			t.Fatalf("%q became %s, which became %s", text, n, again)
		}
		if got, ok := new(big.Rat).SetString(text); ok && len(text) < 400 {
			if want, _ := new(big.Rat).SetString(n.String()); got.Cmp(want) != 0 {
				t.Fatalf("%q became %s", text, n)
			}
		}
	})
}

func BenchmarkNumberAdd(b *testing.B) {
	x, y := NumberOf(123456), NumberOf(1)
	for b.Loop() {
		if _, err := x.Add(y); err != nil {
			b.Fatal(err)
		}
	}
}
