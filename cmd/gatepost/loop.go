package main

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/gatepost-dev/gatepost"
	"github.com/gatepost-dev/gatepost/internal/watch"
	"github.com/gatepost-dev/gatepost/stack"
)

// loop is the development loop: it watches what the running system is made of,
// and has the server replace what has changed.
type loop struct {
	running
	server *gatepost.Server
	show   *narrator
	stack  *stack.Stack // as it was read last

	watcher *watch.Watcher
	sources map[string][]gatepost.Source // by function
}

// run follows what is edited until ctx ends.
func (l *loop) run(ctx context.Context) {
	l.watcher = watch.New(watch.Options{
		Without: l.server.Data(),
		Warn:    func(sentence string) { l.show.printf("%s\n", sentence) },
	})
	defer l.watcher.Close()
	folders := l.follow(ctx, l.begun)
	if ctx.Err() != nil {
		return
	}
	l.show.printf("Watching %s; save to replace.\n", count(folders, "folder"))
	if l.declared.maker != nil { // what was saved while it ran for the first time
		l.handle(ctx, watch.Change{Paths: []string{l.declared.sources.Folder()}})
	}
	for {
		select {
		case <-ctx.Done():
			return
		case change := <-l.watcher.Changes():
			l.handle(ctx, change)
		}
	}
}

// follow watches what the functions are made of now. What was written since a
// time is told where it was not watched before.
func (l *loop) follow(ctx context.Context, since time.Time) (folders int) {
	l.sources = l.server.Sources(ctx)
	return l.watcher.Set(l.roots(), since)
}

func (l *loop) roots() []watch.Root {
	roots := append(l.templates(), l.declared.folders(l.stack)...)
	if l.declared.maker != nil {
		roots = append(roots, l.declared.made())
	}
	for _, name := range slices.Sorted(maps.Keys(l.sources)) {
		for _, s := range l.sources[name] {
			if r := watch.Root(s); !slices.Contains(roots, r) {
				roots = append(roots, r)
			}
		}
	}
	return roots
}

// templates are the files that the system is declared in, and those of its
// variables.
func (l *loop) templates() []watch.Root {
	roots := l.declared.files(l.stack)
	for _, file := range l.EnvFile {
		roots = appendRoot(roots, file)
	}
	return roots
}

// handle replaces what a change touches.
func (l *loop) handle(ctx context.Context, change watch.Change) {
	since := time.Now()
	names := l.touched(change)
	due := l.declared.due(ctx, change)
	declared := slices.ContainsFunc(l.templates(), change.Has)
	perhaps := slices.ContainsFunc(l.declared.folders(l.stack), change.Has)
	switch {
	case len(due) > 0:
		l.show.printf("Changed: %s.\n", l.declared.list(due))
		l.reload(ctx, l.declared.load, true)
		since = time.Now() // what was made just now is in effect
	case declared, perhaps:
		l.reload(ctx, l.declared.again, declared)
	}
	if len(names) > 0 {
		// Config.Built tells of failures.
		_ = l.server.Rebuild(ctx, names...)
	}
	if len(due) > 0 || declared || perhaps || len(names) > 0 {
		l.follow(ctx, since)
	}
}

// reload reads the template again, and the flags that are files, and applies what
// differs. That nothing does is told only where it is meant to.
func (l *loop) reload(ctx context.Context, read func(context.Context) (*stack.Stack, error), meant bool) {
	next, err := l.reread(ctx, read)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		l.show.printf("The template cannot be used; everything goes on as it was.\n%v\n", err)
		return
	}
	applied, err := l.server.Apply(ctx, next)
	for _, a := range applied {
		l.show.printf("%s\n", a)
	}
	if err != nil && ctx.Err() == nil {
		l.show.printf("The template's changes are not in effect.\n%v\n", err)
		return
	}
	l.show.news(l.stack.Notices, next.Notices, meant && len(applied) == 0)
	l.stack = next
}

// reread reads the stack, and applies the flags to it.
func (l *loop) reread(ctx context.Context, read func(context.Context) (*stack.Stack, error)) (*stack.Stack, error) {
	s, err := read(ctx)
	if err != nil {
		return nil, err
	}
	if err := l.order(s); err != nil {
		return nil, err
	}
	if _, err := l.freeze(s); err != nil {
		return nil, err
	}
	variables, err := l.variables(s)
	if err != nil {
		return nil, err
	}
	l.server.Override(variables)
	return s, nil
}

// touched are the functions whose code a change is in.
func (l *loop) touched(change watch.Change) (names []string) {
	for _, name := range slices.Sorted(maps.Keys(l.sources)) {
		if slices.ContainsFunc(l.sources[name], func(s gatepost.Source) bool { return change.Has(watch.Root(s)) }) {
			names = append(names, name)
		}
	}
	return names
}
