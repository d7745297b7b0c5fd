package awswire

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// restService serves what is below /rest/.
type restService struct {
	do func(*RESTCall) (*RESTAnswer, error)
}

func (restService) Serves(path string) bool { return strings.HasPrefix(path, "/rest/") }

func (s restService) DoREST(_ context.Context, call *RESTCall) (*RESTAnswer, error) {
	return s.do(call)
}

func rest(do func(*RESTCall) (*RESTAnswer, error), check func(*http.Request, []byte) error, r *http.Request) *httptest.ResponseRecorder {
	e := &Endpoint{Check: check, Log: slog.New(slog.DiscardHandler)}
	e.RegisterREST(restService{do})
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w
}

func TestRESTCallHasWhatCame(t *testing.T) {
	r := httptest.NewRequest("PUT", "/rest/a%2Fb%3Ac/?x=1&y", strings.NewReader("body"))
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/lambda/aws4_request, SignedHeaders=host, Signature=0")
	r.Header.Set("X-Amz-Thing", "thing")
	var got *RESTCall
	w := rest(func(c *RESTCall) (*RESTAnswer, error) {
		got = c
		return &RESTAnswer{Status: 202, Header: http.Header{"X-Amz-Other": {"other"}}, Body: []byte("{}")}, nil
	}, nil, r)
	if got.Method != "PUT" || got.Path != "/rest/a%2Fb%3Ac/" || got.Query.Get("x") != "1" || !got.Query.Has("y") || string(got.Body) != "body" ||
		got.Header.Get("X-Amz-Thing") != "thing" || got.Region != "eu-west-1" || got.AccessKeyID != "AKID" {
		t.Errorf("call %+v", got)
	}
	if w.Code != 202 || w.Header().Get("X-Amz-Other") != "other" || w.Header().Get("X-Amzn-Requestid") != got.RequestID || w.Header().Get("Content-Type") != "application/json" || w.Body.String() != "{}" {
		t.Errorf("answer %d %v %s", w.Code, w.Header(), w.Body)
	}
}

func TestRESTAnswers(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer *RESTAnswer
		err    error
		status int
		code   string
		body   string
	}{
		{"200 when it says nothing", &RESTAnswer{Body: []byte("1")}, nil, 200, "", "1"},
		{"no body with 204", &RESTAnswer{Status: 204, Body: []byte("1")}, nil, 204, "", ""},
		{"an error of the service", nil, &Error{Code: "Conflict", Status: 409, Message: "so"}, 409, "Conflict", `{"message":"so"}`},
		{"an error without a status", nil, Errorf("Bad", "so"), 400, "Bad", `{"message":"so"}`},
		{"an error that spells its message with a capital", nil, &Error{Code: "Gone", Status: 404, Message: "so", Fields: map[string]any{"Message": "so", "Type": "User"}}, 404, "Gone", `{"Message":"so","Type":"User"}`},
		{"an error that says too much", nil, errors.New("the password is x"), 500, "InternalServerError", `{"message":"The request processing has failed because of an internal error."}`},
	} {
		w := rest(func(*RESTCall) (*RESTAnswer, error) { return c.answer, c.err }, nil, httptest.NewRequest("GET", "/rest/x", nil))
		if w.Code != c.status || w.Header().Get("X-Amzn-Errortype") != c.code || w.Body.String() != c.body || w.Header().Get("X-Amzn-Requestid") == "" {
			t.Errorf("%s: %d %v %s", c.name, w.Code, w.Header(), w.Body)
		}
	}
}

// TestRESTIsChecked: no path leads past the signature.
func TestRESTIsChecked(t *testing.T) {
	checked := ""
	check := func(r *http.Request, body []byte) error {
		checked = r.URL.Path + " " + string(body)
		return MissingToken()
	}
	w := rest(func(*RESTCall) (*RESTAnswer, error) {
		t.Error("the service was called")
		return nil, nil
	}, check, httptest.NewRequest("POST", "/rest/x", strings.NewReader("body")))
	if w.Code != 403 || w.Header().Get("X-Amzn-Errortype") != "MissingAuthenticationTokenException" || w.Body.String() != `{"message":"Missing Authentication Token"}` || checked != "/rest/x body" {
		t.Errorf("%d %v %s, checked %q", w.Code, w.Header(), w.Body, checked)
	}
}

func TestRESTBodyIsBounded(t *testing.T) {
	w := rest(func(*RESTCall) (*RESTAnswer, error) {
		t.Error("the service was called")
		return nil, nil
	}, nil, httptest.NewRequest("POST", "/rest/x", strings.NewReader(strings.Repeat("a", MaxBody+1))))
	if w.Code != 413 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestOtherPathsAreNotREST: calls of the other protocols go on as before.
func TestOtherPathsAreNotREST(t *testing.T) {
	w := rest(func(*RESTCall) (*RESTAnswer, error) {
		t.Error("the service was called")
		return nil, nil
	}, nil, httptest.NewRequest("POST", "/", nil))
	if w.Code != 400 || !strings.Contains(w.Body.String(), "MissingAction") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
