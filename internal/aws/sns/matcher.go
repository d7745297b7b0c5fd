package sns

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/jsonpath"
	"github.com/gatepost-dev/gatepost/internal/pattern"
)

// parseCIDR wants an address and the number of its leading bits, as "10.0.0.0/24".
func parseCIDR(v jsonpath.Value) (pattern.Matcher, error) {
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
	return pattern.OnString(func(s string) bool {
		ip, err := netip.ParseAddr(s)
		return err == nil && net.Contains(ip)
	}), nil
}

// parseWildcard reads a pattern in which "*" stands for any run of characters,
// "\*" for an asterisk and "\\" for a backslash. Two asterisks in a row are not
// allowed.
func parseWildcard(v jsonpath.Value) (pattern.Matcher, error) {
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
	return pattern.OnString(func(s string) bool { return matchParts(s, parts) }), nil
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
