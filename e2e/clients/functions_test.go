package clients

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// invoked is what each program of functions prints.
const invoked = `invoked 200 $LATEST 200 true
logged true true true true
Event 202 0 bytes true
DryRun 204 0 bytes true
function failed: 200 Unhandled UnmarshalTypeError
refused: 404 ResourceNotFoundException Function not found
refused: 400 InvalidRequestContentException Could not parse request body into json
`

// TestFunctions: every SDK invokes a function of the running program in each of
// the three ways, reads the end of its log and knows the errors. The function
// keeps a roster, which tells whom it was invoked for. Old SDKs get their endpoint
// in code, newer ones by variables.
func TestFunctions(t *testing.T) {
	t.Parallel()
	r := start(t)
	const everything, lambda, inCode = "AWS_ENDPOINT_URL=", "AWS_ENDPOINT_URL_LAMBDA=", "ENDPOINT="
	known := r.roster(t)
	for _, c := range []struct {
		name     string
		program  func(*testing.T) ([]string, []string)
		variable string
	}{
		{"gov1-17", goProgram("functions/gov1-17"), inCode},
		{"gov1-44", goProgram("functions/gov1-44"), inCode},
		{"gov1-55", goProgram("functions/gov1-55"), inCode},
		{"gov2-3", goProgram("functions/gov2-3"), inCode},
		{"gov2-21", goProgram("functions/gov2-21"), inCode},
		{"gov2-47", goProgram("functions/gov2-47"), everything},
		{"js-v2", nodeProgram(".", "functions/js-v2.cjs"), inCode},
		{"js-v3", nodeProgram(".", "functions/js-v3.cjs"), lambda},
		{"boto3", pythonProgram("functions/functions.py"), everything},
	} {
		t.Run(c.name, func(t *testing.T) {
			program, env := c.program(t)
			r.compare(t, append(env, "NAME="+c.name, c.variable+r.run.AWS), invoked, program...)
			known = append(known, c.name+"-waited", c.name+"-Event")
			slices.Sort(known)
			r.awaitRoster(t, known)
		})
	}
}

// awaitRoster waits until the demo's table has exactly these connections.
func (r *running) awaitRoster(t *testing.T, want []string) {
	t.Helper()
	var got []string
	for end := time.Now().Add(deliverWithin); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if got = r.roster(t); slices.Equal(got, want) {
			return
		}
	}
	t.Errorf("the roster has %q, want %q", got, want)
}

// roster is the ids of the connections in the demo's table, sorted.
func (r *running) roster(t *testing.T) []string {
	t.Helper()
	client := dynamodb.New(dynamodb.Options{Region: r.run.Region, BaseEndpoint: &r.run.AWS,
		Credentials: credentials.NewStaticCredentialsProvider(r.secrets.AccessKeyID, r.secrets.SecretAccessKey, r.secrets.SessionToken)})
	out, err := client.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String("SocketRoster"), ConsistentRead: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	ids := make(map[string]bool)
	for _, item := range out.Items {
		key, ok := item["PK"].(*types.AttributeValueMemberS)
		if !ok {
			t.Fatalf("an item without its key: %v", item)
		}
		ids[key.Value[strings.LastIndexByte(key.Value, '#')+1:]] = true
	}
	return slices.Sorted(maps.Keys(ids))
}
