package synth

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Service is a service of the Serverless Framework, and how its command line is
// to package it.
type Service struct {
	// File is the configuration, serverless.yml or serverless.ts, say.
	File string
	// Stage and Region are given as --stage and --region unless they are empty;
	// Options as further ones, and Parameters as --param.
	Stage, Region       string
	Options, Parameters map[string]string
	// Limit is how long it may take; zero means five minutes.
	Limit time.Duration
	// Progress, when it is not nil, gets a sentence when the packaging begins, one
	// every ten seconds, and one when it has ended well.
	Progress func(sentence string)
}

// packaged is what "serverless package" leaves below the service's folder.
var packaged = filepath.Join(".serverless", "cloudformation-template-update-stack.json")

// clockStep is by how much the times of files may be behind the clock.
const clockStep = 2 * time.Second

// commands are the framework's, and its fork's, as npm installs them.
var commands = []string{"serverless", "osls", "sls"}

// Package has the framework's own command line package the service, and returns
// the template that it leaves. Its error shows what the command has printed, and
// names what is missing. It ends with ctx.
func (s Service) Package(ctx context.Context) (template string, err error) {
	folder := filepath.Dir(s.File)
	command, err := s.command(folder)
	if err != nil {
		return "", err
	}
	p := program{name: "the packaging of " + s.File, brand: "Serverless", folder: folder, environment: os.Environ(), limit: cmp.Or(s.Limit, defaultLimit), tell: s.Progress}
	arguments := s.arguments()
	shown := filepath.Base(command) + " " + strings.Join(arguments, " ") // without values that may be secrets
	arguments = append(arguments, s.values()...)
	started := time.Now()
	if err := p.run(ctx, shown, append([]string{command}, arguments...)...); err != nil {
		return "", err
	}
	template = s.Template()
	if info, err := os.Stat(template); err != nil || info.ModTime().Before(started.Add(-clockStep)) {
		return "", fmt.Errorf("the packaging of %s has ended without %s", s.File, template)
	}
	p.done(started)
	return template, nil
}

// Template is where Package leaves the template.
func (s Service) Template() string { return filepath.Join(filepath.Dir(s.File), packaged) }

// Sources says what the service is made of: all files of its folder that are not
// hidden, and those of its environment.
func (s Service) Sources() (Sources, error) {
	folder, err := filepath.Abs(filepath.Dir(s.File))
	if err != nil {
		return Sources{}, fmt.Errorf("the folder of the service: %w", err)
	}
	environment := []string{".env"}
	if s.Stage != "" {
		environment = append(environment, ".env."+s.Stage)
	}
	return Sources{folder: folder, output: filepath.Join(folder, filepath.Dir(packaged)), always: environment}, nil
}

// command finds the framework: that of the service's own modules, or of a folder
// above it, comes before one that is installed for everybody.
func (s Service) command(folder string) (string, error) {
	abs, err := filepath.Abs(folder)
	if err != nil {
		return "", fmt.Errorf("the folder of the service: %w", err)
	}
	for at := abs; ; at = filepath.Dir(at) {
		for _, name := range commands {
			if path := filepath.Join(at, "node_modules", ".bin", name); hasFile("", path) {
				return path, nil
			}
		}
		if at == filepath.Dir(at) {
			break
		}
	}
	for _, name := range commands {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("packaging %s needs the Serverless Framework, and it is neither in node_modules nor on the PATH; run \"npm ci\" if package.json names it, else \"npm install --save-dev osls\", its fork that needs no licence", s.File)
}

// arguments are those of the framework's command line.
func (s Service) arguments() []string {
	all := []string{"package", "--config", filepath.Base(s.File)}
	if s.Stage != "" {
		all = append(all, "--stage", s.Stage)
	}
	if s.Region != "" {
		all = append(all, "--region", s.Region)
	}
	return all
}

// values are the parameters and further options for it.
func (s Service) values() (all []string) {
	for _, name := range slices.Sorted(maps.Keys(s.Parameters)) {
		all = append(all, "--param="+name+"="+s.Parameters[name])
	}
	for _, name := range slices.Sorted(maps.Keys(s.Options)) {
		all = append(all, "--"+name+"="+s.Options[name])
	}
	return all
}
