package gateway

import (
	"bytes"
	"iter"
	"net/url"
	"strings"

	"github.com/gatepost-dev/gatepost/apigw"
)

// head is the request line and the headers of an HTTP/1.1 request, with the
// header names as the client wrote them: net/http would rewrite them, and
// functions look names up with case.
type head struct {
	method, target, proto string
	headers               []apigw.Header
}

// parseHead splits a request head into its parts. The strings are one copy of
// raw, so that raw may be reused.
func parseHead(raw []byte) (head, error) {
	text := string(bytes.TrimSuffix(raw, []byte("\r\n\r\n")))
	line, rest, _ := strings.Cut(text, "\r\n")
	var h head
	var ok bool
	if h.method, line, ok = strings.Cut(line, " "); !ok || !isToken(h.method) {
		return h, errHeadMalformed
	}
	if h.target, h.proto, ok = strings.Cut(line, " "); !ok || !isTarget(h.target) || !strings.HasPrefix(h.proto, "HTTP/1.") {
		return h, errHeadMalformed
	}
	h.headers = make([]apigw.Header, 0, strings.Count(rest, "\r\n")+1)
	for rest != "" {
		line, rest, _ = strings.Cut(rest, "\r\n")
		name, value, ok := strings.Cut(line, ":")
		value = strings.Trim(value, " \t")
		if !ok || !isToken(name) || !isFieldValue(value) {
			return h, errHeadMalformed
		}
		h.headers = append(h.headers, apigw.Header{Name: name, Value: value})
	}
	return h, nil
}

// isToken reports whether s is a token of RFC 9110 section 5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		alphanumeric := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !alphanumeric && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

// isTarget refuses an empty request target and one with spaces or control
// characters (RFC 9112 section 3.2).
func isTarget(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == 0x7f {
			return false
		}
	}
	return s != ""
}

// isFieldValue refuses control characters, a bare CR or LF among them
// (RFC 9110 section 5.5).
func isFieldValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// get returns the first value of a header, its name compared without case.
func (h *head) get(name string) string {
	for i := range h.headers {
		if strings.EqualFold(h.headers[i].Name, name) {
			return h.headers[i].Value
		}
	}
	return ""
}

// count returns how many lines a header has, its name compared without case.
func (h *head) count(name string) (n int) {
	for i := range h.headers {
		if strings.EqualFold(h.headers[i].Name, name) {
			n++
		}
	}
	return n
}

// values returns all values of a header, its name compared without case.
func (h *head) values(name string) (all []string) {
	for i := range h.headers {
		if strings.EqualFold(h.headers[i].Name, name) {
			all = append(all, h.headers[i].Value)
		}
	}
	return all
}

// lines yields the header lines in order.
func (h *head) lines() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, l := range h.headers {
			if !yield(l.Name, l.Value) {
				return
			}
		}
	}
}

// hasToken reports whether a comma-separated header holds a token, compared
// without case.
func (h *head) hasToken(name, token string) bool {
	for i := range h.headers {
		if !strings.EqualFold(h.headers[i].Name, name) {
			continue
		}
		for part := range strings.SplitSeq(h.headers[i].Value, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

// isUpgrade reports whether the request asks for a WebSocket (RFC 6455
// section 4.1).
func (h *head) isUpgrade() bool {
	return h.method == "GET" && h.hasToken("Upgrade", "websocket") && h.hasToken("Connection", "upgrade")
}

// splitTarget returns the path and the query of the request target, which may
// be a whole URL (RFC 6455 section 4.1).
func (h *head) splitTarget() (path, query string) {
	path, query, _ = strings.Cut(h.target, "?")
	if _, rest, absolute := strings.Cut(path, "://"); absolute && !strings.HasPrefix(path, "/") {
		_, path, _ = strings.Cut(rest, "/")
		path = "/" + path
	}
	return path, query
}

// parameters reads a query string leniently: what cannot be decoded is kept as
// the client sent it. The single map keeps the last value of a name.
func parameters(query string) (single map[string]string, multi map[string][]string) {
	if query == "" {
		return nil, nil
	}
	single, multi = make(map[string]string), make(map[string][]string)
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, value = unescape(name), unescape(value)
		single[name] = value
		multi[name] = append(multi[name], value)
	}
	return single, multi
}

func unescape(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}
