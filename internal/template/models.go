package template

import (
	"regexp"

	"github.com/gatepost-dev/gatepost/stack"
)

// model is one AWS::ApiGatewayV2::Model.
type model struct {
	resource *resource
	apiID    string
	name     string
	// text is the schema as JSON. Once all models are read it stands alone: the
	// models that it refers to are among its definitions.
	text string
	at   *node
}

var modelNameForm = regexp.MustCompile(`^[a-zA-Z0-9]{1,128}$`)

// loadModel reads AWS::ApiGatewayV2::Model.
func (a *apiLoader) loadModel(r *resource) {
	p := a.properties(r)
	parts := a.apiOf(p)
	if parts == nil {
		return
	}
	p.require("Name", "routes choose the model by it")
	p.require("Schema", "it is a JSON Schema of draft 4")
	if kind := p.text("ContentType"); kind != "" && kind != "application/json" {
		a.note(r, p.raw("ContentType").line, "the model is for "+quote(kind)+"; messages are validated as JSON")
	}
	m := &model{resource: r, apiID: parts.api.ID, name: p.text("Name"), at: nodeOr(p.raw("Schema"), p.node)}
	m.text = p.json("Schema")
	p.rest(nil, nil)
	switch other := parts.models[m.name]; {
	case m.name == "" || m.text == "":
		return
	case !modelNameForm.MatchString(m.name):
		a.problem(p.raw("Name"), "%s is not the name of a model; it is made of letters and digits", quote(m.name))
	case other != nil:
		a.problem(p.raw("Name"), "the API has the model %s already, in line %d; names are unique", m.name, other.resource.line)
	default:
		parts.models[m.name] = m
		parts.modelOrder = append(parts.modelOrder, m)
		a.models[a.id(r.id, 6)] = m
	}
}

// json returns a property that is JSON, written as text or as a map, as text.
func (p *properties) json(name string) string {
	v := p.value(name)
	if v == nil {
		return ""
	}
	if v.isScalar() {
		return v.text
	}
	text, err := p.loader.jsonText(v)
	p.loader.problems.add(err)
	return text
}

// maxModels bounds all schemas of a template together, in bytes: each takes
// time to compile, and each may hold others again.
const maxModels = 1 << 20

// checkModels makes each schema stand alone and checks it.
func (a *apiLoader) checkModels() {
	total := 0
	for _, parts := range a.order {
		alone := make([]string, len(parts.modelOrder))
		for i, m := range parts.modelOrder {
			text, err := bundle(m, parts)
			a.report(m.at, err)
			if total += len(text); total > maxModels {
				a.problem(m.at, "the schemas of all models, with those they refer to, come to more than %d bytes", maxModels)
				return
			}
			if err == nil {
				a.report(m.at, stack.CheckModel(text))
			}
			alone[i] = text
		}
		for i, m := range parts.modelOrder {
			m.text = alone[i]
		}
	}
}

// modelOf returns the model that an entry of a route's RequestModels names, or
// nil and a problem.
func (a *apiLoader) modelOf(route *resource, parts *apiParts, at *node, name string) *model {
	if name == "" {
		return nil
	}
	if m := parts.models[name]; m != nil {
		return m
	}
	if m := a.models[name]; m != nil && m.apiID == parts.api.ID {
		a.note(route, at.line, "this names the model by its id; API Gateway takes its Name, "+m.name)
		return m
	}
	var names []string
	for _, m := range parts.modelOrder {
		names = append(names, m.name)
	}
	a.problem(at, "the model is %s, which no AWS::ApiGatewayV2::Model of this API has as its Name%s", quote(name), a.hint(name, names))
	return nil
}
