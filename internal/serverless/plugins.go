package serverless

import (
	"strings"

	"github.com/gatepost-dev/gatepost/internal/template"
)

// harmless are plugins that change nothing here: they run things locally, deploy,
// prune, or write permissions.
var harmless = []string{
	"serverless-offline", "serverless-offline-sqs", "serverless-offline-sns", "serverless-offline-dynamodb-streams", "serverless-offline-aws-sqs", "serverless-offline-local-authorizers-plugin",
	"serverless-dynamodb-local", "serverless-dynamodb", "serverless-localstack", "serverless-dotenv-plugin", "serverless-prune-plugin", "serverless-deployment-bucket",
	"serverless-iam-roles-per-function", "serverless-pseudo-parameters", "serverless-plugin-tracing", "serverless-plugin-warmup",
	"serverless-plugin-aws-alerts", "serverless-plugin-log-retention", "serverless-plugin-resource-tagging", "serverless-export-env", "serverless-s3-sync",
	"serverless-s3-remover", "serverless-plugin-canary-deployments", "serverless-plugin-split-stacks", "serverless-plugin-lambda-dead-letter",
	"serverless-plugin-datadog", "serverless-stack-output", "serverless-finch", "serverless-api-gateway-throttling", "serverless-plugin-common-excludes",
	"serverless-plugin-include-dependencies", "serverless-better-credentials", "serverless-plugin-monorepo", "serverless-plugin-git-variables", "serverless-hooks-plugin",
	"serverless-prune-versions", "serverless-associate-waf", "serverless-enable-api-logs", "serverless-apigw-binary", "serverless-websockets-plugin",
	"serverless-plugin-optimize-dependencies", "serverless-manifest-plugin", "serverless-latest-layer-version", "serverless-plugin-xray", "serverless-analyze-bundle-plugin",
}

// remedies are plugins that build code or change the template, and what to do
// about it.
var remedies = map[string]string{
	"serverless-go-plugin":                    "Go functions are built here by Gatepost; a handler that names a folder or a .go file is found",
	"serverless-go-build":                     "Go functions are built here by Gatepost; a handler that names a folder or a .go file is found",
	"serverless-golang":                       "Go functions are built here by Gatepost; a handler that names a folder or a .go file is found",
	"serverless-esbuild":                      builds,
	"serverless-webpack":                      builds,
	"serverless-bundle":                       builds,
	"serverless-plugin-typescript":            builds,
	"serverless-jetpack":                      builds,
	"serverless-rust":                         builds,
	"serverless-python-requirements":          "packages are not installed by Gatepost: install them with pip into the Python that runs the functions, or give --package, with which the framework packages the service first",
	"serverless-step-functions":               "state machines are not run",
	"serverless-appsync-plugin":               "AppSync is not run",
	"serverless-apigateway-service-proxy":     "its integrations are not made; write them as AWS::ApiGatewayV2::Integration under resources",
	"serverless-plugin-ifelse":                "it changes the configuration, which Gatepost does not do; give --package, with which the framework packages the service first",
	"serverless-plugin-scripts":               "its scripts are not run",
	"serverless-plugin-additional-stacks":     "its additional stacks are left out; give each to Gatepost by itself",
	"serverless-nested-stack":                 "its stacks are left out; give each to Gatepost by itself",
	"serverless-multi-region-plugin":          "it changes the template; give --package, with which the framework packages the service first",
	"serverless-plugin-conditional-functions": "its conditions are not looked at: all functions are there",
	"serverless-vpc-plugin":                   "no network is made",
	"serverless-domain-manager":               "the custom domain is left out; clients connect to the gateway's address",
}

// builds is what to do about a plugin that makes JavaScript of something else.
const builds = "code is not bundled by Gatepost; where a handler has no JavaScript beside it, what the plugin or \"serverless package\" has left in .esbuild, .webpack, .build or .serverless is used; --package has the framework make it"

// readPlugins reads plugins, a list or a map with modules, and says of each what
// it means here.
func (s *service) readPlugins() {
	given := s.all(s.root.Get("plugins"))
	if given != nil && given.Kind == template.Object {
		given = given.Get("modules")
	}
	if given == nil || given.Missing != "" || given.Kind != template.List {
		return
	}
	for i, p := range given.Items {
		if !p.IsScalar() || i >= 200 {
			continue
		}
		name := p.Text
		s.plugins[name] = true
		remedy, changes := remedies[name]
		switch {
		case changes:
			s.note(p.Place, "the plugin "+name+" is not run: "+remedy)
		case isHarmless(name):
			s.noteInert(p.Place, "the plugin "+name+" is not needed here")
		case strings.HasPrefix(name, "."):
			s.note(p.Place, "the plugin "+template.Quote(name)+" is a program of this project, which Gatepost does not run; if it changes the configuration, give --package, with which the framework packages the service first")
		default:
			s.note(p.Place, "the plugin "+template.Quote(name)+" is not known to Gatepost and is not run; if it changes the configuration, give --package, with which the framework packages the service first")
		}
	}
}

func isHarmless(name string) bool {
	for _, h := range harmless {
		if name == h {
			return true
		}
	}
	return false
}
