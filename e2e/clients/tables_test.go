package clients

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// worked is what each program of tables prints.
const worked = `created, items end by ends
got Bern 12345678901234567890.123456789012345678 "b\x00" true true x 1
updated to Rome 2
found 3 on 2 pages, 1 of 3
put failed: ConditionalCheckFailedException
transact failed: TransactionCanceledException
get failed: ResourceNotFoundException
` + changed + "deleted\n"

// changed is the part of it that is in the stream.
const changed = `INSERT ann none Bern
MODIFY ann Bern Rome
INSERT bob none Rome
INSERT cyd none Rome
REMOVE ann Rome none
`

// TestTables: every SDK makes a table of the running program, works with its
// items and reads its stream. Old ones get their endpoint in code, newer ones by
// variables: AWS_ENDPOINT_URL leads to the tables and, where nothing else says
// otherwise, to their streams.
func TestTables(t *testing.T) {
	t.Parallel()
	r := start(t)
	const everything, tables, streams, inCode = "AWS_ENDPOINT_URL=", "AWS_ENDPOINT_URL_DYNAMODB=", "AWS_ENDPOINT_URL_DYNAMODB_STREAMS=", "ENDPOINT="
	for _, c := range []struct {
		name      string
		program   func(*testing.T) ([]string, []string)
		variables []string
	}{
		{"gov1-17", goProgram("gov1-17"), []string{inCode}},
		{"gov1-44", goProgram("gov1-44"), []string{inCode}},
		{"gov1-55", goProgram("gov1-55"), []string{inCode}},
		{"gov2-3", goProgram("gov2-3"), []string{inCode}},
		{"gov2-21", goProgram("gov2-21"), []string{inCode}},
		{"gov2-47", goProgram("gov2-47"), []string{everything}},
		{"js-v2", nodeProgram("js-v2.cjs"), []string{inCode}},
		{"js-v3", nodeProgram("js-v3.cjs"), []string{tables, streams}},
		{"boto3", pythonProgram, []string{everything}},
	} {
		t.Run(c.name, func(t *testing.T) {
			program, env := c.program(t)
			env = append(env, "TABLE="+c.name, "AWS_REGION="+r.run.Region, "AWS_DEFAULT_REGION="+r.run.Region,
				"AWS_ACCESS_KEY_ID="+r.secrets.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+r.secrets.SecretAccessKey, "AWS_SESSION_TOKEN="+r.secrets.SessionToken)
			for _, v := range c.variables {
				env = append(env, v+r.run.AWS)
			}
			out, stderr, err := run(env, nil, program...)
			want := worked
			if c.name == "gov2-3" { // see its main.go
				want = strings.Replace(worked, changed, "", 1)
			}
			if err != nil || string(out) != want {
				t.Errorf("%v\n%s\ngot:\n%swant:\n%s", err, stderr, out, want)
			}
		})
	}
}

// goProgram builds a folder of tables, a module of its own.
func goProgram(folder string) func(*testing.T) ([]string, []string) {
	return func(t *testing.T) ([]string, []string) {
		binary := filepath.Join(t.TempDir(), folder)
		if out, err := exec.Command("go", "build", "-C", filepath.Join("tables", folder), "-o", binary).CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", folder, err, out)
		}
		return []string{binary}, nil
	}
}

func nodeProgram(file string) func(*testing.T) ([]string, []string) {
	return func(t *testing.T) ([]string, []string) {
		packages := npmPackages(t, "tables")
		return []string{"node", filepath.Join("tables", file)}, []string{"TEST_PACKAGES=" + packages, "AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE=1"}
	}
}

func pythonProgram(t *testing.T) ([]string, []string) {
	if out, err := exec.Command("python3", "-c", "import boto3").CombinedOutput(); err != nil {
		missing(t, "Python with boto3 is missing: install python3 and `pip install boto3`. "+strings.TrimSpace(string(out)))
	}
	return []string{"python3", filepath.Join("tables", "tables.py")}, nil
}
