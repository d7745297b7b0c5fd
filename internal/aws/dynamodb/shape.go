package dynamodb

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/attribute"
	"github.com/gatepost-dev/gatepost/internal/awswire"
)

// AWS tells with a SerializationException where a request has another form
// than the API's model, in the words of its Java classes. The requests' Go
// types are that model: a struct's class is named by the field that holds it,
// or by the field's tag aws, which also names the class of the elements of
// a list or map.

const (
	errStructure = "Start of structure or map found where not expected"
	errField     = "Unexpected field type"
	errCast      = "class sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl cannot be cast to class java.lang.Class (sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl and java.lang.Class are in module java.base of loader 'bootstrap')"
	classPrefix  = "com.amazonaws.dynamodb.v20120810."
	classString  = "java.lang.String"
)

// attributeValue is the model of an attribute value.
type attributeValue struct {
	S, N      *string
	B         blob
	BOOL, NUL *bool
	SS, NS    []string
	BS        []blob
	L         []attribute.InputValue
	M         attribute.Input
}

type blob string

// explain finds the first place where a body has not the form of in, which
// points to a struct. It returns nil when it finds none, and for what is no
// JSON, which is told elsewhere: the walk below relies on whole documents.
func explain(body []byte, in any) error {
	if !json.Valid(body) {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	w := &formWalker{d: d}
	if message := w.value(part{of: reflect.TypeOf(in).Elem()}); message != "" {
		return awswire.Errorf("SerializationException", "%s", message)
	}
	return nil
}

// formWalker reads a document beside the type that it should have. Its methods
// return what is wrong, or "".
type formWalker struct{ d *json.Decoder }

// part is what is expected at one place: a type, the class that names it or
// its elements, and whether the place is in a list or map.
type part struct {
	of      reflect.Type
	class   string
	element bool
}

var (
	inputType = reflect.TypeFor[attribute.Input]()
	valueType = reflect.TypeFor[attribute.InputValue]()
	blobType  = reflect.TypeFor[blob]()
)

func (w *formWalker) value(p part) string {
	t, err := w.d.Token()
	if err != nil || t == nil {
		return "" // null is like an absent member
	}
	if p.of.Kind() == reflect.Pointer {
		p.of = p.of.Elem()
	}
	switch {
	case p.of == inputType:
		return w.members(t, part{of: reflect.MapOf(reflect.TypeFor[string](), valueType), class: "AttributeValue", element: p.element})
	case p.of == valueType:
		return w.structure(t, part{of: reflect.TypeFor[attributeValue](), class: "AttributeValue", element: p.element})
	case p.of == blobType:
		return w.blob(t)
	}
	switch p.of.Kind() {
	case reflect.Struct:
		return w.structure(t, p)
	case reflect.Map:
		return w.members(t, p)
	case reflect.Slice:
		return w.list(t, p)
	}
	return w.scalar(t, p)
}

// skip passes over the value at hand.
func (w *formWalker) skip() {
	var passed json.RawMessage
	w.d.Decode(&passed)
}

func (w *formWalker) structure(t json.Token, p part) string {
	switch {
	case t == json.Delim('['):
		return "Unrecognized collection type class " + classPrefix + p.class
	case t != json.Delim('{') && p.element:
		return "Unexpected value type in payload"
	case t != json.Delim('{'):
		return errField
	}
	for w.d.More() {
		name, err := w.d.Token()
		if err != nil {
			return ""
		}
		field, ok := fieldNamed(p.of, fmt.Sprint(name))
		if !ok {
			w.skip()
			continue
		}
		if message := w.value(field); message != "" {
			return message
		}
	}
	w.d.Token()
	return ""
}

// fieldNamed finds a member of a model, in embedded structs too.
func fieldNamed(of reflect.Type, name string) (part, bool) {
	if of == reflect.TypeFor[attributeValue]() && name == "NULL" {
		name = "NUL"
	}
	f, ok := of.FieldByName(name)
	if !ok || f.Anonymous || !f.IsExported() {
		return part{}, false
	}
	class := f.Tag.Get("aws")
	if class == "" {
		class = f.Name
	}
	return part{of: f.Type, class: class}, true
}

func (w *formWalker) members(t json.Token, p part) string {
	switch {
	case t == json.Delim('['):
		return "Unrecognized collection type java.util.Map<" + classString + ", " + className(p.of.Elem(), p.class) + ">"
	case t != json.Delim('{') && p.element:
		return errCast
	case t != json.Delim('{'):
		return errField
	}
	for w.d.More() {
		if _, err := w.d.Token(); err != nil {
			return ""
		}
		if message := w.value(part{p.of.Elem(), p.class, true}); message != "" {
			return message
		}
	}
	w.d.Token()
	return ""
}

// className is how Java writes the type of a map's values.
func className(of reflect.Type, class string) string {
	switch of.Kind() {
	case reflect.String:
		return classString
	case reflect.Slice:
		return "java.util.List<" + className(of.Elem(), class) + ">"
	}
	return classPrefix + class
}

func (w *formWalker) list(t json.Token, p part) string {
	switch {
	case t == json.Delim('{'):
		return errStructure
	case t != json.Delim('[') && p.element:
		return errCast
	case t != json.Delim('['):
		return errField
	}
	for w.d.More() {
		if message := w.value(part{p.of.Elem(), p.class, true}); message != "" {
			return message
		}
	}
	w.d.Token()
	return ""
}

func (w *formWalker) scalar(t json.Token, p part) string {
	class := "String"
	switch p.of.Kind() {
	case reflect.Bool:
		class = "Boolean"
	case reflect.Int64:
		class = "Long"
		if p.class == "Integer" {
			class = p.class
		}
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '{' {
			return errStructure
		}
		return "Unrecognized collection type class java.lang." + class
	case bool:
		if class != "Boolean" {
			return strings.ToUpper(fmt.Sprint(t)) + "_VALUE cannot be converted to " + class
		}
	case json.Number:
		return w.number(t, class)
	case string:
		switch class {
		case "Boolean":
			return "Unexpected token received from parser"
		case "Long", "Integer":
			return "STRING_VALUE cannot be converted to " + class
		}
	}
	return ""
}

func (w *formWalker) number(n json.Number, class string) string {
	whole := !strings.ContainsAny(n.String(), ".eE")
	switch {
	case class == "Long" || class == "Integer":
		return ""
	case whole:
		return "NUMBER_VALUE cannot be converted to " + class
	}
	return "DECIMAL_VALUE cannot be converted to " + class
}

func (w *formWalker) blob(t json.Token) string {
	text, ok := t.(string)
	switch {
	case t == json.Delim('{'):
		return errStructure
	case t == json.Delim('['):
		return "Unrecognized collection type class java.nio.ByteBuffer"
	case !ok:
		return "only base-64-encoded strings are convertible to bytes"
	case len(text)%4 != 0:
		return fmt.Sprintf("Base64 encoded length is expected a multiple of 4 bytes but found: %d", len(text))
	}
	if _, err := base64.StdEncoding.Strict().DecodeString(text); err != nil {
		return "Invalid last non-pad Base64 character dectected"
	}
	return ""
}
