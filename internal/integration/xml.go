package integration

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/jsonpath"
)

// maxXMLDepth bounds how deep elements may nest.
const maxXMLDepth = 64

// xmlToJSON makes JSON of an answer of the query protocol. API Gateway asks AWS
// services for JSON unless a request parameter maps Accept to XML, so templates
// read $.SendMessageResponse.SendMessageResult.MessageId; Gatepost's endpoints
// answer queries in XML alone. An element with elements in it is an object, one
// with text a string, a repeated one an array. An error's envelope is left
// away: {"Error": {...}, "RequestId": ...}.
func xmlToJSON(text []byte) ([]byte, error) {
	d := xml.NewDecoder(bytes.NewReader(text))
	for {
		token, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("no XML: %w", err)
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		v, err := readElement(d, 1)
		if err != nil {
			return nil, fmt.Errorf("no XML: %w", err)
		}
		if start.Name.Local != "ErrorResponse" {
			v = jsonpath.ObjectOf(jsonpath.Member{Key: start.Name.Local, Value: v})
		}
		return v.JSON(), nil
	}
}

// readElement reads what is in an element up to its end.
func readElement(d *xml.Decoder, depth int) (jsonpath.Value, error) {
	if depth > maxXMLDepth {
		return jsonpath.Value{}, errors.New("elements nest too deep")
	}
	var text strings.Builder
	var names []string
	children := make(map[string][]jsonpath.Value)
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return jsonpath.Value{}, err
		}
		switch token := token.(type) {
		case xml.CharData:
			text.Write(token)
		case xml.StartElement:
			child, err := readElement(d, depth+1)
			if err != nil {
				return jsonpath.Value{}, err
			}
			name := token.Name.Local
			if children[name] == nil {
				names = append(names, name)
			}
			children[name] = append(children[name], child)
		case xml.EndElement:
			return element(text.String(), names, children), nil
		}
	}
}

func element(text string, names []string, children map[string][]jsonpath.Value) jsonpath.Value {
	if len(names) == 0 {
		return jsonpath.StringOf(text)
	}
	members := make([]jsonpath.Member, len(names))
	for i, name := range names {
		v := children[name][0]
		if len(children[name]) > 1 {
			v = jsonpath.ArrayOf(children[name]...)
		}
		members[i] = jsonpath.Member{Key: name, Value: v}
	}
	return jsonpath.ObjectOf(members...)
}
