package template

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// code finds where a function's code lies. leftOut says why it cannot be run
// from here, or is empty.
func (l *loader) code(p *properties) (path, leftOut string) {
	property := "Code"
	if p.resource.typ == "AWS::Serverless::Function" {
		property = "CodeUri"
		if p.value("InlineCode") != nil {
			return "", "its code stands in the template (InlineCode), and Gatepost runs code from files; move it into a file and use CodeUri"
		}
	}
	if path, ok := l.assetPath(p.resource, p.raw(property)); ok {
		return path, ""
	}
	p.require(property, "it is the folder that holds the function's code")
	v := p.value(property)
	switch {
	case v == nil:
		return "", ""
	case v.isScalar() && strings.HasPrefix(v.text, "s3://"), v.field("S3Key") != nil, v.field("Key") != nil:
		return "", "its code lies in S3, and Gatepost runs code from files; point " + property + " to a folder"
	case v.isScalar():
		return l.codePath(p.raw(property), v.text), ""
	case v.field("ZipFile") != nil:
		return "", "its code stands in the template (ZipFile), and Gatepost runs code from files; move it into a folder and point Code to it"
	case v.field("ImageUri") != nil:
		return "", "it is a container image, and Gatepost runs functions as plain processes; package it as Zip"
	}
	l.problem(p.raw(property), "%s must be the path of a folder or a file, not %s", property, v.kind)
	return "", ""
}

// assetPath returns the local copy of the code that the AWS CDK leaves beside
// the template and names in the function's metadata.
func (l *loader) assetPath(r *resource, code *node) (string, bool) {
	asset := r.node.field("Metadata").field("aws:asset:path")
	if code == nil || asset == nil || !asset.isScalar() {
		return "", false
	}
	return l.codePath(asset, asset.text), true
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
