// Package synth runs programs that make templates: the apps of the AWS CDK, and
// the packaging of the Serverless Framework. It knows which files they are made
// of, to tell when they have to run again.
//
// An app of the CDK runs as its command line has it for "cdk synth": the command
// of cdk.json gets its context and the folder for its cloud assembly in its
// environment. Nothing of that command line is needed, and nothing is looked up on
// AWS. The rules come from the CDK developer guide ("cdk.json", "Context values") and
// from what the command line documents of the variables CDK_OUTDIR,
// CDK_CONTEXT_JSON, CDK_DEFAULT_ACCOUNT and CDK_DEFAULT_REGION.
package synth

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// App is an app and how it is to be run.
type App struct {
	// Folder holds cdk.json.
	Folder string
	// Region and Account are what an app finds as CDK_DEFAULT_REGION and
	// CDK_DEFAULT_ACCOUNT.
	Region, Account string
	// Limit is how long the app may take; zero means five minutes.
	Limit time.Duration
	// Progress, when it is not nil, gets a sentence when the app starts, one every
	// ten seconds, and one when it has ended well.
	Progress func(sentence string)
}

// defaultOutput is where an app leaves its assembly unless cdk.json says otherwise.
const defaultOutput = "cdk.out"

const (
	// maxConfig bounds cdk.json and cdk.context.json, in bytes.
	maxConfig = 4 << 20
	// maxVariable is how much context goes into a variable; the system takes
	// 128 KB for each. What is larger goes into a file.
	maxVariable = 64 << 10
)

// config is the part of cdk.json that is read.
type config struct {
	App     string         `json:"app"`
	Build   string         `json:"build"`
	Output  string         `json:"output"`
	Context map[string]any `json:"context"`
	Watch   watched        `json:"watch"`
}

// Synth runs the app and returns the folder of its cloud assembly. Its error
// shows what the app has printed, and names what is missing. It ends with ctx.
func (a App) Synth(ctx context.Context) (folder string, err error) {
	c, err := a.config()
	if err != nil {
		return "", err
	}
	if err := a.missing(c.App); err != nil {
		return "", err
	}
	out, err := a.output(c)
	if err != nil {
		return "", err
	}
	started := time.Now()
	environment, done, err := a.environment(c, out)
	if err != nil {
		return "", err
	}
	defer done()
	p := program{name: a.name(), brand: "CDK", folder: a.Folder, environment: environment, limit: cmp.Or(a.Limit, defaultLimit), tell: a.Progress}
	for _, command := range []string{c.Build, c.App} {
		if command == "" {
			continue
		}
		if err := p.run(ctx, command, "sh", "-c", command); err != nil {
			return "", err
		}
	}
	if !hasFile(out, "manifest.json") {
		return "", fmt.Errorf("%s has ended without a cloud assembly in %s; does it call app.synth()?", a.name(), out)
	}
	p.done(started)
	return out, nil
}

// Output is the folder of the cloud assembly that the app has left when it ran
// last. It is an error when there is none.
func (a App) Output() (folder string, err error) {
	c, err := a.config()
	if err != nil {
		return "", err
	}
	out, err := a.output(c)
	if err == nil && !hasFile(out, "manifest.json") {
		err = fmt.Errorf("%s has left no cloud assembly in %s", a.name(), out)
	}
	return out, err
}

// output is the absolute path of the cloud assembly's folder.
func (a App) output(c config) (string, error) {
	out := cmp.Or(c.Output, defaultOutput)
	if !filepath.IsAbs(out) {
		out = filepath.Join(a.Folder, out)
	}
	out, err := filepath.Abs(out)
	if err != nil {
		return "", fmt.Errorf("the folder of the app: %w", err)
	}
	return out, nil
}

// name is what people call the app.
func (a App) name() string {
	if folder := filepath.Clean(a.Folder); folder != "." {
		return "the CDK app in " + folder
	}
	return "the CDK app in this folder"
}

// config reads cdk.json.
func (a App) config() (config, error) {
	var c config
	file := filepath.Join(a.Folder, "cdk.json")
	if err := readJSON(file, &c); err != nil {
		return c, err
	}
	if strings.TrimSpace(c.App) == "" {
		return c, fmt.Errorf("%s names no \"app\", the command that runs the app", file)
	}
	return c, nil
}

func readJSON(file string, into any) error {
	info, err := os.Stat(file)
	if err != nil {
		return fmt.Errorf("read the CDK app: %w", err)
	}
	if info.Size() > maxConfig {
		return fmt.Errorf("%s is larger than %d MB", file, maxConfig>>20)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the CDK app: %w", err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s is not JSON as the CDK reads it: %w", file, err)
	}
	return nil
}

// missing says what must be installed for a command before it can run.
func (a App) missing(command string) error {
	program := strings.Fields(command)[0]
	if _, err := exec.LookPath(program); err != nil && !strings.ContainsAny(program, "/=$(") {
		return fmt.Errorf("%s runs with %q, and there is no %s here; install it%s", a.name(), command, program, whence[program])
	}
	if !hasFile(a.Folder, "package.json") || !usesNode(program) || installed(a.Folder) {
		return nil
	}
	install := "npm ci"
	switch {
	case hasFile(a.Folder, "yarn.lock"):
		install = "yarn install"
	case hasFile(a.Folder, "pnpm-lock.yaml"):
		install = "pnpm install"
	case !hasFile(a.Folder, "package-lock.json"):
		install = "npm install"
	}
	return fmt.Errorf("%s has no node_modules; run %q there, and then this again", a.name(), install)
}

// whence tells where programs come from that are not there.
var whence = map[string]string{
	"node": " (nodejs.org)", "npx": " (it comes with Node.js, nodejs.org)", "npm": " (it comes with Node.js, nodejs.org)",
	"python3": " (python.org)", "go": " (go.dev)", "mvn": " (Maven)", "dotnet": " (.NET)",
}

func usesNode(program string) bool {
	switch filepath.Base(program) {
	case "node", "npx", "npm", "ts-node", "tsx", "yarn", "pnpm":
		return true
	}
	return false
}

func hasFile(folder, name string) bool {
	_, err := os.Stat(filepath.Join(folder, name))
	return err == nil
}

// installed reports whether the folder, or one above it as in a monorepo, has
// its modules.
func installed(folder string) bool {
	abs, err := filepath.Abs(folder)
	for at := abs; err == nil; at = filepath.Dir(at) {
		if hasFile(at, "node_modules") {
			return true
		}
		if at == filepath.Dir(at) {
			break
		}
	}
	return false
}

// environment is what the app finds in its variables. done removes what it
// needs on the disk.
func (a App) environment(c config, out string) (variables []string, done func(), err error) {
	settings := map[string]any{
		"aws:cdk:enable-path-metadata":  true,
		"aws:cdk:enable-asset-metadata": true,
		"aws:cdk:bundling-stacks":       []string{"**"},
	}
	maps.Copy(settings, c.Context)
	if hasFile(a.Folder, "cdk.context.json") {
		looked := make(map[string]any)
		if err := readJSON(filepath.Join(a.Folder, "cdk.context.json"), &looked); err != nil {
			return nil, nil, err
		}
		maps.Copy(settings, looked)
	}
	text, err := json.Marshal(settings)
	if err != nil {
		return nil, nil, fmt.Errorf("the context of the CDK app: %w", err)
	}
	variables = append(os.Environ(), "CDK_OUTDIR="+out,
		"CDK_DEFAULT_REGION="+a.Region, "CDK_DEFAULT_ACCOUNT="+a.Account)
	if len(text) <= maxVariable {
		return append(variables, "CDK_CONTEXT_JSON="+string(text)), func() {}, nil
	}
	file, err := overflow(text)
	if err != nil {
		return nil, nil, err
	}
	return append(variables, "CDK_CONTEXT_JSON={}", "CONTEXT_OVERFLOW_LOCATION="+file), func() { os.Remove(file) }, nil
}

// overflow writes a context that is too large for a variable into a file.
func overflow(text []byte) (string, error) {
	f, err := os.CreateTemp("", "cdk-context-*.json")
	if err != nil {
		return "", fmt.Errorf("the context of the CDK app: %w", err)
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Close()); err != nil {
		os.Remove(f.Name())
		return "", fmt.Errorf("the context of the CDK app: %w", err)
	}
	return f.Name(), nil
}
