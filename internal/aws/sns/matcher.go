package sns

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/jsonpath"
)

// matcher says whether a property's value, which is never an array or an
// object, is one of those that a policy asks for.
type matcher func(v jsonpath.Value) bool

// exact compares strings, booleans and null; a string is never equal to a
// number.
func exact(want jsonpath.Value) matcher {
	return func(v jsonpath.Value) bool {
		return v.Kind() == want.Kind() && v.Str() == want.Str() && v.Bool() == want.Bool()
	}
}

// exactNumber compares by value, so that 301.5 is 3.015e2; what no float64 can
// hold is compared as it is written.
func exactNumber(text string) matcher {
	want, err := strconv.ParseFloat(text, 64)
	return func(v jsonpath.Value) bool {
		if v.Kind() != jsonpath.Number {
			return false
		}
		n, ok := number(v)
		return v.Str() == text || ok && err == nil && n == want
	}
}

func number(v jsonpath.Value) (float64, bool) {
	if v.Kind() != jsonpath.Number {
		return 0, false
	}
	n, err := strconv.ParseFloat(v.Str(), 64)
	return n, err == nil
}

func onString(test func(string) bool) matcher {
	return func(v jsonpath.Value) bool { return v.Kind() == jsonpath.String && test(v.Str()) }
}

func prefix(p string) matcher {
	return onString(func(s string) bool { return strings.HasPrefix(s, p) })
}

func suffix(p string) matcher {
	return onString(func(s string) bool { return strings.HasSuffix(s, p) })
}

func ignoringCase(p string) matcher {
	return onString(func(s string) bool { return strings.EqualFold(s, p) })
}

func noneOf(not []matcher) matcher {
	return func(v jsonpath.Value) bool {
		for _, m := range not {
			if m(v) {
				return false
			}
		}
		return true
	}
}

func numeric(operator string, bound float64) matcher {
	return func(v jsonpath.Value) bool {
		n, ok := number(v)
		if !ok {
			return false
		}
		switch operator {
		case "<":
			return n < bound
		case "<=":
			return n <= bound
		case ">":
			return n > bound
		case ">=":
			return n >= bound
		}
		return n == bound
	}
}

// parseCIDR wants an address and the number of its leading bits, as "10.0.0.0/24".
func parseCIDR(v jsonpath.Value) (matcher, error) {
	if v.Kind() != jsonpath.String {
		// The words are SNS's, which calls every string pattern a prefix here.
		return nil, policyError("prefix match pattern must be a string")
	}
	address, bits, slash := strings.Cut(v.Str(), "/")
	if !slash || strings.Contains(bits, "/") {
		return nil, policyError("Malformed CIDR, one '/' required")
	}
	n, err := strconv.ParseUint(bits, 10, 8)
	if err != nil {
		return nil, policyError("Malformed CIDR, mask bits must be an integer")
	}
	ip, err := netip.ParseAddr(address)
	if err != nil || ip.Zone() != "" {
		return nil, policyError("Nonstandard IP address: %s", clip(address))
	}
	net, err := ip.Prefix(int(n))
	if err != nil {
		return nil, policyError("Malformed CIDR, mask bits must be between 0 and %d", ip.BitLen())
	}
	return onString(func(s string) bool {
		ip, err := netip.ParseAddr(s)
		return err == nil && net.Contains(ip)
	}), nil
}

// parseWildcard reads a pattern in which "*" stands for any run of characters,
// "\*" for an asterisk and "\\" for a backslash. Two asterisks in a row are not
// allowed.
func parseWildcard(v jsonpath.Value) (matcher, error) {
	if v.Kind() != jsonpath.String {
		return nil, policyError("wildcard match pattern must be a string")
	}
	parts := []string{""}
	text := v.Str()
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '*' && i > 0 && text[i-1] == '*' && parts[len(parts)-1] == "":
			return nil, policyError("Consecutive wildcard characters at pos %d", i-1)
		case text[i] == '*':
			parts = append(parts, "")
		case text[i] == '\\':
			i++
			if i == len(text) || text[i] != '*' && text[i] != '\\' {
				return nil, policyError("Invalid escape character at pos %d", i-1)
			}
			fallthrough
		default:
			parts[len(parts)-1] += text[i : i+1]
		}
	}
	return onString(func(s string) bool { return matchParts(s, parts) }), nil
}

// matchParts reports whether s is the parts in their order with anything
// between them. Taking the first place for each is enough, as the last part
// must be at the end.
func matchParts(s string, parts []string) bool {
	last := len(parts) - 1
	if last == 0 {
		return s == parts[0]
	}
	rest, ok := strings.CutPrefix(s, parts[0])
	if !ok {
		return false
	}
	for _, part := range parts[1:last] {
		if _, rest, ok = strings.Cut(rest, part); !ok {
			return false
		}
	}
	return strings.HasSuffix(rest, parts[last])
}
