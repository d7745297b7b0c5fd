package template

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/stack"
)

// system is what several templates make together: one for a plain template,
// more with nested stacks and with the stacks of a CDK app. Their resources
// find each other by what they are on AWS: names, ids and ARNs.
type system struct {
	loaders   []*loader
	problems  problems
	stack     *stack.Stack
	noted     map[stack.Notice]bool
	functions functionIndex
	// layers are the templates' layers by their ARNs.
	layers map[string]*layerEntry
	// functionNames are the keys of functions in the templates' order.
	functionNames []string
	// permitted holds the names of the functions that API Gateway may invoke.
	permitted map[string]bool
	// declared counts the resources of all templates.
	declared int
	// nested are the loaders of nested stacks by the resource that declares them.
	nested map[*resource]*loader
	// streamed holds the ARNs of the tables that have a stream, wrong ones too.
	streamed map[string]bool
	// files and order are the files of the trees, and their order.
	files map[*node]string
	order map[string]int
	// includes counts how often each file is included, and unrolledNodes what
	// loops have made.
	includes      map[string]int
	unrolledNodes int
	// secrets are the values of secrets that were looked up.
	secrets map[string]bool
	// stored are the parameters of Parameter Store that the templates declare,
	// once somebody has asked.
	stored map[string]output
	// exports are the outputs that stacks export, once somebody has asked.
	exports map[string]output
}

// load makes one stack of templates. The first one gives it its name.
func load(documents ...document) (*stack.Stack, error) {
	s, err := newSystem(documents)
	if err != nil {
		return nil, err
	}
	return s.stack, nil
}

// newSystem reads templates and the stacks that are nested in them.
func newSystem(documents []document) (*system, error) {
	first := documents[0].opts
	s := &system{
		stack:     &stack.Stack{Name: first.StackName, Region: first.Region, Account: first.Account},
		noted:     make(map[stack.Notice]bool),
		functions: make(functionIndex),
		permitted: make(map[string]bool),
		nested:    make(map[*resource]*loader),
		streamed:  make(map[string]bool),
		files:     make(map[*node]string),
		order:     make(map[string]int),
		includes:  make(map[string]int),
		secrets:   make(map[string]bool),
	}
	s.problems.order = s.order
	for _, d := range documents {
		s.add(d)
	}
	s.run()
	if err := s.problems.err(); err != nil {
		return nil, err
	}
	if err := s.stack.Validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", documents[0].file, err)
	}
	s.noteFiles()
	for _, d := range documents {
		s.stack.Files = appendAbsolute(s.stack.Files, d.others...)
		s.stack.Folders = appendAbsolute(s.stack.Folders, d.folders...)
	}
	return s, nil
}

// noteFiles tells of the files that the stack was read from.
func (s *system) noteFiles() {
	for _, file := range slices.SortedFunc(maps.Keys(s.order), func(a, b string) int { return cmp.Compare(s.order[a], s.order[b]) }) {
		if isFile(file) {
			s.stack.Files = appendAbsolute(s.stack.Files, file)
		}
	}
}

// appendAbsolute adds the absolute paths that are not there yet.
func appendAbsolute(all []string, paths ...string) []string {
	for _, path := range paths {
		if abs, err := filepath.Abs(path); err == nil && !slices.Contains(all, abs) {
			all = append(all, abs)
		}
	}
	return all
}

// add reads the sections of one template, so that others can refer to it. It
// returns nil when there is nothing to go on with.
func (s *system) add(d document) *loader {
	s.addFile(d.root, d.file)
	for _, root := range slices.SortedFunc(maps.Keys(d.files), func(a, b *node) int { return cmp.Compare(d.files[a], d.files[b]) }) {
		s.addFile(root, d.files[root])
	}
	d.opts.Parameters = d.parameters()
	l := &loader{dir: d.dir, root: d.root, repeated: d.repeated, assets: d.assets, depth: d.depth, made: d.made}
	l.evaluator = &evaluator{
		system: s, file: d.file, opts: d.opts, prefix: d.prefix, given: d.given, types: resourceTypes(),
		parameters: make(map[string]*parameter), resources: make(map[string]*resource),
		known: make(map[*node]outcome), busy: make(map[*node]bool),
	}
	if d.note != "" {
		l.addNotice(stack.Notice{File: d.file, Line: 1, Text: d.note})
	}
	for _, n := range d.notices {
		l.addNotice(n)
	}
	for _, k := range l.repeated {
		l.noteTemplate(k.line, k.text())
	}
	if !l.readSections(l.root) {
		return nil
	}
	s.loaders = append(s.loaders, l)
	return l
}

// parameters are those of the caller over those of samconfig.toml that the
// template has.
func (d document) parameters() map[string]string {
	if len(d.configured) == 0 {
		return d.opts.Parameters
	}
	all := maps.Clone(d.opts.Parameters)
	if all == nil {
		all = make(map[string]string)
	}
	for name, value := range d.configured {
		if _, given := all[name]; !given && d.root.field("Parameters").field(name) != nil {
			all[name] = value
		}
	}
	return all
}

// addFile remembers which file a tree is from, and the order of files.
func (s *system) addFile(root *node, file string) {
	s.files[root] = file
	if _, known := s.order[file]; !known {
		s.order[file] = len(s.order)
	}
}

// phase is one step of reading, for resources of some types.
type phase[L any] struct {
	load  func(L, *resource)
	types []string
}

// phases is the order of reading: what is referred to comes before what refers.
var phases = []phase[*loader]{
	{(*loader).loadLayer, []string{"AWS::Lambda::LayerVersion", "AWS::Serverless::LayerVersion"}},
	{(*loader).loadFunction, []string{"AWS::Lambda::Function", "AWS::Serverless::Function"}},
	{(*loader).loadQueue, []string{"AWS::SQS::Queue"}},
	{(*loader).checkRedrive, []string{"AWS::SQS::Queue"}},
	{(*loader).loadTopic, []string{"AWS::SNS::Topic"}},
	{(*loader).loadSubscription, []string{"AWS::SNS::Subscription"}},
	{(*loader).loadDeadLetters, []string{"AWS::Lambda::Function", "AWS::Serverless::Function"}},
	{(*loader).loadInvokeConfig, []string{"AWS::Lambda::EventInvokeConfig"}},
	{(*loader).loadTable, []string{"AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable"}},
	{(*loader).loadSimpleTable, []string{"AWS::Serverless::SimpleTable"}},
	{(*loader).loadDataStream, []string{"AWS::Kinesis::Stream"}},
	{(*loader).loadParameter, []string{"AWS::SSM::Parameter"}},
	{(*loader).loadMapping, []string{"AWS::Lambda::EventSourceMapping"}},
	{(*loader).loadRule, []string{"AWS::Events::Rule"}},
	{(*loader).loadSchedule, []string{"AWS::Scheduler::Schedule"}},
	{(*loader).loadPermission, []string{"AWS::Lambda::Permission"}},
}

// run reads what the templates declare.
func (s *system) run() {
	for i := 0; i < len(s.loaders); i++ { // nested stacks join while it goes on
		s.loaders[i].openNested()
	}
	for _, l := range s.loaders {
		l.checkParameters()
	}
	for _, p := range phases {
		for _, l := range s.loaders {
			l.each(func(r *resource) { p.load(l, r) }, p.types...)
		}
	}
	s.loadAPIs()
	for _, l := range s.loaders {
		if l.depth == 0 {
			l.loadOutputs(l.root.field("Outputs"))
		}
		l.noteSkipped()
	}
	s.sortNotices()
}

// newAPIIndex holds nothing yet.
func newAPIIndex() *apiIndex {
	return &apiIndex{
		apis: make(map[string]*apiParts), integrations: make(map[string]*integration),
		authorizers: make(map[string]*authorizer), models: make(map[string]*model),
		responses: make(map[string]*resource), routes: make(map[string]bool),
		keys: make(map[string]*apigw.APIKey), keyNodes: make(map[string]*node), plans: make(map[string]*usagePlan), warned: make(map[string]bool),
		domains: make(map[apigw.Domain]*apiParts), mutualTLS: make(map[string]*node),
	}
}

// loadAPIs puts the APIs together.
func (s *system) loadAPIs() {
	if len(s.loaders) == 0 {
		return
	}
	index := newAPIIndex()
	all := make([]*apiLoader, len(s.loaders))
	for i, l := range s.loaders {
		all[i] = &apiLoader{loader: l, apiIndex: index}
	}
	for _, p := range apiPhases {
		for _, a := range all {
			a.each(func(r *resource) { p.load(a, r) }, p.types...)
		}
		if settle := apiSettlements[p.types[0]]; settle != nil {
			settle(all[0])
		}
	}
	for _, a := range all {
		a.noteUnusedAuthorizers()
	}
	for _, parts := range index.order {
		all[0].finish(parts)
	}
}

// apiPhases is the order in which the parts of APIs are read. Stages come first,
// because URIs may name functions by their variables.
var apiPhases = []phase[*apiLoader]{
	{(*apiLoader).loadAPI, []string{"AWS::ApiGatewayV2::Api"}},
	{(*apiLoader).loadStage, []string{"AWS::ApiGatewayV2::Stage"}},
	{(*apiLoader).loadDeployment, []string{"AWS::ApiGatewayV2::Deployment"}},
	{(*apiLoader).loadModel, []string{"AWS::ApiGatewayV2::Model"}},
	{(*apiLoader).loadAuthorizer, []string{"AWS::ApiGatewayV2::Authorizer"}},
	{(*apiLoader).loadIntegration, []string{"AWS::ApiGatewayV2::Integration"}},
	{(*apiLoader).loadIntegrationResponse, []string{"AWS::ApiGatewayV2::IntegrationResponse"}},
	{(*apiLoader).loadRouteResponse, []string{"AWS::ApiGatewayV2::RouteResponse"}},
	{(*apiLoader).loadRoute, []string{"AWS::ApiGatewayV2::Route"}},
	{(*apiLoader).loadDomainName, []string{"AWS::ApiGatewayV2::DomainName"}},
	{(*apiLoader).loadAPIMapping, []string{"AWS::ApiGatewayV2::ApiMapping"}},
	{(*apiLoader).loadAPIKey, []string{"AWS::ApiGateway::ApiKey"}},
	{(*apiLoader).loadUsagePlan, []string{"AWS::ApiGateway::UsagePlan"}},
	{(*apiLoader).loadUsagePlanKey, []string{"AWS::ApiGateway::UsagePlanKey"}},
}

// apiSettlements is what happens once all parts of a type are read.
var apiSettlements = map[string]func(*apiLoader){
	"AWS::ApiGatewayV2::Deployment":          (*apiLoader).settleStages,
	"AWS::ApiGatewayV2::Model":               (*apiLoader).checkModels,
	"AWS::ApiGatewayV2::IntegrationResponse": (*apiLoader).compileIntegrations,
	"AWS::ApiGatewayV2::Route":               (*apiLoader).checkResponses,
	"AWS::ApiGateway::UsagePlanKey":          (*apiLoader).assignPlans,
}
