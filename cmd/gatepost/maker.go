package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gatepost-dev/gatepost/internal/serverless"
	"github.com/gatepost-dev/gatepost/internal/synth"
	"github.com/gatepost-dev/gatepost/internal/template"
)

// maker is a program that makes the template: an app of the CDK, or the packaging
// of a serverless.yml.
type maker interface {
	// make runs it and returns the path of the template.
	make(ctx context.Context) (path string, err error)
	// left is the path of what it made when it ran last.
	left() (path string, err error)
	// Sources says when it has to run again.
	Sources() (synth.Sources, error)
}

type cdkMaker struct{ synth.App }

func (m cdkMaker) make(ctx context.Context) (string, error) { return shortened(m.Synth(ctx)) }
func (m cdkMaker) left() (string, error)                    { return shortened(m.Output()) }

type serviceMaker struct{ synth.Service }

func (m serviceMaker) make(ctx context.Context) (string, error) { return shortened(m.Package(ctx)) }
func (m serviceMaker) left() (string, error)                    { return shortened(m.Template(), nil) }

// shortened is a path as seen from the working folder, where that is shorter:
// people read it.
func shortened(path string, err error) (string, error) {
	if err != nil {
		return "", err
	}
	here, err := os.Getwd()
	if err != nil {
		return path, nil
	}
	if relative, err := filepath.Rel(here, path); err == nil && filepath.IsLocal(relative) {
		return relative, nil
	}
	return path, nil
}

// defaultAccount is what AWS::AccountId gives.
const defaultAccount = "000000000000"

// maker returns the program that makes the template, or nil when the path is that
// of a template.
func (s source) maker(std streams) (maker, error) {
	tell := func(sentence string) { fmt.Fprintln(std.err, sentence) }
	path := cmp.Or(s.Path, ".")
	if file, found := serverless.Means(path); s.Package {
		if !found || filepath.Dir(file) == ".serverless" {
			return nil, usageError{fmt.Errorf("--package is for a serverless.yml, and %s is none", path)}
		}
		return s.packaging(file, tell)
	}
	if !template.IsApp(path) {
		return nil, nil
	}
	folder := path
	if filepath.Base(path) == "cdk.json" {
		folder = filepath.Dir(path)
	}
	return cdkMaker{synth.App{Folder: folder, Region: s.region(), Account: defaultAccount, Progress: tell}}, nil
}

func (s source) packaging(file string, tell func(string)) (maker, error) {
	options, err := pairs(s.Option)
	if err != nil {
		return nil, err
	}
	parameters, err := pairs(s.Parameter)
	return serviceMaker{synth.Service{File: file, Stage: s.Stage, Region: s.Region, Options: options, Parameters: parameters, Progress: tell}}, err
}

// made is the path of the template: of what a program makes now, or the path as
// it was given.
func (s source) made(ctx context.Context, std streams) (string, error) {
	m, err := s.maker(std)
	if err != nil || m == nil {
		return cmp.Or(s.Path, "."), err
	}
	return m.make(ctx)
}
