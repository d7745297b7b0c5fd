// Package project finds what declares a system in a developer's folder: a
// CloudFormation or SAM template, a serverless.yml, a CDK app, or what a build
// has left. It looks at names, and at the beginnings of templates to say what
// they are; it does not load anything.
package project

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Kind says what a project is declared in.
type Kind string

// The kinds, in the words of their users.
const (
	SAM            Kind = "SAM"
	CloudFormation Kind = "CloudFormation"
	Serverless     Kind = "Serverless Framework"
	CDKApp         Kind = "CDK app"
	CDKOutput      Kind = "CDK's output"
	SAMBuild       Kind = "SAM's build"
)

// Found is a project.
type Found struct {
	// Path is the template, the serverless.yml, the cdk.json or the cdk.out,
	// below the folder in which it was looked for.
	Path string
	Kind Kind
	// Folder is the developer's folder of it: where the source is, and not what a
	// build has made.
	Folder string
	// Why says in a few words why it is this one.
	Why string
}

// String says what was found and why, without a full stop.
func (f Found) String() string { return fmt.Sprintf("%s (%s): %s", f.Path, f.Kind, f.Why) }

// forms are what is looked for in one folder, in order. Outputs count only where
// nothing is there that they could come from.
var forms = []struct {
	path   string
	kind   Kind
	output bool
}{
	{"template.yaml", SAM, false}, {"template.yml", SAM, false}, {"template.json", SAM, false},
	{"serverless.yml", Serverless, false}, {"serverless.yaml", Serverless, false}, {"serverless.json", Serverless, false},
	{"serverless.ts", Serverless, false}, {"serverless.js", Serverless, false},
	{"cdk.json", CDKApp, false},
	{filepath.Join("cdk.out", "manifest.json"), CDKOutput, true},
	{filepath.Join(".aws-sam", "build", "template.yaml"), SAMBuild, true},
}

// subfolders are where projects keep what declares them, if it does not lie at
// the top.
var subfolders = []string{
	"deploy", "deployment", "deployments", "infra", "infrastructure", "iac", "aws", "cdk", "sam", "serverless", "cloudformation", "cfn",
	"stack", "backend", "server", "api", "service", "app",
}

// Find finds the project in a folder: what lies in the folder itself, or else in
// one of the subfolders that projects use for it, no deeper. When there are
// several, and when there is none, the error says what to do.
func Find(folder string) (Found, error) {
	info, err := os.Stat(folder)
	if err != nil {
		return Found{}, fmt.Errorf("find the project: %w", err)
	}
	if !info.IsDir() {
		return Found{}, fmt.Errorf("find the project: %s is not a folder", folder)
	}
	here := candidates(folder)
	if len(here) > 0 {
		return choose(here, folder, "here")
	}
	var below []Found
	var names []string
	for _, name := range subfolders {
		if found := candidates(filepath.Join(folder, name)); len(found) > 0 {
			below, names = append(below, found...), append(names, name)
		}
	}
	if len(below) == 0 {
		return Found{}, fmt.Errorf("find the project: there is no template.yaml, template.yml, template.json, serverless.yml, cdk.json or cdk.out in %s, nor in a subfolder of it that is named %s; give the path of the template",
			shown(folder), list(subfolders, "or"))
	}
	return choose(below, folder, "in "+list(names, "and")+", and there is none in the folder itself")
}

// shown is a folder for people.
func shown(folder string) string {
	if folder == "." || folder == "" {
		return "this folder"
	}
	return folder
}

// choose takes the only candidate, or asks.
func choose(all []Found, folder, where string) (Found, error) {
	if len(all) == 1 {
		found := all[0]
		found.Why = "the only " + noun(found.Kind) + " " + where
		return found, nil
	}
	var lines []string
	for _, f := range all {
		lines = append(lines, fmt.Sprintf("  %s (%s)", f.Path, f.Kind))
	}
	return Found{}, fmt.Errorf("there are several projects in %s; give the path of one:\n%s", shown(folder), strings.Join(lines, "\n"))
}

func noun(k Kind) string {
	switch k {
	case Serverless:
		return "service"
	case CDKApp:
		return "CDK app"
	case CDKOutput:
		return "output of CDK"
	}
	return "template"
}

// candidates are what lies in one folder.
func candidates(folder string) (all []Found) {
	for _, form := range forms {
		path := filepath.Join(folder, form.path)
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			continue
		}
		if form.output && len(all) > 0 || form.kind == Serverless && slices.ContainsFunc(all, isService) {
			continue
		}
		found := Found{Path: path, Kind: form.kind, Folder: folder}
		switch form.kind {
		case CDKOutput:
			found.Path = filepath.Dir(path)
		case SAM:
			kind, ok := kindOf(path)
			if !ok {
				continue
			}
			found.Kind = kind
		}
		all = append(all, found)
	}
	return all
}

// isService reports whether a project is a service: of several configurations the
// framework takes the first.
func isService(f Found) bool { return f.Kind == Serverless }

// mostOfTemplate is how much of a file is read to tell what it is, in bytes.
const mostOfTemplate = 1 << 20

// kindOf tells SAM from CloudFormation, and both from files that have the name of
// a template only, such as those of other generators. One that cannot be read
// counts: whoever loads it says what is wrong.
func kindOf(path string) (Kind, bool) {
	f, err := os.Open(path)
	if err != nil {
		return CloudFormation, !errors.Is(err, os.ErrNotExist)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, mostOfTemplate))
	switch {
	case err != nil:
		return CloudFormation, true
	case bytes.Contains(text, []byte("AWS::Serverless")):
		return SAM, true
	}
	return CloudFormation, bytes.Contains(text, []byte("Resources")) || bytes.Contains(text, []byte("AWSTemplateFormatVersion"))
}

// list joins words as a sentence does.
func list(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " " + last + " " + words[len(words)-1]
}
