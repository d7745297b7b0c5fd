package jsonpath

import "unicode/utf8"

// JSON returns the value as compact JSON: keys in their order, numbers as they
// were written, nothing escaped that JSON does not want escaped.
func (v Value) JSON() []byte { return v.AppendJSON(nil) }

// AppendJSON appends the compact JSON of the value to b.
func (v Value) AppendJSON(b []byte) []byte {
	switch v.kind {
	case Bool, Number:
		return append(b, v.text...)
	case String:
		return AppendString(b, v.text)
	case Array:
		return v.appendArray(b)
	case Object:
		return v.appendObject(b)
	}
	return append(b, "null"...)
}

func (v Value) appendArray(b []byte) []byte {
	b = append(b, '[')
	for i := range v.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		b = v.Index(i).AppendJSON(b)
	}
	return append(b, ']')
}

func (v Value) appendObject(b []byte) []byte {
	b = append(b, '{')
	for i := range v.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendString(b, v.Key(i))
		b = append(b, ':')
		b = v.Index(i).AppendJSON(b)
	}
	return append(b, '}')
}

// AppendString appends s as a JSON string, in quotes. Bytes that are no UTF-8
// become U+FFFD, one each.
func AppendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				b = append(append(b, s[from:i]...), "\uFFFD"...)
				from = i + 1
			}
			i += size
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		b = append(b, s[from:i]...)
		if short := shortEscape(c); short != 0 {
			b = append(b, '\\', short)
		} else {
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		from = i
	}
	return append(append(b, s[from:]...), '"')
}

// shortEscape returns the letter after the backslash, or 0 if there is none.
func shortEscape(c byte) byte {
	switch c {
	case '"', '\\':
		return c
	case '\b':
		return 'b'
	case '\f':
		return 'f'
	case '\n':
		return 'n'
	case '\r':
		return 'r'
	case '\t':
		return 't'
	}
	return 0
}

// Text returns the value as API Gateway writes it into a route key or a
// header, which is Java's toString (developer guide, "Create routes for
// WebSocket APIs": an array of two is "[item1, item2]"): strings bare, numbers
// as written, "[a, b]" for arrays, "{k=v, k2=v2}" for objects. A null is empty
// text by itself, because it selects nothing, and "null" within an array or an
// object, as Java has it.
func (v Value) Text() string {
	switch v.kind {
	case Null:
		return ""
	case Array, Object:
		return string(v.appendText(nil))
	}
	return v.text
}

func (v Value) appendText(b []byte) []byte {
	switch v.kind {
	case Null:
		return append(b, "null"...)
	case Array:
		b = append(b, '[')
		for i := range v.Len() {
			b = appendComma(b, i)
			b = v.Index(i).appendText(b)
		}
		return append(b, ']')
	case Object:
		b = append(b, '{')
		for i := range v.Len() {
			b = appendComma(b, i)
			b = append(append(b, v.Key(i)...), '=')
			b = v.Index(i).appendText(b)
		}
		return append(b, '}')
	}
	return append(b, v.text...)
}

func appendComma(b []byte, i int) []byte {
	if i == 0 {
		return b
	}
	return append(b, ", "...)
}
