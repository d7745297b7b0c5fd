package serverless

import (
	"slices"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/template"
)

// function is one entry of functions.
type function struct {
	name string
	// at is where its name stands.
	at template.Place
	// given is the entry: a map.
	given *template.Value
	// id is its logical id, fullName the name of the Lambda function when that is
	// text.
	id       string
	fullName *template.Value
}

// maxFunctions bounds the functions of a service, and maxEvents the events of
// one; AWS takes 500 resources in all.
const (
	maxFunctions = 1000
	maxEvents    = 500
)

// readFunctions reads functions, a map or a list of maps.
func (s *service) readFunctions() {
	given := s.value(s.root.Get("functions"))
	if given == nil || given.Missing == "" && given.Kind == template.Null {
		return
	}
	parts := []*template.Value{given}
	if given.Kind == template.List && given.Missing == "" {
		parts = given.Items
	}
	for _, p := range parts {
		at := p.Place
		p = s.value(p)
		switch {
		case p.Missing != "":
			s.problem(at, "%s", p.Missing)
		case p.Kind == template.Null:
		case p.Kind != template.Object:
			s.problem(at, "functions must be a map of functions, or a list of such maps, not %s", p.Kind)
		default:
			for _, e := range p.Entries {
				s.readFunction(e)
			}
		}
	}
}

func (s *service) readFunction(e template.Entry) {
	given := s.value(e.Value)
	switch {
	case given.Missing != "":
		s.problem(e.Value.Place, "%s", given.Missing)
		return
	case given.Kind != template.Object:
		s.problem(e.Value.Place, "a function must be a map with a handler, not %s", given.Kind)
		return
	case len(s.functions) == maxFunctions:
		s.problem(e.Place, "the service has more than %d functions; AWS takes 500 resources", maxFunctions)
		return
	}
	f := function{name: e.Name, at: e.Place, given: given, id: idOf(e.Name) + "LambdaFunction"}
	f.fullName = s.all(given.Get("name"))
	if f.fullName == nil {
		f.fullName = text(e.Place, s.name+"-"+s.stage()+"-"+e.Name)
	}
	if s.byName[e.Name] != nil {
		s.problem(e.Place, "the function %s is declared twice", template.Quote(e.Name))
		return
	}
	s.byName[e.Name] = &f
	s.functions = append(s.functions, f)
}

// functionKeys are the settings of a function that are read elsewhere, are
// passed on, or mean nothing on one machine.
var functionKeys = []string{
	"handler", "name", "events", "runtime", "memorySize", "timeout", "environment", "reservedConcurrency", "layers", "package", "onError", "condition",
	"ephemeralStorageSize", "logs", "destinations", "maximumEventAge", "maximumRetryAttempts", "image", "url", "fileSystemConfig", "dependsOn", "disabled",
	"role", "description", "tags", "vpc", "tracing", "kmsKeyArn", "awsKmsKeyArn", "architecture", "provisionedConcurrency", "versionFunction", "snapStart",
	"disableLogs", "logRetentionInDays", "logDataProtectionPolicy", "runtimeManagement", "recursiveLoop", "tenancy", "build",
	"iamRoleStatements", "iamRoleStatementsInherit", "iamRoleStatementsName", "iamManagedPolicies", "iam", "warmup", "prune", "alarms", "dashboard",
}

// The framework's defaults, where they are not Lambda's.
const (
	defaultRuntime = "nodejs24.x"
	defaultMemory  = "1024"
	defaultTimeout = "6"
)

// generateFunction makes the function's resources, but not those of its events.
func (s *service) generateFunction(f *function) {
	for i, e := range f.given.Entries {
		if !slices.Contains(functionKeys, e.Name) && i < 100 {
			s.note(e.Place, "the setting "+template.Quote(e.Name)+" of the function "+f.name+" is not one that Gatepost knows, and has no effect"+
				template.DidYouMean(e.Name, functionKeys))
		}
	}
	if f.given.Get("url") != nil {
		s.note(f.given.Get("url").Place, "the function "+f.name+" gets no URL of its own")
	}
	p := s.generate(f.at, f.id, "AWS::Lambda::Function")
	p.With("FunctionName", f.fullName)
	if runtime := s.generateCode(f, p); runtime != "" {
		p.With("MemorySize", s.setting(f, "memorySize", number(f.at, defaultMemory)))
		p.With("Timeout", s.setting(f, "timeout", number(f.at, defaultTimeout)))
	}
	p.With("Environment", s.environment(f))
	p.With("ReservedConcurrentExecutions", s.all(f.given.Get("reservedConcurrency")))
	p.With("Layers", s.setting(f, "layers", nil))
	if size := s.all(f.given.Get("ephemeralStorageSize")); size != nil {
		p.With("EphemeralStorage", template.Map(size.Place).With("Size", size))
	}
	if target := s.all(f.given.Get("onError")); target != nil {
		p.With("DeadLetterConfig", template.Map(target.Place).With("TargetArn", target))
	}
	p.With("LoggingConfig", s.logging(f))
	resource := s.resources.get(f.id)
	resource.With("Condition", s.all(f.given.Get("condition")))
	s.generateInvokeConfig(f)
	group := join(f.at, "", text(f.at, "/aws/lambda/"), f.fullName)
	if f.fullName.IsScalar() {
		group = text(f.at, "/aws/lambda/"+f.fullName.Text)
	}
	s.generate(f.at, idOf(f.name)+"LogGroup", "AWS::Logs::LogGroup").With("LogGroupName", group)
	s.resources.get(idOf(f.name)+"LogGroup").With("Condition", s.all(f.given.Get("condition")))
}

// setting returns a function's setting, else the provider's, else otherwise.
func (s *service) setting(f *function, name string, otherwise *template.Value) *template.Value {
	for _, v := range []*template.Value{s.all(f.given.Get(name)), s.all(s.provider.Get(name))} {
		if v != nil && (v.Missing != "" || v.Kind != template.Null) {
			return v
		}
	}
	return otherwise
}

// environment returns Environment: the provider's variables, and over them the
// function's.
func (s *service) environment(f *function) *template.Value {
	variables := s.overlay(s.variables(s.provider.Get("environment")), s.variables(f.given.Get("environment")), replace)
	if variables == nil {
		variables = s.variables(s.provider.Get("environment"))
	}
	if variables == nil {
		return nil
	}
	given := &template.Value{Kind: template.Object, Place: variables.Place}
	for _, e := range variables.Entries {
		switch {
		case e.Value.Missing == "" && e.Value.Kind == template.Null:
			continue
		case e.Value.Missing == "" && e.Value.Kind == template.Bool:
			e.Value = text(e.Value.Place, strings.ToLower(e.Value.Text))
		case e.Value.IsScalar():
			e.Value = text(e.Value.Place, e.Value.Text)
		}
		given.Entries = append(given.Entries, e)
	}
	return template.Map(variables.Place).With("Variables", given)
}

// variables returns a map of variables, or nil.
func (s *service) variables(v *template.Value) *template.Value {
	all := s.all(v)
	switch {
	case all == nil, all.Missing == "" && all.Kind == template.Null:
		return nil
	case all.Missing != "":
		s.problem(v.Place, "%s", all.Missing)
		return nil
	case all.Kind != template.Object || isCall(all):
		s.problem(v.Place, "environment must be a map of variables")
		return nil
	}
	return all
}

// logging returns LoggingConfig of logs, a function's or the provider's.
func (s *service) logging(f *function) *template.Value {
	logs := s.all(f.given.Get("logs"))
	if logs == nil {
		logs = s.all(s.value(s.provider.Get("logs")).Get("lambda"))
	}
	if logs == nil || logs.Kind != template.Object {
		return nil
	}
	config := template.Map(logs.Place)
	for _, e := range logs.Entries {
		if slices.Contains([]string{"applicationLogLevel", "logFormat", "logGroup", "systemLogLevel"}, e.Name) {
			config.With(upper(e.Name), e.Value)
		}
	}
	if len(config.Entries) == 0 {
		return nil
	}
	return config
}

// generateInvokeConfig makes what says how asynchronous invocations go.
func (s *service) generateInvokeConfig(f *function) {
	age, retries := s.all(f.given.Get("maximumEventAge")), s.all(f.given.Get("maximumRetryAttempts"))
	to := s.all(f.given.Get("destinations"))
	if age == nil && retries == nil && to == nil {
		return
	}
	p := s.generate(f.at, idOf(f.name)+"LambdaEvConf", "AWS::Lambda::EventInvokeConfig").
		With("FunctionName", ref(f.at, f.id)).With("Qualifier", text(f.at, "$LATEST")).
		With("MaximumEventAgeInSeconds", age).With("MaximumRetryAttempts", retries)
	config := template.Map(f.at)
	for _, name := range []string{"onSuccess", "onFailure"} {
		if target := to.Get(name); target != nil {
			config.With(upper(name), template.Map(target.Place).With("Destination", s.target(target)))
		}
	}
	if len(config.Entries) > 0 {
		p.With("DestinationConfig", config)
	}
}

// target returns the ARN of a destination: an ARN, {arn: ...}, or the name of a
// function of the service.
func (s *service) target(v *template.Value) *template.Value {
	if arn := v.Get("arn"); arn != nil {
		return arn
	}
	if v.IsScalar() && !strings.HasPrefix(v.Text, "arn:") {
		if f := s.byName[v.Text]; f != nil {
			return getAtt(v.Place, f.id, "Arn")
		}
		s.problem(v.Place, "there is no function %s; a destination is an ARN or a function of the service%s", template.Quote(v.Text), s.hintFunction(v.Text))
	}
	return v
}

// hintFunction suggests a function for a name that none has.
func (s *service) hintFunction(name string) string {
	const most = 100
	if s.hints++; s.hints > most {
		return ""
	}
	names := make([]string, 0, len(s.functions))
	for _, f := range s.functions {
		names = append(names, f.name)
	}
	return template.DidYouMean(name, names)
}

// generateService makes what the framework makes for each service.
func (s *service) generateService() {
	at := s.root.Place
	if v := s.root.Get("service"); v != nil {
		at = v.Place
	}
	s.generate(at, "ServerlessDeploymentBucket", "AWS::S3::Bucket")
	role := s.value(s.provider.Get("role"))
	if role == nil {
		role = s.value(s.value(s.provider.Get("iam")).Get("role"))
	}
	if role == nil || role.Kind == template.Object && !isCall(role) {
		s.generate(at, "IamRoleLambdaExecution", "AWS::IAM::Role").
			With("RoleName", join(at, "-", text(at, s.name), text(at, s.stage()), ref(at, "AWS::Region"), text(at, "lambdaRole")))
	}
}

// generateLayers makes the service's own layers.
func (s *service) generateLayers() {
	layers := s.value(s.root.Get("layers"))
	if layers == nil || layers.Missing == "" && layers.Kind == template.Null {
		return
	}
	if layers.Missing != "" || layers.Kind != template.Object {
		s.problem(layers.Place, "layers must be a map of layers%s", layers.Missing)
		return
	}
	for i, e := range layers.Entries {
		layer := s.all(e.Value)
		if layer.Kind != template.Object || layer.Missing != "" || i >= maxFunctions {
			s.problem(e.Value.Place, "a layer must be a map with a path")
			continue
		}
		name := layer.Get("name")
		if name == nil {
			name = text(e.Place, e.Name)
		}
		content := layer.Get("package").Get("artifact")
		if content == nil {
			content = layer.Get("path")
		}
		s.generate(e.Place, idOf(e.Name)+"LambdaLayer", "AWS::Lambda::LayerVersion").With("LayerName", name).With("Content", content)
	}
}
