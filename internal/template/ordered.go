package template

// isOrdered reads Ordered of an AWS::ApiGatewayV2::Route.
func (l *loader) isOrdered(r *resource) bool {
	if r.generated {
		return r.ordered
	}
	ordered := l.ownFlag(r, "Ordered")
	return ordered != nil && *ordered
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
