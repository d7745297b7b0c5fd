package function

import (
	"os/exec"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/internal/function/runtimes"
	"github.com/gatepost-dev/gatepost/stack"
)

// middleSource is the folder of a program with a library of 2021, which has RPC
// and the Runtime API, a module of its own.
func middleSource(t *testing.T) string {
	t.Helper()
	folder := files(t, t.TempDir(), map[string]string{
		"go.mod": "module example.com/middle\n\ngo 1.21\n\nrequire github.com/aws/aws-lambda-go v1.22.0\n",
		"go.sum": "github.com/aws/aws-lambda-go v1.22.0 h1:X7BKqIdfoJcbsEIi+Lrt5YjX1HnZexIbNWOQgkYKgfE=\n" +
			"github.com/aws/aws-lambda-go v1.22.0/go.mod h1:jJmlefzPfGnckuHdXX7/80O3BvUUi12XOkbv4w9SGLU=\n",
		"main.go": "package main\n\nimport \"github.com/aws/aws-lambda-go/lambda\"\n\nfunc main() { lambda.Start(func() (string, error) { return \"middle\", nil }) }\n",
	})
	cmd := exec.Command("go", "list", "-deps", ".")
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("the module github.com/aws/aws-lambda-go v1.22.0 cannot be had: go needs its module proxy, or the module in its cache (go mod download github.com/aws/aws-lambda-go@v1.22.0): %v\n%s", err, out)
	}
	return folder
}

// What is built here goes without RPC where the library can do without, and
// those of some years end at once when they are told to serve RPC all the same,
// as programs of go1.x are.
func TestSourceOfGo1x(t *testing.T) {
	h := newTestHost(t, nil, stack.Function{
		Name: "f", Runtime: runtimes.IDGo1x, Handler: "main", Code: middleSource(t), Timeout: 20 * time.Second, MemoryMB: 128})
	if err := h.Build(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if got := h.invoke("f", "{}"); got != `"middle"` {
		t.Errorf("got %s", got)
	}
}
