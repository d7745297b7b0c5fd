package conformance

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"sort"
	"strconv"
	"strings"
)

// importPath is this package's own.
const importPath = "github.com/gatepost-dev/gatepost/internal/conformance"

// folder is the Go source of one folder while its claims are read.
type folder struct {
	set     *token.FileSet
	claims  *Claims
	files   map[string]*ast.File
	skipper map[string]bool     // functions that skip their test, directly or through others
	tables  map[string][]string // slugs in package-level variables
}

// scanGo reads the claims of one folder's Go files, given by name.
func (c *Claims) scanGo(texts map[string][]byte) {
	f := &folder{set: token.NewFileSet(), claims: c, files: make(map[string]*ast.File)}
	names := make([]string, 0, len(texts))
	for name := range texts {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		f.parse(name, texts[name])
	}
	f.findSkippers()
	f.findTables()
	for _, name := range names {
		if file := f.files[name]; file != nil {
			f.scanFile(name, file)
		}
	}
}

// parse keeps a test file for scanFile. Of other files the imports are enough.
func (f *folder) parse(name string, text []byte) {
	if !strings.HasSuffix(name, "_test.go") {
		file, err := parser.ParseFile(f.set, name, text, parser.ImportsOnly)
		if err == nil && importName(file) != "" {
			f.claims.problem(name, 1, "the file is no test but imports %s, which would put it into the program", importPath)
		}
		return // what does not parse, the compiler reports
	}
	file, err := parser.ParseFile(f.set, name, text, parser.SkipObjectResolution)
	if err != nil {
		line := 1
		var list scanner.ErrorList
		if errors.As(err, &list) && len(list) > 0 {
			line = list[0].Pos.Line
		}
		f.claims.problem(name, line, "the file cannot be parsed, so its claims are not counted")
		return
	}
	f.files[name] = file
}

// importName returns the name under which a file imports this package, or "".
func importName(file *ast.File) string {
	for _, spec := range file.Imports {
		if value, _ := strconv.Unquote(spec.Path.Value); value != importPath {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return "conformance"
	}
	return ""
}

func (f *folder) scanFile(name string, file *ast.File) {
	pkg := importName(file)
	if pkg == "" {
		return
	}
	for _, decl := range file.Decls {
		function, ok := decl.(*ast.FuncDecl)
		if !ok {
			f.eachCall(decl, pkg, func(call *ast.CallExpr) { f.complainOutside(name, call) })
			continue
		}
		if !isTest(function) {
			f.eachCall(function, pkg, func(call *ast.CallExpr) { f.complainOutside(name, call) })
			continue
		}
		f.scanTest(name, pkg, function)
	}
}

func (f *folder) complainOutside(name string, call *ast.CallExpr) {
	f.claims.problem(name, f.line(call), "Covers is called outside of a test function, where no test can be named; call it in the test itself")
}

// isTest reports whether the go command runs the function as a test.
func isTest(function *ast.FuncDecl) bool {
	name := function.Name.Name
	return function.Recv == nil && function.Body != nil && (strings.HasPrefix(name, "Test") || strings.HasPrefix(name, "Fuzz"))
}

func (f *folder) scanTest(name, pkg string, function *ast.FuncDecl) {
	maySkip := f.maySkip(function)
	add := func(slugs []string, at ast.Node) {
		for _, slug := range slugs {
			f.claims.All = append(f.claims.All, Claim{Slug: slug, File: name, Test: function.Name.Name, Line: f.line(at), MaySkip: maySkip})
		}
	}
	f.eachCall(function, pkg, func(call *ast.CallExpr) {
		literals, others := arguments(call)
		add(literals, call)
		if !others {
			return
		}
		inTable := append(ruleFields(function.Body), f.usedTables(function)...)
		if len(inTable) == 0 {
			f.claims.problem(name, f.line(call), "Covers is given something else than string literals, and the test has no table with a field \"rule:\" that could say what")
		}
		add(inTable, call)
	})
}

// arguments returns the slugs that a call of Covers names itself, and whether
// it also has arguments that are no literals.
func arguments(call *ast.CallExpr) (slugs []string, others bool) {
	for i, arg := range call.Args {
		if i == 0 {
			continue // the testing.TB
		}
		if text, ok := stringLiteral(arg); ok {
			slugs = append(slugs, strings.Fields(text)...)
		} else {
			others = true
		}
	}
	return slugs, others
}

func stringLiteral(e ast.Expr) (string, bool) {
	literal, ok := e.(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(literal.Value)
	return text, err == nil
}

// ruleFields returns the slugs in fields called rule or rules of the composite
// literals below a node.
func ruleFields(node ast.Node) (slugs []string) {
	ast.Inspect(node, func(n ast.Node) bool {
		field, ok := n.(*ast.KeyValueExpr)
		if !ok {
			return true
		}
		key, ok := field.Key.(*ast.Ident)
		if !ok || key.Name != "rule" && key.Name != "rules" {
			return true
		}
		values := []ast.Expr{field.Value}
		if list, ok := field.Value.(*ast.CompositeLit); ok {
			values = list.Elts
		}
		for _, value := range values {
			text, _ := stringLiteral(value)
			slugs = append(slugs, strings.Fields(text)...)
		}
		return true
	})
	return slugs
}

// findTables collects the slugs in the package-level variables of test files.
func (f *folder) findTables() {
	f.tables = make(map[string][]string)
	for _, file := range f.files {
		for _, decl := range file.Decls {
			general, ok := decl.(*ast.GenDecl)
			if !ok || general.Tok != token.VAR {
				continue
			}
			for _, spec := range general.Specs {
				value := spec.(*ast.ValueSpec)
				for _, name := range value.Names {
					f.tables[name.Name] = ruleFields(value)
				}
			}
		}
	}
}

func (f *folder) usedTables(function *ast.FuncDecl) (slugs []string) {
	seen := make(map[string]bool)
	ast.Inspect(function.Body, func(n ast.Node) bool {
		if name, ok := n.(*ast.Ident); ok && !seen[name.Name] {
			seen[name.Name] = true
			slugs = append(slugs, f.tables[name.Name]...)
		}
		return true
	})
	return slugs
}

// findSkippers finds the functions of the folder's tests that skip, and those
// that call them.
func (f *folder) findSkippers() {
	f.skipper = make(map[string]bool)
	for grown := true; grown; {
		grown = false
		for _, file := range f.files {
			for _, decl := range file.Decls {
				function, ok := decl.(*ast.FuncDecl)
				if ok && !isTest(function) && !f.skipper[function.Name.Name] && f.maySkip(function) {
					f.skipper[function.Name.Name] = true
					grown = true
				}
			}
		}
	}
}

func (f *folder) maySkip(function *ast.FuncDecl) (found bool) {
	ast.Inspect(function, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return !found
		}
		switch called := call.Fun.(type) {
		case *ast.Ident:
			found = found || f.skipper[called.Name]
		case *ast.SelectorExpr:
			found = found || f.skipper[called.Sel.Name] || isSkip(called)
		}
		return !found
	})
	return found
}

// isSkip recognises t.Skip and its kin by the names that tests give their
// testing.TB.
func isSkip(called *ast.SelectorExpr) bool {
	receiver, ok := called.X.(*ast.Ident)
	if !ok {
		return false
	}
	switch receiver.Name {
	case "t", "f", "tb":
	default:
		return false
	}
	switch called.Sel.Name {
	case "Skip", "Skipf", "SkipNow":
		return true
	}
	return false
}

// eachCall calls fn for every call of pkg.Covers below a node.
func (f *folder) eachCall(node ast.Node, pkg string, fn func(*ast.CallExpr)) {
	ast.Inspect(node, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		selector, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || selector.Sel.Name != "Covers" {
			return true
		}
		if x, ok := selector.X.(*ast.Ident); ok && x.Name == pkg {
			fn(call)
		}
		return true
	})
}

func (f *folder) line(n ast.Node) int { return f.set.Position(n.Pos()).Line }
