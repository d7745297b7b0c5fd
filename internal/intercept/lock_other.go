//go:build !unix || solaris || illumos || aix

package intercept

// lock does nothing here: two processes that start in a new folder at the same
// moment may make two authorities, of which the later stays.
func lock(string) (unlock func(), err error) { return func() {}, nil }
