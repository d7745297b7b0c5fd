package runtimes

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// runtimeAPI gives out one event and takes what comes of it.
type runtimeAPI struct {
	*httptest.Server
	answers chan string
}

func newRuntimeAPI(t *testing.T) *runtimeAPI {
	api := &runtimeAPI{answers: make(chan string, 1)}
	event := make(chan string, 1)
	event <- "{}"
	ctx, cancel := context.WithCancel(context.Background())
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", func(w http.ResponseWriter, r *http.Request) {
		select {
		case body := <-event:
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", "id")
			w.Header().Set("Lambda-Runtime-Deadline-Ms", "99999999999999")
			w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn")
			io.WriteString(w, body)
		case <-r.Context().Done():
		case <-ctx.Done():
		}
	})
	mux.HandleFunc("POST /2018-06-01/runtime/", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
		api.answers <- string(body)
	})
	api.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		cancel()
		api.Close()
	})
	return api
}

// needs skips a test on a machine that lacks a program, but not in CI.
func needs(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("there is no %s, and CI must have it", program)
	}
	t.Skipf("there is no %s to run functions with; install it (Debian has packages nodejs, python3, make and curl)", program)
}

// tree writes files and returns their folder.
func tree(t *testing.T, contents map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range contents {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// answer runs a function for one event.
func answer(t *testing.T, id, handler string, code Code) string {
	t.Helper()
	r, err := Parse(id)
	if err != nil {
		t.Fatal(err)
	}
	launch, err := new(Machine).Launch(t.Context(), r, code, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	api := newRuntimeAPI(t)
	cmd := exec.Command(launch.Argv[0], launch.Argv[1:]...)
	cmd.Dir = code.Root
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "_HANDLER=" + handler, "LAMBDA_TASK_ROOT=" + code.Root, "AWS_LAMBDA_RUNTIME_API=" + api.Listener.Addr().String(), "AWS_EXECUTION_ENV=" + r.ExecutionEnv()}
	for name, value := range launch.Environment {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
	}()
	select {
	case body := <-api.answers:
		return body
	case <-time.After(20 * time.Second):
		t.Fatal("no answer within 20 s")
		return ""
	}
}

// Packages of layers are found by CommonJS and by ES modules, a later layer
// before an earlier one, and the function's own before all.
func TestNodeLayers(t *testing.T) {
	needs(t, "node")
	first := tree(t, map[string]string{
		"nodejs/node_modules/a/index.js": `module.exports = "a of the first"`, "nodejs/node_modules/b/index.js": `module.exports = "b of the first"`,
		"nodejs/node_modules/own/index.js": `module.exports = "not this one"`,
	})
	second := tree(t, map[string]string{
		"nodejs/node_modules/a/index.js":            `module.exports = "a of the second"`,
		"nodejs/node20/node_modules/c/index.mjs":    `export default "c for 20"`,
		"nodejs/node20/node_modules/c/package.json": `{"main":"index.mjs","exports":{".":"./index.mjs","./sub":"./sub.mjs"}}`,
		"nodejs/node20/node_modules/c/sub.mjs":      `import a from "a"; export default "sub with " + a`,
	})
	own := map[string]string{"node_modules/own/index.js": `module.exports = "own"`}
	own["index.js"] = `exports.handler = async () => [require("a"), require("b"), require("own")].join()`
	own["module.mjs"] = `import a from "a"; import b from "b"; import c from "c"; import sub from "c/sub"; import own from "own"; export const handler = async () => [a, b, c, sub, own].join()`
	own["missing.mjs"] = `import "nowhere"; export const handler = 1`
	code := Code{Root: tree(t, own), Layers: []string{first, second}}
	if got := answer(t, "nodejs20.x", "index.handler", code); got != `"a of the second,b of the first,own"` {
		t.Errorf("CommonJS: %s", got)
	}
	if got := answer(t, "nodejs20.x", "module.handler", code); got != `"a of the second,b of the first,c for 20,sub with a of the second,own"` {
		t.Errorf("ES modules: %s", got)
	}
	if got := answer(t, "nodejs20.x", "missing.handler", code); !strings.Contains(got, "Cannot find package 'nowhere'") {
		t.Errorf("a missing package: %s", got)
	}
}

func TestPythonLayers(t *testing.T) {
	needs(t, "python3")
	first := tree(t, map[string]string{"python/a.py": "n = 'a of the first'", "python/b.py": "n = 'b of the first'", "python/own.py": "n = 'not this one'"})
	second := tree(t, map[string]string{"python/a.py": "n = 'a of the second'"})
	root := tree(t, map[string]string{"own.py": "n = 'own'", "app.py": "import a, b, own\ndef handler(e, c): return ','.join([a.n, b.n, own.n])"})
	if got := answer(t, "python3.11", "app.handler", Code{Root: root, Layers: []string{first, second}}); got != `"a of the second,b of the first,own"` {
		t.Error(got)
	}
}

// Layers bring programs and libraries too.
func TestLayerPaths(t *testing.T) {
	environment := map[string]string{}
	t.Setenv("PATH", "/usr/bin")
	addLayers(environment, []string{"/one", "/two"})
	if environment["PATH"] != "/two/bin:/one/bin:/usr/bin" || environment["LD_LIBRARY_PATH"] != "/two/lib:/one/lib" {
		t.Errorf("%v", environment)
	}
	addLayers(environment, nil)
}

// An AWS SDK that is installed beside node is found, other packages are not.
func TestInstalledSDK(t *testing.T) {
	prefix := tree(t, map[string]string{"bin/node": "", "lib/node_modules/npm/index.js": ""})
	i := Interpreter{Path: filepath.Join(prefix, "bin", "node")}
	own := filepath.Join(prefix, "lib", "node_modules")
	if installedSDK(i) == own {
		t.Error("npm was taken for an SDK")
	}
	if err := os.MkdirAll(filepath.Join(own, "@aws-sdk"), 0o755); err != nil {
		t.Fatal(err)
	}
	r, _ := Parse("nodejs20.x")
	if got := nodePath(r, i, Code{Root: "/task"}); got != own+":/task" {
		t.Errorf("got %s", got)
	}
}

func TestLaunchWithoutCache(t *testing.T) {
	folder := t.TempDir()
	program(t, folder, "node", "echo 20.1.0")
	t.Setenv("PATH", folder)
	r, _ := Parse("nodejs20.x")
	if _, err := new(Machine).Launch(t.Context(), r, Code{Root: folder}, ""); err == nil || !strings.Contains(err.Error(), "no folder to keep the runtime client in") {
		t.Error(err)
	}
	provided, _ := Parse("provided")
	if _, err := new(Machine).Find(t.Context(), provided); err == nil {
		t.Error("a runtime without interpreter found one")
	}
}

// The hook for newer versions of Node.js works as the one for older ones does.
func TestResolveNow(t *testing.T) {
	needs(t, "node")
	bootstrap, err := install(Node, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	script := `
		const { resolveNow } = await import(process.argv[1]);
		const next = (specifier, { parentURL }) => {
			if (parentURL === "file:///two/any.mjs" && specifier === "p") return "found";
			throw Object.assign(new Error(specifier + " from " + parentURL), { code: specifier === "odd" ? "OTHER" : "ERR_MODULE_NOT_FOUND" });
		};
		const got = [];
		for (const specifier of ["p", "q", "odd", "./p", "node:p"]) {
			try { got.push(resolveNow(specifier, { parentURL: "file:///own.mjs" }, next)) } catch (e) { got.push(e.message) }
		}
		console.log(got.join("; "));`
	cmd := exec.Command("node", "--input-type=module", "-e", script, filepath.Join(filepath.Dir(bootstrap), "resolve.mjs"))
	cmd.Env = append(os.Environ(), "NODE_OPTIONS=", "NODE_PATH=/one/node_modules:/two/node_modules:/task")
	out, err := cmd.CombinedOutput()
	want := "found; q from file:///own.mjs; odd from file:///own.mjs; ./p from file:///own.mjs; node:p from file:///own.mjs"
	if err != nil || strings.TrimSpace(string(out)) != want {
		t.Errorf("got %s (%v), want %s", out, err, want)
	}
}
