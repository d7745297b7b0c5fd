package awswire

import (
	"net/http"
	"net/textproto"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
)

// appendCanonical appends the canonical request ("Create a canonical request"
// in the AWS general reference) of the raw path and query as they were sent.
func appendCanonical(b []byte, r *http.Request, path, query string, sig *signature, payload []byte) ([]byte, error) {
	b = append(b, r.Method...)
	b = append(b, '\n')
	b = appendEscaped(b, path, true)
	b = append(b, '\n')
	b, err := appendCanonicalQuery(b, query)
	if err != nil {
		return b, err
	}
	b = append(b, '\n')
	if b, err = appendCanonicalHeaders(b, r, sig.signedHeaders); err != nil {
		return b, err
	}
	b = append(b, '\n')
	b = append(b, sig.signedHeaders...)
	b = append(b, '\n')
	return append(b, payload...), nil
}

// wireTarget returns the path and query of a request that we serve exactly as
// the client sent them: what it encoded stays encoded.
func wireTarget(r *http.Request) (path, query string) {
	if r.RequestURI != "" {
		return splitTarget(r.RequestURI)
	}
	return splitTarget(r.URL.RequestURI())
}

// splitTarget splits a request target, also one in absolute form.
func splitTarget(target string) (path, query string) {
	if !strings.HasPrefix(target, "/") {
		if _, rest, ok := strings.Cut(target, "://"); ok {
			target = ""
			if i := strings.IndexAny(rest, "/?"); i >= 0 {
				target = rest[i:]
			}
		}
	}
	path, query, _ = strings.Cut(target, "?")
	if path == "" {
		path = "/"
	}
	return path, query
}

// normalPath removes empty and dot segments.
func normalPath(p string) string {
	if !strings.Contains(p, "//") && !strings.Contains(p, "/.") {
		return p
	}
	clean := path.Clean(p)
	if clean != "/" && strings.HasSuffix(p, "/") {
		clean += "/"
	}
	return clean
}

const upperHex = "0123456789ABCDEF"

// unreserved marks the bytes that AWS's URI encoding leaves alone.
var unreserved = func() (t [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~") {
		t[c] = true
	}
	return t
}()

// appendEscaped appends s URI-encoded once, whatever it held before.
func appendEscaped(b []byte, s string, keepSlash bool) []byte {
	for i := range len(s) {
		c := s[i]
		if unreserved[c] || c == '/' && keepSlash {
			b = append(b, c)
			continue
		}
		b = append(b, '%', upperHex[c>>4], upperHex[c&15])
	}
	return b
}

// appendCanonicalQuery appends the parameters, each encoded anew and sorted,
// without the signature itself.
func appendCanonicalQuery(b []byte, query string) ([]byte, error) {
	if query == "" {
		return b, nil
	}
	if len(query) > maxSignedQuery {
		return b, incomplete("The query string is longer than %d bytes.", maxSignedQuery)
	}
	type parameter struct{ name, value string }
	var parameters []parameter
	for part := range strings.SplitSeq(query, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		name, nameErr := reescape(name)
		value, valueErr := reescape(value)
		if nameErr != nil || valueErr != nil {
			return b, incomplete("The query string cannot be read: '%s' is not URI-encoded.", clip(part))
		}
		if name != "X-Amz-Signature" {
			parameters = append(parameters, parameter{name, value})
		}
	}
	slices.SortFunc(parameters, func(x, y parameter) int {
		if c := strings.Compare(x.name, y.name); c != 0 {
			return c
		}
		return strings.Compare(x.value, y.value)
	})
	for i, p := range parameters {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(b, p.name...)
		b = append(b, '=')
		b = append(b, p.value...)
	}
	return b, nil
}

func reescape(s string) (string, error) {
	plain, err := url.QueryUnescape(s)
	return string(appendEscaped(nil, plain, false)), err
}

func appendCanonicalHeaders(b []byte, r *http.Request, signed string) ([]byte, error) {
	for signed != "" {
		var name string
		name, signed, _ = strings.Cut(signed, ";")
		b = append(b, name...)
		b = append(b, ':')
		var ok bool
		if b, ok = appendHeader(b, r, name); !ok {
			return b, refusal("InvalidSignatureException", "SignedHeaders names '%s', but the request has no such header.", clip(name))
		}
		b = append(b, '\n')
	}
	return b, nil
}

// authority is the host in HTTP/2 (RFC 9113 8.3.1). Clients that speak it may
// sign it under this name.
const authority = ":authority"

// appendHeader appends the values of a header. Those that net/http takes out of
// the header map are found where it puts them.
func appendHeader(b []byte, r *http.Request, name string) ([]byte, bool) {
	if name == "host" || name == authority {
		host := r.Host
		if host == "" {
			host = r.URL.Host
		}
		return appendTrimmed(b, host), true
	}
	values := headerValues(r.Header, name)
	switch {
	case len(values) > 0:
		for i, v := range values {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendTrimmed(b, v)
		}
	case name == "content-length" && r.ContentLength >= 0:
		b = strconv.AppendInt(b, r.ContentLength, 10)
	case name == "transfer-encoding" && len(r.TransferEncoding) > 0:
		b = append(b, strings.Join(r.TransferEncoding, ",")...)
	default:
		return b, false
	}
	return b, true
}

// appendTrimmed appends a header value without the spaces around it and with
// single spaces inside.
func appendTrimmed(b []byte, v string) []byte {
	v = strings.Trim(v, " \t")
	for {
		i := strings.Index(v, "  ")
		if i < 0 {
			return append(b, v...)
		}
		b = append(b, v[:i+1]...)
		v = strings.TrimLeft(v[i:], " ")
	}
}

// headerValues is Header.Values for a lower-case name, without an allocation
// for names of usual length.
func headerValues(h http.Header, name string) []string {
	var key [48]byte
	if len(name) > len(key) {
		return h[textproto.CanonicalMIMEHeaderKey(name)]
	}
	upper := true
	for i := range len(name) {
		c := name[i]
		if upper && 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		} else if !upper && 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		key[i] = c
		upper = c == '-'
	}
	return h[string(key[:len(name)])]
}

// headerValue is Header.Get for a name in canonical form.
func headerValue(h http.Header, key string) string {
	if v := h[key]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// headersToSign lists the headers that Sign signs, in order.
func headersToSign(h http.Header) string {
	names := []string{"host"}
	for key := range h {
		if name := strings.ToLower(key); name == "content-type" || strings.HasPrefix(name, "x-amz-") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ";")
}
