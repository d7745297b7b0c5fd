package template

import (
	"slices"
	"strings"
)

// expand replaces a SAM resource by what it stands for. Values stay as they
// are in the template, so that places and intrinsics survive; nothing is
// evaluated before all resources are there.
func (l *loader) expand(r *resource, globals *node) {
	switch r.typ {
	case "AWS::Serverless::Function":
		l.mergeGlobals(r, globals.field("Function"))
		l.expandEvents(r)
		l.expandInvokeConfig(r)
	case "AWS::Serverless::SimpleTable":
		l.mergeGlobals(r, globals.field("SimpleTable"))
	case "AWS::Serverless::LayerVersion":
		l.mergeGlobals(r, globals.field("LayerVersion"))
	case "AWS::Serverless::WebSocketApi":
		l.mergeGlobals(r, globals.field("WebSocketApi"))
		l.expandWebSocketAPI(r)
	}
}

// globalsOf are the kinds of resources for which Globals may give defaults, and
// whether Gatepost runs them.
var globalsOf = map[string]bool{
	"Function": true, "WebSocketApi": true, "Api": false, "HttpApi": false, "SimpleTable": true,
	"StateMachine": false, "LayerVersion": true, "CapacityProvider": false,
}

func (l *loader) readGlobals(globals *node) {
	for _, f := range l.entries(globals) {
		if _, known := globalsOf[f.name]; !known {
			l.noteTemplate(f.line, quote(f.name)+" in Globals is not a kind of resource that SAM knows, and has no effect")
		}
		if taken := globalProperties[f.name]; taken != nil {
			l.noteGlobals(f, taken)
		}
	}
}

// globalProperties are the properties that SAM takes from Globals, for the kinds
// that Gatepost runs ("Globals section of the AWS SAM template", and version 1.110
// of SAM's translator).
var globalProperties = map[string][]string{
	"Function": {"Architectures", "AssumeRolePolicyDocument", "AutoPublishAlias", "AutoPublishAliasAllProperties", "CapacityProviderConfig", "CodeSigningConfigArn", "CodeUri",
		"DeadLetterQueue", "DeploymentPreference", "Description", "DurableConfig", "Environment", "EphemeralStorage", "EventInvokeConfig", "FileSystemConfigs", "FunctionScalingConfig",
		"FunctionUrlConfig", "Handler", "KmsKeyArn", "Layers", "LoggingConfig", "MemorySize", "PermissionsBoundary", "PropagateTags", "ProvisionedConcurrencyConfig",
		"PublishToLatestPublished", "RecursiveLoop", "ReservedConcurrentExecutions", "RolePath", "Runtime", "RuntimeManagementConfig", "SnapStart", "SourceKMSKeyArn", "Tags",
		"TenancyConfig", "Timeout", "Tracing", "VersionDeletionPolicy", "VpcConfig"},
	"SimpleTable":  {"SSESpecification"},
	"LayerVersion": {"PublishLambdaVersion"},
	"WebSocketApi": {"AccessLogSettings", "ApiKeySelectionExpression", "DefaultRouteSettings", "DisableExecuteApiEndpoint", "DisableSchemaValidation", "Domain", "FailOnWarnings",
		"IpAddressType", "PropagateTags", "RouteSelectionExpression", "RouteSettings", "StageVariables", "Tags"},
}

// noteGlobals tells of the properties of one kind that SAM refuses in Globals.
func (l *loader) noteGlobals(kind field, taken []string) {
	var refused []string
	for _, f := range kind.value.fields {
		if len(refused) < 20 && !slices.Contains(taken, f.name) && !strings.HasPrefix(f.name, "Fn::") {
			refused = append(refused, quote(f.name)+didYouMean(f.name, taken))
		}
	}
	if len(refused) > 0 {
		l.noteTemplate(kind.line, "SAM does not take from Globals."+kind.name+": "+strings.Join(refused, ", ")+"; AWS refuses the template, and here it counts")
	}
}

// mergeGlobals puts the defaults of the Globals section under the properties of
// a resource.
func (l *loader) mergeGlobals(r *resource, defaults *node) {
	if defaults == nil || defaults.kind != kindObject {
		return
	}
	ignored := r.node.field("IgnoreGlobals")
	if ignored != nil && ignored.text == "*" {
		return
	}
	if ignored != nil && ignored.kind == kindList {
		defaults = l.without(defaults, ignored.items)
	}
	merged, err := l.merge(defaults, r.properties)
	if err != nil {
		l.problems.add(err)
		return
	}
	r.properties = merged
}

// without returns a map less the fields with these names.
func (l *loader) without(n *node, names []*node) *node {
	ignored := make(map[string]bool, len(names))
	for _, name := range names {
		ignored[name.text] = true
	}
	l.produced += fieldCost * len(n.fields)
	kept := madeObject(n)
	for _, f := range n.fields {
		if !ignored[f.name] && l.produced <= maxProduced {
			kept.addField(f)
		}
	}
	return kept
}

// fieldCost is what a merged field counts against maxProduced: it is copied for
// each resource.
const fieldCost = 512

// merge follows SAM's rules: maps are merged, lists are joined with the global
// items first, and of everything else, intrinsics included, the local value
// counts.
func (l *loader) merge(global, local *node) (*node, error) {
	_, _, globalCall := global.intrinsic()
	_, _, localCall := local.intrinsic()
	if global.kind != local.kind || globalCall || localCall || local.kind != kindObject && local.kind != kindList {
		return local, nil
	}
	if l.produced += fieldCost * (len(global.fields) + len(global.items) + 1); l.produced > maxProduced {
		return nil, l.errorf(local, "the Globals are too large to be merged into so many resources")
	}
	merged := &node{kind: local.kind, line: local.line, column: local.column, parent: local.parent, step: local.step}
	merged.items = append(slices.Clone(global.items), local.items...)
	for _, f := range global.fields {
		if own := local.field(f.name); own != nil {
			value, err := l.merge(f.value, own)
			if err != nil {
				return nil, err
			}
			f = field{name: f.name, line: own.line, column: own.column, value: value}
		}
		merged.addField(f)
	}
	for _, f := range local.fields {
		merged.addField(f)
	}
	return merged, nil
}

// generate adds a resource that SAM makes of r.
func (l *loader) generate(r *resource, id, typ string, line int, properties *node) *resource {
	made := &resource{
		id: id, typ: typ, declared: r.declared, generated: true,
		node: properties, properties: properties, condition: r.condition, line: line,
	}
	l.declare(made)
	return made
}

// needsTransform notes SAM types in a template that AWS would not take for a
// SAM template.
func (l *loader) needsTransform(r *resource) {
	if strings.HasPrefix(r.typ, "AWS::Serverless::") && !l.isSAM {
		l.isSAM = true
		l.noteTemplate(r.line, "the template has "+r.typ+" and no \"Transform: "+samTransform+"\"; AWS refuses it without")
	}
}
