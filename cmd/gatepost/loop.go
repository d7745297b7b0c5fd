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
	server *gatepost.Server
	show   *narrator
	// begun is when the template was read: what was written later is news.
	begun time.Time
	// stack is what the template said when it was read last, and load reads it.
	stack *stack.Stack
	load  func() (*stack.Stack, error)

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
	roots := l.templates()
	for _, name := range slices.Sorted(maps.Keys(l.sources)) {
		for _, s := range l.sources[name] {
			if r := watch.Root(s); !slices.Contains(roots, r) {
				roots = append(roots, r)
			}
		}
	}
	return roots
}

// templates are the files that the system is declared in.
func (l *loop) templates() (roots []watch.Root) {
	for _, file := range l.stack.Files {
		roots = append(roots, watch.Root{Path: file})
	}
	return roots
}

// handle replaces what a change touches.
func (l *loop) handle(ctx context.Context, change watch.Change) {
	begun := time.Now()
	names := l.touched(change)
	declared := slices.ContainsFunc(l.templates(), change.Has)
	if declared {
		l.reload(ctx)
	}
	if len(names) > 0 {
		// Config.Built tells of failures.
		_ = l.server.Rebuild(ctx, names...)
	}
	if declared || len(names) > 0 {
		l.follow(ctx, begun)
	}
}

// reload reads the template again and applies what differs.
func (l *loop) reload(ctx context.Context) {
	next, err := l.load()
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
	l.show.news(l.stack.Notices, next.Notices, len(applied) == 0)
	l.stack = next
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
