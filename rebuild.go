package gatepost

import (
	"context"

	"github.com/gatepost-dev/gatepost/internal/function"
)

// Source is a place that the code of a function comes from: a file, or a folder,
// with the folders below it if it is Deep.
type Source = function.Source

// Sources returns what each function is made of, by its name: what to watch, to
// know when to call Rebuild. Of Go source these are the folders of all packages
// of the developer's own that are compiled in, so that the answer may change with
// the code. Functions whose code stands in the template, commands and Handlers
// have none. It may be called after Ready, together with anything.
func (s *Server) Sources(ctx context.Context) map[string][]Source {
	return s.house.functions.Sources(ctx)
}

// Rebuild builds the named functions anew and, where that gives another program,
// replaces it: events that run end in the old one, all others go to the new one.
// A function whose build fails goes on with the program that it has. Config.Built
// is told how each ended; the error joins the failures. Connections are not
// touched.
//
// It may be called after Ready, together with anything: one build runs at a time,
// with as many compilers as there are cores. Names that the stack does not
// declare are left out. When ctx ends, builds are given up.
func (s *Server) Rebuild(ctx context.Context, functions ...string) error {
	return s.house.functions.Rebuild(ctx, s.cfg.Built, functions...)
}
