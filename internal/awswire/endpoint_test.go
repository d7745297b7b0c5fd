package awswire

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// plainService answers each call with what it was asked.
type plainService struct{}

func (plainService) TargetPrefix() string { return "Plain_1" }
func (plainService) QueryVersion() string { return "" }
func (plainService) Do(_ context.Context, call *Call) (any, error) {
	return map[string]string{"asked": call.Operation}, nil
}

// particularService has its own words for a missing signature.
type particularService struct{ plainService }

func (particularService) TargetPrefix() string { return "Particular_1" }
func (particularService) Refuse(call *Call, e *Error) *Error {
	call.RequestID = "ITS-OWN"
	return &Error{Code: e.Code, Message: "unsigned", Namespace: "com.example"}
}

// TestJSONRequests: what a request of the JSON protocols is answered, whose
// media type the answer has too.
func TestJSONRequests(t *testing.T) {
	e := &Endpoint{Check: func(r *http.Request, _ []byte) error {
		if Signed(r) {
			return nil
		}
		return MissingToken()
	}}
	e.Register(plainService{})
	e.Register(particularService{})
	const old, plain = "application/x-amz-json-1.0", "application/json"
	for _, c := range []struct {
		name, contentType, target, body string
		signed                          bool
		status                          int
		answerType, answer              string
	}{
		{"a call", old, "Plain_1.Do", "{}", true, 200, old, `{"asked":"Do"}`},
		{"a call without a media type", "", "Plain_1.Do", "{}", true, 200, plain, `{"asked":"Do"}`},
		{"application/json", " Application/JSON ; charset=utf-8", "Plain_1.Do", "{}", true, 200, plain, `{"asked":"Do"}`},
		{"JSON 1.1", "application/x-amz-json-1.1", "Plain_1.Do", "{}", true, 200, "application/x-amz-json-1.1", `{"asked":"Do"}`},
		{"no target", plain, "", "{}", false, 400, plain, `{"__type":"com.amazon.coral.service#UnknownOperationException"}`},
		{"no target and no JSON", plain + ";x", "", "hi", false, 400, plain, `{"__type":"com.amazon.coral.service#SerializationException"}`},
		{"another service", old, "Other_1.Do", "{}", true, 400, old, `{"__type":"UnknownOperationException","message":"Gatepost has no service with the target \"Other_1.Do\"."}`},
		{"unsigned", old, "Plain_1.Do", "{}", false, 403, old, `{"__type":"MissingAuthenticationTokenException","message":"Missing Authentication Token"}`},
		{"unsigned, in the service's words", old, "Particular_1.Do", "{}", false, 400, old, `{"__type":"com.example#MissingAuthenticationTokenException","message":"unsigned"}`},
		{"signed, the same service", old, "Particular_1.Do", "{}", true, 200, old, `{"asked":"Do"}`},
	} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(c.body))
		r.Header.Set("Content-Type", c.contentType)
		if c.target != "" {
			r.Header.Set("X-Amz-Target", c.target)
		}
		if c.signed {
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 anything")
		}
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if w.Code != c.status || w.Header().Get("Content-Type") != c.answerType || w.Body.String() != c.answer {
			t.Errorf("%s: got %d %s %s\nwant %d %s %s", c.name, w.Code, w.Header().Get("Content-Type"), w.Body, c.status, c.answerType, c.answer)
		}
		if own := w.Header().Get("X-Amzn-Requestid") == "ITS-OWN"; own != strings.Contains(c.answer, "com.example") {
			t.Errorf("%s: the request id is %s", c.name, w.Header().Get("X-Amzn-Requestid"))
		}
	}
}
