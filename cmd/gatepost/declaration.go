package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/synth"
	"github.com/gatepost-dev/gatepost/internal/watch"
	"github.com/gatepost-dev/gatepost/stack"
)

// declaration is what a system is declared in, as the development loop reads it
// again and again.
type declaration struct {
	source
	std streams
	// maker makes the template of the files that sources names; nil when the
	// template is written by hand.
	maker   maker
	sources synth.Sources
	ran     synth.Sums     // of what the maker was run last
	written map[string]int // by file: how many runs in a row have changed it
}

// declaration returns the declaration that the flags mean.
func (s source) declaration(std streams) (*declaration, error) {
	d := &declaration{source: s, std: std}
	var err error
	if d.maker, err = s.maker(std); err != nil || d.maker == nil {
		return d, err
	}
	d.sources, err = d.maker.Sources()
	return d, err
}

// load reads the stack. A maker runs first.
func (d *declaration) load(ctx context.Context) (*stack.Stack, error) {
	if d.maker == nil {
		return d.source.load(ctx, d.std)
	}
	if sources, err := d.maker.Sources(); err == nil { // else the maker says what is wrong
		d.sources = sources
	}
	d.ran = d.sources.Sums(ctx, watch.Ignored)
	path, err := d.maker.make(ctx)
	d.noteWritten(ctx)
	if err != nil {
		return nil, err
	}
	return d.read(path)
}

// again reads the stack without running a maker.
func (d *declaration) again(ctx context.Context) (*stack.Stack, error) {
	if d.maker == nil {
		return d.source.load(ctx, d.std)
	}
	path, err := d.maker.left()
	if err != nil {
		return nil, err
	}
	return d.read(path)
}

// tooOften is in how many runs in a row a file may change before it counts as
// written by the maker itself.
const tooOften = 3

// noteWritten counts which files have changed while the maker ran.
func (d *declaration) noteWritten(ctx context.Context) {
	written := make(map[string]int)
	for _, file := range d.sources.Sums(ctx, watch.Ignored).Changed(d.ran) {
		written[file] = d.written[file] + 1
		if written[file] == tooOften {
			fmt.Fprintf(d.std.err, "%s is written in each run, and does not start another one any more; leave it out under \"watch\" in cdk.json.\n", d.shown(file))
		}
	}
	for file, times := range d.written {
		if times >= tooOften {
			written[file] = times
		}
	}
	d.written = written
}

// due are the files for which a maker has to run again.
func (d *declaration) due(ctx context.Context, change watch.Change) []string {
	if d.maker == nil || !change.Has(d.made()) {
		return nil
	}
	changed := d.sources.Sums(ctx, watch.Ignored).Changed(d.ran)
	return slices.DeleteFunc(changed, func(file string) bool { return ctx.Err() != nil || d.written[file] >= tooOften })
}

// made is the folder that a maker makes the template of.
func (d *declaration) made() watch.Root { return watch.Root{Path: d.sources.Folder(), Deep: true} }

// shown is a file as people call it.
func (d *declaration) shown(file string) string {
	if relative, err := filepath.Rel(d.sources.Folder(), file); err == nil {
		return relative
	}
	return file
}

// list names a few files.
func (d *declaration) list(files []string) string {
	const most = 3
	var names []string
	for _, file := range files[:min(most, len(files))] {
		names = append(names, d.shown(file))
	}
	if more := len(files) - most; more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}

// files are what a stack was read from, without what a maker has made.
func (d *declaration) files(s *stack.Stack) (roots []watch.Root) {
	if d.maker == nil {
		for _, file := range s.Files {
			roots = append(roots, watch.Root{Path: file})
		}
	}
	if d.Values != "" {
		roots = appendRoot(roots, d.Values)
	}
	return roots
}

// folders are those in which a file may make the stack another.
func (d *declaration) folders(s *stack.Stack) (roots []watch.Root) {
	if d.maker == nil {
		for _, folder := range s.Folders {
			roots = append(roots, watch.Root{Path: folder, Deep: true})
		}
	}
	return roots
}

// appendRoot adds a file by its absolute path.
func appendRoot(roots []watch.Root, file string) []watch.Root {
	if abs, err := filepath.Abs(file); err == nil {
		roots = append(roots, watch.Root{Path: abs})
	}
	return roots
}
