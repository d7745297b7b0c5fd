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
		{"gov1-17", goProgram("tables/gov1-17"), []string{inCode}},
		{"gov1-44", goProgram("tables/gov1-44"), []string{inCode}},
		{"gov1-55", goProgram("tables/gov1-55"), []string{inCode}},
		{"gov2-3", goProgram("tables/gov2-3"), []string{inCode}},
		{"gov2-21", goProgram("tables/gov2-21"), []string{inCode}},
		{"gov2-47", goProgram("tables/gov2-47"), []string{everything}},
		{"js-v2", nodeProgram("tables", "tables/js-v2.cjs"), []string{inCode}},
		{"js-v3", nodeProgram("tables", "tables/js-v3.cjs"), []string{tables, streams}},
		{"boto3", pythonProgram("tables/tables.py"), []string{everything}},
	} {
		t.Run(c.name, func(t *testing.T) {
			program, env := c.program(t)
			for _, v := range c.variables {
				env = append(env, v+r.run.AWS)
			}
			want := worked
			if c.name == "gov2-3" { // see its main.go
				want = strings.Replace(worked, changed, "", 1)
			}
			r.compare(t, append(env, "TABLE="+c.name), want, program...)
		})
	}
}

// goProgram builds a folder, which is a module of its own.
func goProgram(folder string) func(*testing.T) ([]string, []string) {
	return func(t *testing.T) ([]string, []string) {
		binary := filepath.Join(t.TempDir(), filepath.Base(folder))
		if out, err := exec.Command("go", "build", "-C", filepath.FromSlash(folder), "-o", binary).CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", folder, err, out)
		}
		return []string{binary}, nil
	}
}

// nodeProgram runs a file with the packages that a folder's package.json lists.
func nodeProgram(packages, file string) func(*testing.T) ([]string, []string) {
	return func(t *testing.T) ([]string, []string) {
		installed := npmPackages(t, packages)
		return []string{"node", filepath.FromSlash(file)}, []string{"TEST_PACKAGES=" + installed, "AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE=1"}
	}
}

// pythonProgram runs a file that needs boto3.
func pythonProgram(file string) func(*testing.T) ([]string, []string) {
	return func(t *testing.T) ([]string, []string) {
		if out, err := exec.Command("python3", "-c", "import boto3").CombinedOutput(); err != nil {
			missing(t, "Python with boto3 is missing: install python3 and `pip install boto3`. "+strings.TrimSpace(string(out)))
		}
		return []string{"python3", filepath.FromSlash(file)}, nil
	}
}
