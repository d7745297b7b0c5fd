package main

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/gatepost-dev/gatepost"
	"github.com/gatepost-dev/gatepost/internal/watch"
)

// loop is the development loop: it watches what the running system is made of,
// and has the server replace what has changed.
type loop struct {
	server *gatepost.Server
	show   *narrator
	// begun is when the template was read: what was written later is news.
	begun time.Time

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
	var roots []watch.Root
	for _, name := range slices.Sorted(maps.Keys(l.sources)) {
		for _, s := range l.sources[name] {
			if r := watch.Root(s); !slices.Contains(roots, r) {
				roots = append(roots, r)
			}
		}
	}
	return roots
}

// handle replaces what a change touches.
func (l *loop) handle(ctx context.Context, change watch.Change) {
	begun := time.Now()
	names := l.touched(change)
	if len(names) == 0 {
		return
	}
	// Config.Built tells of failures.
	_ = l.server.Rebuild(ctx, names...)
	l.follow(ctx, begun)
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
