package clients

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// servedQueues is what each program of queues prints.
const servedQueues = `made twice, otherwise QueueAlreadyExists
received one red 4 [98 0]
again one 2
sent 2 not c InvalidParameterValue
deleted 2 not bad ReceiptHandleIsInvalid left 0 0
tagged orders
ordered first second true false
missing: AWS.SimpleQueueService.NonExistentQueue
topic big1
` + servedInOrder + `no topic: NotFound
deleted
`

// servedInOrder is the part of it that needs FIFO topics.
const servedInOrder = "ordered topic big1 big2\n"

// TestQueues: every SDK, in its own of SQS's two protocols, makes queues and
// topics of the running program and uses them. Old ones get their endpoint in
// code, newer ones by variables.
func TestQueues(t *testing.T) {
	t.Parallel()
	r := start(t)
	const everything, queues, topics, inCode = "AWS_ENDPOINT_URL=", "AWS_ENDPOINT_URL_SQS=", "AWS_ENDPOINT_URL_SNS=", "ENDPOINT="
	for _, c := range []struct {
		name      string
		program   func(*testing.T) ([]string, []string)
		variables []string
	}{
		{"gov1-17", goProgram("queues/gov1-17"), []string{inCode}},
		{"gov1-44", goProgram("queues/gov1-44"), []string{inCode}},
		{"gov1-55", goProgram("queues/gov1-55"), []string{inCode}},
		{"gov2-3", goProgram("queues/gov2-3"), []string{inCode}},
		{"gov2-21", goProgram("queues/gov2-21"), []string{inCode}},
		{"gov2-47", goProgram("queues/gov2-47"), []string{everything}},
		{"js-v2", nodeProgram(".", "queues/js-v2.cjs"), []string{inCode}},
		{"js-v3", nodeProgram(".", "queues/js-v3.cjs"), []string{queues, topics}},
		{"boto3", pythonProgram("queues/queues.py"), []string{everything}},
	} {
		t.Run(c.name, func(t *testing.T) {
			program, env := c.program(t)
			for _, v := range c.variables {
				env = append(env, v+r.run.AWS)
			}
			want := servedQueues
			if c.name == "gov1-17" { // see its main.go
				want = strings.Replace(servedQueues, servedInOrder, "", 1)
			}
			r.compare(t, append(env, "NAME="+c.name), want, program...)
		})
	}
}

// TestQueuesWithTheCLI: the commands that people type.
func TestQueuesWithTheCLI(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("aws"); err != nil {
		missing(t, "The AWS CLI is missing: install it from your system's packages, or `pip install awscli`.")
	}
	if out, err := exec.Command("aws", "sqs", "start-message-move-task", "--generate-cli-skeleton").CombinedOutput(); err != nil {
		t.Skipf("This AWS CLI is older than StartMessageMoveTask (1.29, 2.12): install a newer one with `pip install awscli`. %s", out)
	}
	r := start(t)
	r.compare(t, []string{"NAME=cli", "ENDPOINT=" + r.run.AWS, "TMPDIR=" + t.TempDir()}, `received one
then 0
moved one
topic news
missing: AWS.SimpleQueueService.NonExistentQueue
`, "sh", filepath.Join("queues", "cli.sh"))
}

// compare runs a program with the credentials of the running instance.
func (r *running) compare(t *testing.T, env []string, want string, program ...string) {
	t.Helper()
	env = append([]string{"AWS_REGION=" + r.run.Region, "AWS_DEFAULT_REGION=" + r.run.Region, "AWS_ACCESS_KEY_ID=" + r.secrets.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + r.secrets.SecretAccessKey, "AWS_SESSION_TOKEN=" + r.secrets.SessionToken}, env...)
	out, stderr, err := run(env, nil, program...)
	if err != nil || string(out) != want {
		t.Errorf("%v\n%s\ngot:\n%swant:\n%s", err, stderr, out, want)
	}
}
