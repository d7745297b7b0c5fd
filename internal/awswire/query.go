package awswire

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// The query protocol writes a structure as flat parameters and answers in XML
// (the AWS query protocol of the Smithy documentation). DecodeQuery and
// EncodeXML follow the fields of a Go struct; a parameter has the field's name
// unless a tag says otherwise:
//
//	Name   string                                                  Name=
//	Ids    []string                                                Ids.member.1=
//	Ids    []string          `query:"Id,flat"`                     Id.1=
//	Attrs  map[string]string                                       Attrs.entry.1.key= &.value=
//	Attrs  map[string]string `query:"Attribute,flat,Name,Value"`   Attribute.1.Name= &.Value=
//	Hidden string            `query:"-"`
//
// The third and fourth word are the names of a map's key and value. Fields are
// strings, whole numbers, booleans, []byte (base64), structs, and pointers,
// slices and string-keyed maps of these.
type queryTag struct {
	name, key, value string
	flat, skip       bool
}

func readQueryTag(f reflect.StructField) queryTag {
	words := append(strings.Split(f.Tag.Get("query"), ","), "", "", "")
	tag := queryTag{name: words[0], flat: words[1] == "flat", key: words[2], value: words[3]}
	tag.skip = tag.name == "-" || !f.IsExported()
	if tag.name == "" {
		tag.name = f.Name
	}
	if tag.key == "" {
		tag.key, tag.value = "key", "value"
	}
	return tag
}

// DecodeQuery fills the struct that in points to from the parameters of a query
// call. What has no parameter keeps its value; a list ends before the first
// number that is missing. A value that does not fit is an *Error that names its
// parameter.
func DecodeQuery(form url.Values, in any) error {
	_, err := decodeStruct(form, "", reflect.ValueOf(in).Elem())
	return err
}

// decodeStruct, like its companions, reports whether any parameter was there.
func decodeStruct(form url.Values, prefix string, v reflect.Value) (found bool, err error) {
	for i := range v.NumField() {
		tag := readQueryTag(v.Type().Field(i))
		if tag.skip {
			continue
		}
		ok, err := decodeField(form, prefix+tag.name, tag, v.Field(i))
		if err != nil {
			return false, err
		}
		found = found || ok
	}
	return found, nil
}

func decodeField(form url.Values, name string, tag queryTag, v reflect.Value) (bool, error) {
	switch v.Kind() {
	case reflect.Struct:
		return decodeStruct(form, name+".", v)
	case reflect.Pointer:
		target := reflect.New(v.Type().Elem())
		found, err := decodeField(form, name, tag, target.Elem())
		if found {
			v.Set(target)
		}
		return found, err
	case reflect.Map:
		return decodeMap(form, name, tag, v)
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Uint8 {
			return decodeList(form, name, tag, v)
		}
	}
	values, ok := form[name]
	if !ok || len(values) == 0 {
		return false, nil
	}
	return true, decodeScalar(name, values[0], v)
}

// decodeList reads one item after the other. Each takes a parameter of its own,
// so the form's size bounds the list.
func decodeList(form url.Values, name string, tag queryTag, v reflect.Value) (bool, error) {
	if !tag.flat {
		name += ".member"
	}
	for n := 1; ; n++ {
		item := reflect.New(v.Type().Elem()).Elem()
		found, err := decodeField(form, name+"."+strconv.Itoa(n), tag, item)
		if err != nil || !found {
			return n > 1, err
		}
		v.Set(reflect.Append(v, item))
	}
}

func decodeMap(form url.Values, name string, tag queryTag, v reflect.Value) (bool, error) {
	if !tag.flat {
		name += ".entry"
	}
	for n := 1; ; n++ {
		entry := name + "." + strconv.Itoa(n) + "."
		if !form.Has(entry + tag.key) {
			return n > 1, nil
		}
		if v.IsNil() {
			v.Set(reflect.MakeMap(v.Type()))
		}
		item := reflect.New(v.Type().Elem()).Elem()
		if _, err := decodeField(form, entry+tag.value, tag, item); err != nil {
			return false, err
		}
		v.SetMapIndex(reflect.ValueOf(form.Get(entry+tag.key)).Convert(v.Type().Key()), item)
	}
}

func decodeScalar(name, text string, v reflect.Value) (err error) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		var b bool
		b, err = strconv.ParseBool(text)
		v.SetBool(b)
	case reflect.Int, reflect.Int32, reflect.Int64:
		var n int64
		n, err = strconv.ParseInt(text, 10, v.Type().Bits())
		v.SetInt(n)
	case reflect.Slice:
		var b []byte
		b, err = base64.StdEncoding.DecodeString(text)
		v.SetBytes(b)
	default:
		panic("awswire: query parameter " + name + " cannot be a " + v.Type().String())
	}
	if err == nil {
		return nil
	}
	return &Error{Code: "InvalidParameterValueException", QueryCode: "InvalidParameterValue",
		Message: fmt.Sprintf("Value %s for parameter %s is invalid. Reason: Must be %s.", clip(text), clip(name), wantOf(v.Kind()))}
}

func wantOf(k reflect.Kind) string {
	switch k {
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "base64"
	}
	return "a whole number"
}

// EncodeXML writes the answer to a query call: out, a struct as described at
// DecodeQuery or nil for an operation without a result, in the service's XML
// namespace. Empty strings, lists and maps and nil pointers are left out.
func EncodeXML(operation, namespace string, out any, requestID string) []byte {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	fmt.Fprintf(&b, `<%sResponse xmlns="%s">`, operation, escapeXML(namespace))
	if v := reflect.Indirect(reflect.ValueOf(out)); v.IsValid() {
		element(&b, operation+"Result", func() { encodeStruct(&b, v) })
	}
	element(&b, "ResponseMetadata", func() {
		element(&b, "RequestId", func() { xml.EscapeText(&b, []byte(requestID)) })
	})
	fmt.Fprintf(&b, "</%sResponse>", operation)
	return b.Bytes()
}

func element(b *bytes.Buffer, name string, content func()) {
	b.WriteString("<" + name + ">")
	content()
	b.WriteString("</" + name + ">")
}

func encodeStruct(b *bytes.Buffer, v reflect.Value) {
	for i := range v.NumField() {
		if tag := readQueryTag(v.Type().Field(i)); !tag.skip {
			encodeField(b, tag, v.Field(i))
		}
	}
}

func encodeField(b *bytes.Buffer, tag queryTag, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			encodeField(b, tag, v.Elem())
		}
	case reflect.Struct:
		element(b, tag.name, func() { encodeStruct(b, v) })
	case reflect.Map:
		encodeMap(b, tag, v)
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Uint8 {
			encodeList(b, tag, v)
			return
		}
		encodeText(b, tag.name, base64.StdEncoding.EncodeToString(v.Bytes()))
	default:
		encodeText(b, tag.name, fmt.Sprint(v.Interface()))
	}
}

func encodeText(b *bytes.Buffer, name, text string) {
	if text != "" {
		element(b, name, func() { xml.EscapeText(b, []byte(text)) })
	}
}

func encodeList(b *bytes.Buffer, tag queryTag, v reflect.Value) {
	items := func(name string) {
		for i := range v.Len() {
			encodeField(b, queryTag{name: name, key: "key", value: "value"}, v.Index(i))
		}
	}
	switch {
	case v.Len() == 0:
	case tag.flat:
		items(tag.name)
	default:
		element(b, tag.name, func() { items("member") })
	}
}

func encodeMap(b *bytes.Buffer, tag queryTag, v reflect.Value) {
	entries := func(name string) {
		for _, key := range sortedKeys(v) {
			element(b, name, func() {
				encodeText(b, tag.key, key.String())
				encodeField(b, queryTag{name: tag.value, key: "key", value: "value"}, v.MapIndex(key))
			})
		}
	}
	switch {
	case v.Len() == 0:
	case tag.flat:
		entries(tag.name)
	default:
		element(b, tag.name, func() { entries("entry") })
	}
}

// sortedKeys makes answers the same each time.
func sortedKeys(v reflect.Value) []reflect.Value {
	return slices.SortedFunc(slices.Values(v.MapKeys()), func(a, b reflect.Value) int {
		return strings.Compare(a.String(), b.String())
	})
}

// queryErrorBody is the XML error document of the query protocol.
func queryErrorBody(e *Error, status int, requestID string) []byte {
	code, fault := e.QueryCode, "Sender"
	if code == "" {
		code = e.Code
	}
	if status >= 500 {
		fault = "Receiver"
	}
	return fmt.Appendf(nil, `<?xml version="1.0"?><ErrorResponse><Error><Type>%s</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>%s</RequestId></ErrorResponse>`,
		fault, escapeXML(code), escapeXML(e.Message), escapeXML(requestID))
}

func escapeXML(s string) string {
	var buf bytes.Buffer
	xml.EscapeText(&buf, []byte(s))
	return buf.String()
}
