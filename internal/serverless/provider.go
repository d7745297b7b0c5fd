package serverless

import (
	"slices"

	"github.com/gatepost-dev/gatepost/internal/template"
)

// providerKeys are the settings of a provider that are read, or that mean
// nothing on one machine.
var providerKeys = []string{
	"name", "runtime", "stage", "region", "environment", "memorySize", "timeout", "layers", "logs", "tags", "stackTags", "stackName", "apiGateway", "apiKeys",
	"websocketsApiName", "websocketsApiRouteSelectionExpression", "websocketsDescription", "websocketApiName", "websocketApiRouteSelectionExpression", "websocket",
	"role", "iam", "iamRoleStatements", "iamManagedPolicies", "rolePermissionsBoundary", "cfnRole", "cfLogs", "deploymentBucket", "deploymentPrefix",
	"deploymentMethod", "profile", "endpointType", "versionFunctions", "architecture", "tracing", "vpc", "vpcEndpointIds", "kmsKeyArn", "logRetentionInDays",
	"logDataProtectionPolicy", "lambdaHashingVersion", "eventBridge", "httpApi", "alb", "s3", "cloudFront", "kinesis", "ecr", "resourcePolicy", "usagePlan",
	"notificationArns", "rollbackConfiguration", "disableRollback", "stackPolicy", "stackParameters", "monitoring", "runtimeManagement", "variableSyntax", "build",
	"apiName", "disableDefaultOutputExportNames", "tenancy", "resolver", "tenant", "compiledCloudFormationTemplate",
}

// readProvider checks the section provider.
func (s *service) readProvider() {
	name := s.provider
	if s.provider.Kind == template.Object {
		name = s.provider.Get("name")
	} else {
		// "provider: aws" is all that some files say.
		s.provider = template.Map(s.provider.Place)
	}
	if text := s.word(name, "aws"); text != "aws" {
		s.problem(name.Place, "the provider is %s, and Gatepost runs what is made for aws", template.Quote(text))
	}
	for i, e := range s.provider.Entries {
		if hint := template.DidYouMean(e.Name, providerKeys); hint != "" && !slices.Contains(providerKeys, e.Name) && i < 100 {
			s.note(e.Place, "the setting "+template.Quote(e.Name)+" of the provider is not one that Gatepost knows, and has no effect"+hint)
		}
	}
	keys := s.provider.Get("apiKeys")
	if keys == nil {
		keys = s.value(s.provider.Get("apiGateway")).Get("apiKeys")
	}
	if keys != nil {
		s.note(keys.Place, "apiKeys belong to REST APIs; a WebSocket API has them as AWS::ApiGateway::ApiKey under resources")
	}
}
