package intercept

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// systemBundles are where systems keep their roots in one file, most common
// first.
var systemBundles = []string{
	"/etc/ssl/certs/ca-certificates.crt",                // Debian, Ubuntu, Arch, Gentoo
	"/etc/pki/tls/certs/ca-bundle.crt",                  // Fedora, RHEL, Amazon Linux
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // RHEL 7 and later
	"/etc/ssl/ca-bundle.pem",                            // openSUSE
	"/etc/pki/tls/cacert.pem",                           // OpenELEC
	"/etc/ssl/cert.pem",                                 // Alpine, macOS, OpenBSD
	"/usr/local/etc/ssl/cert.pem",                       // FreeBSD
	"/usr/local/share/certs/ca-root-nss.crt",            // FreeBSD ports
	"/etc/certs/ca-certificates.crt",                    // illumos
}

// writePublicFiles brings ca.pem and ca-bundle.pem up to date.
func (ca *CA) writePublicFiles() error {
	own := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.cert.Raw})
	if err := keepFile(ca.CertFile(), own); err != nil {
		return fmt.Errorf("write the local CA's certificate: %w", err)
	}
	// The machine's own choice of roots comes first, as it does for Go and
	// OpenSSL.
	bundle, found := ca.bundle(own, append([]string{os.Getenv("SSL_CERT_FILE")}, systemBundles...))
	if !found {
		ca.Warning = "No file with this system's root certificates was found, so functions trust only Gatepost's own CA and cannot call other HTTPS servers. " +
			"Set SSL_CERT_FILE to a PEM file with the roots."
		if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
			ca.Warning = "" // programs ask the system there, not SSL_CERT_FILE
		}
	}
	if err := keepFile(ca.BundleFile(), bundle); err != nil {
		return fmt.Errorf("write the bundle of root certificates: %w", err)
	}
	return nil
}

// bundle joins our CA with the roots of the first file that has some. Each
// certificate is taken once: SSL_CERT_FILE may name a bundle of ours, and a
// bundle must not grow at every start.
func (ca *CA) bundle(own []byte, paths []string) (bundle []byte, found bool) {
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if path == "" || err != nil || sameFile(path, ca.BundleFile()) {
			continue
		}
		seen := map[string]bool{string(ca.cert.Raw): true}
		bundle = bytes.Clone(own)
		for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
			if block.Type == "CERTIFICATE" && !seen[string(block.Bytes)] {
				seen[string(block.Bytes)] = true
				bundle = append(bundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: block.Bytes})...)
			}
		}
		if len(seen) > 1 {
			return bundle, true
		}
	}
	return own, false
}

func sameFile(a, b string) bool {
	aInfo, errA := os.Stat(a)
	bInfo, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(aInfo, bInfo)
}

// keepFile writes a public file unless it is as it should be.
func keepFile(path string, text []byte) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, text) {
		return nil
	}
	return replaceFile(path, text, 0o644)
}

// replaceFile writes a file in one step: readers see the old or the new one.
func replaceFile(path string, text []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails after the rename, as it should
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Chmod(f.Name(), mode)
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return err
}
