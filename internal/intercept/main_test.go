package intercept

import (
	"fmt"
	"os"
	"testing"
)

// TestMain gives the tests a system with one root certificate: reading the
// real ones for each test takes longer than the tests.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "roots")
	if err == nil {
		var root *CA
		if root, err = OpenCA(dir); err == nil {
			os.Setenv("SSL_CERT_FILE", root.CertFile())
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}
