package function

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/internal/telemetry"
	"github.com/gatepost-dev/gatepost/stack"
)

// py is a function in one module.
func py(code string) map[string]string { return map[string]string{"app.py": code} }

func TestPython(t *testing.T) {
	needs(t, "python3")
	runInterpreted(t, "python3.11", "app.handler", slices.Concat(pythonHandlers, pythonResponses, pythonErrors, pythonInitErrors))
}

var pythonHandlers = []interpretedTest{
	{name: "plain", files: py("def handler(event, context):\n    return event['a'] + 1"), event: `{"a":41}`, response: "42"},
	{name: "dotted", handler: "src.app.handler", files: map[string]string{"src/app.py": "def handler(event, context):\n    return __name__"}, response: `"src.app"`},
	{name: "path", handler: "src/app.handler", files: map[string]string{"src/app.py": "from src.b import b\ndef handler(event, context):\n    return b", "src/b.py": "b = 'b'"}, response: `"b"`},
	{name: "package", handler: "pkg.handler", files: map[string]string{"pkg/__init__.py": "from .b import handler", "pkg/b.py": "def handler(e, c): return 'pkg'"}, response: `"pkg"`},
	{name: "callable object", files: py("class H:\n    def __call__(self, e, c): return 'called'\nhandler = H()"), response: `"called"`},
	{name: "modules named as ours", files: map[string]string{"app.py": "import context, response, bootstrap\ndef handler(e, c): return [context.a, response.a, bootstrap.a]",
		"context.py": "a = 1", "response.py": "a = 2", "bootstrap.py": "a = 3"}, response: "[1, 2, 3]"},
	{name: "own path", environment: map[string]string{"PYTHONPATH": "vendor"}, files: map[string]string{"app.py": "import v\ndef handler(e, c): return v.a", "vendor/v.py": "a = 'vendored'"}, response: `"vendored"`},
}

var pythonResponses = []interpretedTest{
	{name: "none", files: py("def handler(e, c): pass"), response: "null"},
	{name: "bytes", files: py("def handler(e, c): return b'raw'"), response: "raw"},
	{name: "decimal", files: py("from decimal import Decimal as D\ndef handler(e, c): return {'a': D('1.10'), 'b': [D('0.12345678901234567890123'), D(7)]}"),
		response: `{"a": 1.10, "b": [0.12345678901234567890123, 7]}`},
	{name: "letters", files: py("def handler(e, c): return e + 'ß'"), event: `"ü"`, response: `"\u00fc\u00df"`},
	{name: "letters in 3.12", runtime: "python3.12", files: py("def handler(e, c): return e + 'ß'"), event: `"ü"`, response: `"üß"`},
	{name: "set", files: py("def handler(e, c): return {1}"), typ: "Runtime.MarshalError", message: "Unable to marshal response: Object of type set is not JSON serializable"},
	{name: "no JSON", files: py("def handler(e, c): return 1"), event: "{", typ: "Runtime.UnmarshalError", message: "Unable to unmarshal input: "},
	{name: "too large", files: py("def handler(e, c): return 'x' * (7 << 20)"), typ: typeTooLarge, message: "(6291556 bytes)"},
}

var pythonErrors = []interpretedTest{
	{name: "raise", files: py("def handler(e, c): raise ValueError('wrong')"), typ: "ValueError", message: "wrong", line: "[ERROR] ValueError: wrong"},
	{name: "own error", files: py("class NoTable(Exception): pass\ndef handler(e, c): raise NoTable('none')"), typ: "NoTable", message: "none"},
	{name: "wrong arguments", files: py("def handler(event): return 1"), typ: "TypeError", message: "takes 1 positional argument but 2 were given"},
	{name: "exit", files: py("import sys\ndef handler(e, c):\n    print('bye', end='')\n    sys.exit(3)"), typ: "Runtime.ExitError", message: "Error: Runtime exited with error: exit status 3", line: "bye"},
	{name: "exit 0", files: py("import sys\ndef handler(e, c): sys.exit()"), typ: "Runtime.ExitError", message: "Runtime exited without providing a reason"},
	{name: "hard exit", files: py("import os\ndef handler(e, c): os._exit(4)"), typ: "Runtime.ExitError", message: "exit status 4"},
	{name: "no number as its name", files: py("E = type('ü', (Exception,), {})\ndef handler(e, c): raise E('x')"), typ: "ü", message: "x"},
}

var pythonInitErrors = []interpretedTest{
	{name: "no module", handler: "gone.handler", files: py(""), typ: "Runtime.ImportModuleError", message: "Unable to import module 'gone': No module named 'gone'"},
	{name: "no package", files: py("import nowhere"), typ: "Runtime.ImportModuleError", message: "Unable to import module 'app': No module named 'nowhere'", initLine: "import nowhere"},
	{name: "no SDK", files: map[string]string{"app.py": "import boto3.nowhere", "boto3/__init__.py": ""}, typ: "Runtime.ImportModuleError", message: "boto3.nowhere", initLine: `run "pip install boto3"`},
	{name: "syntax", files: py("def handler(:"), typ: "Runtime.UserCodeSyntaxError", message: "Syntax error in module 'app': "},
	{name: "no handler", files: py("x = 1"), typ: "Runtime.HandlerNotFound", message: "Handler 'handler' missing on module 'app'"},
	{name: "bad name", handler: "app", files: py(""), typ: "Runtime.MalformedHandlerName", message: "Bad handler 'app': not enough values to unpack"},
	{name: "built-in", handler: "sys.exit", files: py(""), typ: "Runtime.BuiltInModuleConflict", message: "Cannot use built-in module sys as a handler module"},
	{name: "raises at load", files: py("raise LookupError('no table')"), typ: "LookupError", message: "no table", initLine: "[ERROR] LookupError: no table"},
	{name: "exits at load", files: py("import sys; sys.exit(5)"), typ: "Runtime.ExitError", message: "exit status 5"},
}

func TestPythonContext(t *testing.T) {
	needs(t, "python3")
	root := files(t, t.TempDir(), py(`import os
def handler(event, context):
    names = ("aws_request_id", "function_name", "function_version", "memory_limit_in_mb", "log_group_name", "log_stream_name", "invoked_function_arn", "client_context")
    got = {n: getattr(context, n) for n in names}
    got.update(left=context.get_remaining_time_in_millis(), identity=context.identity.cognito_identity_id, cwd=os.getcwd(),
        trace=os.environ["_X_AMZN_TRACE_ID"], env=os.environ["AWS_EXECUTION_ENV"], text=repr(context))
    return got
`))
	h := buildOne(t, stack.Function{Name: "f", Runtime: "python3.9", Handler: "app.handler", Code: root, MemoryMB: 256, Timeout: 30 * time.Second})
	var got map[string]any
	if err := json.Unmarshal([]byte(h.invoke("f", "{}")), &got); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"function_name": "f", "function_version": "$LATEST", "memory_limit_in_mb": "256", "log_group_name": "/aws/lambda/f", "aws_request_id": h.awaitInvoked().RequestID,
		"invoked_function_arn": "arn:aws:lambda:eu-west-1:111122223333:function:f", "client_context": nil, "identity": nil,
		"cwd": root, "env": "AWS_Lambda_python3.9",
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
	if text, _ := got["text"].(string); !strings.HasPrefix(text, "LambdaContext([aws_request_id=") {
		t.Errorf("the context is shown as %s", text)
	}
	if s := h.Functions()[0]; !strings.HasPrefix(s.How, "python3 3.") && !strings.HasPrefix(s.How, "python3.9 3.9.") {
		t.Errorf("the status says %q", s.How)
	}
	if caches, _ := filepath.Glob(filepath.Join(root, "__pycache__")); len(caches) > 0 {
		t.Error("the interpreter writes into the user's folder")
	}
}

// The root logger is set up as on Lambda: at WARNING, with the request id.
func TestPythonLogs(t *testing.T) {
	needs(t, "python3")
	root := files(t, t.TempDir(), py(`import logging, sys
logging.basicConfig(level=logging.DEBUG, format="nobody sees this: %(message)s")
logging.warning("loading")
def handler(event, context):
    logging.info("hidden")
    logging.getLogger().setLevel(logging.INFO)
    logging.info("shown")
    print("printed")
    print("to stderr", file=sys.stderr)
    context.log("from the context")
`))
	h := buildOne(t, stack.Function{Name: "f", Runtime: "python3.11", Handler: "app.handler", Code: root})
	h.invoke("f", "{}")
	var lines []string
	id := ""
	h.await(func(e telemetry.Event) bool {
		if e.Kind == telemetry.LogLine {
			lines = append(lines, strings.TrimPrefix(e.RequestID, id)+" "+e.Text)
		}
		id = e.RequestID
		return e.Kind == telemetry.Invoked
	})
	text := strings.Join(lines, "\n")
	for _, want := range []string{"[WARNING]\t2", "Z\t\tloading", "[INFO]\t2", "Z\t" + id + "\tshown", "printed", "to stderr", "from the context"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
	if strings.Contains(text, "hidden") || strings.Contains(text, "nobody") {
		t.Errorf("the log is:\n%s", text)
	}
}

func TestPythonErrorPayload(t *testing.T) {
	needs(t, "python3")
	root := files(t, t.TempDir(), py("def deep():\n    raise ValueError('wrong')\n\ndef handler(event, context):\n    deep()\n"))
	h := buildOne(t, stack.Function{Name: "f", Runtime: "python3.11", Handler: "app.handler", Code: root})
	e := h.invokeError("f", "{}")
	typ, message, trace := payloadOf(t, e)
	file := filepath.Join(root, "app.py")
	if typ != "ValueError" || message != "wrong" || len(trace) != 2 || !strings.HasPrefix(trace[0], `  File "`+file+`", line 5, in handler`) ||
		!strings.HasPrefix(trace[1], `  File "`+file+`", line 2, in deep`) || !strings.Contains(string(e.Payload), `"requestId": "`+e.RequestID+`"`) {
		t.Errorf("%s", e.Payload)
	}
}
