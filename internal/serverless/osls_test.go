package serverless

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/gatepost-dev/gatepost/internal/template"
)

// oslsWithin bounds one run of osls, which takes some three seconds.
const oslsWithin = 2 * time.Minute

// TestOsls makes the templates of the services in testdata/osls, has osls make
// them too, and compares resource by resource, both ways, and the other sections.
// osls is not part of this repository; `make osls` installs it and sets OSLS.
func TestOsls(t *testing.T) {
	program := os.Getenv("OSLS")
	if program == "" {
		t.Skip("OSLS is not set: `make osls` installs osls with npm (of Node.js 20.19 or newer) and sets it.")
	}
	archives, err := filepath.Glob("testdata/osls/*.txtar")
	if err != nil || len(archives) < 4 {
		t.Fatalf("found %d archives (%v)", len(archives), err)
	}
	t.Setenv("HOME_TOWN", "Ulm")
	t.Setenv("FLAG", "1")
	for _, name := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			for _, f := range archive.Files {
				place(t, dir, f)
			}
			file := filepath.Join(dir, "serverless.yml")
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			made, _, err := Template(file, data, dir, Options{})
			if err != nil {
				t.Fatal(err)
			}
			compareTemplates(t, plain(t, made.Root), osls(t, program, dir))
		})
	}
}

// osls returns the template that osls makes of the service in a folder.
func osls(t *testing.T, program, dir string) map[string]any {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), oslsWithin)
	defer cancel()
	run := exec.CommandContext(ctx, "node", program, "package")
	run.Dir = dir
	run.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=y", "SLS_ANALYTICS_DISABLED=1", "CI=1")
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("osls package: %v\n%s", err, out)
	}
	data, err := os.ReadFile(filepath.Join(dir, ".serverless", packaged))
	if err != nil {
		t.Fatal(err)
	}
	var theirs map[string]any
	if err := json.Unmarshal(data, &theirs); err != nil {
		t.Fatal(err)
	}
	return theirs
}

// plain is a value as encoding/json has it.
func plain(t *testing.T, v *template.Value) map[string]any {
	t.Helper()
	s := newService("", v, "", Options{})
	var out map[string]any
	decoder := json.NewDecoder(bytes.NewReader([]byte(s.json(v))))
	if err := decoder.Decode(&out); err != nil || len(s.problems) > 0 {
		t.Fatal(err, s.problems)
	}
	return out
}

// leftOut are what the comparison does not look at, and why.
var leftOut = map[string]string{
	"AWS::Lambda::Version":            "a version follows from the bytes of an archive",
	"AWS::IAM::Role":                  "policies mean nothing on one machine",
	"AWS::S3::BucketPolicy":           "policies mean nothing on one machine",
	"AWS::SQS::QueuePolicy":           "policies mean nothing on one machine",
	"AWS::S3::Bucket":                 "the bucket of the deployment is a name only",
	"AWS::ApiGateway::Account":        "it lets API Gateway write logs, with a function of osls's own",
	"Custom::ApiGatewayAccountRole":   "it lets API Gateway write logs",
	"AWS::Lambda::LayerVersion":       "what osls makes of it asks CloudFormation",
	"AWS::Lambda::Function Code":      "osls has archives, and we have folders",
	"AWS::Lambda::Function Role":      "roles mean nothing on one machine",
	"AWS::Lambda::Permission":         "only who may call counts",
	"AWS::Scheduler::Schedule Target": "its role",
}

var deploymentID = regexp.MustCompile(`WebsocketsDeployment[0-9A-Za-z]{24,}`)

func compareTemplates(t *testing.T, ours, theirs map[string]any) {
	t.Helper()
	mine, other := resourcesOf(ours), resourcesOf(theirs)
	for _, id := range slices.Sorted(maps.Keys(other)) {
		if mine[id] == nil {
			t.Errorf("osls makes %s, and we do not: %v", id, other[id])
		} else if !reflect.DeepEqual(mine[id], other[id]) {
			t.Errorf("%s is\n%s\nand osls makes\n%s", id, indent(mine[id]), indent(other[id]))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(mine)) {
		if other[id] == nil {
			t.Errorf("we make %s, and osls does not: %v", id, mine[id])
		}
	}
	for _, section := range []string{"Conditions", "Parameters", "Mappings"} {
		if !reflect.DeepEqual(ours[section], theirs[section]) {
			t.Errorf("%s is\n%s\nand osls makes\n%s", section, indent(ours[section]), indent(theirs[section]))
		}
	}
	outputs, _ := ours["Outputs"].(map[string]any)
	for name, mine := range outputs {
		other, _ := theirs["Outputs"].(map[string]any)[name].(map[string]any)
		delete(other, "Export")
		if !reflect.DeepEqual(mine, any(other)) {
			t.Errorf("the output %s is\n%s\nand osls makes\n%s", name, indent(mine), indent(other))
		}
	}
	t.Logf("%d resources are alike", len(other))
}

// resourcesOf returns what is compared of a template's resources, by their ids,
// without the hash in that of the deployment.
func resourcesOf(made map[string]any) map[string]map[string]any {
	all := make(map[string]map[string]any)
	resources, _ := made["Resources"].(map[string]any)
	for id, r := range resources {
		resource, _ := r.(map[string]any)
		typ, _ := resource["Type"].(string)
		properties, _ := resource["Properties"].(map[string]any)
		if strings.HasPrefix(id, "CustomDashresource") || leftOut[typ] != "" && typ != "AWS::Lambda::Permission" {
			continue
		}
		kept := map[string]any{}
		for name, value := range properties {
			if leftOut[typ+" "+name] == "" && (typ != "AWS::Lambda::Permission" || name == "FunctionName" || name == "Principal") {
				kept[name] = value
			}
		}
		text, _ := json.Marshal(map[string]any{"Type": typ, "Properties": kept, "Condition": resource["Condition"]})
		var clean map[string]any
		_ = json.Unmarshal([]byte(deploymentID.ReplaceAllString(string(text), "WebsocketsDeployment")), &clean)
		all[deploymentID.ReplaceAllString(id, "WebsocketsDeployment")] = unify(clean).(map[string]any)
	}
	return all
}

// unify writes what may be written in two ways in one: GetAtt, and numbers in
// texts.
func unify(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if arn, ok := v["Fn::GetAtt"].(string); ok {
			id, attribute, _ := strings.Cut(arn, ".")
			return map[string]any{"Fn::GetAtt": []any{id, attribute}}
		}
		for name := range v {
			v[name] = unify(v[name])
		}
		// osls escapes the quotes of an input once more where it writes the file.
		if input, ok := v["Input"].(string); ok {
			v["Input"] = strings.ReplaceAll(input, `\"`, `"`)
		}
	case []any:
		for i := range v {
			v[i] = unify(v[i])
		}
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return v
}

func indent(v any) string {
	out, _ := json.MarshalIndent(v, "  ", "  ")
	return string(out)
}
