// Package js holds the client for browsers and Node, as files that a Go program
// can serve beside its pages.
package js

import "embed"

// Files are the modules client.js, and chunks.js, which imports it from the same
// folder. They need nothing else.
//
//go:embed client.js chunks.js
var Files embed.FS
