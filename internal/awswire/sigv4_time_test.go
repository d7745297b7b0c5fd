package awswire

import (
	"go/ast"
	"go/parser"
	"go/token"
	"testing"

	"github.com/gatepost-dev/gatepost/internal/conformance"
)

// TestSecretsAreComparedInConstantTime reads the source, for time cannot be
// measured reliably: the two functions that hold what a caller sends against
// what is secret call crypto/subtle, and compare neither with an operator.
func TestSecretsAreComparedInConstantTime(t *testing.T) {
	conformance.Covers(t, "management.sigv4-constant-time")
	file, err := parser.ParseFile(token.NewFileSet(), "sigv4.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	compares := map[string]int{"VerifyScope": 0, "matches": 0}
	secret := map[string]bool{"value": true, "mac": true, "token": true, "SessionToken": true}
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if n.Sel.Name == "ConstantTimeCompare" {
					compares[f.Name.Name]++
				}
			case *ast.BinaryExpr:
				for _, side := range []ast.Expr{n.X, n.Y} {
					empty, _ := n.Y.(*ast.BasicLit)
					if field, ok := side.(*ast.SelectorExpr); ok && secret[field.Sel.Name] && (empty == nil || empty.Value != `""`) {
						t.Errorf("%s compares %s with %s", f.Name.Name, field.Sel.Name, n.Op)
					}
				}
			}
			return true
		})
	}
	for name, n := range compares {
		if n != 1 {
			t.Errorf("%s calls subtle.ConstantTimeCompare %d times, want once", name, n)
		}
	}
}
