package template

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gatepost-dev/gatepost/stack"
)

// code finds a function's code. leftOut says why it cannot be run from here, or
// is empty.
func (l *loader) code(p *properties, f *stack.Function) (leftOut string) {
	property := "Code"
	if p.resource.typ == "AWS::Serverless::Function" {
		property = "CodeUri"
		if p.value("InlineCode") != nil {
			f.Inline = l.inlineCode(p, p.raw("InlineCode"))
			p.raw(property) // SAM lets InlineCode win
			return ""
		}
	}
	if path, ok := l.assetPath(p.resource, p.raw(property)); ok {
		f.Code = path
		return ""
	}
	p.require(property, "it is the folder that holds the function's code")
	v := p.value(property)
	switch {
	case v == nil:
		return ""
	case v.isScalar() && strings.HasPrefix(v.text, "s3://"), v.field("S3Key") != nil, v.field("Key") != nil:
		return "its code lies in S3, and Gatepost runs code from files; point " + property + " to a folder"
	case v.isScalar():
		f.Code = l.codePath(p.raw(property), v.text)
		return ""
	case v.field("ZipFile") != nil:
		f.Inline = l.inlineCode(p, p.raw(property).field("ZipFile"))
		return ""
	case v.field("ImageUri") != nil:
		return "it is a container image, and Gatepost runs functions as plain processes; package it as Zip"
	}
	l.problem(p.raw(property), "%s must be the path of a folder or a file, not %s", property, v.kind)
	return ""
}

// inlineCode reads code that stands in the template. CloudFormation makes the
// file index.js or index.py of it ("AWS::Lambda::Function Code", ZipFile).
func (l *loader) inlineCode(p *properties, at *node) string {
	text, err := l.text(at)
	l.problems.add(err)
	runtime, handler := p.text("Runtime"), p.text("Handler")
	switch {
	case err != nil:
	case text == "":
		l.problem(at, "the code is empty; it must be the source of one file")
	case runtime != "" && !strings.HasPrefix(runtime, "nodejs") && !strings.HasPrefix(runtime, "python"):
		l.problem(at, "code stands in a template for nodejs and python runtimes only, and the runtime is %s; put it into a folder of its own", quote(runtime))
	case handler != "" && !strings.HasPrefix(handler, "index."):
		l.problem(nodeOr(p.raw("Handler"), at), "the file of code that stands in the template is called index, so the handler begins with \"index.\", not %s", quote(handler))
	}
	return text
}

// assetPath returns the local copy of the code that the AWS CDK leaves beside
// the template and names in the function's metadata.
func (l *loader) assetPath(r *resource, code *node) (string, bool) {
	asset := r.node.field("Metadata").field("aws:asset:path")
	switch {
	case code == nil:
		return "", false
	case asset != nil && asset.isScalar():
		return l.codePath(asset, asset.text), true
	case len(l.assets) == 0:
		return "", false
	}
	v, err := l.resolve(code)
	if err != nil {
		return "", false
	}
	key := v.field("S3Key")
	if key == nil {
		return "", false
	}
	text, err := l.text(key)
	if path := l.assets[text]; err == nil && path != "" {
		return l.codePath(code, path), true
	}
	return "", false
}

// codePath makes a path absolute, which the template gives relative to its own
// folder, and checks that it leads somewhere.
func (l *loader) codePath(n *node, path string) string {
	if l.dir == "" {
		return path
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(l.dir, filepath.FromSlash(path))
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		l.problem(n, "the path cannot be made absolute: %v", err)
		return ""
	}
	switch _, err := os.Stat(abs); {
	case errors.Is(err, fs.ErrNotExist):
		l.problem(n, "there is no file or folder %s; the path is relative to the template's folder", quote(path))
	case err != nil:
		l.problem(n, "the code cannot be read: %v", err)
	}
	return abs
}
