package awswire

import (
	"encoding/xml"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

type queryEntry struct {
	Id    string
	Delay *int
	Attrs map[string]queryValue `query:"Attribute,flat,Name,Value"`
}

type queryValue struct {
	DataType string
	Text     *string `query:"StringValue"`
	Bytes    []byte  `query:"BinaryValue"`
}

type queryShape struct {
	Name    string
	Count   int32
	Wide    int64
	Flag    bool
	Plain   []string
	Flat    []string          `query:"FlatName,flat"`
	Table   map[string]string `query:",,Name,Value"`
	Default map[string]string
	Pairs   map[string]string `query:"Attribute,flat,Name,Value"`
	Entries []queryEntry      `query:"Entry,flat"`
	Nested  *queryEntry
	Hidden  string `query:"-"`
	_       string
}

func form(t *testing.T, text string) url.Values {
	t.Helper()
	values, err := url.ParseQuery(strings.ReplaceAll(text, "\n", "&"))
	if err != nil {
		t.Fatal(err)
	}
	return values
}

const shapeForm = `Name=a b
Count=-3
Wide=9007199254740993
Flag=true
Plain.member.1=x
Plain.member.2=y
FlatName.1=p
FlatName.2=q
FlatName.4=after a gap
Table.entry.1.Name=color
Table.entry.1.Value=blue
Default.entry.1.key=k
Default.entry.1.value=v
Attribute.1.Name=A
Attribute.1.Value=1
Attribute.2.Name=B
Entry.1.Id=one
Entry.1.Delay=0
Entry.1.Attribute.1.Name=n
Entry.1.Attribute.1.Value.DataType=Binary
Entry.1.Attribute.1.Value.BinaryValue=AAE=
Entry.2.Id=two
Nested.Id=deep
Hidden=no
_=no
Unknown=ignored`

func shape() queryShape {
	zero := 0
	return queryShape{
		Name: "a b", Count: -3, Wide: 9007199254740993, Flag: true,
		Plain: []string{"x", "y"}, Flat: []string{"p", "q"},
		Table: map[string]string{"color": "blue"}, Default: map[string]string{"k": "v"},
		Pairs: map[string]string{"A": "1", "B": ""},
		Entries: []queryEntry{{Id: "one", Delay: &zero, Attrs: map[string]queryValue{"n": {DataType: "Binary", Bytes: []byte{0, 1}}}},
			{Id: "two"}},
		Nested: &queryEntry{Id: "deep"},
	}
}

func TestDecodeQuery(t *testing.T) {
	var got queryShape
	if err := DecodeQuery(form(t, shapeForm), &got); err != nil {
		t.Fatal(err)
	}
	if want := shape(); !reflect.DeepEqual(got, want) {
		t.Errorf("decoded %+v\nwant    %+v", got, want)
	}
}

func TestDecodeQueryErrors(t *testing.T) {
	for text, want := range map[string]string{
		"Count=many":                   "Value many for parameter Count is invalid. Reason: Must be a whole number.",
		"Count=3000000000":             "Value 3000000000 for parameter Count is invalid. Reason: Must be a whole number.",
		"Flag=maybe":                   "Value maybe for parameter Flag is invalid. Reason: Must be true or false.",
		"Entry.1.Id=x\nEntry.1.Delay=": "Value  for parameter Entry.1.Delay is invalid. Reason: Must be a whole number.",
		"Entry.1.Attribute.1.Name=n\nEntry.1.Attribute.1.Value.BinaryValue=?": "Value ? for parameter Entry.1.Attribute.1.Value.BinaryValue is invalid. Reason: Must be base64.",
	} {
		var got queryShape
		err := DecodeQuery(form(t, text), &got)
		e, ok := err.(*Error)
		if !ok || e.Message != want || e.QueryCode != "InvalidParameterValue" {
			t.Errorf("%q: %v\nwant %s", text, err, want)
		}
	}
}

func TestEncodeXML(t *testing.T) {
	s := shape()
	s.Name = "<&>\r\n\x00"
	got := string(EncodeXML("DoThis", "http://example.com/doc/", &s, "id-1"))
	want := xml.Header + `<DoThisResponse xmlns="http://example.com/doc/"><DoThisResult>` +
		`<Name>&lt;&amp;&gt;&#xD;&#xA;` + "\uFFFD" + `</Name><Count>-3</Count><Wide>9007199254740993</Wide><Flag>true</Flag>` +
		`<Plain><member>x</member><member>y</member></Plain><FlatName>p</FlatName><FlatName>q</FlatName>` +
		`<Table><entry><Name>color</Name><Value>blue</Value></entry></Table>` +
		`<Default><entry><key>k</key><value>v</value></entry></Default>` +
		`<Attribute><Name>A</Name><Value>1</Value></Attribute><Attribute><Name>B</Name></Attribute>` +
		`<Entry><Id>one</Id><Delay>0</Delay><Attribute><Name>n</Name><Value><DataType>Binary</DataType><BinaryValue>AAE=</BinaryValue></Value></Attribute></Entry>` +
		`<Entry><Id>two</Id></Entry><Nested><Id>deep</Id></Nested>` +
		`</DoThisResult><ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata></DoThisResponse>`
	if got != want {
		t.Errorf("encoded %s\nwant    %s", got, want)
	}
	const empty = xml.Header + `<DoThisResponse xmlns="ns"><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></DoThisResponse>`
	for _, none := range []any{nil, (*queryShape)(nil)} {
		if got := string(EncodeXML("DoThis", "ns", none, "id")); got != empty {
			t.Errorf("without a result: %s", got)
		}
	}
}

// FuzzDecodeQuery: no form breaks the decoder, and what it decodes can be
// written as well-formed XML.
func FuzzDecodeQuery(f *testing.F) {
	f.Add(strings.ReplaceAll(shapeForm, "\n", "&"))
	f.Add("Entry.1.Entry.1.Entry.1=x&Plain.member.1=&Table.entry.1.Name=")
	f.Add("Count=99999999999999999999&Entry.2.Id=gap&Nested.Delay=1")
	f.Fuzz(func(t *testing.T, text string) {
		values, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		var s queryShape
		if err := DecodeQuery(values, &s); err != nil {
			if _, ok := err.(*Error); !ok {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		var any struct {
			Inner string `xml:",innerxml"`
		}
		if err := xml.Unmarshal(EncodeXML("Op", "ns", &s, "id"), &any); err != nil {
			t.Fatalf("%q makes bad XML: %v", text, err)
		}
	})
}

func BenchmarkDecodeQuery(b *testing.B) {
	values, _ := url.ParseQuery(strings.ReplaceAll(shapeForm, "\n", "&"))
	for b.Loop() {
		var s queryShape
		if err := DecodeQuery(values, &s); err != nil {
			b.Fatal(err)
		}
	}
}
