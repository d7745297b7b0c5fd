package template

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A cloud assembly is what the AWS CDK synthesizes, by default into cdk.out: a
// manifest.json that lists artifacts, a template for each stack, a list of assets
// for each, and for each stage an assembly of its own ("Cloud assembly" in the
// CDK developer guide, and the schema of its manifest).

// manifestFile lists an assembly's artifacts.
const manifestFile = "manifest.json"

// findAssembly returns the manifest of the assembly that path means: the
// manifest, its folder, or the folder or cdk.json of an app whose cdk.out is
// there. It is "" when path is something else.
func findAssembly(path string) string {
	if filepath.Base(path) == appFile {
		path = filepath.Dir(path)
	}
	if isAssembly(path) {
		return path
	}
	if file := filepath.Join(path, manifestFile); isAssembly(file) {
		return file
	}
	if !IsApp(path) {
		return ""
	}
	if file := filepath.Join(path, outputFolder, manifestFile); isAssembly(file) {
		return file
	}
	return ""
}

// appFile says how a CDK app is run, and outputFolder is where it leaves its
// assembly.
const (
	appFile      = "cdk.json"
	outputFolder = "cdk.out"
)

// IsApp reports whether path is the folder of a CDK app, or its cdk.json: it has
// no template then until the app has run. A template in the folder comes first.
func IsApp(path string) bool {
	if filepath.Base(path) == appFile {
		return isFile(path)
	}
	if !isFile(filepath.Join(path, appFile)) {
		return false
	}
	return !slices.ContainsFunc(fileNames, func(name string) bool { return isFile(filepath.Join(path, name)) })
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// isAssembly reports whether a file is a manifest: other tools have files of
// this name too.
func isAssembly(file string) bool {
	if filepath.Base(file) != manifestFile || !isFile(file) {
		return false
	}
	var m manifest
	return readJSON(file, &m) == nil && len(m.Artifacts) > 0
}

// manifest is the part of manifest.json that is read.
type manifest struct {
	Artifacts map[string]artifact `json:"artifacts"`
}

type artifact struct {
	Type         string   `json:"type"`
	Environment  string   `json:"environment"`
	DisplayName  string   `json:"displayName"`
	Dependencies []string `json:"dependencies"`
	Properties   struct {
		TemplateFile  string            `json:"templateFile"`
		StackName     string            `json:"stackName"`
		Parameters    map[string]string `json:"parameters"`
		File          string            `json:"file"`
		DirectoryName string            `json:"directoryName"`
	} `json:"properties"`
}

// assetList is the part of a list of assets that is read.
type assetList struct {
	Files map[string]struct {
		Source struct {
			Path string `json:"path"`
		} `json:"source"`
		Destinations map[string]struct {
			ObjectKey string `json:"objectKey"`
		} `json:"destinations"`
	} `json:"files"`
}

func readJSON(file string, into any) error {
	data, err := readFile("cloud assembly", file)
	if err != nil {
		return err
	}
	if len(data) > maxFileBytes {
		return tooLarge(file)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return &Error{File: file, Text: fmt.Sprintf("this is not as the AWS CDK writes it: %v", err)}
	}
	return nil
}

// appStack is one stack of an assembly.
type appStack struct {
	// id is the artifact's, path the way through the stages, name the stack's on
	// AWS, and stage the name of the stage, or "".
	id, path, name, stage string
	folder                string
	artifact              artifact
}

// assembly collects what an assembly and those within it have.
type assembly struct {
	stacks []appStack
	assets map[string]string
	stages []string
}

// read adds an assembly. The order of stacks is that of their names, so that it
// is the same from run to run.
func (a *assembly) read(file, stage string, depth int) error {
	if depth > maxNesting {
		return &Error{File: file, Text: fmt.Sprintf("assemblies are nested more than %d deep", maxNesting)}
	}
	var m manifest
	if err := readJSON(file, &m); err != nil {
		return err
	}
	folder := filepath.Dir(file)
	for _, id := range slices.Sorted(maps.Keys(m.Artifacts)) {
		found := m.Artifacts[id]
		if err := a.add(folder, id, stage, found, depth); err != nil {
			return err
		}
	}
	return nil
}

func (a *assembly) add(folder, id, stage string, found artifact, depth int) error {
	switch found.Type {
	case "aws:cloudformation:stack":
		if len(a.stacks) >= maxTemplates {
			return &Error{File: filepath.Join(folder, manifestFile), Text: fmt.Sprintf("the app has more than %d stacks", maxTemplates)}
		}
		s := appStack{id: id, path: cmp.Or(found.DisplayName, id), name: cmp.Or(found.Properties.StackName, id), stage: stage, folder: folder, artifact: found}
		a.stacks = append(a.stacks, s)
	case "cdk:asset-manifest":
		return a.readAssets(filepath.Join(folder, found.Properties.File))
	case "cdk:cloud-assembly":
		name := cmp.Or(found.DisplayName, strings.TrimPrefix(id, "assembly-"))
		a.stages = append(a.stages, name)
		return a.read(filepath.Join(folder, found.Properties.DirectoryName, manifestFile), name, depth+1)
	}
	return nil
}

// readAssets indexes the files of a list by the key that they have in S3.
func (a *assembly) readAssets(file string) error {
	var list assetList
	if err := readJSON(file, &list); err != nil {
		return err
	}
	for _, asset := range list.Files {
		for _, to := range asset.Destinations {
			a.assets[to.ObjectKey] = filepath.Join(filepath.Dir(file), filepath.FromSlash(asset.Source.Path))
		}
	}
	return nil
}

// choose returns the stacks that are to run: those that are asked for and those
// that they depend on; else all outside of stages; else those of the only stage.
func (a *assembly) choose(file string, asked []string) ([]appStack, error) {
	if len(asked) == 0 {
		plain := slices.DeleteFunc(slices.Clone(a.stacks), func(s appStack) bool { return s.stage != "" })
		switch {
		case len(plain) > 0:
			return plain, nil
		case len(a.stages) <= 1:
			return a.stacks, nil
		}
		return nil, a.mustChoose(file, "the app has several stages, which are the same system more than once")
	}
	chosen := make(map[int]bool)
	for _, name := range asked {
		if !a.mark(chosen, name) {
			return nil, a.mustChoose(file, "the app has no stack "+quote(name))
		}
	}
	var stacks []appStack
	for i, s := range a.stacks {
		if chosen[i] {
			stacks = append(stacks, s)
		}
	}
	return stacks, nil
}

// mark chooses the stacks of a name, with what they depend on in their own
// assembly.
func (a *assembly) mark(chosen map[int]bool, name string) bool {
	found := false
	for i, s := range a.stacks {
		if !slices.Contains([]string{s.id, s.path, s.name, s.stage}, name) || name == "" {
			continue
		}
		found = true
		a.markWithDependencies(chosen, i)
	}
	return found
}

func (a *assembly) markWithDependencies(chosen map[int]bool, i int) {
	if chosen[i] {
		return
	}
	chosen[i] = true
	for _, id := range a.stacks[i].artifact.Dependencies {
		for j, other := range a.stacks {
			if other.id == id && other.folder == a.stacks[i].folder {
				a.markWithDependencies(chosen, j)
			}
		}
	}
}

// mustChoose is the error that lists what can be chosen.
func (a *assembly) mustChoose(file, why string) error {
	var names []string
	for _, s := range a.stacks {
		names = append(names, s.path)
	}
	const most = 20
	if len(names) > most {
		names = append(names[:most], "...")
	}
	return &Error{File: file, Text: why + "; choose with --stack: " + strings.Join(append(names, a.stages...), ", ")}
}

// assemblyDocuments reads the templates of an assembly's stacks.
func assemblyDocuments(file string, opts Options) ([]document, error) {
	a := &assembly{assets: make(map[string]string)}
	if err := a.read(file, "", 0); err != nil {
		return nil, err
	}
	stacks, err := a.choose(file, opts.Stacks)
	if err != nil {
		return nil, err
	}
	if len(stacks) == 0 {
		return nil, &Error{File: file, Text: "the app has no stack"}
	}
	var documents []document
	for _, s := range stacks {
		d, err := a.document(s, opts)
		if err != nil {
			return nil, err
		}
		if first := append(documents, d)[0].opts; d.opts.Region != first.Region || d.opts.Account != first.Account {
			return nil, a.mustChoose(file, fmt.Sprintf("the stacks %s and %s belong to different regions or accounts, and Gatepost runs one", stacks[0].path, s.path))
		}
		if len(stacks) > 1 {
			d.prefix = d.opts.StackName + "-"
		}
		documents = append(documents, d)
	}
	return documents, takenByOne(documents, opts.Parameters)
}

// document reads one stack's template.
func (a *assembly) document(s appStack, opts Options) (document, error) {
	file := filepath.Join(s.folder, filepath.FromSlash(s.artifact.Properties.TemplateFile))
	root, repeated, err := parseFile(file)
	if err != nil {
		return document{}, err
	}
	opts.StackName = s.name
	account, region, _ := strings.Cut(strings.TrimPrefix(s.artifact.Environment, "aws://"), "/")
	if accountForm.MatchString(account) {
		opts.Account = account
	}
	if region != "" && !strings.HasPrefix(region, "unknown-") {
		opts.Region = region
	}
	parameters := maps.Clone(s.artifact.Properties.Parameters)
	if parameters == nil {
		parameters = make(map[string]string)
	}
	for name, value := range opts.Parameters {
		if root.field("Parameters").field(name) != nil {
			parameters[name] = value
		}
	}
	opts.Parameters = parameters
	opts, err = opts.withDefaults(s.folder)
	return document{file: file, dir: s.folder, root: root, repeated: repeated, opts: opts, assets: a.assets}, err
}

// takenByOne reports a parameter that none of the templates declares.
func takenByOne(documents []document, parameters map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		taken := slices.ContainsFunc(documents, func(d document) bool { return d.root.field("Parameters").field(name) != nil })
		if !taken {
			return &Error{File: documents[0].file, Text: "a value is given for the parameter " + quote(name) + ", which no stack of the app declares"}
		}
	}
	return nil
}
