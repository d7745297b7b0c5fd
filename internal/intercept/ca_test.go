package intercept

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func newCA(t testing.TB) *CA {
	t.Helper()
	ca, err := OpenCA(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// pool is what a program trusts that reads the file.
func pool(t testing.TB, file string) *x509.CertPool {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(text) {
		t.Fatalf("%s holds no certificate", file)
	}
	return p
}

func TestOpenCAFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	ca, err := OpenCA(dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{keyFile: 0o600, certFile: 0o644, bundleFile: 0o644} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != mode {
			t.Errorf("%s has mode %v, want %v", name, info.Mode(), mode)
		}
	}
	if err := os.Chmod(filepath.Join(dir, keyFile), 0o644); err != nil {
		t.Fatal(err)
	}
	again, err := OpenCA(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !again.cert.Equal(ca.cert) || !again.key.Equal(ca.key) {
		t.Error("a second start made another CA")
	}
	if info, _ := os.Stat(filepath.Join(dir, keyFile)); info.Mode() != 0o600 {
		t.Errorf("the key's mode %v was left", info.Mode())
	}
	leftovers, _ := filepath.Glob(filepath.Join(dir, "*.tmp"))
	if len(leftovers) > 0 {
		t.Errorf("left behind: %v", leftovers)
	}
}

// TestOpenCATogether: processes that start at once get one authority. Each call
// opens the lock file anew, as a process of its own does.
func TestOpenCATogether(t *testing.T) {
	dir := t.TempDir()
	cas := make([]*CA, 8)
	var all sync.WaitGroup
	for i := range cas {
		all.Go(func() {
			var err error
			if cas[i], err = OpenCA(dir); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}
	trusted := pool(t, filepath.Join(dir, certFile))
	for _, ca := range cas {
		leaf, err := ca.Certificate("localhost")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := leaf.Leaf.Verify(x509.VerifyOptions{Roots: trusted, DNSName: "localhost"}); err != nil {
			t.Error(err)
		}
	}
}

func TestCAIsRenewed(t *testing.T) {
	for _, test := range []struct {
		age   time.Duration
		renew bool
	}{{caLife - caRenewal - time.Hour, false}, {caLife - caRenewal + time.Hour, true}, {caLife + time.Hour, true}} {
		dir := t.TempDir()
		old := &CA{dir: dir, domains: permittedDomains}
		if err := old.make(filepath.Join(dir, keyFile), time.Now().Add(-test.age)); err != nil {
			t.Fatal(err)
		}
		ca, err := OpenCA(dir)
		if err != nil {
			t.Fatal(err)
		}
		if renewed := !ca.cert.Equal(old.cert); renewed != test.renew {
			t.Errorf("a CA of age %v: renewed %v, want %v", test.age, renewed, test.renew)
		}
		if _, err := pemCertificate(t, ca.CertFile()).Verify(x509.VerifyOptions{Roots: pool(t, ca.BundleFile())}); err != nil {
			t.Errorf("ca.pem and the bundle differ: %v", err)
		}
	}
}

func pemCertificate(t testing.TB, file string) *x509.Certificate {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestBrokenCAIsKept(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, keyFile)
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := OpenCA(dir)
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "delete it") {
		t.Errorf("error = %v", err)
	}
	if text, _ := os.ReadFile(path); string(text) != "precious" {
		t.Error("the file was overwritten")
	}
	if _, err := OpenCA(path); err == nil {
		t.Error("a file was opened as the folder")
	}
}

func TestCertificateHosts(t *testing.T) {
	ca := newCA(t)
	trusted := pool(t, ca.CertFile())
	for host, verify := range map[string]string{
		"":              "localhost",
		"localhost":     "127.0.0.1",
		"LOCALHOST.":    "::1",
		"127.0.0.1":     "127.0.0.1",
		"::1":           "::1",
		"127.1.2.3":     "127.1.2.3",
		"app.localhost": "app.localhost",
		"abc.execute-api.us-east-1.amazonaws.com":     "abc.execute-api.us-east-1.amazonaws.com",
		"SQS.cn-north-1.amazonaws.com.cn":             "sqs.cn-north-1.amazonaws.com.cn",
		strings.Repeat("a", 63) + ".x.amazonaws.com.": strings.Repeat("a", 63) + ".x.amazonaws.com",
	} {
		leaf, err := ca.Certificate(host)
		if err != nil {
			t.Errorf("%q: %v", host, err)
			continue
		}
		if _, err := leaf.Leaf.Verify(x509.VerifyOptions{Roots: trusted, DNSName: verify}); err != nil {
			t.Errorf("%q for %q: %v", host, verify, err)
		}
		if again, _ := ca.Certificate(host); again != leaf {
			t.Errorf("%q was made twice", host)
		}
	}
	for _, host := range []string{"example.com", "amazonaws.com.evil.org", "notamazonaws.com", "10.0.0.1", "*.amazonaws.com", "local", strings.Repeat("a.", 200) + "amazonaws.com"} {
		if _, err := ca.Certificate(host); !errors.Is(err, ErrForeignHost) {
			t.Errorf("%q: %v, want ErrForeignHost", host, err)
		}
	}
}

func TestCertificatesAreBounded(t *testing.T) {
	ca := newCA(t)
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for i := range maxLeaves / 2 {
				if _, err := ca.Certificate(fmt.Sprintf("w%d-%d.amazonaws.com", worker%2, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for i := range 10 {
		if _, err := ca.Certificate(fmt.Sprintf("more-%d.amazonaws.com", i)); err != nil {
			t.Error(err)
		}
	}
	if n := len(ca.leaves); n == 0 || n > maxLeaves {
		t.Errorf("%d certificates kept, the bound is %d", n, maxLeaves)
	}
}

// rogueLeaf is what a thief of the key would make.
func rogueLeaf(t *testing.T, ca *CA, host string) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, &ca.key.PublicKey, ca.key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

// TestStolenKeyIsWorthLittle: Go and OpenSSL refuse what the CA may not sign.
func TestStolenKeyIsWorthLittle(t *testing.T) {
	ca := newCA(t)
	trusted := pool(t, ca.CertFile())
	openssl, _ := exec.LookPath("openssl")
	for _, test := range []struct {
		host string
		good bool
	}{{"sqs.us-east-1.amazonaws.com", true}, {"localhost", true}, {"127.0.0.1", true}, {"bank.example", false}, {"8.8.8.8", false}} {
		leaf := rogueLeaf(t, ca, test.host)
		_, err := leaf.Verify(x509.VerifyOptions{Roots: trusted, DNSName: test.host})
		if (err == nil) != test.good {
			t.Errorf("Go verifies %s: %v", test.host, err)
		}
		if openssl == "" {
			continue
		}
		file := filepath.Join(t.TempDir(), "leaf.pem")
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw}), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(openssl, "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", ca.CertFile(), file).CombinedOutput()
		if (err == nil) != test.good {
			t.Errorf("OpenSSL verifies %s: %v\n%s", test.host, err, out)
		}
	}
}

func TestBundle(t *testing.T) {
	other := newCA(t)
	roots := other.CertFile()
	t.Setenv("SSL_CERT_FILE", roots)
	ca := newCA(t)
	if ca.Warning != "" {
		t.Errorf("warning: %s", ca.Warning)
	}
	text, err := os.ReadFile(ca.BundleFile())
	if err != nil {
		t.Fatal(err)
	}
	own, _ := os.ReadFile(ca.CertFile())
	theirs, _ := os.ReadFile(roots)
	if string(text) != string(own)+string(theirs) {
		t.Errorf("bundle = %s", text)
	}

	// A shell that has our own variables set must not change or grow it.
	t.Setenv("SSL_CERT_FILE", ca.BundleFile())
	fresh := newCA(t).CertFile()
	news, _ := os.ReadFile(fresh)
	if bundle, found := ca.bundle(own, []string{ca.BundleFile(), fresh}); !found || string(bundle) != string(own)+string(news) {
		t.Errorf("our own bundle counted as the system's: %s", bundle)
	}
	copied := filepath.Join(t.TempDir(), "copy.pem")
	if err := os.WriteFile(copied, append(text, text...), 0o600); err != nil {
		t.Fatal(err)
	}
	if bundle, found := ca.bundle(own, []string{copied}); !found || string(bundle) != string(text) {
		t.Errorf("bundle from a doubled copy = %s", bundle)
	}
	for _, paths := range [][]string{nil, {""}, {"/nowhere"}, {ca.CertFile()}, {os.Args[0]}} {
		if bundle, found := ca.bundle(own, paths); found || string(bundle) != string(own) {
			t.Errorf("bundle from %v: found %v", paths, found)
		}
	}
}

// TestSystemRoots: on a machine that has roots, the bundle has them too.
func TestSystemRoots(t *testing.T) {
	t.Setenv("SSL_CERT_FILE", "")
	ca := newCA(t)
	text, err := os.ReadFile(ca.BundleFile())
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "BEGIN CERTIFICATE"); (n < 20) != (ca.Warning != "") {
		t.Errorf("the bundle has %d certificates, the warning is %q", n, ca.Warning)
	}
}

// newTLSServer serves with the CA's configuration.
func newTLSServer(t *testing.T, ca *CA) *httptest.Server {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello %s", r.TLS.ServerName)
	}))
	// StartTLS would add a certificate of its own.
	server.Listener = tls.NewListener(server.Listener, ca.TLSConfig())
	server.Start()
	t.Cleanup(server.Close)
	return server
}

func TestTLSConfig(t *testing.T) {
	ca := newCA(t)
	server := newTLSServer(t, ca)
	addr := server.Listener.Addr().String()
	for _, host := range []string{"localhost", "127.0.0.1", "abc.execute-api.us-east-1.amazonaws.com"} {
		c, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: pool(t, ca.BundleFile()), ServerName: host, NextProtos: []string{"h2", "http/1.1"}})
		if err != nil {
			t.Errorf("%s: %v", host, err)
			continue
		}
		if p := c.ConnectionState().NegotiatedProtocol; p != "http/1.1" {
			t.Errorf("%s: protocol %q", host, p)
		}
		c.Close()
	}
	_, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: pool(t, ca.CertFile()), ServerName: "example.com"})
	if err == nil || !strings.Contains(err.Error(), "certificate is valid for localhost, not example.com") {
		t.Errorf("a foreign name: %v", err)
	}
}

// TestOtherPrograms: clients that use OpenSSL and Node accept the CA with its
// name constraints, by the variables that Environment sets.
func TestOtherPrograms(t *testing.T) {
	ca := newCA(t)
	server := newTLSServer(t, ca)
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	// Not the test's own environment: it may name other roots.
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	for name, value := range Environment(Surroundings{CAFile: ca.CertFile(), BundleFile: ca.BundleFile()}, nil) {
		env = append(env, name+"="+value)
	}
	for _, host := range []string{"localhost", "127.0.0.1"} {
		url := "https://" + host + ":" + port + "/"
		for _, command := range [][]string{
			{"curl", "-sS", "--max-time", "20", url},
			{"python3", "-c", "import sys,urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=20).read().decode())", url},
			{"node", "-e", "require('https').get(process.argv[1], r => r.pipe(process.stdout)).on('error', e => { console.error(e); process.exit(1) })", url},
		} {
			t.Run(command[0]+" "+host, func(t *testing.T) {
				if _, err := exec.LookPath(command[0]); err != nil {
					t.Skipf("%s is not on this machine; install it to hold that it trusts the local authority", command[0])
				}
				cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
				cmd.Env = env
				out, err := cmd.CombinedOutput()
				if err != nil || !strings.HasPrefix(string(out), "hello") {
					t.Errorf("%v\n%s", err, out)
				}
			})
		}
	}
}

func BenchmarkCertificate(b *testing.B) {
	ca := newCA(b)
	b.Run("new", func(b *testing.B) {
		for b.Loop() {
			clear(ca.leaves)
			if _, err := ca.Certificate("sqs.us-east-1.amazonaws.com"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("kept", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ca.Certificate("sqs.us-east-1.amazonaws.com"); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkOpenCA(b *testing.B) {
	dir := b.TempDir()
	for b.Loop() {
		if _, err := OpenCA(dir); err != nil {
			b.Fatal(err)
		}
	}
}

func TestCASpeaksForTheDomainsItIsGiven(t *testing.T) {
	dir := t.TempDir()
	plain, err := OpenCA(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plain.Certificate("ws.example.com"); !errors.Is(err, ErrForeignHost) {
		t.Errorf("a domain that was not given: %v, want ErrForeignHost", err)
	}
	ca, err := OpenCA(dir, "WS.example.com")
	if err != nil {
		t.Fatal(err)
	}
	if ca.cert.Equal(plain.cert) {
		t.Error("the certificate does not name the domain and was kept")
	}
	leaf, err := ca.Certificate("ws.example.com")
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	if _, err := leaf.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: "ws.example.com"}); err != nil {
		t.Errorf("a client would refuse the certificate: %v", err)
	}
	if _, err := ca.Certificate("example.com"); !errors.Is(err, ErrForeignHost) {
		t.Errorf("the domain above: %v, want ErrForeignHost", err)
	}
	again, err := OpenCA(dir, "ws.example.com")
	if err != nil {
		t.Fatal(err)
	}
	if !again.cert.Equal(ca.cert) {
		t.Error("the CA was made anew though it names the domain")
	}
}
