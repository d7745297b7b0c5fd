package main

import (
	"cmp"
	"context"
	"os"

	"github.com/gatepost-dev/gatepost/internal/serverless"
	"github.com/gatepost-dev/gatepost/internal/template"
	"github.com/gatepost-dev/gatepost/stack"
)

// source is the template that a command reads and how.
type source struct {
	Path      string   `arg:"" optional:"" help:"A template, a serverless.yml, a CDK app's folder or its cdk.out, or the folder that holds one of them; by default what is found in this folder."`
	Parameter []string `short:"p" sep:"none" placeholder:"KEY=VALUE" help:"A parameter of the template; may be repeated."`
	Values    string   `placeholder:"FILE" help:"Values from elsewhere, in JSON or YAML: the sections ssm, exports, outputs and secrets."`
	ConfigEnv string   `placeholder:"NAME" help:"The environment of the samconfig.toml beside the template; by default 'default'."`
	Stack     []string `sep:"none" placeholder:"NAME" help:"A stack or a stage of a CDK app, with what it depends on; may be repeated. By default all stacks that are not in stages."`
	Region    string   `placeholder:"NAME" help:"The region that AWS::Region resolves to; by default that of a serverless.yml, else $AWS_REGION, else us-east-1."`
	Stage     string   `placeholder:"NAME" help:"The stage of a serverless.yml, over its own; of an API with several stages the one to serve, instead of the first."`
	Package   bool     `help:"Have the Serverless Framework of the project (or osls, its fork) package a serverless.yml, and run what it makes: for plugins that change it, serverless.ts and serverless.js."`
	Option    []string `sep:"none" placeholder:"KEY=VALUE" help:"What ${opt:KEY} in a serverless.yml gives; may be repeated."`
}

// load reads the template into a stack. A program that makes the template runs
// first, and tells of its progress.
func (s source) load(ctx context.Context, std streams) (*stack.Stack, error) {
	path, err := s.made(ctx, std)
	if err != nil {
		return nil, err
	}
	return s.read(path)
}

// read reads the template at a path into a stack.
func (s source) read(path string) (*stack.Stack, error) {
	opts, err := s.options()
	if err != nil {
		return nil, err
	}
	if file, found := serverless.Means(path); found {
		service, err := s.service(opts)
		if err != nil {
			return nil, err
		}
		return serverless.Load(file, service)
	}
	return template.Load(path, opts)
}

// service is how a serverless.yml is loaded.
func (s source) service(opts template.Options) (serverless.Options, error) {
	given, err := pairs(s.Option)
	opts.Region, opts.Stage = s.Region, "" // else those of the file
	return serverless.Options{Options: opts, Stage: s.Stage, CLI: given}, err
}

// region is what AWS::Region resolves to in a template.
func (s source) region() string {
	return cmp.Or(s.Region, os.Getenv("AWS_REGION"), "us-east-1")
}

// options are how a template is loaded.
func (s source) options() (opts template.Options, err error) {
	parameters, err := pairs(s.Parameter)
	if err != nil {
		return opts, err
	}
	values, err := s.values()
	return template.Options{Region: s.region(), Parameters: parameters, Values: values, ConfigEnv: s.ConfigEnv, Stacks: s.Stack, Stage: s.Stage}, err
}

// values reads --values, or returns nil.
func (s source) values() (*template.Values, error) {
	if s.Values == "" {
		return nil, nil
	}
	return template.ReadValues(s.Values)
}
