package template

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/gatepost-dev/gatepost/stack"
)

func lambdaTypes() map[string]resourceType {
	function := resourceType{
		complete: true,
		ref:      named("FunctionName"),
		attributes: map[string]attribute{
			"Arn": arnOf("lambda", "function:", "FunctionName"),
		},
	}
	mapping := func(e *evaluator, r *resource) (string, error) { return e.uuid(r.id), nil }
	return map[string]resourceType{
		"AWS::Lambda::Function":     function,
		"AWS::Serverless::Function": function,
		"AWS::Lambda::Permission":   {ref: named(""), attributes: map[string]attribute{"Id": named("")}},
		"AWS::Lambda::EventSourceMapping": {complete: true, ref: mapping, attributes: map[string]attribute{
			"Id": mapping,
			"EventSourceMappingArn": func(e *evaluator, r *resource) (string, error) {
				return e.arn("lambda", "event-source-mapping:"+e.uuid(r.id)), nil
			},
		}},
		"AWS::Lambda::EventInvokeConfig": {ref: func(e *evaluator, r *resource) (string, error) { return e.id(r.id, 36), nil }},
		"AWS::Lambda::Alias":             {ref: qualifiedARN("Name"), attributes: map[string]attribute{"AliasArn": qualifiedARN("Name")}},
		"AWS::Lambda::Version": {ref: qualifiedARN(""), attributes: map[string]attribute{
			"FunctionArn": qualifiedARN(""), "Version": func(*evaluator, *resource) (string, error) { return "1", nil },
		}},
	}
}

// qualifiedARN is the ARN of a function's alias, whose name the property
// gives, or without a property of its version, which is always 1 here.
func qualifiedARN(property string) attribute {
	return func(e *evaluator, r *resource) (string, error) {
		target := r.properties.field("FunctionName")
		if target == nil {
			return "", e.errorf(r.properties, "the property FunctionName is missing")
		}
		text, err := e.text(target)
		if err != nil {
			return "", err
		}
		qualifier := "1"
		if property != "" {
			if qualifier, err = e.nameOf(r, property); err != nil {
				return "", err
			}
		}
		if !strings.HasPrefix(text, "arn:") {
			text = e.arn("lambda", "function:"+text)
		}
		return text + ":" + qualifier, nil
	}
}

// functionIndex holds the template's functions by name, those too that are not
// part of the stack.
type functionIndex map[string]*functionEntry

type functionEntry struct {
	resource *resource
	// leftOut says why the function is not part of the stack, or is empty.
	leftOut string
}

var functionNameForm = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

// loadFunction reads AWS::Lambda::Function and AWS::Serverless::Function, whose
// properties differ in how they name the code.
func (l *loader) loadFunction(r *resource) {
	p := l.properties(r)
	f := stack.Function{LogicalID: r.id, Line: r.line, Name: l.name(p, "FunctionName", functionNameForm, "1 to 64 letters, digits, hyphens and underscores")}
	if f.Name == "" {
		return
	}
	f.ARN = l.arn("lambda", "function:"+f.Name)
	if other := l.functions[f.Name]; other != nil {
		l.problem(nodeOr(p.raw("FunctionName"), r.node), "the function in line %d has the name %s already; names are unique", other.resource.line, f.Name)
		return
	}
	entry := &functionEntry{resource: r}
	l.functions[f.Name] = entry
	l.functionNames = append(l.functionNames, f.Name)
	if packageType := p.text("PackageType"); packageType == "Image" {
		l.problem(p.raw("PackageType"), "Gatepost runs functions as plain processes and cannot run a container image; package the function as Zip")
		return
	}
	if entry.leftOut = l.code(p, &f); entry.leftOut != "" {
		l.note(r, r.line, "the function is left out: "+entry.leftOut)
		return
	}
	l.functionSettings(p, &f)
	for _, elsewhere := range []string{"Events", "EventInvokeConfig", "DeadLetterConfig", "DeadLetterQueue"} {
		p.raw(elsewhere) // they are read by others
	}
	p.rest(inertOfFunction, gapsOfFunction)
	l.stack.Functions = append(l.stack.Functions, f)
}

// inertOfFunction are the properties that mean nothing on one machine.
var inertOfFunction = []string{
	"Architectures", "AssumeRolePolicyDocument", "AutoPublishAlias", "AutoPublishAliasAllProperties", "AutoPublishCodeSha256",
	"CodeSigningConfigArn", "DeploymentPreference", "KmsKeyArn", "PermissionsBoundary", "Policies", "ProvisionedConcurrencyConfig", "RecursiveLoop", "Role", "RolePath",
	"RuntimeManagementConfig", "SnapStart", "SourceKMSKeyArn", "Tracing", "TracingConfig", "VpcConfig",
}

var gapsOfFunction = map[string]string{
	"FileSystemConfigs": "no file system is mounted",
	"FunctionUrlConfig": "the function gets no URL of its own",
}

func (l *loader) functionSettings(p *properties, f *stack.Function) {
	p.require("Runtime", "it is for example provided.al2023 for Go")
	p.require("Handler", "for Go it is by convention bootstrap")
	f.Runtime, f.Handler = p.text("Runtime"), p.text("Handler")
	f.Timeout = p.seconds("Timeout", 1, 900, 3)
	f.MemoryMB = p.number("MemorySize", 128, 10240, 128)
	if storage := p.nested("EphemeralStorage"); storage != nil {
		f.EphemeralMB = storage.number("Size", 512, 10240, 0)
		storage.rest(nil, nil)
	}
	l.functionLogging(p, f)
	f.MaxConcurrency = p.number("ReservedConcurrentExecutions", 0, 1_000_000, 0)
	f.Throttled = f.MaxConcurrency == 0 && p.given("ReservedConcurrentExecutions")
	f.Freeze = l.ownFlag(p.resource, "Freeze")
	f.BuildMethod = l.buildMethod(p.resource)
	f.Layers = l.functionLayers(p)
	if environment := p.nested("Environment"); environment != nil {
		l.loadEnvironment(environment, f)
	}
}

func (l *loader) functionLogging(p *properties, f *stack.Function) {
	logging := p.nested("LoggingConfig")
	if logging == nil {
		return
	}
	f.Logging = stack.Logging{
		Format:           logging.oneOf("LogFormat", "Text", "JSON"),
		ApplicationLevel: logging.oneOf("ApplicationLogLevel", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"),
		SystemLevel:      logging.oneOf("SystemLogLevel", "DEBUG", "INFO", "WARN"),
	}
	// The group is a name that functions are told and nothing more: a reference
	// to one, which there is not here, is no reason for a word.
	if group := logging.raw("LogGroup"); group != nil && group.isScalar() {
		f.Logging.Group = group.text
	}
	logging.rest(nil, nil)
}

// name returns a naming property, by default the logical id, and checks its
// form. It is empty when the name is wrong and reported.
func (l *loader) name(p *properties, property string, form *regexp.Regexp, means string) string {
	n := nodeOr(p.raw(property), p.resource.node)
	name, err := l.nameOf(p.resource, property)
	if err != nil {
		l.problems.add(err)
		return ""
	}
	if !form.MatchString(name) {
		l.problem(n, "%s is not a valid name; it is %s", quote(name), means)
		return ""
	}
	return name
}

// nodeOr returns the first node that is there.
func nodeOr(n, otherwise *node) *node {
	if n != nil {
		return n
	}
	return otherwise
}

// functionRef is what the name or ARN of a function comes to.
type functionRef struct {
	name string
	// problem says why there is no such function to call, or is empty.
	problem string
}

// findFunction finds the function of a name, a full or a partial ARN, each
// with or without an alias or version.
func (l *loader) findFunction(text string) functionRef {
	name, ok := l.functionName(text)
	entry := l.functions[name]
	switch {
	case !ok:
		return functionRef{problem: l.foreignFunction(text)}
	case entry == nil:
		return functionRef{problem: fmt.Sprintf("the function %s, which no resource of this template declares%s", quote(name), l.hint(name, l.functionNames))}
	case entry.leftOut != "":
		return functionRef{name: name, problem: fmt.Sprintf("the function %s, which is left out: %s", name, entry.leftOut)}
	}
	return functionRef{name: name}
}

// functionName cuts the name out of what identifies a function ("Function name
// formats" in the Lambda API reference). ok is false for an ARN of another
// region, account or service.
func (l *loader) functionName(text string) (name string, ok bool) {
	parts := strings.Split(text, ":")
	switch {
	case len(parts) <= 2:
		return parts[0], true
	case len(parts) <= 4 && parts[1] == "function":
		return parts[2], parts[0] == l.opts.Account
	case (len(parts) == 7 || len(parts) == 8) && parts[0] == "arn" && parts[2] == "lambda" && parts[5] == "function":
		return parts[6], parts[3] == l.opts.Region && parts[4] == l.opts.Account
	}
	return "", false
}

// foreignFunction explains an ARN that is not one of this stack.
func (l *loader) foreignFunction(text string) string {
	return fmt.Sprintf("the function %s, which no resource of this template declares; this stack's functions begin with %s", quote(text), l.arn("lambda", "function:"))
}

// loadPermission notes which functions API Gateway may invoke.
func (l *loader) loadPermission(r *resource) {
	p := l.properties(r)
	p.require("FunctionName", "it is the function that may be invoked")
	target, principal := p.text("FunctionName"), p.text("Principal")
	if target == "" {
		return
	}
	found := l.findFunction(target)
	switch {
	case found.name == "":
		l.note(r, r.line, "the permission is for "+found.problem)
	case strings.HasPrefix(principal, "apigateway.amazonaws.com"):
		l.permitted[found.name] = true
	}
}
