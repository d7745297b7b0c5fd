package template

import (
	"maps"
	"slices"
)

// settingsKey is the key under a resource's Metadata for what AWS has no
// property for: "Metadata: {Gatepost: {Ordered: true}}" on a route makes the
// messages of one connection wait for each other, and {Freeze: false} on a
// function lets its processes go on between their events.
const settingsKey = "Gatepost"

// settingOf is Gatepost's own setting of each type of resource that has one.
var settingOf = map[string]string{
	"AWS::ApiGatewayV2::Route": "Ordered", "AWS::Serverless::WebSocketApi": "Ordered",
	"AWS::Lambda::Function": "Freeze", "AWS::Serverless::Function": "Freeze",
}

// ownSettings returns Gatepost's own settings of a resource, or nil. Anything
// but the type's own setting among them is a problem.
func (l *loader) ownSettings(r *resource) *node {
	settings := r.node.field("Metadata").field(settingsKey)
	if settings == nil {
		return nil
	}
	known := settingOf[r.typ]
	if settings.kind != kindObject {
		l.problem(settings, "Metadata.%s must be a map, such as {%s: true}, not %s", settingsKey, known, settings.kind)
		return nil
	}
	for _, f := range settings.fields {
		if f.name != known {
			l.problem(f.value, "there is no setting %s under Metadata.%s; there is %s%s", quote(f.name), settingsKey, known, l.hint(f.name, []string{known}))
		}
	}
	return settings
}

// refuseSettings reports Gatepost's own settings where they have no meaning.
func (l *loader) refuseSettings(r *resource) {
	settings := r.node.field("Metadata").field(settingsKey)
	if settings == nil || settingOf[r.typ] != "" {
		return
	}
	types := slices.Sorted(maps.Keys(settingOf))
	l.problem(settings, "Metadata.%s has settings for %s, and none for %s", settingsKey, alternatives(types), quote(r.typ))
}

// ownFlag returns a setting that is true or false, or nil when it is not given.
func (l *loader) ownFlag(r *resource, name string) *bool {
	settings := l.ownSettings(r)
	p := &properties{loader: l, resource: r, node: settings, read: make(map[string]bool)}
	if settings == nil || !p.given(name) {
		return nil
	}
	value := p.flag(name, false)
	return &value
}
