package function

import (
	"encoding/json"
	"fmt"
	"testing"
)

func TestExtensions(t *testing.T) {
	const register = "POST /2020-01-01/extension/register HTTP/1.1\nLambda-Extension-Name: %s\nContent-Length: %d\n\n%s"
	p := newPuppet(t, nil)
	l := p.dial()
	refusals := []struct{ name, body, kind string }{
		{"", `{"events":[]}`, "Extension.InvalidExtensionName"},
		{"e", `{`, "InvalidRequestFormat"},
		{"e", `{"events":["SHUTDOWN"]}`, "ShutdownEventNotSupportedForInternalExtension"},
		{"e", `{"events":["INVOKE"]}`, "Extension.InvalidEventType"},
		{"e", `{"events":["LUNCH"]}`, "LUNCH: ErrorInvalidEventType"},
	}
	for _, tt := range refusals {
		l.send(register, tt.name, len(tt.body), tt.body)
		l.expect(403, tt.kind)
	}
	l.send(register, "GoLangEnableSIGTERM", 15, `{"events":null}`)
	res, body := l.receive()
	id := res.Header.Get("Lambda-Extension-Identifier")
	var got map[string]string
	if err := json.Unmarshal([]byte(body), &got); err != nil || res.StatusCode != 200 || len(id) != idLength || got["functionName"] != "f" || got["functionVersion"] != "$LATEST" {
		t.Errorf("%s %v %s", res.Status, res.Header, body)
	}
	l.send(register, "GoLangEnableSIGTERM", 2, `{}`)
	l.expect(403, "Extension with this name already registered")
	for i := range maxExtensions - 1 {
		l.send(register, fmt.Sprint(i), 2, `{}`)
		l.expect(200, "functionName")
	}
	l.send(register, "one more", 2, `{}`)
	l.expect(403, "Extension.TooManyExtensions")
	for header, kind := range map[string]string{"": "Extension.MissingExtensionIdentifier", "x": "Extension.InvalidExtensionIdentifier", id[:35] + "x": "Extension.UnknownExtensionIdentifier"} {
		l.send("GET /2020-01-01/extension/event/next HTTP/1.1\nLambda-Extension-Identifier: %s\n\n", header)
		l.expect(403, kind)
	}
	waiting := p.dial()
	waiting.send("GET /2020-01-01/extension/event/next HTTP/1.1\nLambda-Extension-Identifier: %s\n\n", id)
	event := l.next()
	l.send(register, "late", 2, `{}`)
	l.expect(403, "Extension.RegistrationClosed")
	l.send("POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\nContent-Length: 2\n\n42", event)
	l.expect(202, "OK")
	p.result()
	if n := waiting.in.Buffered(); n != 0 {
		t.Errorf("%d bytes came to an extension", n)
	}
}
