//go:build !linux

package main

// slacken does nothing: only Linux has such a setting.
func slacken() {}
