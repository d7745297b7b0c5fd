// Package clients holds the tests of @connections with the AWS SDKs of other
// languages and older days: JavaScript v2 and v3, Python, the AWS CLI, Go v1.
package clients

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// step is one call that a client is to make.
type step struct {
	Endpoint        string `json:"endpoint"`
	Region          string `json:"region"`
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`
	SessionToken    string `json:"sessionToken"`
	// Op is "post", "get" or "delete".
	Op string `json:"op"`
	ID string `json:"id"`
	// Data is the message of a post.
	Data []byte `json:"data"`
}

// result is what a client's own language shows of a call.
type result struct {
	// Status is the HTTP status, 0 where the client does not tell.
	Status int `json:"status"`
	// Code is the exception's name, "" for success.
	Code    string `json:"code"`
	Message string `json:"message"`
	// ConnectedAt and SourceIP are two fields of a get.
	ConnectedAt string `json:"connectedAt"`
	SourceIP    string `json:"sourceIp"`
}

// client makes calls one after the other. It skips the test if it is not
// installed, but on a machine that builds for others (CI is set) it fails.
type client func(t *testing.T, env []string, steps []step) []result

// The bounds of one client and of the installation of its packages.
const (
	runWithin     = 2 * time.Minute
	installWithin = 4 * time.Minute
)

// missing ends a test whose client is not installed.
func missing(t *testing.T, sentence string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(sentence)
	}
	t.Skip(sentence)
}

func jsV3(t *testing.T, env []string, steps []step) []result {
	return node(t, "js-v3.cjs", env, steps)
}

func jsV2(t *testing.T, env []string, steps []step) []result {
	return node(t, "js-v2.cjs", append(env, "AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE=1"), steps)
}

func node(t *testing.T, program string, env []string, steps []step) []result {
	t.Helper()
	packages := npmPackages(t, ".")
	return converse(t, append(env, "TEST_PACKAGES="+packages), steps, "node", program)
}

func boto3(t *testing.T, env []string, steps []step) []result {
	t.Helper()
	if out, err := exec.Command("python3", "-c", "import boto3").CombinedOutput(); err != nil {
		missing(t, "Python with boto3 is missing: install python3 and `pip install boto3`. "+string(out))
	}
	return converse(t, env, steps, "python3", "boto3_client.py")
}

// converse runs a client program with nothing in its environment that could
// lead it elsewhere.
func converse(t *testing.T, env []string, steps []step, program ...string) []result {
	t.Helper()
	work, err := json.Marshal(steps)
	if err != nil {
		t.Fatal(err)
	}
	out, stderr, err := run(env, work, program...)
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(program, " "), err, stderr)
	}
	var results []result
	if err := json.Unmarshal(out, &results); err != nil || len(results) != len(steps) {
		t.Fatalf("%s has printed %q, %v", strings.Join(program, " "), out, err)
	}
	return results
}

func run(env []string, input []byte, program ...string) (stdout, stderr []byte, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), runWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, program[0], program[1:]...)
	cmd.Env = append(env, "PATH="+os.Getenv("PATH"), "HOME="+os.Getenv("HOME"), "TMPDIR="+os.TempDir(),
		"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "AWS_EC2_METADATA_DISABLED=true")
	var outs, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &outs, &errs
	err = cmd.Run()
	return outs.Bytes(), errs.Bytes(), err
}

// cliError is how the AWS CLI tells of an error of the service.
var cliError = regexp.MustCompile(`(?s)An error occurred \((\w+)\) when calling the \w+ operation(?: \(reached max retries: \d\))?: ?(.*)`)

// awsCLI starts the AWS CLI for each step.
func awsCLI(t *testing.T, env []string, steps []step) []result {
	t.Helper()
	if _, err := exec.LookPath("aws"); err != nil {
		missing(t, "The AWS CLI is missing: install it from your system's packages, or `pip install awscli`.")
	}
	results := make([]result, len(steps))
	for i, s := range steps {
		args := []string{"aws", "apigatewaymanagementapi", map[string]string{"post": "post-to-connection", "get": "get-connection", "delete": "delete-connection"}[s.Op],
			"--endpoint-url", s.Endpoint, "--region", s.Region, "--output", "json", "--connection-id=" + s.ID}
		if s.Op == "post" {
			file := filepath.Join(t.TempDir(), "data")
			if err := os.WriteFile(file, s.Data, 0o600); err != nil {
				t.Fatal(err)
			}
			args = append(args, "--data", "fileb://"+file)
		}
		own := append([]string{"AWS_ACCESS_KEY_ID=" + s.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + s.SecretAccessKey, "AWS_SESSION_TOKEN=" + s.SessionToken}, env...)
		out, stderr, err := run(own, nil, args...)
		var shown struct {
			ConnectedAt string
			Identity    struct{ SourceIp string }
		}
		if m := cliError.FindSubmatch(stderr); m != nil {
			results[i] = result{Code: string(m[1]), Message: strings.TrimSpace(string(m[2]))}
		} else if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, stderr)
		} else if json.Unmarshal(out, &shown) == nil {
			results[i] = result{ConnectedAt: shown.ConnectedAt, SourceIP: shown.Identity.SourceIp}
		}
	}
	return results
}

// installing lets one test of this process install and the others wait.
var installing sync.Mutex

// npmPackages installs what a folder's package-lock.json lists, in versions and
// hashes that it fixes, into a folder of the user's cache, once, and returns that.
func npmPackages(t *testing.T, of string) string {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			missing(t, "Node.js is missing: install nodejs (20 or newer) and npm from your system's packages.")
		}
	}
	lock, err := os.ReadFile(filepath.Join(of, "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(lock)
	folder := filepath.Join(cache, "gatepost-test-npm", hex.EncodeToString(sum[:8]))
	installing.Lock()
	defer installing.Unlock()
	if _, err := os.Stat(folder); errors.Is(err, os.ErrNotExist) {
		install(t, of, folder)
	}
	return folder
}

// install runs `npm ci` beside the folder and then gives it its name, so that
// the folder is whole or not there, whoever else installs.
func install(t *testing.T, of, folder string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		t.Fatal(err)
	}
	work, err := os.MkdirTemp(filepath.Dir(folder), "new-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(work)
	for _, name := range []string{"package.json", "package-lock.json"} {
		text, err := os.ReadFile(filepath.Join(of, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(work, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), installWithin)
	defer cancel()
	npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
	npm.Dir, npm.WaitDelay = work, time.Second
	out, err := npm.CombinedOutput()
	if err != nil && unreachable(ctx, out) {
		t.Skipf("npm cannot reach its registry, so the SDKs for JavaScript were not tried: %v\n%s", err, out)
	}
	if err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	if err := os.Rename(work, folder); err != nil && !errors.Is(err, os.ErrExist) {
		if _, there := os.Stat(folder); there != nil {
			t.Fatal(err)
		}
	}
}

// unreachable tells a network that is not there from packages that are wrong.
func unreachable(ctx context.Context, npmOutput []byte) bool {
	for _, code := range []string{"ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH", "EHOSTUNREACH", "ERR_SOCKET_TIMEOUT", "E502", "E503", "E504"} {
		if bytes.Contains(npmOutput, []byte(code)) {
			return true
		}
	}
	return ctx.Err() != nil
}
