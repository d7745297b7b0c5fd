package function

import (
	"bytes"
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/function/runtimes"
	"github.com/gatepost-dev/gatepost/stack"
)

// Source is a place that the code of a function comes from.
type Source struct {
	// Path is the absolute path of a file or a folder.
	Path string
	// Deep says that the folders below count too.
	Deep bool
}

// Sources returns what each function is made of, by its name: what has to be
// watched to know when Rebuild has something to do. Of Go source these are the
// folders of the packages that are compiled in and belong to the developer (the
// main module, the others of its workspace, and local replacements) with what
// they embed, so that the answer may change with every build. Code that stands
// in the template and commands have no sources.
func (h *Host) Sources(ctx context.Context) map[string][]Source {
	all := make(map[string][]Source)
	for _, group := range h.groups() {
		places := sourcesOf(ctx, &group[0].spec)
		for _, f := range group {
			all[f.spec.Name] = places
		}
	}
	h.mu.RLock()
	wanted := maps.Clone(h.wanted)
	h.mu.RUnlock()
	for name, spec := range wanted { // and what has to change before it can be built
		all[name] = slices.Concat(all[name], sourcesOf(ctx, &spec))
	}
	return all
}

// sourcesOf returns the places of one function's code and layers.
func sourcesOf(ctx context.Context, spec *stack.Function) []Source {
	var places []Source
	if spec.Inline == "" && spec.Code != "" {
		places = codeSources(ctx, spec)
	}
	for _, layer := range spec.Layers {
		places = append(places, Source{Path: absolute(layer.Content), Deep: true})
	}
	return places
}

func codeSources(ctx context.Context, spec *stack.Function) []Source {
	at := absolute(spec.Code)
	whole := []Source{{Path: at, Deep: true}}
	folder := at
	if !isFolder(at) {
		if filepath.Ext(at) != ".go" {
			return whole // an archive or a program
		}
		folder = filepath.Dir(at)
	}
	runtime, err := runtimes.Parse(spec.Runtime)
	if source, unreadable := hasGoSource(folder); err != nil || unreadable != nil || !source ||
		runtime.Interpreted() || spec.BuildMethod == methodMakefile {
		return whole
	}
	return goSources(ctx, folder)
}

// listed is what the go command prints of a package that is no part of Go and of
// no module that was downloaded: its folder, what it embeds, and its go.mod.
const listed = `{{if and (not .Standard) .Module}}{{$m := .Module}}{{if .Module.Replace}}{{$m = .Module.Replace}}{{end}}{{if not $m.Version}}` +
	`{{$dir := .Dir}}{{printf "%q\n" .Dir}}{{range .EmbedFiles}}{{printf "%q %q\n" $dir .}}{{end}}{{if $m.GoMod}}{{printf "%q\n" $m.GoMod}}{{end}}{{end}}{{end}}`

// goSources asks the go command which packages go into a program. When it does
// not know, for instance because go.mod cannot be read, the program's own folder
// and its go.mod are what there is.
func goSources(ctx context.Context, folder string) []Source {
	places := []Source{{Path: folder}}
	add := func(path string) {
		if place := (Source{Path: path}); !slices.Contains(places, place) {
			places = append(places, place)
		}
	}
	var out bytes.Buffer
	if runGo(ctx, folder, &out, "env", "GOMOD", "GOWORK") == nil {
		for path := range strings.Lines(out.String()) {
			if path = strings.TrimSpace(path); filepath.IsAbs(path) && path != os.DevNull {
				add(path)
			}
		}
	}
	out.Reset()
	// What fails here fails in the build too, which says why.
	settings, _ := goEnv(ctx, folder)
	_ = runGo(ctx, folder, &out, "list", "-e", "-deps", "-tags="+tags(settings.flags), "-f", listed, ".")
	for line := range strings.Lines(out.String()) {
		if path := pathIn(strings.TrimSpace(line)); path != "" {
			add(path)
		}
	}
	return places
}

// pathIn joins the quoted parts of a line of what was listed.
func pathIn(line string) (path string) {
	for line != "" {
		quoted, err := strconv.QuotedPrefix(line)
		if err != nil {
			return ""
		}
		part, err := strconv.Unquote(quoted)
		if err != nil {
			return ""
		}
		path = filepath.Join(path, filepath.FromSlash(part))
		line = strings.TrimSpace(line[len(quoted):])
	}
	return path
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
