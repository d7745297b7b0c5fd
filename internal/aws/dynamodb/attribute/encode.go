package attribute

import (
	"encoding/base64"
	"unicode/utf8"
)

// MarshalJSON returns the map as a JSON object of attribute values, the form
// of an item in an answer.
func (v Map) MarshalJSON() ([]byte, error) {
	return v.AppendJSON(make([]byte, 0, 64+2*v.ItemSize())), nil
}

// AppendJSON appends what MarshalJSON returns.
func (v Map) AppendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	for i, f := range v {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendQuoted(dst, f.Name)
		dst = append(dst, ':')
		dst = AppendJSON(dst, f.Value)
	}
	return append(dst, '}')
}

// AppendJSON appends an attribute value: {"S":"text"}.
func AppendJSON(dst []byte, v Value) []byte {
	dst = append(dst, `{"`...)
	dst = append(dst, v.Type()...)
	dst = append(dst, `":`...)
	switch v := v.(type) {
	case String:
		dst = appendQuoted(dst, string(v))
	case Number:
		dst = append(v.AppendText(append(dst, '"')), '"')
	case Binary:
		dst = appendBase64(dst, string(v))
	case Bool:
		dst = appendBool(dst, bool(v))
	case Null:
		dst = appendBool(dst, true)
	case Map:
		dst = v.AppendJSON(dst)
	case List:
		dst = appendList(dst, v, AppendJSON)
	case StringSet:
		dst = appendList(dst, v, appendQuoted)
	case NumberSet:
		dst = appendList(dst, v, func(dst []byte, n Number) []byte { return append(n.AppendText(append(dst, '"')), '"') })
	case BinarySet:
		dst = appendList(dst, v, appendBase64)
	}
	return append(dst, '}')
}

func appendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, "true"...)
	}
	return append(dst, "false"...)
}

func appendList[E any](dst []byte, list []E, each func([]byte, E) []byte) []byte {
	dst = append(dst, '[')
	for i, e := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = each(dst, e)
	}
	return append(dst, ']')
}

func appendBase64(dst []byte, s string) []byte {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, []byte(s))
	return append(dst, '"')
}

const hexDigits = "0123456789abcdef"

// appendQuoted appends a JSON string. Bytes that are not UTF-8 become U+FFFD.
func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(append(dst, s[start:i]...), "\ufffd"...)
				start = i + 1
			}
			i += size
			continue
		}
		if c < ' ' || c == '"' || c == '\\' {
			dst = appendEscape(append(dst, s[start:i]...), c)
			start = i + 1
		}
		i++
	}
	return append(append(dst, s[start:]...), '"')
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}
