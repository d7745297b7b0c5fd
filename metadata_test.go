package gatepost

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestZoneID(t *testing.T) {
	for region, want := range map[string]string{
		"us-east-1": "use1-az1", "eu-west-2": "euw2-az1", "ap-southeast-2": "apse2-az1", "ap-northeast-1": "apne1-az1", "eu-central-1": "euc1-az1",
		"us-gov-west-1": "usgw1-az1", "cn-northwest-1": "cnnw1-az1", "me-south-1": "mes1-az1", "": "-az1", "a--1": "a1-az1",
	} {
		if got := zoneID(region); got != want {
			t.Errorf("%s: %s, want %s", region, got, want)
		}
	}
}

func TestMetadata(t *testing.T) {
	m := newMetadata("eu-west-1")
	handler := m.before(http.NotFoundHandler())
	for _, c := range []struct {
		name, method, path, authorization string
		status                            int
		body                              string
	}{
		{"its own token", "GET", metadataPath, "Bearer " + m.token("a-b"), 200, `{"AvailabilityZoneID": "euw1-az1"}`},
		{"another instance's token", "GET", metadataPath, "Bearer " + newMetadata("eu-west-1").token("a-b"), 403, ""},
		{"another function's", "GET", metadataPath, "Bearer b" + m.token("a")[1:], 403, ""},
		{"no token", "GET", metadataPath, "", 403, ""},
		{"a token of nothing", "GET", metadataPath, "Bearer -", 403, ""},
		{"another scheme", "GET", metadataPath, m.token("a") + "x", 403, ""},
		{"another method", "POST", metadataPath, "Bearer " + m.token("a"), 405, ""},
		{"another path", "GET", "/2026-01-15/metadata", "Bearer " + m.token("a"), 404, ""},
	} {
		r := httptest.NewRequest(c.method, c.path, nil)
		r.Header.Set("Authorization", c.authorization)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != c.status || c.body != "" && w.Body.String() != c.body {
			t.Errorf("%s: %d %s, want %d %s", c.name, w.Code, w.Body, c.status, c.body)
		}
	}
}
