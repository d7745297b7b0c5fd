package sns

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"time"
)

// signer signs messages ("Verifying the signatures of Amazon SNS messages").
// Making a key takes a while, so that waits until the first signature.
type signer struct {
	ready func() (identity, error)
}

// identity is a key with its certificate.
type identity struct {
	key *rsa.PrivateKey
	pem []byte
	// name is the certificate's in URLs: a digest of the public key, so that it is
	// the same as long as the key is.
	name string
}

// newSigner returns a signer with the key that is kept, or, with nil, one that is
// made for this process.
func newSigner(kept func() (*rsa.PrivateKey, error)) *signer {
	if kept == nil {
		kept = func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) }
	}
	return &signer{sync.OnceValues(func() (identity, error) { return newIdentity(kept) })}
}

func newIdentity(kept func() (*rsa.PrivateKey, error)) (identity, error) {
	key, err := kept()
	if err != nil {
		return identity{}, fmt.Errorf("get the key that signs messages: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "sns.amazonaws.com"},
		NotBefore:    time.Now().Add(-24 * time.Hour), NotAfter: time.Now().AddDate(10, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return identity{}, fmt.Errorf("make the certificate that messages are checked with: %w", err)
	}
	sum := sha256.Sum256(x509.MarshalPKCS1PublicKey(&key.PublicKey))
	return identity{key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), hex.EncodeToString(sum[:16])}, nil
}

// sign returns the base64 of the signature over fields, which are names and
// values by turns. Version "2" digests with SHA-256, any other with SHA-1.
func (i identity) sign(version string, fields ...string) (string, error) {
	text := strings.Join(fields, "\n") + "\n"
	hash, digest := crypto.SHA1, sha1.Sum([]byte(text))
	sum := digest[:]
	if version == "2" {
		long := sha256.Sum256([]byte(text))
		hash, sum = crypto.SHA256, long[:]
	}
	signature, err := rsa.SignPKCS1v15(rand.Reader, i.key, hash, sum)
	if err != nil {
		return "", fmt.Errorf("sign a message: %w", err)
	}
	return base64.StdEncoding.EncodeToString(signature), nil
}

func (i identity) certificateURL(base string) string {
	return base + certificatePath + i.name + ".pem"
}
