package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gatepost-dev/gatepost/internal/serverless"
	"github.com/gatepost-dev/gatepost/internal/template"
	"github.com/gatepost-dev/gatepost/stack"
)

// played are the commands that the lines of a scenario are made of.
var played = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"ws": ws, "roster": roster, "fill": fill, "put": write, "post": postTo, "letter": letter, "request": request,
}

// play FILE runs a scenario: lines as in a script, of the commands above.
// Several scripts have the same, which testscript cannot include.
func play(ts *testscript.TestScript, neg bool, args []string) {
	text, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	for line := range strings.Lines(string(text)) {
		words := words(strings.TrimSpace(line), ts.Getenv)
		if len(words) == 0 {
			continue
		}
		do := played[words[0]]
		if do == nil {
			ts.Fatalf("%s: there is no command %q", args[0], words[0])
		}
		ts.Logf("> %s", strings.TrimSpace(line))
		do(ts, false, words[1:])
	}
}

// words splits a line as testscript does: single quotes keep spaces and
// dollars, # at the start of a word begins a comment.
func words(line string, value func(string) string) (all []string) {
	for line = strings.TrimLeft(line, " \t"); line != "" && line[0] != '#'; line = strings.TrimLeft(line, " \t") {
		if line[0] == '\'' {
			word, rest, _ := strings.Cut(line[1:], "'")
			all, line = append(all, word), rest
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		all, line = append(all, os.Expand(word, value)), rest
	}
	return all
}

// put FILE TEXT writes a text to a file.
func write(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(args[1]), 0o600))
}

// postTo QUEUE FILE [NAME=VALUE...] sends a file as a message with attributes.
func postTo(ts *testscript.TestScript, neg bool, args []string) {
	client, ctx := sqs.NewFromConfig(config(ts)), context.Background()
	queue, err := client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &args[0]})
	ts.Check(err)
	attributes := map[string]types.MessageAttributeValue{}
	for _, a := range args[2:] {
		name, value, _ := strings.Cut(a, "=")
		attributes[name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &value}
	}
	_, err = client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: queue.QueueUrl, MessageBody: aws.String(ts.ReadFile(args[1])), MessageAttributes: attributes})
	ts.Check(err)
}

// letter QUEUE FILE NAME=TEXT... waits for a message with a file's bytes, whose
// attributes contain the texts, and deletes it.
func letter(ts *testscript.TestScript, neg bool, args []string) {
	client, ctx := sqs.NewFromConfig(config(ts)), context.Background()
	queue, err := client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &args[0]})
	ts.Check(err)
	eventually(ts, 60*time.Second, func() error {
		out, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: queue.QueueUrl, WaitTimeSeconds: 5, MessageAttributeNames: []string{"All"}})
		if err != nil {
			return err
		}
		if len(out.Messages) != 1 || *out.Messages[0].Body != ts.ReadFile(args[1]) {
			return fmt.Errorf("%d messages in %s, want the one of %s", len(out.Messages), args[0], args[1])
		}
		m := out.Messages[0]
		for _, a := range args[2:] {
			name, want, _ := strings.Cut(a, "=")
			if got := aws.ToString(m.MessageAttributes[name].StringValue); !strings.Contains(got, want) {
				ts.Fatalf("the dead letter's %s is %q, want %q", name, got, want)
			}
		}
		_, err = client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: queue.QueueUrl, ReceiptHandle: m.ReceiptHandle})
		return err
	})
}

// request STATUS FUNCTION FILE [iam] [NAME=VALUE...] invokes a function with the
// event of its URL: a POST of a file, signed or not, with query parameters.
func request(ts *testscript.TestScript, neg bool, args []string) {
	event := events.APIGatewayV2HTTPRequest{Version: "2.0", RawPath: "/", Body: ts.ReadFile(args[2]), QueryStringParameters: map[string]string{}}
	event.RequestContext.HTTP.Method, event.RequestContext.RequestID = "POST", "r1"
	for _, a := range args[3:] {
		if name, value, is := strings.Cut(a, "="); is {
			event.QueryStringParameters[name] = value
			continue
		}
		event.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{
			IAM: &events.APIGatewayV2HTTPRequestContextAuthorizerIAMDescription{UserARN: "arn:aws:iam::000000000000:user/shop"},
		}
	}
	payload, err := json.Marshal(event)
	ts.Check(err)
	out, err := lambda.NewFromConfig(config(ts)).Invoke(context.Background(), &lambda.InvokeInput{FunctionName: &args[1], Payload: payload})
	ts.Check(err)
	var answer events.APIGatewayV2HTTPResponse
	ts.Check(json.Unmarshal(out.Payload, &answer))
	if strconv.Itoa(answer.StatusCode) != args[0] {
		ts.Fatalf("%s answered %s, want %s", args[1], out.Payload, args[0])
	}
}

// token NAME ISSUER AUDIENCE SECRET USER GROUPS sets a variable to a token of
// one minute, signed with HS256. In a negated call it has expired.
func token(ts *testscript.TestScript, neg bool, args []string) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: []byte(args[3])}, nil)
	ts.Check(err)
	end := time.Now().Add(time.Minute)
	if neg {
		end = time.Now().Add(-time.Hour)
	}
	text, err := jwt.Signed(signer).
		Claims(jwt.Claims{Issuer: args[1], Audience: jwt.Audience{args[2]}, Subject: args[4], Expiry: jwt.NewNumericDate(end)}).
		Claims(map[string]any{"groups": strings.Split(args[5], ",")}).Serialize()
	ts.Check(err)
	ts.Setenv(args[0], text)
}

// carnage FUNCTION QUEUE GROUP COUNT CLIENT... sends messages for a group to a
// queue and meanwhile kills the function's processes, again and again, and then
// holds that each of the clients has every message. Some come twice.
func carnage(ts *testscript.TestScript, neg bool, args []string) {
	count, err := strconv.Atoi(args[3])
	ts.Check(err)
	done, killed := make(chan struct{}), make(chan int)
	go func() { killed <- onStage(ts).killUntil(done, args[0]) }()
	want := map[string]bool{}
	for i := range count {
		text := fmt.Sprintf("%s of %d: %d", args[2], count, i)
		want[text] = true
		write(ts, false, []string{"carnage", text})
		postTo(ts, false, []string{args[1], "carnage", "Target=group:" + args[2]})
		time.Sleep(20 * time.Millisecond) // spreads the messages over the kills
	}
	close(done)
	ts.Logf("%s was killed %d times", args[0], <-killed)
	for _, name := range args[4:] {
		missing, twice, end := maps.Clone(want), 0, time.After(90*time.Second)
		for len(missing) > 0 {
			select {
			case frame, ok := <-named(ts, name).frames:
				if !ok || !want[frame] {
					ts.Fatalf("%s got %q, open: %v", name, frame, ok)
				}
				if !missing[frame] {
					twice++
				}
				delete(missing, frame)
			case <-end:
				ts.Fatalf("%s has not got %d of %d messages: %v", name, len(missing), count, slices.Sorted(maps.Keys(missing)))
			}
		}
		ts.Logf("%s has all of %d messages, %d of them again", name, count, twice)
	}
}

// killUntil kills a function's processes until done, and says how many.
func (s *stage) killUntil(done <-chan struct{}, function string) (killed int) {
	mark := []byte("AWS_LAMBDA_FUNCTION_NAME=" + function + "\x00")
	for {
		for _, pid := range s.functionProcesses() {
			if env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid)); err == nil && bytes.Contains(env, mark) && syscall.Kill(pid, syscall.SIGKILL) == nil {
				killed++
			}
		}
		select {
		case <-done:
			return killed
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// TestDeploymentsAreTheSame holds that the push house's deployments declare the
// same routes, sources, queues, tables and settings of functions.
func TestDeploymentsAreTheSame(t *testing.T) {
	sam, err := template.Load("../push/deploy/sam/template.yaml", template.Options{StackName: "demo"})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := template.Load("../push/deploy/sam/raw.yaml", template.Options{StackName: "demo"})
	if err != nil {
		t.Fatal(err)
	}
	sls, err := serverless.Load("../push/deploy/serverless/serverless.yml", serverless.Options{})
	if err != nil {
		t.Fatal(err)
	}
	stacks := map[string]*stack.Stack{"raw.yaml": raw, "serverless.yml": sls}
	if folder := os.Getenv("DEPLOYMENTS"); folder != "" { // `make deployments` has packaged them there
		if stacks["cdk.out"], err = template.Load(folder+"/cdk/cdk.out", template.Options{}); err != nil {
			t.Fatal(err)
		}
		if stacks[".serverless"], err = serverless.Load(folder+"/serverless/.serverless/cloudformation-template-update-stack.json", serverless.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	want := outline(sam)
	for name, s := range stacks {
		if got := outline(s); got != want {
			t.Errorf("%s declares\n%s\nand template.yaml\n%s", name, got, want)
		}
	}
	if n := strings.Count(want, "\n"); n < 25 {
		t.Errorf("the outline has %d lines:\n%s", n, want)
	}
}

// outline is what a deployment does, without the names that its tool gives.
func outline(s *stack.Stack) string {
	var lines []string
	functions := map[string]string{}
	for _, f := range s.Functions {
		environment := slices.Sorted(maps.Keys(f.Environment))
		about := fmt.Sprintf("%d MB, %v, %v", f.MemoryMB, f.Timeout, environment)
		if f.Async != nil {
			about += fmt.Sprintf(", %d retries, then %s", *f.Async.Retries, f.Async.OnFailure)
		}
		functions[f.Name], functions[f.ARN] = about, about
		lines = append(lines, "function: "+about)
	}
	for _, api := range s.APIs {
		lines = append(lines, fmt.Sprintf("API %s, stage %s, %s", api.Name, api.Stage.Name, api.RouteSelectionExpression))
		for _, r := range api.Routes {
			lines = append(lines, fmt.Sprintf("route %s, two-way %v, authorizer %v: %s", r.Key, r.TwoWay, r.Authorizer != nil, functions[r.Integration.Function]))
		}
	}
	for _, q := range s.Queues {
		lines = append(lines, fmt.Sprintf("queue %s, %v, %v, %+v", q.Name, q.VisibilityTimeout, q.Retention, q.Redrive))
	}
	for _, m := range s.Mappings {
		lines = append(lines, fmt.Sprintf("%s, batches of %d, failures by item %v: %s", m.SourceARN, m.BatchSize, m.ReportItemFailures, functions[m.Function]))
	}
	for _, m := range s.Subscriptions {
		lines = append(lines, fmt.Sprintf("%s: %s", m.TopicARN, functions[m.Endpoint]))
	}
	for _, c := range s.Schedules {
		lines = append(lines, fmt.Sprintf("%s: %s", c.Expression, functions[c.Targets[0].ARN]))
	}
	for _, t := range s.Tables {
		lines = append(lines, fmt.Sprintf("table %s, %v, ends by %s", t.Name, t.Key, t.TTLAttribute))
		for _, i := range t.Indexes {
			lines = append(lines, fmt.Sprintf("index %s, %v", i.Name, i.Key))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}
