package template

import (
	"cmp"
	"slices"
	"strings"

	"github.com/gatepost-dev/gatepost/stack"
)

// note records something of a resource that will not run.
func (l *loader) note(r *resource, line int, text string) {
	l.addNotice(stack.Notice{File: l.fileOf(r.node), Line: line, LogicalID: r.id, Type: r.declared, Text: text})
}

// noteInert records something that means nothing on one machine.
func (l *loader) noteInert(r *resource, line int, text string) {
	l.addNotice(stack.Notice{File: l.fileOf(r.node), Line: line, LogicalID: r.id, Type: r.declared, Text: text, Inert: true})
}

// noteTemplate records something about the template as a whole.
func (l *loader) noteTemplate(line int, text string) {
	l.addNotice(stack.Notice{File: l.file, Line: line, Text: text})
}

// addNotice keeps a notice once.
func (s *system) addNotice(n stack.Notice) {
	if len(n.Type) > maxTypeName {
		n.Type = strings.ToValidUTF8(n.Type[:maxTypeName], "") + "…"
	}
	if !s.noted[n] {
		s.noted[n] = true
		s.stack.Notices = append(s.stack.Notices, n)
	}
}

// maxTypeName is how much of a type's name a notice shows, in bytes; AWS's own are
// shorter.
const maxTypeName = 204

// sortNotices puts the notices into the order of the templates.
func (s *system) sortNotices() {
	slices.SortStableFunc(s.stack.Notices, func(a, b stack.Notice) int {
		return cmp.Or(cmp.Compare(s.order[a.File], s.order[b.File]), cmp.Compare(a.Line, b.Line))
	})
}

// runTypes are the types that become part of the stack.
var runTypes = []string{
	"AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Integration", "AWS::ApiGatewayV2::Route",
	"AWS::ApiGatewayV2::RouteResponse", "AWS::ApiGatewayV2::Stage", "AWS::ApiGatewayV2::Deployment",
	"AWS::ApiGatewayV2::Authorizer", "AWS::ApiGatewayV2::IntegrationResponse", "AWS::ApiGatewayV2::Model",
	"AWS::ApiGatewayV2::DomainName", "AWS::ApiGatewayV2::ApiMapping",
	"AWS::ApiGateway::ApiKey", "AWS::ApiGateway::UsagePlan", "AWS::ApiGateway::UsagePlanKey",
	"AWS::Lambda::Function", "AWS::Lambda::Permission", "AWS::Lambda::EventSourceMapping", "AWS::Lambda::EventInvokeConfig",
	"AWS::Lambda::LayerVersion", "AWS::Serverless::LayerVersion",
	"AWS::Serverless::Function", "AWS::Serverless::WebSocketApi",
	"AWS::Events::Rule", "AWS::Scheduler::Schedule",
	"AWS::SQS::Queue", "AWS::SNS::Topic", "AWS::SNS::Subscription", "AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable", "AWS::Serverless::SimpleTable",
	"AWS::SSM::Parameter",
	"AWS::Kinesis::Stream",
}

// inertTypes mean nothing on one machine: permissions, which are not enforced
// between the parts of one stack, and what watches or deploys. A type that
// ends in "::" stands for its whole family.
var inertTypes = []string{
	"AWS::IAM::", "AWS::Logs::", "AWS::CloudWatch::", "AWS::XRay::", "AWS::CDK::Metadata",
	"AWS::ApiGateway::Account", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy", "AWS::S3::BucketPolicy",
	"AWS::Serverless::Connector",
	"AWS::Lambda::Version", "AWS::Lambda::Alias", "AWS::Lambda::LayerVersionPermission",
	"AWS::KMS::", "AWS::CodeDeploy::", "AWS::ApplicationAutoScaling::", "AWS::Route53::", "AWS::CertificateManager::",
	"AWS::CloudFormation::WaitConditionHandle", "AWS::Scheduler::ScheduleGroup", "AWS::CloudFormation::WaitCondition",
}

// noteSkipped lists the resources that do not become part of the stack, but for
// those that a condition leaves out.
func (l *loader) noteSkipped() {
	for _, id := range l.logicalIDs {
		r := l.resources[id]
		if r.generated || slices.Contains(runTypes, r.typ) || r.isNested() {
			continue
		}
		if exists, err := l.exists(r); err == nil && !exists {
			continue
		}
		if isInert(r.typ) {
			l.noteInert(r, r.line, "not needed here")
			continue
		}
		why := "Gatepost does not run this type of resource; it is left out"
		if r.typ == "AWS::Lambda::Url" {
			why = "functions get no URL of their own here; invoke them with gatepost invoke, or by a route"
		}
		l.note(r, r.line, why)
	}
}

func isInert(typ string) bool {
	return slices.ContainsFunc(inertTypes, func(t string) bool {
		return typ == t || strings.HasSuffix(t, "::") && strings.HasPrefix(typ, t)
	})
}
