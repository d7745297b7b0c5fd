package watch

import (
	"path/filepath"
	"slices"
	"strings"
)

// ignoredFolders are folders whose contents are no code of the developer's own:
// what other programs write for themselves, what is installed, and what builds
// leave.
var ignoredFolders = []string{
	".git", ".hg", ".svn", ".jj", ".idea", ".vscode", ".vs",
	"node_modules", "__pycache__", ".venv", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".tox",
	".gatepost", ".aws-sam", ".serverless", ".esbuild", ".webpack", "cdk.out",
}

// ignoredFiles are patterns of files that editors and systems keep beside those
// that they edit.
var ignoredFiles = []string{
	"*~", "*.swp", "*.swo", "*.swx", "4913", ".#*", "#*#", "*.kate-swp", "*___jb_tmp___", "*___jb_old___", ".goutputstream-*", "*.tmp", ".DS_Store",
	"*.pyc",
}

// Ignored reports whether a file or folder of this name is never watched below a
// root. A root itself is, whatever its name.
func Ignored(path string) bool {
	name := filepath.Base(path)
	return slices.Contains(ignoredFolders, name) || slices.ContainsFunc(ignoredFiles, func(pattern string) bool {
		matched, err := filepath.Match(pattern, name)
		return err == nil && matched
	}) || strings.TrimSpace(name) == ""
}
