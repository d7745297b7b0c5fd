package intercept

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Lives of the certificates. The authority is made anew, with a new key, by the
// first start within caRenewal of its end.
const (
	caLife      = 5 * 365 * 24 * time.Hour
	caRenewal   = 90 * 24 * time.Hour
	leafLife    = 90 * 24 * time.Hour
	leafRenewal = 24 * time.Hour
)

// maxLeaves bounds the certificates that a CA keeps in memory.
const maxLeaves = 256

// The files of a CA's folder.
const (
	keyFile    = "ca-key.pem" // the key and its certificate, so that the pair is replaced in one step
	certFile   = "ca.pem"
	bundleFile = "ca-bundle.pem"
	lockFile   = "ca.lock"
)

// The names that our CA can always speak for; OpenCA adds an API's own domains,
// and no others. They are in its certificate as name constraints, so that a
// stolen key is worth little. A domain stands for itself and all below it.
var (
	permittedDomains  = append([]string{"localhost"}, awsDomains...)
	permittedNetworks = []*net.IPNet{
		{IP: net.IPv4(127, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)},
		{IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)},
	}
)

// ErrForeignHost is returned for hosts that the CA may not speak for.
var ErrForeignHost = errors.New("the local CA speaks only for loopback, AWS's hosts and the APIs' own domains")

// CA is the local certificate authority. All methods may be called together.
type CA struct {
	// Warning is a sentence for the operator, or "": what did not work but does
	// not stop us.
	Warning string

	dir     string
	domains []string // the names that it speaks for
	cert    *x509.Certificate
	key     *ecdsa.PrivateKey
	leafKey *ecdsa.PrivateKey // shared by all leaves: it never leaves the process

	mu     sync.Mutex
	leaves map[string]*tls.Certificate
}

// OpenCA opens the authority in a folder and makes it first where there is
// none. It writes:
//
//	ca-key.pem     the private key with its certificate, mode 0600
//	ca.pem         the certificate, for people and NODE_EXTRA_CA_CERTS
//	ca-bundle.pem  the certificate and the system's roots, for SSL_CERT_FILE,
//	               which replaces a program's roots
//
// It speaks for loopback, AWS's hosts and the domains given. Where it is asked
// for a domain that its certificate does not name, it is made anew.
//
// Several processes may open one folder at once; they get the same authority.
// A folder whose key cannot be read as one is an error, never overwritten.
func OpenCA(dir string, domains ...string) (*CA, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make folder of the local CA: %w", err)
	}
	unlock, err := lock(filepath.Join(dir, lockFile))
	if err != nil {
		return nil, fmt.Errorf("lock the local CA: %w", err)
	}
	defer unlock()
	ca := &CA{dir: dir, domains: slices.Clone(permittedDomains), leaves: make(map[string]*tls.Certificate)}
	for _, d := range domains {
		ca.domains = append(ca.domains, strings.ToLower(d))
	}
	if err := ca.loadOrMake(time.Now()); err != nil {
		return nil, err
	}
	if ca.leafKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, fmt.Errorf("make the key of the local certificates: %w", err)
	}
	return ca, ca.writePublicFiles()
}

// CertFile is the path of ca.pem.
func (ca *CA) CertFile() string { return filepath.Join(ca.dir, certFile) }

// BundleFile is the path of ca-bundle.pem.
func (ca *CA) BundleFile() string { return filepath.Join(ca.dir, bundleFile) }

func (ca *CA) loadOrMake(now time.Time) error {
	path := filepath.Join(ca.dir, keyFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return ca.make(path, now)
	}
	if err != nil {
		return fmt.Errorf("read the local CA: %w", err)
	}
	if err := ca.parse(text); err != nil {
		return fmt.Errorf("%s holds no usable CA (%w): delete it, and the next start makes a new one", path, err)
	}
	if now.After(ca.cert.NotAfter.Add(-caRenewal)) || !ca.certified() {
		return ca.make(path, now)
	}
	return os.Chmod(path, 0o600)
}

// certified reports whether the certificate names all our domains.
func (ca *CA) certified() bool {
	for _, d := range ca.domains {
		if !slices.Contains(ca.cert.PermittedDNSDomains, d) {
			return false
		}
	}
	return true
}

func (ca *CA) parse(text []byte) error {
	pair, err := tls.X509KeyPair(text, text)
	if err != nil {
		return err
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || !pair.Leaf.IsCA {
		return errors.New("it is not an ECDSA key with a CA certificate")
	}
	ca.cert, ca.key = pair.Leaf, key
	return nil
}

func (ca *CA) make(path string, now time.Time) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make the key of the local CA: %w", err)
	}
	template, err := caTemplate(now, ca.domains)
	if err != nil {
		return err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return fmt.Errorf("make the certificate of the local CA: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("encode the key of the local CA: %w", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	if err := replaceFile(path, text, 0o600); err != nil {
		return fmt.Errorf("write the local CA: %w", err)
	}
	return ca.parse(text)
}

func caTemplate(now time.Time, domains []string) (*x509.Certificate, error) {
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	name := "Gatepost local CA"
	if host, err := os.Hostname(); err == nil {
		name += " on " + host
	}
	return &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{Organization: []string{"Gatepost"}, CommonName: name[:min(len(name), 64)]},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(caLife),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		// RFC 5280 4.2.1.10; critical, so that software which does not know name
		// constraints trusts nothing rather than everything.
		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         domains,
		PermittedIPRanges:           permittedNetworks,
	}, nil
}

// newSerial is 127 random bits (RFC 5280 4.1.2.2 allows 20 octets).
func newSerial() (*big.Int, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("draw a serial number: %w", err)
	}
	return serial, nil
}

// Certificate returns a certificate for a host name or IP address, made on
// demand and kept. "" stands for this machine: localhost, 127.0.0.1 and ::1.
// The error wraps ErrForeignHost for names outside the CA's constraints.
func (ca *CA) Certificate(host string) (*tls.Certificate, error) {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || host == "127.0.0.1" || host == "::1" {
		host = ""
	}
	if !ca.permitted(host) {
		return nil, fmt.Errorf("%w, not for %q", ErrForeignHost, host)
	}
	now := time.Now()
	ca.mu.Lock()
	defer ca.mu.Unlock()
	if leaf := ca.leaves[host]; leaf != nil && now.Before(leaf.Leaf.NotAfter.Add(-leafRenewal)) {
		return leaf, nil
	}
	leaf, err := ca.mint(host, now)
	if err != nil {
		return nil, fmt.Errorf("make a certificate for %q: %w", host, err)
	}
	if len(ca.leaves) >= maxLeaves {
		clear(ca.leaves)
	}
	ca.leaves[host] = leaf
	return leaf, nil
}

func (ca *CA) permitted(host string) bool {
	if host == "" {
		return true
	}
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback()
	}
	if len(host) > 253 || strings.Contains(host, "*") {
		return false
	}
	for _, domain := range ca.domains {
		if host == domain || strings.HasSuffix(host, "."+domain) {
			return true
		}
	}
	return false
}

func (ca *CA) mint(host string, now time.Time) (*tls.Certificate, error) {
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{Organization: []string{"Gatepost"}},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     earlier(now.Add(leafLife), ca.cert.NotAfter),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	switch ip := net.ParseIP(host); {
	case host == "":
		template.DNSNames = []string{"localhost"}
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	case ip != nil:
		template.IPAddresses = []net.IP{ip}
	default:
		template.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, ca.leafKey.Public(), ca.key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: ca.leafKey, Leaf: leaf}, nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// TLSConfig returns a server's configuration that answers each client for the
// host it asks for, HTTP/1.1 only. A client that asks for a foreign name gets
// the certificate of localhost, so that its own error names both hosts.
func (ca *CA) TLSConfig() *tls.Config {
	return serverConfig(func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		host := hello.ServerName
		if host == "" { // a client that dialled an IP address
			host, _, _ = net.SplitHostPort(hello.Conn.LocalAddr().String())
		}
		leaf, err := ca.Certificate(host)
		if errors.Is(err, ErrForeignHost) {
			return ca.Certificate("")
		}
		return leaf, err
	})
}

// hostConfig is TLSConfig for one host, whatever the client asks for.
func (ca *CA) hostConfig(host string) *tls.Config {
	return serverConfig(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return ca.Certificate(host) })
}

func serverConfig(certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"},
		GetCertificate: certificate,
	}
}
