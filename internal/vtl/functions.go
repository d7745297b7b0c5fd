package vtl

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf16"

	"github.com/gatepost-dev/gatepost/internal/jsonpath"
)

// utility calls a function of $util.
func (e *execution) utility(name string, arguments []value) (value, error) {
	if len(arguments) != 1 {
		return nil, nil
	}
	s, err := e.textOf(arguments[0])
	if err != nil {
		return nil, err
	}
	// The longest result of any of them has six bytes for one.
	if err := e.spend(1 + 6*len(s)/textPerStep); err != nil {
		return nil, err
	}
	if name == "parseJson" {
		return e.parseJSON(s)
	}
	convert := converters[name]
	if convert == nil {
		return nil, nil
	}
	converted, err := convert(s)
	if err != nil {
		return nil, err
	}
	return converted, e.checkText(len(converted))
}

// converters are the functions of $util that make a text of a text.
var converters = map[string]func(string) (string, error){
	"escapeJavaScript": escapeJavaScript,
	"urlEncode":        urlEncode,
	"urlDecode":        urlDecode,
	"base64Encode":     base64Encode,
	"base64Decode":     base64Decode,
}

func (e *execution) parseJSON(s string) (value, error) {
	v, err := jsonpath.Parse([]byte(s))
	if err != nil {
		return nil, fmt.Errorf("$util.parseJson: %w", err)
	}
	return e.fromJSON(v)
}

// escapeJavaScript escapes as StringEscapeUtils of Apache Commons Lang does:
// quotes of both kinds, the slash and the backslash get a backslash, control
// characters and everything beyond ASCII become \uXXXX in UTF-16. (The
// developer guide warns that single quotes become \', which is no JSON.)
func escapeJavaScript(s string) (string, error) {
	var b strings.Builder
	for _, r := range s {
		switch short := strings.IndexRune("\b\n\t\f\r", r); {
		case strings.ContainsRune(`'"\/`, r):
			b.WriteByte('\\')
			b.WriteRune(r)
		case short >= 0:
			b.WriteByte('\\')
			b.WriteByte("bntfr"[short])
		case r < ' ' || r > '~':
			for _, unit := range utf16.AppendRune(nil, r) {
				fmt.Fprintf(&b, `\u%04X`, unit)
			}
		default:
			b.WriteRune(r)
		}
	}
	return b.String(), nil
}

// urlEncode is java.net.URLEncoder: a blank becomes a plus, and . - * _ stay.
func urlEncode(s string) (string, error) {
	s = url.QueryEscape(strings.ToValidUTF8(s, "\uFFFD"))
	return strings.NewReplacer("%2A", "*", "~", "%7E").Replace(s), nil
}

func urlDecode(s string) (string, error) {
	decoded, err := url.QueryUnescape(s)
	if err != nil {
		return "", fmt.Errorf("$util.urlDecode: %w", err)
	}
	return strings.ToValidUTF8(decoded, "\uFFFD"), nil
}

func base64Encode(s string) (string, error) {
	return base64.StdEncoding.EncodeToString([]byte(s)), nil
}

// base64Decode takes what Apache Commons Codec takes: both alphabets, with or
// without padding, with line breaks.
func base64Decode(s string) (string, error) {
	s = strings.NewReplacer("-", "+", "_", "/", "\r", "", "\n", "", " ", "", "\t", "", "=", "").Replace(s)
	decoded, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil {
		return "", errors.New("$util.base64Decode: the text is no base64")
	}
	return strings.ToValidUTF8(string(decoded), "\uFFFD"), nil
}
