package template

// settingsKey is the key under a resource's Metadata for what AWS has no
// property for: "Metadata: {Gatepost: {Ordered: true}}" on a route makes the
// messages of one connection wait for each other.
const settingsKey = "Gatepost"

// ownSettings returns Gatepost's own settings of a resource, or nil. Anything
// but Ordered among them is a problem.
func (l *loader) ownSettings(r *resource) *node {
	settings := r.node.field("Metadata").field(settingsKey)
	if settings == nil {
		return nil
	}
	if settings.kind != kindObject {
		l.problem(settings, "Metadata.%s must be a map, such as {Ordered: true}, not %s", settingsKey, settings.kind)
		return nil
	}
	for _, f := range settings.fields {
		if f.name != "Ordered" {
			l.problem(f.value, "there is no setting %s under Metadata.%s; there is Ordered%s", quote(f.name), settingsKey, l.hint(f.name, []string{"Ordered"}))
		}
	}
	return settings
}

// refuseSettings reports Gatepost's own settings where they have no meaning.
func (l *loader) refuseSettings(r *resource) {
	settings := r.node.field("Metadata").field(settingsKey)
	if settings == nil || r.typ == "AWS::ApiGatewayV2::Route" || r.typ == "AWS::Serverless::WebSocketApi" {
		return
	}
	l.problem(settings, "Metadata.%s has settings for AWS::ApiGatewayV2::Route and AWS::Serverless::WebSocketApi, and none for %s", settingsKey, quote(r.typ))
}

// isOrdered reads Ordered of an AWS::ApiGatewayV2::Route.
func (l *loader) isOrdered(r *resource) bool {
	if r.generated {
		return r.ordered
	}
	settings := l.ownSettings(r)
	if settings == nil {
		return false
	}
	p := &properties{loader: l, resource: r, node: settings, read: make(map[string]bool)}
	return p.flag("Ordered", false)
}

// orderedRoutes reads Ordered of an AWS::Serverless::WebSocketApi: the keys of
// the routes that keep order. They must stand there as they are, because the
// routes are made before anything is evaluated.
func (l *loader) orderedRoutes(r *resource, routes *node) map[string]bool {
	list := l.ownSettings(r).field("Ordered")
	if list == nil {
		return nil
	}
	if list.kind != kindList {
		l.problem(list, "Ordered must be a list of route keys, not %s", describe(list))
		return nil
	}
	ordered := make(map[string]bool, len(list.items))
	for _, item := range list.items {
		switch {
		case item.kind != kindString:
			l.problem(item, "Ordered takes route keys as plain text, not %s", describe(item))
		case routes.field(item.text) == nil:
			l.problem(item, "the API has no route %s%s", quote(item.text), l.hint(item.text, routes.names()))
		default:
			ordered[item.text] = true
		}
	}
	return ordered
}
