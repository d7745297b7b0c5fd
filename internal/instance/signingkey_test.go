package instance

import (
	"os"
	"strings"
	"testing"
)

func TestSigningKeyStays(t *testing.T) {
	isolate(t)
	d := open(t, "data")
	first, err := d.SigningKey()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := d.SigningKey(); err != nil || !again.Equal(first) {
		t.Errorf("the key changed: %v", err)
	}
	if info, err := os.Stat(d.Join(signingKeyFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	for _, damaged := range []string{"", "x", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"} {
		if err := os.WriteFile(d.Join(signingKeyFile), []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		if key, err := d.SigningKey(); err == nil || !strings.Contains(err.Error(), signingKeyFile+" is damaged; remove it") {
			t.Errorf("of the file %q: %v, %v", damaged, key, err)
		}
	}
}
