package sns

import (
	"bytes"
	"encoding/xml"
	"maps"
	"slices"
)

// xmlNamespace is that of SNS's answers.
const xmlNamespace = "http://sns.amazonaws.com/doc/2010-03-31/"

// Lists and maps are structs of their own, so that an empty one still has its
// element, as SNS's has: clients count on the name being there.
type (
	list[T any] struct {
		Member []T `xml:"member"`
	}
	attributeMap struct {
		Entry []attributeEntry `xml:"entry"`
	}
	attributeEntry struct {
		Key   string `xml:"key"`
		Value string `xml:"value"`
	}
)

func attributesOf(m map[string]string) attributeMap {
	var a attributeMap
	for _, name := range slices.Sorted(maps.Keys(m)) {
		a.Entry = append(a.Entry, attributeEntry{name, m[name]})
	}
	return a
}

// answer writes the answer to an operation; result is nil for one that has no
// result.
func answer(operation string, result any, requestID string) []byte {
	var b bytes.Buffer
	b.WriteString("<" + operation + `Response xmlns="` + xmlNamespace + `">`)
	enc := xml.NewEncoder(&b)
	if result != nil {
		mustEncode(enc, result, operation+"Result")
	}
	mustEncode(enc, struct{ RequestId string }{requestID}, "ResponseMetadata")
	b.WriteString("</" + operation + "Response>")
	return b.Bytes()
}

// mustEncode panics on a value that cannot be encoded, which is a fault of ours.
func mustEncode(enc *xml.Encoder, v any, name string) {
	if err := enc.EncodeElement(v, xml.StartElement{Name: xml.Name{Local: name}}); err != nil {
		panic("sns: answer cannot be encoded: " + err.Error())
	}
}
