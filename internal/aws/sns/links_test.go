package sns

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestLinks: only what links in messages ask for goes past the check of
// signatures.
func TestLinks(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	handler := f.Links(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	for _, c := range []struct {
		rule, method, target, header, body string
		passes                             bool
	}{
		{"a link to confirm", "GET", "/?Action=ConfirmSubscription&Version=2010-03-31", "", "", true},
		{"a link to unsubscribe", "GET", "/?Action=Unsubscribe&Version=2010-03-31", "", "", true},
		{"another operation", "GET", "/?Action=DeleteTopic&Version=2010-03-31", "", "", false},
		{"two operations", "GET", "/?Action=Unsubscribe&Action=DeleteTopic&Version=2010-03-31", "", "", false},
		{"another service", "GET", "/?Action=Unsubscribe&Version=2012-11-05", "", "", false},
		{"another path", "GET", "/x?Action=Unsubscribe&Version=2010-03-31", "", "", false},
		{"a form", "POST", "/?Action=Unsubscribe&Version=2010-03-31", "", "Action=DeleteTopic", false},
		{"a GET with a body", "GET", "/?Action=Unsubscribe&Version=2010-03-31", "", "Action=DeleteTopic", false},
		{"a signed call", "GET", "/?Action=Unsubscribe&Version=2010-03-31", "AWS4-HMAC-SHA256 Credential=a/20261120/eu-west-1/sns/aws4_request", "", false},
		{"a presigned call", "GET", "/?Action=Unsubscribe&Version=2010-03-31&X-Amz-Credential=a", "", "", false},
	} {
		t.Run(c.rule, func(t *testing.T) {
			r := httptest.NewRequest(c.method, c.target, strings.NewReader(c.body))
			if c.body == "" {
				r = httptest.NewRequest(c.method, c.target, nil)
			} else {
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
			if c.header != "" {
				r.Header.Set("Authorization", c.header)
			}
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if passed := w.Code != http.StatusTeapot; passed != c.passes {
				t.Errorf("answered %d: %s", w.Code, w.Body)
			}
		})
	}
}

// TestAnAmazonTargetIsNoWayIn: SNS has no JSON protocol, so nothing that names
// it so is run.
func TestAnAmazonTargetIsNoWayIn(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	req, err := http.NewRequestWithContext(t.Context(), "POST", f.server.URL, strings.NewReader(`{"Name":"t"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Amz-Target", "AmazonSNS.CreateTopic")
	req.Header.Set("Authorization", "x")
	res, err := http.DefaultClient.Do(req)
	if err != nil || res.StatusCode != 400 {
		t.Errorf("%v, %v", res, err)
	}
}
