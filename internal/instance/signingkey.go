package instance

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// signingKeyFile holds the key that signs messages of topics, mode 0600.
const signingKeyFile = "signing-key.pem"

// keyBits is the size of a key that is made here, and the least that is read.
const keyBits = 2048

// SigningKey reads the key with which this folder signs messages of topics, and
// makes it first if there is none, which takes a moment. It stays the same, so
// that whoever keeps its certificate can check messages after a restart.
func (d *Dir) SigningKey() (*rsa.PrivateKey, error) {
	file := d.Join(signingKeyFile)
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return newSigningKey(file)
	}
	if err != nil {
		return nil, fmt.Errorf("read the signing key: %w", err)
	}
	if block, _ := pem.Decode(text); block != nil {
		parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if key, ok := parsed.(*rsa.PrivateKey); err == nil && ok && key.N.BitLen() >= keyBits {
			return key, nil
		}
	}
	return nil, fmt.Errorf("the file %s is damaged; remove it and start again to make a new one", file)
}

func newSigningKey(file string) (*rsa.PrivateKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, fmt.Errorf("make the signing key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode the signing key: %w", err)
	}
	return key, writeFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}
