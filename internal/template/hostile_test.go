package template

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// These bounds are generous: on an idle core each template below takes well
// under two seconds.
const (
	hostileTime   = 20 * time.Second
	hostileMemory = 2 << 30
)

// TestHostile loads templates that were made to take forever or all memory.
// Each must end soon, most of them in an error that says why.
func TestHostile(t *testing.T) {
	for name, c := range map[string]struct {
		file, text string
		want       string // part of the error, or empty for none
	}{
		"alias bomb":            {"t.yaml", aliasBomb(), "more than 100000 values"},
		"merge bomb":            {"t.yaml", mergeBomb(), "more than 100000 values"},
		"deep list":             {"t.yaml", "Resources: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000), "levels deep"},
		"deep list without end": {"t.yaml", strings.Repeat("[", 100_000), "not valid YAML"},
		"deep blocks":           {"t.yaml", deepBlocks(1500), "levels deep"},
		"deep JSON":             {"t.json", `{"Resources":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "}", "levels deep"},
		"very deep JSON":        {"t.json", `{"a":` + strings.Repeat("[", 1<<20), "not valid JSON"},
		"too large":             {"t.yaml", strings.Repeat("#", maxFileBytes+1), "larger than 10 MB"},
		"many values":           {"t.yaml", "Resources:\n" + strings.Repeat("- a\n", 120_000), "more than 100000 values"},
		"long line of YAML":     {"t.yaml", "[" + strings.Repeat("a,", 5_000_000) + "a]", "more than 200000 lines, commas and brackets"},
		"long line of JSON":     {"t.json", `{"Resources":[` + strings.Repeat("1,", 200_000) + "1]}", "more than 100000 values"},
		"many resources":        {"t.yaml", repeat("Resources:\n", "  Q%d: {Type: AWS::SQS::Queue}\n", 15_000), "more than 2000 resources"},
		"many comments":         {"t.yaml", strings.Repeat("# a\n\n", 80_000) + oneQueue, ""},
		"long key":              {"t.json", `{"Resources":{"` + strings.Repeat("a", 1<<20) + `":1}}`, "must be a map"},
		"doubling names":        {"t.yaml", doubling(64), "longer than"},
		"doubling joins":        {"t.yaml", joins(64), "longer than"},
		"long chain":            {"t.yaml", chain(1500), "more than 200 values"},
		"wide condition":        {"t.yaml", conditions(1500), "more than 200 values"},
		"many wrong references": {"t.yaml", wrongReferences(15_000), "and 14980 more problems"},
		"many wrong properties": {"t.yaml", repeat("Resources:\n  Q:\n    Type: AWS::SQS::Queue\n    Properties:\n", "      P%d: 1\n", 30_000), ""},
		"globals times many":    {"t.yaml", globalsTimesMany(), "Globals are too large"},
		"repeated keys":         {"t.yaml", oneQueue + repeat("Metadata:\n", "  K%d: 1\n", 40_000) + repeat("", "  K%d: 2\n", 40_000), ""},
		"schema in itself":      {"t.yaml", "Mappings: {M: {a: {b: {x: !FindInMap [M, a, b], y: !FindInMap [M, a, b]}}}}\n" + oneModel + "!FindInMap [M, a, b]", "levels deep"},
		"wide schema":           {"t.yaml", oneModel + "'" + wideSchema(15_000) + "'", "may have"},
		"models of models":      {"t.yaml", oneModel + "{}\n" + modelsOfModels(1500), "come to more than"},
		"many schemas":          {"t.yaml", oneModel + "{}\n" + repeat("", "  M%d: {Type: AWS::ApiGatewayV2::Model, Properties: {ApiId: !Ref Api, Name: M%[1]d, Schema: {properties: {a: {pattern: '(a*)*'}, b: {$ref: '#'}}}}}\n", 1500), ""},
		"loops in loops":        {"t.yaml", loops(8), "the loops of the template make more than"},
		"a loop over much":      {"t.yaml", "Transform: AWS::LanguageExtensions\nResources:\n  Fn::ForEach::A: [X, [" + strings.TrimSuffix(repeat("", "a%d,", 50_000), ",") + "], {'Q${X}': {Type: AWS::SQS::Queue}}]\n", "more than"},
		"dynamic references":    {"t.yaml", oneModel + "'" + strings.Repeat("{{resolve:ssm:/a}}", 50_000) + "'", "may have"},
		"many blocks":           {"t.yaml", repeat("Resources:\n  Q: {Type: AWS::SQS::Queue, Properties: {Tags: [\n", "{Key: k%d, Value: !Join ['', !Cidr ['::/0', 256, 64]]},\n", 5_000) + "]}}\n", ""},
		"stage variables":       {"t.yaml", stageVariables(), "more than 8192 bytes"},
		"plans times stages":    {"t.yaml", plansTimesStages(20, 200), ""},
		"mapping templates":     {"t.yaml", oneModel + "{}\n" + repeat("", "  I%d: {Type: AWS::ApiGatewayV2::Integration, Properties: {ApiId: !Ref Api, IntegrationType: MOCK, RequestTemplates: {$default: '"+strings.Repeat("#if(true)a#end", 300)+"'}}}\n", 1500), "API Gateway does not take"},
		"regular expressions":   {"t.yaml", oneModel + "{}\n" + repeat("", "  M%d: {Type: AWS::ApiGatewayV2::Model, Properties: {ApiId: !Ref Api, Name: M%[1]d, Schema: {pattern: 'a{1000}b{900}'}}}\n", 500), ""},
		"large schemas":         {"t.yaml", oneModel + "{}\n" + repeat("", "  M%d: {Type: AWS::ApiGatewayV2::Model, Properties: {ApiId: !Ref Api, Name: M%[1]d, Schema: '"+wideSchema(490)+"'}}\n", 20), ""},
	} {
		t.Run(name, func(t *testing.T) {
			before := allocated()
			start := time.Now()
			_, err := LoadBytes(c.file, []byte(c.text), "", Options{})
			took, used := time.Since(start), allocated()-before
			t.Logf("%d bytes: %v, %d MB allocated, error of %d bytes", len(c.text), took, used>>20, len(fmt.Sprint(err)))
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error %.300v, want one with %q", err, c.want)
			}
			if took > hostileTime || used > hostileMemory {
				t.Errorf("took %v and %d MB", took, used>>20)
			}
		})
	}
}

// oneModel is an API with a model whose schema follows.
const oneModel = `Resources:
  Api: {Type: AWS::ApiGatewayV2::Api, Properties: {ProtocolType: WEBSOCKET, RouteSelectionExpression: a}}
  Model:
    Type: AWS::ApiGatewayV2::Model
    Properties:
      ApiId: !Ref Api
      Name: Model
      Schema: `

func wideSchema(n int) string {
	return `{"properties":{` + strings.TrimSuffix(repeat("", `"p%d":{"not":{"type":"string"}},`, n), ",") + `}}`
}

// modelsOfModels are many small models that each refer to one large one.
func modelsOfModels(n int) string {
	large := "  Large: {Type: AWS::ApiGatewayV2::Model, Properties: {ApiId: !Ref Api, Name: Large, Schema: '{\"title\":\"" + strings.Repeat("a", 300<<10) + "\"}'}}\n"
	return large + repeat("", "  M%d: {Type: AWS::ApiGatewayV2::Model, Properties: {ApiId: !Ref Api, Name: M%[1]d, Schema: {$ref: !Sub 'https://apigateway.amazonaws.com/restapis/${Api}/models/Large'}}}\n", n)
}

// loops are loops in loops, each over ten items.
func loops(depth int) string {
	body := "{Q: {Type: AWS::SQS::Queue}}"
	for i := range depth {
		body = fmt.Sprintf("{'Fn::ForEach::L%d': [X%[1]d, [a, b, c, d, e, f, g, h, i, j], %s]}", i, strings.Replace(body, "Q:", fmt.Sprintf("'Q${X%d}':", i), 1))
	}
	return "Transform: AWS::LanguageExtensions\nResources: " + body + "\n"
}

func stageVariables() string {
	uri := "https://" + strings.Repeat("${stageVariables.a}", 40_000)
	return oneModel + "{}\n" +
		"  Stage: {Type: AWS::ApiGatewayV2::Stage, Properties: {ApiId: !Ref Api, StageName: a, StageVariables: {a: " + strings.Repeat("a", 1<<20) + "}}}\n" +
		"  I: {Type: AWS::ApiGatewayV2::Integration, Properties: {ApiId: !Ref Api, IntegrationType: HTTP, IntegrationUri: '" + uri + "'}}\n" +
		"  R: {Type: AWS::ApiGatewayV2::Route, Properties: {ApiId: !Ref Api, RouteKey: r, Target: !Sub 'integrations/${I}'}}\n"
}

// plansTimesStages has as many plans for as many APIs, with a key each.
func plansTimesStages(apis, plans int) string {
	out := bytes.NewBufferString("Resources:\n")
	var stages strings.Builder
	for i := range apis {
		fmt.Fprintf(out, "  A%d: {Type: AWS::ApiGatewayV2::Api, Properties: {ProtocolType: WEBSOCKET, RouteSelectionExpression: a}}\n", i)
		fmt.Fprintf(&stages, "{ApiId: !Ref A%d, Stage: default}, ", i)
	}
	for i := range plans {
		fmt.Fprintf(out, "  P%d: {Type: AWS::ApiGateway::UsagePlan, Properties: {ApiStages: [%s]}}\n", i, strings.TrimSuffix(stages.String(), ", "))
		fmt.Fprintf(out, "  K%d: {Type: AWS::ApiGateway::ApiKey}\n  L%[1]d: {Type: AWS::ApiGateway::UsagePlanKey, Properties: {KeyId: !Ref K%[1]d, UsagePlanId: !Ref P%[1]d}}\n", i)
	}
	return out.String()
}

// allocated is how much was ever allocated, so an upper bound of what is in use.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

func repeat(head, format string, n int) string {
	out := bytes.NewBufferString(head)
	for i := range n {
		fmt.Fprintf(out, format, i)
	}
	return out.String()
}

func aliasBomb() string {
	out := bytes.NewBufferString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 30; i++ {
		fmt.Fprintf(out, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	return out.String() + oneQueue
}

func mergeBomb() string {
	out := bytes.NewBufferString("a0: &a0 {k: x}\n")
	for i := 1; i < 40; i++ {
		fmt.Fprintf(out, "a%d: &a%d {<<: [*a%d, *a%d], k%d: *a%d}\n", i, i, i-1, i-1, i, i-1)
	}
	return out.String() + oneQueue
}

func deepBlocks(n int) string {
	var out strings.Builder
	for i := range n {
		out.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return out.String()
}

// doubling makes each function's name twice the next one's.
func doubling(n int) string {
	out := "Resources:\n"
	for i := range n {
		out += fmt.Sprintf("  F%d: {Type: AWS::Lambda::Function, Properties: {FunctionName: !Sub [\"${a}${a}\", {a: !Ref F%d}]}}\n", i, i+1)
	}
	return out + fmt.Sprintf("  F%d: {Type: AWS::Lambda::Function, Properties: {FunctionName: %s}}\n", n, strings.Repeat("x", 1000))
}

func joins(n int) string {
	out := "Resources:\n"
	for i := range n {
		out += fmt.Sprintf("  F%d: {Type: AWS::SQS::Queue, Properties: {QueueName: !Join ['', [!GetAtt F%d.QueueName, !GetAtt F%[2]d.QueueName]]}}\n", i, i+1)
	}
	return out + fmt.Sprintf("  F%d: {Type: AWS::SQS::Queue}\n", n)
}

func chain(n int) string {
	out := "Resources:\n"
	for i := range n {
		out += fmt.Sprintf("  Q%d: {Type: AWS::SQS::Queue, Properties: {QueueName: !GetAtt Q%d.QueueName}}\n", i, i+1)
	}
	return out + fmt.Sprintf("  Q%d: {Type: AWS::SQS::Queue}\n", n)
}

func conditions(n int) string {
	out := "Conditions:\n"
	for i := range n {
		out += fmt.Sprintf("  C%d: !Or [!Condition C%d, !Condition C%[2]d]\n", i, i+1)
	}
	return out + fmt.Sprintf("  C%d: !Equals [a, b]\nResources: {Q: {Type: 'AWS::SQS::Queue', Condition: C0}}\n", n)
}

func wrongReferences(n int) string {
	head := "Resources:\n  F:\n    Type: AWS::Lambda::Function\n    Properties:\n      Runtime: provided.al2023\n      Handler: bootstrap\n      Code: fn\n      Environment:\n        Variables:\n"
	return repeat(head, "          V%d: !Ref Gone%[1]d\n", n)
}

func globalsTimesMany() string {
	out := repeat("Transform: AWS::Serverless-2016-10-31\nGlobals:\n  Function:\n    Runtime: provided.al2023\n    Handler: bootstrap\n    CodeUri: fn\n    Environment:\n      Variables:\n", "        V%d: x\n", 20_000)
	return out + repeat("Resources:\n", "  F%d: {Type: AWS::Serverless::Function, Properties: {Environment: {Variables: {AB: b}}}}\n", 100)
}
