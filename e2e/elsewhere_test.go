package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/rogpeppe/go-internal/testscript"
)

// keeper starts another program that keeps tables or more until the script ends,
// and sets a variable to its endpoint:
//
//	keeper NAME dynalite     architect/dynalite, with DynamoDB's API
//	keeper NAME gatepost     a second Gatepost, with nothing of its own
func keeper(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: keeper NAME dynalite|gatepost")
	}
	switch args[1] {
	case "dynalite":
		ts.Setenv(args[0], startDynalite(ts))
	case "gatepost":
		ts.Setenv(args[0], startSecond(ts, ts.MkAbs(args[0])))
	default:
		ts.Fatalf("keeper has no %q", args[1])
	}
}

// dynaliteProgram prints where it listens.
const dynaliteProgram = `const s = require(process.argv[1])({ createTableMs: 0 }); s.listen(0, '127.0.0.1', () => console.log('at', s.address().port))`

func startDynalite(ts *testscript.TestScript) string {
	modules, err := dynaliteModules()
	ts.Check(err)
	cmd := exec.Command("node", "-e", dynaliteProgram, filepath.Join(modules, "dynalite"))
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Defer(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	ts.Check(err)
	endpoint := dynaliteAt(strings.TrimSpace(line))
	if endpoint == "" {
		ts.Fatalf("dynalite says %q", line)
	}
	return endpoint
}

// dynaliteAt finds the endpoint in what dynaliteProgram prints; "" when it is not there.
func dynaliteAt(line string) string {
	port, found := strings.CutPrefix(line, "at ")
	if !found {
		return ""
	}
	return "http://127.0.0.1:" + port
}

func startSecond(ts *testscript.TestScript, data string) string {
	cmd := exec.Command(binary, "dev", ts.MkAbs("keeper.yaml"), "--gateway", "127.0.0.1:0", "--aws", "127.0.0.1:0", "--console", "127.0.0.1:0", "--data", data)
	ts.Check(os.WriteFile(ts.MkAbs("keeper.yaml"), []byte("Resources: {Kept: {Type: AWS::SQS::Queue, Properties: {QueueName: kept}}}\n"), 0o600))
	cmd.Env, cmd.Stdout, cmd.Stderr = environment(ts), os.Stderr, os.Stderr
	cmd.Dir = ts.MkAbs(".")
	ts.Check(cmd.Start())
	ts.Defer(func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	})
	wait := exec.Command(binary, "wait", "--data", data, "--timeout", readyWithin.String())
	wait.Env = cmd.Env
	if out, err := wait.CombinedOutput(); err != nil {
		ts.Fatalf("gatepost wait: %v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(data, "run.json"))
	ts.Check(err)
	var run struct{ AWS string }
	ts.Check(json.Unmarshal(text, &run))
	return run.AWS
}

// kept holds that a keeper has an item, by its key, or a message:
//
//	kept item URL TABLE KEY VALUE
//	kept message URL QUEUE TEXT
func kept(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 4 {
		ts.Fatalf("usage: kept item URL TABLE KEY VALUE, kept message URL QUEUE TEXT")
	}
	ctx := context.Background()
	anybody := credentials.NewStaticCredentialsProvider("test", "test", "")
	eventually(ts, deliverWithin, func() error {
		if args[0] == "message" {
			client := sqs.New(sqs.Options{Region: "us-east-1", Credentials: anybody, BaseEndpoint: &args[1]})
			out, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: aws.String(args[1] + "/000000000000/" + args[2]), WaitTimeSeconds: 5})
			if err == nil && (len(out.Messages) != 1 || *out.Messages[0].Body != args[3]) {
				err = fmt.Errorf("%s has %d messages, not %s", args[2], len(out.Messages), args[3])
			}
			return err
		}
		client := dynamodb.New(dynamodb.Options{Region: "us-east-1", Credentials: anybody, BaseEndpoint: &args[1]})
		out, err := client.GetItem(ctx, &dynamodb.GetItemInput{TableName: &args[2], Key: map[string]types.AttributeValue{args[3]: &types.AttributeValueMemberS{Value: args[4]}}})
		if err == nil && out.Item == nil {
			err = fmt.Errorf("%s has no item %s", args[2], args[4])
		}
		return err
	})
}
