package lambda

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
)

const invokeEcho = "/2015-03-31/functions/echo/invocations"

// headers makes a header of names and values in turns.
func headers(pairs ...string) http.Header {
	h := make(http.Header)
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

func TestInvokeAnswersWhatTheFunctionAnswers(t *testing.T) {
	t.Parallel()
	f := start(t, "", nil)
	w := f.send(t, "POST", invokeEcho, nil, `{"a": "ä"}`)
	if w.Code != 200 || w.Body.String() != `{"a": "ä"}` {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for name, want := range map[string]string{"X-Amz-Executed-Version": "$LATEST", "Content-Type": "application/json", "X-Amz-Function-Error": "", "X-Amz-Log-Result": ""} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	got := f.functions.calls()[0]
	if got.function != "echo" || got.RequestID != w.Header().Get("X-Amzn-Requestid") || got.RequestID == "" || got.ClientContext != nil {
		t.Errorf("the function was called with %+v, and the caller told the request id %s", got, w.Header().Get("X-Amzn-Requestid"))
	}
}

func TestNoPayloadIsAnEmptyObject(t *testing.T) {
	t.Parallel()
	f := start(t, "", nil)
	if w := f.send(t, "POST", invokeEcho, nil, ""); w.Body.String() != "{}" {
		t.Errorf("the function got %q", w.Body)
	}
}

// TestErrorsOfInvoke: the texts are AWS's.
func TestErrorsOfInvoke(t *testing.T) {
	t.Parallel()
	f := start(t, "", func(c *Config, fs *functions) {
		c.MaxSync, c.MaxAsync = 40, 20
		fs.run = func(_ context.Context, c call) ([]byte, error) {
			switch string(c.Event) {
			case `"throttled"`:
				return nil, fmt.Errorf("invoke: %w", apigw.ErrThrottled)
			case `"fault"`:
				return nil, errHost
			}
			return c.Event, nil
		}
	})
	tooMuch := `"` + strings.Repeat("a", 40) + `"`
	for _, c := range []struct {
		name, path, body string
		header           http.Header
		status           int
		code, text       string
	}{
		{"an unknown function", "/2015-03-31/functions/nobody/invocations", "{}", nil, 404, "ResourceNotFoundException", "Function not found: " + prefix + "nobody"},
		{"an unknown function with an alias", "/2015-03-31/functions/nobody:live/invocations", "{}", nil, 404, "ResourceNotFoundException", "Function not found: " + prefix + "nobody:live"},
		{"the case of a name counts", "/2015-03-31/functions/Echo/invocations", "{}", nil, 404, "ResourceNotFoundException", "Function not found: " + prefix + "Echo"},
		{"another region", "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Aecho/invocations", "{}", nil, 404, "ResourceNotFoundException", "Functions from 'us-east-1' are not reachable in this region ('eu-west-1')"},
		{"another account", "/2015-03-31/functions/000000000000:function:echo/invocations", "{}", nil, 403, "AccessDeniedException", "User is not authorized to perform: lambda:InvokeFunction on resource: arn:aws:lambda:eu-west-1:000000000000:function:echo because no resource-based policy allows the lambda:InvokeFunction action"},
		{"a name that is none", "/2015-03-31/functions/a%20b/invocations", "{}", nil, 400, "ValidationException", "1 validation error detected: Value 'a b' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: " + functionPattern},
		{"a name that is too long", "/2015-03-31/functions/" + strings.Repeat("a", 257) + "/invocations", "{}", nil, 400, "ValidationException", "1 validation error detected: Value '" + strings.Repeat("a", 200) + "…' at 'functionName' failed to satisfy constraint: Member must have length less than or equal to 256"},
		{"two qualifiers", "/2015-03-31/functions/echo:live/invocations?Qualifier=1", "{}", nil, 400, "InvalidParameterValueException", "The derived qualifier from the function name does not match the specified qualifier."},
		{"a qualifier that is none", invokeEcho + "?Qualifier=a.b", "{}", nil, 400, "ValidationException", "1 validation error detected: Value 'a.b' at 'qualifier' failed to satisfy constraint: Member must satisfy regular expression pattern: " + qualifierPattern},
		{"an empty qualifier", invokeEcho + "?Qualifier=", "{}", nil, 400, "ValidationException", "1 validation error detected: Value '' at 'qualifier' failed to satisfy constraint: Member must satisfy regular expression pattern: " + qualifierPattern},
		{"a type that is none", invokeEcho, "{}", headers("X-Amz-Invocation-Type", "event"), 400, "ValidationException", "1 validation error detected: Value 'event' at 'invocationType' failed to satisfy constraint: Member must satisfy enum value set: [RequestResponse, Event, DryRun]"},
		{"a log type that is none", invokeEcho, "{}", headers("X-Amz-Log-Type", "Head"), 400, "ValidationException", "1 validation error detected: Value 'Head' at 'logType' failed to satisfy constraint: Member must satisfy enum value set: [None, Tail]"},
		{"no JSON", invokeEcho, "{\n \"a\": x}", nil, 400, "InvalidRequestContentException", "Could not parse request body into json: Could not parse payload into json: invalid character 'x' looking for beginning of value\n at [Source: (byte[]); line: 2, column: 7]"},
		{"JSON that ends too early", invokeEcho, "{", nil, 400, "InvalidRequestContentException", "Could not parse request body into json: Could not parse payload into json: unexpected end of JSON input\n at [Source: (byte[]); line: 1, column: 1]"},
		{"white space", invokeEcho, " ", nil, 400, "InvalidRequestContentException", "Could not parse request body into json: Could not parse payload into json: unexpected end of JSON input\n at [Source: (byte[]); line: 1, column: 1]"},
		{"no UTF-8", invokeEcho, "\"\xff\"", nil, 400, "InvalidRequestContentException", "Could not parse request body into json: Could not parse payload into json: Invalid UTF-8"},
		{"no JSON for later", invokeEcho, "x", headers("X-Amz-Invocation-Type", "Event"), 400, "InvalidRequestContentException", "Could not parse request body into json: Could not parse payload into json: invalid character 'x' looking for beginning of value\n at [Source: (byte[]); line: 1, column: 1]"},
		{"too much", invokeEcho, tooMuch, nil, 413, "RequestTooLargeException", "42 byte payload is too large for the RequestResponse invocation type (limit 40 bytes)"},
		{"too much for later", invokeEcho, tooMuch[:20] + `"`, headers("X-Amz-Invocation-Type", "Event"), 413, "RequestTooLargeException", "21 byte payload is too large for the Event invocation type (limit 20 bytes)"},
		{"a throttled function", invokeEcho, `"throttled"`, nil, 429, "TooManyRequestsException", "Rate Exceeded."},
		{"a fault", invokeEcho, `"fault"`, nil, 500, "ServiceException", "The request processing has failed because of an internal error."},
		{"a client context without base64", invokeEcho, "{}", headers("X-Amz-Client-Context", "{}"), 400, "InvalidRequestContentException", "Client context must be a valid Base64-encoded JSON object."},
		{"a client context that is no object", invokeEcho, "{}", headers("X-Amz-Client-Context", "W10="), 400, "InvalidRequestContentException", "Client context must be a valid Base64-encoded JSON object."},
		{"a client context that is too long", invokeEcho, "{}", headers("X-Amz-Client-Context", base64.StdEncoding.EncodeToString([]byte(`{"a":"`+strings.Repeat("a", 2700)+`"}`))), 400, "InvalidRequestContentException", "Client context must be a valid Base64-encoded JSON object."},
	} {
		w := f.send(t, "POST", c.path, c.header, c.body)
		body := parsed(t, w.Body.Bytes())
		text, ok := body["message"]
		if !ok {
			text = body["Message"]
		}
		if w.Code != c.status || w.Header().Get("X-Amzn-Errortype") != c.code || text != c.text {
			t.Errorf("%s: %d %s %q\nwant %d %s %q", c.name, w.Code, w.Header().Get("X-Amzn-Errortype"), text, c.status, c.code, c.text)
		}
		if w.Header().Get("X-Amzn-Requestid") == "" || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: headers %v", c.name, w.Header())
		}
	}
}

// TestBodiesOfErrors: to the byte, as AWS's are.
func TestBodiesOfErrors(t *testing.T) {
	t.Parallel()
	f := start(t, "", func(_ *Config, fs *functions) {
		fs.run = func(context.Context, call) ([]byte, error) { return nil, apigw.ErrThrottled }
	})
	for path, want := range map[string]string{
		"/2015-03-31/functions/nobody/invocations": `{"Message":"Function not found: ` + prefix + `nobody","Type":"User"}`,
		invokeEcho: `{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}`,
	} {
		if w := f.send(t, "POST", path, nil, "{}"); w.Body.String() != want {
			t.Errorf("%s: %s, want %s", path, w.Body, want)
		}
	}
	w := f.send(t, "POST", invokeEcho, headers("X-Amz-Client-Context", "-"), "{}")
	if want := `{"Type":null,"message":"Client context must be a valid Base64-encoded JSON object."}`; w.Body.String() != want {
		t.Errorf("%s, want %s", w.Body, want)
	}
}

func TestAFailureOfTheFunctionIsAnAnswer(t *testing.T) {
	t.Parallel()
	f := start(t, "", func(_ *Config, fs *functions) {
		fs.run = func(_ context.Context, c call) ([]byte, error) {
			if string(c.Event) == "1" {
				return nil, fmt.Errorf("run it: %w", boom)
			}
			return nil, fmt.Errorf("it has no words: %w", apigw.ErrFunction)
		}
	})
	for event, want := range map[string]string{"1": boom.payload, "2": `{"errorMessage":"it has no words: function failed"}`} {
		w := f.send(t, "POST", invokeEcho, nil, event)
		if w.Code != 200 || w.Header().Get("X-Amz-Function-Error") != "Unhandled" || w.Header().Get("X-Amz-Executed-Version") != "$LATEST" || w.Body.String() != want {
			t.Errorf("%d %v %s, want %s", w.Code, w.Header(), w.Body, want)
		}
	}
}

func TestNamesOfOneFunction(t *testing.T) {
	t.Parallel()
	f := start(t, "", nil)
	for _, name := range []string{
		"other_1-a", "other_1-a:$LATEST", "other_1-a:live", "other_1-a:7", "function:other_1-a",
		"123456789012:function:other_1-a", "123456789012:function:other_1-a:live", "123456789012:other_1-a",
		prefix + "other_1-a", prefix + "other_1-a:live", prefix + "other_1-a:$LATEST",
		"arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Aother_1-a%3A%24LATEST", "%6fther_1-a",
	} {
		for _, end := range []string{"", "/"} {
			w := f.send(t, "POST", "/2015-03-31/functions/"+name+"/invocations"+end, nil, "1")
			if w.Code != 200 || w.Body.String() != "1" {
				t.Errorf("%s%s: %d %s", name, end, w.Code, w.Body)
			}
		}
	}
	if w := f.send(t, "POST", "/2015-03-31/functions/other_1-a:live/invocations?Qualifier=live", nil, "1"); w.Code != 200 {
		t.Errorf("the same qualifier twice: %d %s", w.Code, w.Body)
	}
	for _, c := range f.functions.calls() {
		if c.function != "other_1-a" {
			t.Errorf("%s was called", c.function)
		}
	}
}

func TestDryRunCallsNobody(t *testing.T) {
	t.Parallel()
	f := start(t, "", nil)
	w := f.send(t, "POST", invokeEcho, headers("X-Amz-Invocation-Type", "DryRun"), "{}")
	if w.Code != 204 || w.Body.Len() != 0 || len(f.functions.calls()) != 0 {
		t.Errorf("%d %s, calls %v", w.Code, w.Body, f.functions.calls())
	}
	if w := f.send(t, "POST", "/2015-03-31/functions/nobody/invocations", headers("X-Amz-Invocation-Type", "DryRun"), "{}"); w.Code != 404 {
		t.Errorf("a function that is not there: %d", w.Code)
	}
}

func TestClientContextReachesTheFunctionInOneLine(t *testing.T) {
	t.Parallel()
	f := start(t, "", nil)
	sent := base64.StdEncoding.EncodeToString([]byte("{\r\n \"custom\": {\"a\": \"b\\n\"}\n}"))
	for _, kind := range []string{"RequestResponse", "Event"} {
		f.send(t, "POST", invokeEcho, headers("X-Amz-Client-Context", sent, "X-Amz-Invocation-Type", kind), "{}")
	}
	await(t, "second call", func() bool { return len(f.functions.calls()) == 2 })
	for _, c := range f.functions.calls() {
		if string(c.ClientContext) != `{"custom":{"a":"b\n"}}` {
			t.Errorf("the function got %s", c.ClientContext)
		}
	}
}

// tailOf invokes echo and returns the log that the answer carries.
func tailOf(t *testing.T, f *fixture, body string) (string, *httptest.ResponseRecorder) {
	t.Helper()
	w := f.send(t, "POST", invokeEcho, headers("X-Amz-Log-Type", "Tail"), body)
	text, err := base64.StdEncoding.DecodeString(w.Header().Get("X-Amz-Log-Result"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text), w
}

func TestLogTail(t *testing.T) {
	t.Parallel()
	f := start(t, "", func(_ *Config, fs *functions) {
		fs.run = func(_ context.Context, c call) ([]byte, error) {
			lines := []string{"one", "two ä"}
			end := telemetry.Event{Kind: telemetry.Invoked, RequestID: c.RequestID, Duration: 1736 * time.Microsecond,
				Report: &telemetry.Report{Init: 61204 * time.Microsecond, Billed: 63 * time.Millisecond, MemoryMB: 128, MaxMemoryMB: 35, Status: telemetry.Success}}
			switch string(c.Event) {
			case "2":
				lines = []string{strings.Repeat("a", 5000), "end"}
				end.Duration = 2 * time.Millisecond
				end.Report = &telemetry.Report{Billed: 2 * time.Millisecond, MemoryMB: 128, Status: telemetry.Success}
			case "3":
				end.Logging = &telemetry.Logging{JSON: true}
			}
			var trace []telemetry.Event
			for _, text := range lines {
				trace = append(trace, telemetry.Event{Kind: telemetry.LogLine, RequestID: c.RequestID, Text: text, Logging: end.Logging})
			}
			trace = append(trace, end)
			fs.mu.Lock()
			fs.logs[c.RequestID] = trace
			fs.mu.Unlock()
			if string(c.Event) == "4" {
				return nil, boom
			}
			return []byte("null"), nil
		}
	})
	text, w := tailOf(t, f, "1")
	id := w.Header().Get("X-Amzn-Requestid")
	want := "START RequestId: " + id + " Version: $LATEST\none\ntwo ä\nEND RequestId: " + id + "\n" +
		"REPORT RequestId: " + id + "\tDuration: 1.74 ms\tBilled Duration: 63 ms\tMemory Size: 128 MB\tMax Memory Used: 35 MB\tInit Duration: 61.20 ms\t\n"
	if text != want {
		t.Errorf("%q\nwant %q", text, want)
	}
	if text, _ := tailOf(t, f, "2"); len(text) != 4096 || !strings.HasPrefix(text, "aaa") ||
		!strings.HasSuffix(text, "\tDuration: 2.00 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\t\n") {
		t.Errorf("the end of a long log is %d bytes: %q…%q", len(text), text[:10], text[max(0, len(text)-100):])
	}
	if text, w := tailOf(t, f, "3"); strings.Count(text, `"requestId":"`+w.Header().Get("X-Amzn-Requestid")) != 2 ||
		!strings.Contains(text, `"type":"platform.report"`) || strings.Contains(text, "REPORT") {
		t.Errorf("the log of a function that logs JSON: %q", text)
	}
	if text, w := tailOf(t, f, "4"); !strings.Contains(text, "two ä\nEND") || w.Header().Get("X-Amz-Function-Error") == "" {
		t.Errorf("a function that failed: %q", text)
	}
}

func TestLogTailWithoutLogs(t *testing.T) {
	t.Parallel()
	f := start(t, "", func(c *Config, _ *functions) { c.Logs = nil })
	text, w := tailOf(t, f, "1")
	id := w.Header().Get("X-Amzn-Requestid")
	if !strings.HasPrefix(text, "START RequestId: "+id+" Version: $LATEST\nEND RequestId: "+id+"\nREPORT RequestId: "+id+"\tDuration: ") {
		t.Errorf("%q", text)
	}
}

// TestCloseCutsOffCalls: a call that runs when the service ends gets an answer.
func TestCloseCutsOffCalls(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{})
	f := start(t, "", func(_ *Config, fs *functions) {
		fs.run = func(ctx context.Context, _ call) ([]byte, error) {
			close(begun)
			<-ctx.Done()
			return nil, ctx.Err()
		}
	})
	answered := make(chan int)
	go func() { answered <- f.send(t, "POST", invokeEcho, nil, "{}").Code }()
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := errors.Join(f.Close(ctx), f.Close(ctx)); err != nil {
		t.Error(err)
	}
	if code := <-answered; code != 500 {
		t.Errorf("the call that was cut off got %d", code)
	}
	if w := f.send(t, "POST", invokeEcho, nil, "{}"); w.Code != 500 || w.Header().Get("X-Amzn-Errortype") != "ServiceException" {
		t.Errorf("a call after Close: %d %s", w.Code, w.Body)
	}
}

// FuzzClientContext holds that what goes into a header is a JSON object in one
// line.
func FuzzClientContext(f *testing.F) {
	for _, seed := range []string{`{}`, "{\r\n\"a\": \"b\\n\"}", `[]`, "{\"a\":\"\u2028\"}", "{\"a\":\"\xff\"}", ` {"a":{}} `, `{} {}`, "\x00", "{\"a\":\"\x7f\"}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		out, err := clientContext(base64.StdEncoding.EncodeToString(text))
		if err != nil || len(text) == 0 {
			return
		}
		for _, c := range out {
			if c < ' ' || c == 0x7f {
				t.Fatalf("%q has a control character", out)
			}
		}
		if parsed(t, out) == nil {
			t.Fatalf("%q is no object", out)
		}
	})
}

// FuzzEnvelope holds that an envelope that can be opened is sealed again as it
// was meant.
func FuzzEnvelope(f *testing.F) {
	e := envelope{head: head{ID: "1", Accepted: time.Unix(1, 0).UTC(), Outcome: &outcome{Condition: succeeded, Left: []target{{ARN: failedQueue}}}}, event: []byte("{}\n"), response: []byte("1")}
	for _, seed := range [][]byte{e.seal(), []byte("{}\n"), []byte("{\"event\":-1}\n"), []byte("{\"event\":1,\"response\":9223372036854775807}\nab"), []byte("{}")} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := openEnvelope(data)
		if err != nil {
			return
		}
		again, err := openEnvelope(e.seal())
		if err != nil || string(again.event) != string(e.event) || string(again.response) != string(e.response) || again.ID != e.ID || !again.Accepted.Equal(e.Accepted) {
			t.Fatalf("%q is read as %+v, and then as %+v (%v)", data, e, again, err)
		}
	})
}
