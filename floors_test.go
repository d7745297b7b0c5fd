package gatepost_test

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/gatepost-dev/gatepost"

// floors says on which floor each package stands and why. A package imports
// only packages of floors below its own. A new package needs a line here and a
// sentence in ARCHITECTURE.md.
var floors = map[string]struct {
	floor int
	why   string
}{
	"apigw":                            {1, "the words of a WebSocket API: values, no I/O"},
	"stack":                            {2, "what a template declares, in those words"},
	"internal/uuid":                    {0, "random identifiers"},
	"internal/nonblock":                {0, "reads and writes that never block"},
	"internal/jsonpath":                {0, "JSON documents and paths into them"},
	"internal/synth":                   {0, "programs that make templates: apps of the AWS CDK, the packaging of services"},
	"internal/project":                 {0, "which file of a folder declares a system"},
	"internal/watch":                   {0, "files that change"},
	"internal/envfile":                 {0, "files of environment variables"},
	"internal/conformance":             {0, "the rules that tests show; nothing but tests imports it"},
	"internal/golden":                  {0, "archives of inputs and what is expected of them; nothing but tests imports it"},
	"internal/crashtest":               {0, "processes that tests kill; nothing but tests imports it"},
	"internal/conn/protocoltest":       {0, "the dialogues of RFC 6455 that a server is held to; nothing but tests imports it"},
	"examples/inventory":               {6, "a shop: its page, with a gateway in the same process"},
	"examples/inventory/shop":          {0, "the shop's tables; it must stand on AWS alone, as its functions do"},
	"e2e/clients":                      {7, "the SDKs of other languages against @connections"},
	"internal/vtl":                     {1, "mapping templates over JSON documents"},
	"internal/policy":                  {1, "policy documents, evaluated"},
	"internal/pattern":                 {1, "event patterns over JSON documents"},
	"internal/schedule":                {1, "schedule expressions and the timers for them"},
	"internal/throttle":                {1, "token buckets and quotas"},
	"internal/aws/sns":                 {3, "topics"},
	"internal/function/runtimes":       {2, "how each Lambda runtime comes to life on this machine"},
	"internal/integration":             {2, "calls the backends of routes, in the words of apigw"},
	"internal/telemetry":               {1, "what everybody tells of itself"},
	"internal/awswire":                 {1, "AWS's protocols and signatures, no service"},
	"internal/bus":                     {1, "NATS and nothing else"},
	"internal/instance":                {2, "what is on disk about a running instance, its keys included"},
	"internal/conn":                    {2, "connections, without a word of routes"},
	"internal/management":              {2, "@connections over HTTP, whoever holds them"},
	"internal/gateway":                 {3, "one API's data plane"},
	"internal/function":                {3, "functions as processes"},
	"internal/eventsource":             {3, "queues and streams to functions"},
	"internal/aws/dynamodb":            {3, "tables"},
	"internal/aws/sqs":                 {3, "queues"},
	"internal/aws/kinesis":             {3, "data streams"},
	"internal/aws/elsewhere":           {3, "services that somebody else runs"},
	"internal/aws/lambda":              {3, "invocations, now and later"},
	"internal/template":                {3, "templates to stacks"},
	"internal/intercept":               {3, "how function calls are led here"},
	"internal/console":                 {3, "the admin API"},
	"internal/serverless":              {4, "the Serverless Framework's configurations to templates"},
	"":                                 {5, "the wiring of all of them"},
	"cmd/gatepost":                     {6, "the command line"},
	"e2e":                              {7, "tests of the whole"},
	"internal/aws/dynamodb/attribute":  {1, "DynamoDB's values and numbers, no store"},
	"internal/aws/dynamodb/expression": {2, "DynamoDB's expression language, no store"},
}

// TestFloors keeps every import of the gateway house pointing down, and the
// two houses apart: push/ imports nothing of the gateway house, and only the
// command line, examples and the end-to-end tests import push/.
func TestFloors(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		inPush := name == "push" || strings.HasPrefix(name, "push/")
		// An example's functions are of the push house.
		inPush = inPush || strings.HasPrefix(name, "examples/") && strings.Contains(name, "/functions/")
		own, known := floors[name]
		if !known && !inPush {
			t.Errorf("package %q stands on no floor: add it to the list, with a reason, and to ARCHITECTURE.md", name)
			continue
		}
		for _, path := range p.Imports {
			if path != module && !strings.HasPrefix(path, module+"/") {
				continue
			}
			imported := strings.TrimPrefix(strings.TrimPrefix(path, module), "/")
			importsPush := imported == "push" || strings.HasPrefix(imported, "push/") || inPush && strings.HasPrefix(imported, "examples/")
			switch {
			case inPush && !importsPush:
				t.Errorf("%s imports %s: the push house must stand on AWS alone", name, imported)
			case importsPush && !inPush && name != "cmd/gatepost" && name != "e2e" && name != "examples/inventory":
				t.Errorf("%s imports %s: only the command line, examples and the end-to-end tests bring the houses together", name, imported)
			case !inPush && !importsPush && floors[imported].floor >= own.floor:
				t.Errorf("%q (floor %d) imports %q (floor %d): imports point down", name, own.floor, imported, floors[imported].floor)
			}
		}
	}
}

// TestOnlyTheBusKnowsNATS keeps the engine behind one door. The push house has a
// roster for those who run NATS themselves.
func TestOnlyTheBusKnowsNATS(t *testing.T) {
	for _, p := range packages(t) {
		for _, path := range p.Imports {
			if strings.HasPrefix(path, "github.com/nats-io/") && p.ImportPath != module+"/internal/bus" && p.ImportPath != module+"/push/natsroster" {
				t.Errorf("%s imports %s; only internal/bus and push/natsroster may", p.ImportPath, path)
			}
		}
	}
}

type goPackage struct {
	ImportPath string
	Imports    []string
}

// packages asks the go command for every package of the module.
func packages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p goPackage
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 10 {
		t.Fatalf("go list found %d packages", len(all))
	}
	return all
}
