package template

import (
	"strings"
	"testing"
)

// TestResolve prints SAM as plain CloudFormation: what is not created is gone,
// what cannot be evaluated stays, and secrets are shown nowhere.
func TestResolve(t *testing.T) {
	dir := project(t, "template.yaml", `Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String, Default: dev}
  Password: {Type: String, NoEcho: true, Default: hunter2}
Conditions: {IsProd: !Equals [!Ref Stage, prod]}
Resources:
  Fn:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.12
      Handler: index.handler
      InlineCode: x = 1
      Timeout: 5
      Environment:
        Variables:
          STAGE: !If [IsProd, live, !Ref Stage]
          NONE: !If [IsProd, live, !Ref 'AWS::NoValue']
          LOGIN: !Sub 'me:${Password}'
          PIN: '{{resolve:secretsmanager:pin}}'
      Events: {Q: {Type: SQS, Properties: {Queue: !GetAtt Jobs.Arn}}}
  Jobs: {Type: AWS::SQS::Queue, DeletionPolicy: Retain, Properties: {Tags: [{Key: a, Value: !ImportValue gone}]}}
  Extra: {Type: AWS::SQS::Queue, Condition: IsProd}
  Roster: {Type: AWS::Serverless::SimpleTable}
Outputs:
  Url: {Value: !Ref Jobs}
`)
	text, err := Resolve(dir, Options{StackName: "demo", Values: &Values{Secrets: map[string]string{"pin": "90125"}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"Type": "AWS::Lambda::Function"`, `"ZipFile": "x = 1"`, `"STAGE": "dev"`, `"LOGIN": "****"`, `"PIN": "****"`,
		`"Role": "arn:aws:iam::000000000000:role/FnRole"`, `"Type": "AWS::Lambda::EventSourceMapping"`, `"DeletionPolicy": "Retain"`,
		`"Fn::ImportValue": "gone"`, `"BillingMode": "PAY_PER_REQUEST"`, `"KeyType": "HASH"`,
		`"Value": "https://sqs.us-east-1.amazonaws.com/000000000000/Jobs"`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s is missing in\n%s", want, text)
		}
	}
	for _, gone := range []string{"hunter2", "90125", "NONE", "Extra", "Serverless", "Events"} {
		if strings.Contains(string(text), gone) {
			t.Errorf("%s is in\n%s", gone, text)
		}
	}
	// What was printed is a template, and the same system.
	printed, err := LoadBytes("printed.json", text, "", Options{StackName: "demo"})
	if err != nil {
		t.Fatalf("the printed template: %v", err)
	}
	if len(printed.Functions) != 1 || len(printed.Queues) != 1 || len(printed.Tables) != 1 || len(printed.Mappings) != 1 {
		t.Errorf("the printed template has %+v", printed)
	}
}

// TestSecretsStayHidden keeps a secret that was looked up out of what people
// read.
func TestSecretsStayHidden(t *testing.T) {
	s, err := LoadBytes("t.yaml", []byte(`Resources:
  Fn:
    Type: AWS::Lambda::Function
    Properties: {Runtime: provided.al2023, Handler: bootstrap, Code: fn, Environment: {Variables: {PLAIN: '<{{resolve:secretsmanager:pin}}>'}}}
`), "", Options{Values: &Values{Secrets: map[string]string{"pin": "90125"}}})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Functions[0].Environment["PLAIN"]; got != "<90125>" {
		t.Errorf("the function gets %q", got)
	}
	if shown := s.WithoutSecrets().Functions[0].Environment["PLAIN"]; strings.Contains(shown, "90125") {
		t.Errorf("people see %q", shown)
	}
}
