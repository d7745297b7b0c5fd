package main

import (
	"fmt"
	"io"

	"github.com/gatepost-dev/gatepost/internal/project"
)

// find finds the project when no path was given, says what is done with which
// one and why, and makes it the path. It returns the project's folder.
func (s *source) find(out io.Writer, doing string) (folder string, err error) {
	if s.Path != "" {
		return folderOf(s.Path), nil
	}
	found, err := project.Find(".")
	if err != nil {
		return "", err
	}
	fmt.Fprintf(out, "%s %s.\n", doing, found)
	s.Path = found.Path
	return found.Folder, nil
}
