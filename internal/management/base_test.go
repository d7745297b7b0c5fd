package management

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/conformance"
)

// domains is an API with custom domains; one of them has several mapping keys.
func domains(edit func(*apigw.API)) *apigw.API {
	api := &apigw.API{ID: "a1b2c3d4e5", Name: "sockets-api", Stage: apigw.Stage{Name: "main"}, Domains: []apigw.Domain{
		{Name: "ws.example.com", MappingKey: "chat"},
		{Name: "ws.example.com", MappingKey: "chat/v2/Beta"},
		{Name: "bare.example.com"},
		{Name: "both.example.com", MappingKey: "v1"},
		{Name: "both.example.com"},
	}}
	edit(api)
	return api
}

func unchanged(*apigw.API) {}

func disabled(api *apigw.API) { api.DisableExecuteAPIEndpoint = true }

func TestBasePath(t *testing.T) {
	for _, test := range []struct {
		host   string
		edit   func(*apigw.API)
		prefix string
		ok     bool
	}{
		{"localhost:3001", unchanged, "/main", true},
		{"127.0.0.1:3001", unchanged, "/main", true},
		{"[::1]:3001", unchanged, "/main", true},
		{"[::1]", unchanged, "/main", true},
		{"", unchanged, "/main", true},
		{"a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com", unchanged, "/main", true},
		{"A1B2C3D4E5.Execute-API.eu-west-1.AmazonAWS.com:443", unchanged, "/main", true},
		{"a1b2c3d4e5.execute-api.cn-north-1.amazonaws.com.cn", unchanged, "/main", true},
		{"a1b2c3d4e5.execute-api.eu-west-1.api.aws", unchanged, "/main", true},
		{"zzzzzzzzzz.execute-api.eu-west-1.amazonaws.com", unchanged, "", false},
		{"a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com", disabled, "", false},
		{"a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com.:443", disabled, "", false},
		{"a1b2c3d4e5.execute-api.eu-west-1.api.aws", disabled, "", false},
		{"a1b2c3d4e5.execute-api.example.com", disabled, "/main", true},
		{"localhost:3001", disabled, "/main", true},
		{"ws.example.com", disabled, "/chat", true},
		{"WS.Example.COM:443", unchanged, "/chat", true},
		{"ws.example.com.", unchanged, "/chat", true},
		{"bare.example.com", unchanged, "", true},
		{"x.ws.example.com", unchanged, "/main", true},
	} {
		prefix, ok := BasePath(domains(test.edit), test.host)
		if prefix != test.prefix || ok != test.ok {
			t.Errorf("BasePath at %q = %q, %v, want %q, %v", test.host, prefix, ok, test.prefix, test.ok)
		}
	}
}

func TestHostName(t *testing.T) {
	for host, want := range map[string]string{
		"localhost:3001": "localhost", "localhost": "localhost", "h.": "h", "h.:1": "h", "[::1]:3001": "[::1]", "[::1]": "[::1]", "": "", ":1": "",
	} {
		if got := hostName(host); got != want {
			t.Errorf("hostName(%q) = %q, want %q", host, got, want)
		}
	}
}

func TestRest(t *testing.T) {
	for _, test := range []struct {
		host, path, rest string
		ok               bool
	}{
		{"localhost:3001", "/main", "", true},
		{"localhost:3001", "/main/", "", true},
		{"localhost:3001", "//main//x//y", "x//y", true},
		{"localhost:3001", "/mainx", "", false},
		{"localhost:3001", "/", "", false},
		{"ws.example.com", "/chat", "", true},
		{"ws.example.com", "/chat/x", "x", true},
		{"ws.example.com", "/chat/v2", "v2", true},
		{"ws.example.com", "/chat/v2/Beta/x", "x", true},
		{"ws.example.com", "/chat/v2/beta/x", "v2/beta/x", true},
		{"ws.example.com", "//chat//v2//Beta//", "", true},
		{"ws.example.com", "/main", "", false},
		{"ws.example.com", "/", "", false},
		{"bare.example.com", "/", "", true},
		{"bare.example.com", "/main/x", "main/x", true},
		{"both.example.com", "/v1/x", "x", true},
		{"both.example.com", "/v1x", "v1x", true},
		{"zzzzzzzzzz.execute-api.eu-west-1.amazonaws.com", "/main", "", false},
	} {
		rest, ok := Rest(domains(unchanged), test.host, test.path)
		if rest != test.rest || ok != test.ok {
			t.Errorf("Rest of %s at %s = %q, %v, want %q, %v", test.path, test.host, rest, ok, test.rest, test.ok)
		}
	}
}

// at sends one signed request to a handler for a host and returns the answer.
func at(h http.Handler, method, host, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = host
	awswire.Sign(r, []byte(body), testKey, "us-east-1", SigningName, time.Now())
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// errorType is the answer's x-amzn-ErrorType, which is not in net/http's case.
func errorType(w *httptest.ResponseRecorder) string {
	for name, values := range w.Header() {
		if name == "x-amzn-ErrorType" {
			return values[0]
		}
	}
	return ""
}

// TestAddresses: which URLs lead to @connections at which host.
func TestAddresses(t *testing.T) {
	conformance.Covers(t, "management.url-stage", "management.url-custom-domain", "management.url-without-stage", "management.url-double-slash", "management.forbidden-403", "management.no-method-404")
	id := testIDs.Connection().String()
	const own = "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com"
	noMethod := func(path string) string {
		return `{"message":"No method found matching route ` + path + ` for http method POST."}`
	}
	const forbidden = `{"message":"Forbidden"}`
	for _, test := range []struct {
		host, path string
		edit       func(*apigw.API)
		status     int
		body       string
	}{
		{own, "/main/@connections/" + id, unchanged, 200, ""},
		{own, "/@connections/" + id, unchanged, 403, forbidden},
		{own, "/prod/@connections/" + id, unchanged, 403, forbidden},
		{own, "/main/main/@connections/" + id, unchanged, 404, noMethod("main/@connections/" + id)},
		{own, "/main/@connections/" + id, disabled, 403, forbidden},
		{"zzzzzzzzzz.execute-api.us-east-1.amazonaws.com", "/main/@connections/" + id, unchanged, 403, forbidden},
		{"localhost:3001", "/main/@connections/" + id, disabled, 200, ""},
		{"localhost:3001", "/@connections/" + id, disabled, 200, ""},
		{"localhost:3001", "//@connections//" + id, unchanged, 200, ""},
		{"localhost:3001", "/prod/@connections/" + id, unchanged, 403, forbidden},
		{"ws.example.com", "/chat/@connections/" + id, unchanged, 200, ""},
		{"WS.example.com:8443", "/chat/@connections/" + id, unchanged, 200, ""},
		{"ws.example.com", "/chat/v2/Beta/@connections/" + id, disabled, 200, ""},
		{"ws.example.com", "/chat//v2//Beta//@connections/" + id, unchanged, 200, ""},
		{"ws.example.com", "/chat/main/@connections/" + id, unchanged, 404, noMethod("main/@connections/" + id)},
		{"ws.example.com", "/chat/v2/@connections/" + id, unchanged, 404, noMethod("v2/@connections/" + id)},
		{"ws.example.com", "/main/@connections/" + id, unchanged, 403, forbidden},
		{"ws.example.com", "/@connections/" + id, unchanged, 403, forbidden},
		{"bare.example.com", "/@connections/" + id, unchanged, 200, ""},
		{"bare.example.com", "/main/@connections/" + id, unchanged, 404, noMethod("main/@connections/" + id)},
		{"both.example.com", "/v1/@connections/" + id, unchanged, 200, ""},
		{"both.example.com", "/@connections/" + id, unchanged, 200, ""},
	} {
		h := newHandler(connections{send: func(apigw.ConnectionID, []byte) error { return nil }})
		h.API = domains(test.edit)
		if w := at(h, "POST", test.host, test.path, "x"); w.Code != test.status || w.Body.String() != test.body {
			t.Errorf("POST %s at %s = %d %s, want %d %s", test.path, test.host, w.Code, w.Body, test.status, test.body)
		}
	}
}

// FuzzRest: no host and no path panic, and what is cut off is a base path.
func FuzzRest(f *testing.F) {
	f.Add("ws.example.com", "/chat/v2/Beta/@connections/x")
	f.Add("[::1", "//main//")
	f.Add("a1b2c3d4e5.execute-api..amazonaws.com:", "main")
	f.Add(".", "")
	api := domains(unchanged)
	f.Fuzz(func(t *testing.T, host, path string) {
		rest, ok := Rest(api, host, path)
		prefix, known := BasePath(api, host)
		if ok && (!known || !strings.HasSuffix(path, rest)) {
			t.Errorf("Rest of %q at %q = %q, BasePath %q, %v", path, host, rest, prefix, known)
		}
		if _, under := Rest(api, host, prefix+"/@connections/x"); known && !under {
			t.Errorf("%q at %q is not under its own base path", prefix, host)
		}
	})
}
