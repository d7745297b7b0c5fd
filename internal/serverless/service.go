package serverless

import (
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost/internal/envfile"
	"github.com/gatepost-dev/gatepost/internal/template"
	"github.com/gatepost-dev/gatepost/stack"
)

// service turns one configuration into a template.
type service struct {
	*resolver
	file, dir string
	opts      Options
	// name is the service's.
	name     string
	provider *template.Value
	// stageName and regionName are computed when they are first asked for.
	stageName, regionName string
	env                   map[string]string
	envFiles              []string // that were looked for
	folders               []string // in which a newer file changes what is made
	plugins               map[string]bool
	// newest is the time of the newest Go source, makefile the build lines of the
	// Makefile, once they were looked for.
	newest   time.Time
	makefile [][]string

	functions []function
	byName    map[string]*function
	resources *resources
	outputs   *template.Value
	problems  []*template.Error
	notices   []stack.Notice
}

func newService(file string, root *template.Value, dir string, opts Options) *service {
	s := &service{file: file, dir: dir, opts: opts, byName: make(map[string]*function), plugins: make(map[string]bool), resources: newResources()}
	s.resolver = newResolver(s, root)
	s.outputs = template.Map(root.Place)
	return s
}

func (s *service) problem(at template.Place, format string, args ...any) {
	const most = 200
	if len(s.problems) < most {
		s.problems = append(s.problems, at.Errorf(format, args...))
	}
}

// note tells of something that does not run.
func (s *service) note(at template.Place, text string) { s.addNotice(at, text, false) }

// noteInert tells of something that means nothing on one machine.
func (s *service) noteInert(at template.Place, text string) { s.addNotice(at, text, true) }

func (s *service) addNotice(at template.Place, text string, inert bool) {
	const most = 1000
	if len(s.notices) < most {
		s.notices = append(s.notices, stack.Notice{File: at.File(), Line: at.Line(), Text: text, Inert: inert})
	}
}

// compile reads the sections in the order in which they need each other.
func (s *service) compile() template.Made {
	root := s.root
	made := template.Made{File: s.file, Root: template.Map(root.Place)}
	if root.Kind != template.Object {
		s.problem(root.Place, "the configuration must be a map, not %s", root.Kind)
		return made
	}
	s.readName()
	s.provider = s.section("provider")
	s.readProvider()
	s.readPlugins()
	s.checkSections()
	s.readFunctions()
	s.generateService()
	for i := range s.functions {
		s.generateFunction(&s.functions[i])
	}
	s.generateLayers()
	s.generateEvents()
	sections := s.mergeResources()
	made.Root.With("Resources", s.resources.value(root.Place))
	for _, e := range sections {
		made.Root.With(e.Name, e.Value)
	}
	made.Generated = s.resources.generated
	made.Notices = s.notices
	made.Folders = s.folders
	made.Files = append(slices.Sorted(maps.Keys(s.files)), s.envFiles...)
	return made
}

// readName reads the service's name, which old files have in a map.
func (s *service) readName() {
	v := s.value(s.root.Get("service"))
	if v != nil && v.Kind == template.Object {
		v = s.value(v.Get("name"))
	}
	switch {
	case v == nil:
		s.problem(s.root.Place, "there is no service; give it a name, as in \"service: chat\"")
	case v.Missing != "":
		s.problem(v.Place, "%s", v.Missing)
	case !v.IsScalar():
		s.problem(v.Place, "the service's name must be text, not %s", v.Kind)
	default:
		s.name = v.Text
	}
}

// word returns a value that must be text, or otherwise when there is none. An
// intrinsic function is reported: the value is part of names.
func (s *service) word(v *template.Value, otherwise string) string {
	at := v
	v = s.value(v)
	switch {
	case v == nil, v.Missing == "" && v.Kind == template.Null:
		return otherwise
	case v.Missing != "":
		s.problem(at.Place, "%s", v.Missing)
	case !v.IsScalar():
		s.problem(at.Place, "this must be text, not %s", v.Kind)
	default:
		return v.Text
	}
	return otherwise
}

// stage is the stage's name.
func (s *service) stage() string {
	if s.stageName == "" {
		s.stageName = "dev" // what provider.stage gets that asks for itself
		if s.opts.Stage != "" {
			s.stageName = s.opts.Stage
		} else if given := s.section("provider").Get("stage"); given != nil {
			s.stageName = s.word(given, "dev")
		}
	}
	return s.stageName
}

const defaultRegion = "us-east-1"

func (s *service) region() string {
	if s.regionName == "" {
		s.regionName = defaultRegion
		if s.opts.Region != "" {
			s.regionName = s.opts.Region
		} else if given := s.section("provider").Get("region"); given != nil {
			s.regionName = s.word(given, defaultRegion)
		}
	}
	return s.regionName
}

func (s *service) account() string {
	if s.opts.Account != "" {
		return s.opts.Account
	}
	return "000000000000"
}

var notInName = regexp.MustCompile(`[^-a-zA-Z0-9]+`)

// stackName makes a stack's name of any other; it may be empty.
func stackName(name string) string {
	name = strings.Trim(notInName.ReplaceAllString(name, "-"), "-")
	if name != "" && name[0] < 'A' {
		name = "stack-" + name
	}
	return name[:min(len(name), 128)]
}

// templateOptions are the options with which the template is loaded. Parameters
// that it does not declare were the configuration's own.
func (s *service) templateOptions(made template.Made) template.Options {
	opts := s.opts.Options
	opts.Region = s.region()
	if opts.StackName == "" {
		opts.StackName = stackName(s.word(s.provider.Get("stackName"), s.name+"-"+s.stage()))
	}
	opts.Parameters = declaredOf(s.opts.Parameters, made.Root)
	return opts
}

// known are the sections of a configuration; those that are false have no effect
// here.
var known = map[string]bool{
	"service": true, "provider": true, "functions": true, "resources": true, "layers": true, "package": true, "custom": true,
	"plugins": true, "params": true, "stages": true, "useDotenv": true,
	"frameworkVersion": false, "configValidationMode": false, "variablesResolutionMode": false, "unresolvedVariablesNotificationMode": false,
	"deprecationNotificationMode": false, "disabledDeprecations": false, "org": false, "app": false, "tenant": false, "console": false,
	"outputs": false, "build": false, "licenseKey": false, "dashboard": false,
}

// checkSections notes the sections that are not known.
func (s *service) checkSections() {
	names := make([]string, 0, len(known))
	for name := range known {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, e := range s.root.Entries {
		if _, isKnown := known[e.Name]; !isKnown && i < 100 {
			s.note(e.Place, "the section "+template.Quote(e.Name)+" is not one that Gatepost knows, and has no effect here"+template.DidYouMean(e.Name, names))
		}
	}
}

// dotenv returns what .env files set, when the configuration asks for them:
// "useDotenv: true" or the plugin of that name.
func (s *service) dotenv() map[string]string {
	if s.env != nil {
		return s.env
	}
	s.env = make(map[string]string) // also while the stage asks for the environment
	use := s.root.Get("useDotenv")
	if s.dir == "" || (use == nil || use.Text != "true") && !s.plugins["serverless-dotenv-plugin"] {
		return s.env
	}
	for _, name := range []string{".env", ".env." + s.stage()} {
		file := filepath.Join(s.dir, name)
		s.envFiles = append(s.envFiles, file)
		settings, err := envfile.Read(file)
		if err != nil {
			continue // a file that is not there sets nothing
		}
		for _, setting := range settings {
			s.env[setting.Name] = setting.Value
		}
	}
	return s.env
}
