package function

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/internal/telemetry"
	"github.com/gatepost-dev/gatepost/stack"
)

// js is a function in one CommonJS file.
func js(code string) map[string]string { return map[string]string{"index.js": code} }

// mjs is a function in one ES module.
func mjs(code string) map[string]string { return map[string]string{"index.mjs": code} }

func TestNode(t *testing.T) {
	needs(t, "node", "nodejs")
	runInterpreted(t, "nodejs20.x", "index.handler", slices.Concat(nodeHandlers, nodeModules, nodeResponses, nodeErrors, nodeInitErrors))
}

var nodeHandlers = []interpretedTest{
	{name: "async", files: js(`exports.handler = async (event) => event.a + 1`), event: `{"a":41}`, response: "42"},
	{name: "promise", files: js(`exports.handler = (event) => new Promise((r) => setTimeout(() => r("late"), 5))`), response: `"late"`},
	{name: "thenable", files: js(`exports.handler = () => ({ then: (resolve) => resolve(7) })`), response: "7"},
	{name: "callback", files: js(`exports.handler = (event, context, callback) => { setTimeout(() => callback(null, "called"), 5) }`), response: `"called"`},
	{name: "callback twice", files: js(`exports.handler = (e, c, callback) => { callback(null, 1); callback(null, 2) }`), response: "1"},
	{name: "callback waits for the loop", files: js(`
		let done = 0
		exports.handler = (e, c, callback) => { const answer = { get done() { return done } }; setTimeout(() => { done = 1 }, 20); callback(null, answer) }`),
		response: `{"done":1}`},
	{name: "callback does not wait", files: js(`
		let done = 0
		exports.handler = (e, context, callback) => {
			context.callbackWaitsForEmptyEventLoop = false
			setTimeout(() => { done = 1 }, 60000)
			callback(null, { get done() { return done } })
		}`), response: `{"done":0}`},
	{name: "callback with an error", files: js(`exports.handler = (e, c, callback) => callback(new TypeError("bad"))`), typ: "TypeError", message: "bad"},
	{name: "callback with text", files: js(`exports.handler = (e, c, callback) => callback("Unauthorized")`), typ: "string", message: "Unauthorized",
		response: `{"errorType":"string","errorMessage":"Unauthorized","trace":[]}`},
	{name: "no callback at all", files: js(`exports.handler = (e, c, callback) => { setTimeout(() => {}, 5) }`), response: "null"},
	{name: "plain value means nothing", files: js(`exports.handler = () => 5`), response: "null"},
	{name: "done", files: js(`exports.handler = (e, context) => { setInterval(() => {}, 60000); context.done(null, "d") }`), response: `"d"`},
	{name: "succeed", files: js(`exports.handler = (e, context) => context.succeed({ s: 1 })`), response: `{"s":1}`},
	{name: "fail", files: js(`exports.handler = (e, context) => context.fail(new RangeError("f"))`), typ: "RangeError", message: "f"},
	{name: "fail without error", files: js(`exports.handler = (e, context) => context.fail()`), typ: "string", message: "handled"},
	{name: "promise that never settles", files: js(`exports.handler = async () => { await new Promise(() => {}) }`), typ: "Runtime.NodeJsExit", message: "never settled"},
	{name: "plain value in 24", runtime: "nodejs24.x", files: js(`exports.handler = (event, context) => [typeof context.done, 5]`), response: `["undefined",5]`},
	{name: "callback in 24", runtime: "nodejs24.x", files: js(`exports.handler = async (event, context, callback) => 5`),
		typ: "Runtime.CallbackHandlerDeprecated", message: "has removed support for callback-based function handlers starting with Node.js 24"},
}

var nodeModules = []interpretedTest{
	{name: "module", files: mjs(`import { sep } from 'node:path'; export const handler = async () => sep`), response: `"/"`},
	{name: "top-level await", files: mjs(`const late = await new Promise((r) => setTimeout(() => r(3), 5)); export const handler = async () => late`), response: "3"},
	{name: "type module", files: map[string]string{"package.json": `{"type":"module"}`, "index.js": `export const handler = async () => import.meta.url.endsWith("index.js")`}, response: "true"},
	{name: "module in 24", runtime: "nodejs24.x", files: mjs(`export const handler = async () => "m"`), response: `"m"`},
	{name: "cjs", files: map[string]string{"package.json": `{"type":"module"}`, "index.cjs": `module.exports.handler = async () => __filename.endsWith("index.cjs")`}, response: "true"},
	{name: "path", handler: "src/app.handler", files: map[string]string{"src/app.js": `exports.handler = async () => require("./b")`, "src/b.js": `module.exports = "b"`}, response: `"b"`},
	{name: "nested", handler: "a/b/c.d.handler", files: map[string]string{"a/b/c.js": `exports.d = { handler: async () => "nested" }`}, response: `"nested"`},
	{name: "folder with index", handler: "lib.handler", files: map[string]string{"lib/index.js": `exports.handler = async () => "folder"`}, response: `"folder"`},
	{name: "packages", files: map[string]string{"node_modules/p/index.js": `module.exports = "p"`, "index.js": `exports.handler = async () => require("p")`}, response: `"p"`},
	{name: "from the task root", handler: "src/app.handler", files: map[string]string{"src/app.js": `exports.handler = async () => require("lib/b")`, "lib/b.js": `module.exports = "root"`}, response: `"root"`},
	{name: "own node options", files: js(`exports.handler = async () => globalThis.hooked`), environment: map[string]string{"NODE_OPTIONS": "--require ./hook.js"},
		typ: "Runtime.ExitError", message: "exit status 1"},
}

var nodeResponses = []interpretedTest{
	{name: "undefined", files: js(`exports.handler = async () => {}`), response: "null"},
	{name: "function", files: js(`exports.handler = async () => () => 1`), response: "null"},
	{name: "buffer", files: js(`exports.handler = async () => Buffer.from("ab")`), response: `{"type":"Buffer","data":[97,98]}`},
	{name: "date and map", files: js(`exports.handler = async () => ({ d: new Date(0), m: new Map([[1, 2]]), u: undefined })`), response: `{"d":"1970-01-01T00:00:00.000Z","m":{}}`},
	{name: "letters", files: js(`exports.handler = async (event) => event + "ß"`), event: `"ü€😀"`, response: `"ü€😀ß"`},
	{name: "bigint", files: js(`exports.handler = async () => ({ n: 1n })`), typ: "Error", message: "Unable to stringify response body"},
	{name: "circle", files: js(`exports.handler = async () => { const a = {}; a.a = a; return a }`), typ: "Error", message: "Unable to stringify response body"},
	{name: "too large", files: js(`exports.handler = async () => "x".repeat(7 << 20)`), typ: typeTooLarge, message: "(6291556 bytes)"},
	{name: "no JSON", files: js(`exports.handler = async () => 1`), event: "{", typ: "SyntaxError"},
	{name: "stream", files: js(`exports.handler = awslambda.streamifyResponse(async (event, stream) => {
		stream.write("a"); await new Promise((r) => setTimeout(r, 5)); stream.write("b"); stream.end("c") })`), response: "abc"},
	{name: "stream that ends later", files: js(`exports.handler = awslambda.streamifyResponse(async (event, stream) => { setTimeout(() => stream.end({ z: 1 }), 5) })`), response: `{"z":1}`},
	{name: "stream that breaks", files: js(`exports.handler = awslambda.streamifyResponse(async (event, stream) => { stream.write("half"); throw new RangeError("broke") })`), typ: "RangeError", message: "broke"},
	{name: "stream of HTTP", files: js(`exports.handler = awslambda.streamifyResponse(async (event, stream) => {
		stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201 }); stream.write("body"); stream.end() })`), response: `{"statusCode":201}` + strings.Repeat("\x00", 8) + "body"},
}

var nodeErrors = []interpretedTest{
	{name: "throw", files: js(`exports.handler = async () => { throw new TypeError("wrong") }`), typ: "TypeError", message: "wrong", line: "TypeError: wrong"},
	{name: "throw at once", files: js(`exports.handler = () => { throw new Error("now") }`), typ: "Error", message: "now"},
	{name: "throw an object", files: js(`exports.handler = async () => { throw { a: 1 } }`), typ: "object", message: "[object Object]"},
	{name: "own error", files: js(`class NoTable extends Error { constructor() { super("none"); this.name = "NoTable" } }
		exports.handler = async () => { throw new NoTable() }`), typ: "NoTable", message: "none"},
	{name: "uncaught", files: js(`exports.handler = () => new Promise(() => { setTimeout(() => { throw new Error("loose") }, 5) })`), typ: "Error", message: "loose", line: "Uncaught Exception"},
	{name: "unhandled rejection", files: js(`exports.handler = async () => { Promise.reject(new Error("lost")); await new Promise((r) => setTimeout(r, 60000)) }`),
		typ: "Runtime.UnhandledPromiseRejection", message: "Error: lost", line: "Unhandled Promise Rejection"},
	{name: "exit", files: js(`exports.handler = async () => { console.log("bye"); process.exit(3) }`), typ: "Runtime.ExitError", message: "Error: Runtime exited with error: exit status 3", line: "bye"},
	{name: "exit 0", files: js(`exports.handler = async () => process.exit(0)`), typ: "Runtime.ExitError", message: "Runtime exited without providing a reason"},
	{name: "abort", files: js(`exports.handler = async () => process.abort()`), typ: "Runtime.ExitError", message: "signal: aborted"},
}

var nodeInitErrors = []interpretedTest{
	{name: "no file", handler: "gone.handler", files: js(``), typ: "Runtime.ImportModuleError", message: "Error: Cannot find module 'gone'\nRequire stack:"},
	{name: "no package", files: js(`require("nowhere"); exports.handler = async () => 1`), typ: "Runtime.ImportModuleError", message: "Error: Cannot find module 'nowhere'\nRequire stack:"},
	{name: "no SDK", files: js(`require("@aws-sdk/client-none"); exports.handler = async () => 1`), typ: "Runtime.ImportModuleError", message: "@aws-sdk/client-none",
		initLine: `run "npm install @aws-sdk/client-none"`},
	{name: "no package for a module", files: mjs(`import "nowhere"; export const handler = async () => 1`), typ: "Error", message: "Cannot find package 'nowhere'"},
	{name: "syntax", files: js(`exports.handler = async () => {`), typ: "Runtime.UserCodeSyntaxError", message: "SyntaxError: Unexpected end of input"},
	{name: "syntax of a module", files: mjs(`export const = 1`), typ: "Runtime.UserCodeSyntaxError", message: "SyntaxError: Unexpected token '='"},
	{name: "no handler", handler: "index.other", files: js(`exports.handler = 1`), typ: "Runtime.HandlerNotFound", message: "index.other is undefined or not exported"},
	{name: "no function", files: js(`exports.handler = 1`), typ: "Runtime.HandlerNotFound", message: "index.handler is not a function"},
	{name: "bad name", handler: "index", files: js(``), typ: "Runtime.MalformedHandlerName", message: "Bad handler"},
	{name: "name that leads out", handler: "../index.handler", files: js(``), typ: "Runtime.MalformedHandlerName", message: "'../index.handler' is not a valid handler name"},
	{name: "throws at load", files: js(`throw new RangeError("no table")`), typ: "RangeError", message: "no table", initLine: "no table"},
	{name: "exits at load", files: js(`process.exit(5)`), typ: "Runtime.ExitError", message: "exit status 5"},
}

// buildOne builds a host of one function.
func buildOne(t *testing.T, f stack.Function) *testHost {
	t.Helper()
	if f.Timeout == 0 {
		f.Timeout = 20 * time.Second
	}
	h := newTestHost(t, nil, f)
	if err := h.Build(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return h
}

func TestNodeContext(t *testing.T) {
	needs(t, "node", "nodejs")
	root := files(t, t.TempDir(), js(`exports.handler = async (event, context) => ({ ...context, left: context.getRemainingTimeInMillis(),
		trace: process.env._X_AMZN_TRACE_ID, cwd: process.cwd(), env: process.env.AWS_EXECUTION_ENV, runtime: process.env.LAMBDA_RUNTIME_DIR })`))
	h := buildOne(t, stack.Function{Name: "f", Runtime: "nodejs18.x", Handler: "index.handler", Code: root, MemoryMB: 256, Timeout: 30 * time.Second})
	var got map[string]any
	if err := json.Unmarshal([]byte(h.invoke("f", "{}")), &got); err != nil {
		t.Fatal(err)
	}
	id := h.awaitInvoked().RequestID
	for name, want := range map[string]any{
		"functionName": "f", "functionVersion": "$LATEST", "memoryLimitInMB": "256", "logGroupName": "/aws/lambda/f", "awsRequestId": id,
		"invokedFunctionArn": "arn:aws:lambda:eu-west-1:111122223333:function:f", "callbackWaitsForEmptyEventLoop": true,
		"cwd": root, "env": "AWS_Lambda_nodejs18.x",
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	if left, _ := got["left"].(float64); left <= 0 || left > 30_000 {
		t.Errorf("%v ms are left", got["left"])
	}
	if trace, _ := got["trace"].(string); !strings.HasPrefix(trace, "Root=1-") {
		t.Errorf("the trace id is %v", got["trace"])
	}
	if stream, _ := got["logStreamName"].(string); !strings.Contains(stream, "[$LATEST]") {
		t.Errorf("the log stream is %v", got["logStreamName"])
	}
	if s := h.Functions()[0]; !strings.HasPrefix(s.How, "node ") || !strings.HasSuffix(s.How, " in place of 18") && !strings.HasPrefix(s.How, "node 18.") {
		t.Errorf("the status says %q", s.How)
	}
}

// All that a handler writes belongs to its event, in order, however much it is.
func TestNodeLogs(t *testing.T) {
	needs(t, "node", "nodejs")
	root := files(t, t.TempDir(), js(`console.log("loading")
		exports.handler = async (event) => { console.log("out", event.n); console.error("err", event.n); process.stdout.write("x".repeat(200000) + "\nlast " + event.n) }`))
	h := buildOne(t, stack.Function{Name: "f", Runtime: "nodejs20.x", Handler: "index.handler", Code: root})
	lines := map[string][]string{}
	for n := range 3 {
		h.invoke("f", `{"n":`+string(rune('0'+n))+`}`)
		for {
			e := h.await(func(telemetry.Event) bool { return true })
			if e.Kind == telemetry.Invoked {
				lines[string(rune('0'+n))] = append(lines[e.RequestID], lines[""]...)
				lines[""] = nil
				break
			}
			if e.Kind == telemetry.LogLine && !strings.HasPrefix(e.Text, "x") {
				lines[e.RequestID] = append(lines[e.RequestID], e.Text)
			}
		}
	}
	for n, want := range map[string]string{"0": "out 0,err 0,last 0,loading", "1": "out 1,err 1,last 1", "2": "out 2,err 2,last 2"} {
		if got := strings.Join(lines[n], ","); got != want {
			t.Errorf("event %s: %s, want %s", n, got, want)
		}
	}
}

func TestNodeErrorPayload(t *testing.T) {
	needs(t, "node", "nodejs")
	root := files(t, t.TempDir(), js(`exports.handler = async () => { throw new TypeError("wrong") }`))
	h := buildOne(t, stack.Function{Name: "f", Runtime: "nodejs20.x", Handler: "index.handler", Code: root})
	typ, message, trace := payloadOf(t, h.invokeError("f", "{}"))
	if typ != "TypeError" || message != "wrong" || len(trace) < 2 || trace[0] != "TypeError: wrong" || !strings.Contains(trace[1], filepath.Join(root, "index.js")+":1:") {
		t.Errorf("%s, %s, %q", typ, message, trace)
	}
}

// A process that has failed an event and lives on takes the next one; one that
// has crashed is replaced.
func TestNodeGoesOn(t *testing.T) {
	needs(t, "node", "nodejs")
	root := files(t, t.TempDir(), js(`exports.handler = async (event) => {
		if (event.fail) throw new Error("f")
		if (event.crash) setTimeout(() => { throw new Error("c") }, 0)
		if (event.crash) await new Promise((r) => setTimeout(r, 60000))
		return process.pid }`))
	h := buildOne(t, stack.Function{Name: "f", Runtime: "nodejs20.x", Handler: "index.handler", Code: root})
	first := h.invoke("f", "{}")
	h.invokeError("f", `{"fail":true}`)
	if again := h.invoke("f", "{}"); again != first {
		t.Errorf("process %s followed %s after an error", again, first)
	}
	h.invokeError("f", `{"crash":true}`)
	if after := h.invoke("f", "{}"); after == first {
		t.Error("a crashed process goes on")
	}
}

// A change of any file of the code is a change of the function.
func TestNodeRebuild(t *testing.T) {
	needs(t, "node", "nodejs")
	root := files(t, t.TempDir(), map[string]string{"index.js": `exports.handler = async () => require("./b")`, "b.js": `module.exports = 1`})
	h := buildOne(t, stack.Function{Name: "f", Runtime: "nodejs20.x", Handler: "index.handler", Code: root})
	h.invoke("f", "{}")
	before := h.functions["f"].program.sum
	if err := h.Build(t.Context(), nil); err != nil || h.functions["f"].program.sum != before {
		t.Errorf("nothing has changed, and yet: %v", err)
	}
	files(t, root, map[string]string{"b.js": `module.exports = 2`})
	h.Build(t.Context(), nil)
	if got := h.invoke("f", "{}"); got != "2" { // of the same size
		t.Errorf("got %s", got)
	}
}

// A function hears of its end.
func TestNodeClose(t *testing.T) {
	needs(t, "node", "nodejs")
	root := files(t, t.TempDir(), js(`process.on("SIGTERM", () => { require("fs").writeFileSync("sign", "terminated"); process.exit(0) }); exports.handler = async () => 1`))
	h := newTestHost(t, func(h *Host) { h.limits.stop = 20 * time.Second },
		stack.Function{Name: "f", Runtime: "nodejs20.x", Handler: "index.handler", Code: root, Timeout: 20 * time.Second})
	if err := h.Build(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	h.invoke("f", "{}")
	if err := h.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if sign, _ := os.ReadFile(filepath.Join(root, "sign")); string(sign) != "terminated" {
		t.Error("the function did not see SIGTERM")
	}
}
