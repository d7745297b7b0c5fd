package serverless

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/template"
)

// json writes a resolved value as JSON, in the file's order. One that has a part
// without a value is reported.
func (s *service) json(v *template.Value) string {
	var out strings.Builder
	s.writeJSON(&out, v)
	if out.Len() > maxText {
		s.tooMuch(v.Place)
		return ""
	}
	return out.String()
}

func (s *service) writeJSON(out *strings.Builder, v *template.Value) {
	switch {
	case out.Len() > maxText:
	case v.Missing != "":
		s.problem(v.Place, "%s", v.Missing)
	case v.Kind == template.Object:
		out.WriteByte('{')
		for i, e := range v.Entries {
			if i > 0 {
				out.WriteByte(',')
			}
			out.WriteString(quoted(e.Name) + ":")
			s.writeJSON(out, e.Value)
		}
		out.WriteByte('}')
	case v.Kind == template.List:
		out.WriteByte('[')
		for i, item := range v.Items {
			if i > 0 {
				out.WriteByte(',')
			}
			s.writeJSON(out, item)
		}
		out.WriteByte(']')
	case v.Kind == template.Null:
		out.WriteString("null")
	case v.Kind != template.String && json.Valid([]byte(strings.ToLower(v.Text))):
		out.WriteString(strings.ToLower(v.Text))
	default:
		out.WriteString(quoted(v.Text))
	}
}

// quoted writes a JSON string.
func quoted(text string) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(text) != nil {
		return `""` // a string can always be written
	}
	return strings.TrimSuffix(out.String(), "\n")
}
