package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/rogpeppe/go-internal/testscript"
)

// backend starts an HTTP server that answers with what it was asked, as JSON,
// and sets a variable to its URL. The path /teapot answers 418.
//
//	backend NAME
func backend(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: backend NAME")
	}
	server := httptest.NewServer(http.HandlerFunc(describe))
	ts.Defer(server.Close)
	ts.Setenv(args[0], server.URL)
}

// described is what the backend tells of a request.
type described struct {
	Method     string `json:"method"`
	Path       string `json:"path"`
	Query      string `json:"query"`
	Connection string `json:"connection"`
	Body       string `json:"body"`
}

func describe(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Path == "/teapot" {
		w.WriteHeader(http.StatusTeapot)
	}
	json.NewEncoder(w).Encode(described{r.Method, r.URL.Path, r.URL.RawQuery, r.Header.Get("X-Connection"), string(body)})
}
