package intercept

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// node runs a program of testdata with the variables that a function gets.
func node(t *testing.T, s Surroundings, own map[string]string, program string, args ...string) string {
	t.Helper()
	// NODE names another version to try the hook with.
	path, err := exec.LookPath(cmp.Or(os.Getenv("NODE"), "node"))
	if err != nil {
		t.Skip("Node.js is missing: install nodejs (20 or newer) to hold that its calls come here")
	}
	hook, err := WriteHook(filepath.Join(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	s.HookFile = hook
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, append([]string{filepath.Join("testdata", program)}, args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	for name, value := range Environment(s, own) {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
	return string(out)
}

// greet answers GET with the host and other requests with their body.
func greet(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		fmt.Fprint(w, "hello ", r.Host)
		return
	}
	io.Copy(w, r.Body)
}

// TestHookLeadsEveryClient: https with and without agents, fetch and TLS itself,
// from CommonJS and from ES modules.
func TestHookLeadsEveryClient(t *testing.T) {
	p := &Proxy{Route: routeTo(apiHost, greet)}
	proxy := startProxy(t, p)
	s := Surroundings{ProxyURL: proxy.String(), CAFile: p.CA.CertFile(), BundleFile: p.CA.BundleFile()}
	hello := "hello " + apiHost
	for program, want := range map[string]string{
		// As an idle connection of Node's own, or handlers with callbacks never end.
		"idle.cjs":  "busy with 0 sockets\n",
		"calls.cjs": "plain " + hello + "\nno agent " + hello + "\nkept " + hello + " " + hello + "\nlarge 300000\nfetch " + hello + "\ntls authorized true\n",
		"calls.mjs": "default " + hello + "\nnamed " + hello + "\nfetch " + hello + "\ntls authorized true\n",
	} {
		if got := node(t, s, nil, program, "https://"+apiHost+"/main"); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", program, got, want)
		}
	}
	if got := node(t, s, map[string]string{"NODE_OPTIONS": "--no-warnings"}, "calls.mjs", "https://"+strings.ToUpper(apiHost)+"/main"); !strings.Contains(got, "named hello") {
		t.Errorf("with options of its own: %s", got)
	}
}

// TestHookShowsRefusals: the proxy's sentence is the error that the program gets.
func TestHookShowsRefusals(t *testing.T) {
	p := &Proxy{Offline: true}
	proxy := startProxy(t, p)
	s := Surroundings{ProxyURL: proxy.String(), CAFile: p.CA.CertFile(), BundleFile: p.CA.BundleFile(), Offline: true}
	got := node(t, s, nil, "calls.cjs", "https://example.com/")
	refused := "error: Gatepost's proxy did not connect to example.com:443: Gatepost runs with --offline and does not pass on connections to example.com:443."
	for _, call := range []string{"plain ", "no agent ", "kept ", "fetch ", "tls "} {
		if !strings.Contains(got, call+refused) {
			t.Errorf("there is no %q in\n%s", call+refused, got)
		}
	}
}

// TestHookLeavesOthersAlone: hosts that are not of AWS, and this machine even
// offline.
func TestHookLeavesOthersAlone(t *testing.T) {
	ca := newCA(t)
	server := httptest.NewUnstartedServer(http.HandlerFunc(greet))
	server.TLS = ca.TLSConfig()
	server.StartTLS()
	server.Config.ErrorLog = slog.NewLogLogger(quiet.Handler(), slog.LevelDebug)
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	local := "https://localhost:" + port + "/"
	p := &Proxy{CA: ca, Route: func(host string) http.Handler { t.Errorf("%s came to the proxy", host); return nil }}
	proxy := startProxy(t, p)
	s := Surroundings{ProxyURL: proxy.String(), CAFile: ca.CertFile(), BundleFile: ca.BundleFile()}
	for _, offline := range []bool{false, true} {
		s.Offline = offline
		if got := node(t, s, nil, "calls.cjs", local); !strings.Contains(got, "plain hello localhost:"+port+"\n") || !strings.Contains(got, "fetch hello localhost:"+port+"\n") {
			t.Errorf("offline %v: %s", offline, got)
		}
	}
	if got := eventTexts(p.Feed); got != "" {
		t.Errorf("events %s", got)
	}
}
