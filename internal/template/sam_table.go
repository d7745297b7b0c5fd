package template

import (
	"strings"

	"github.com/gatepost-dev/gatepost/stack"
)

// simpleKeyTypes are SAM's words for the types of a key.
var simpleKeyTypes = map[string]string{"String": "S", "Number": "N", "Binary": "B"}

// loadSimpleTable reads AWS::Serverless::SimpleTable: a table whose key is one
// attribute, by default the text "id" (AWS::Serverless::SimpleTable in the SAM
// developer guide).
func (l *loader) loadSimpleTable(r *resource) {
	p := l.properties(r)
	t, ok := l.namedTable(r, p)
	if !ok {
		return
	}
	name, typ := "id", "String"
	if key := p.nested("PrimaryKey"); key != nil {
		key.require("Name", "it names the attribute of the key")
		key.require("Type", "it is String, Number or Binary")
		name = key.text("Name")
		typ = key.text("Type")
		if n := key.raw("Type"); n != nil && simpleKeyTypes[typ] == "" {
			l.problem(n, "the Type of a PrimaryKey must be String, Number or Binary, not %s", quote(typ))
		}
	}
	t.Attributes = []stack.Attribute{{Name: name, Type: simpleKeyTypes[typ]}}
	t.Key = []stack.KeyElement{{Attribute: name, Type: "HASH"}}
	p.rest(strings.Fields("PointInTimeRecoverySpecification ProvisionedThroughput SSESpecification Tags"), nil)
	l.stack.Tables = append(l.stack.Tables, t)
}
