package awswire

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Words of signature version 4 ("Signature Version 4 signing process" in the
// AWS general reference).
const (
	sigAlgorithm  = "AWS4-HMAC-SHA256"
	sigTerminator = "aws4_request"
	sigTimeFormat = "20060102T150405Z"
)

// clockSkew is how far a signature's date may lie from our clock.
const clockSkew = 5 * time.Minute

// maxSigningKeys bounds the derived keys that a Verifier remembers.
const maxSigningKeys = 1024

// Credentials are one access key. SessionToken is empty for long-lived keys.
type Credentials struct {
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`
	SessionToken    string `json:"sessionToken"`
}

// NewCredentials returns random temporary credentials in AWS's form, such as
// Lambda puts into a function's environment.
func NewCredentials() Credentials {
	var b [10 + 30 + 48]byte
	rand.Read(b[:])
	return Credentials{
		AccessKeyID:     "ASIA" + base32.StdEncoding.EncodeToString(b[:10]),
		SecretAccessKey: base64.RawURLEncoding.EncodeToString(b[10:40]),
		SessionToken:    base64.RawURLEncoding.EncodeToString(b[40:]),
	}
}

// Identity is who signed a request, and for what.
type Identity struct{ AccessKeyID, Region, Service string }

// VerifierOptions are the rules of a Verifier. The zero value is AWS's.
type VerifierOptions struct {
	// AcceptUnknownKeys lets requests pass unchecked whose access key lookup
	// does not know. DANGEROUS: anybody is let in. It is for development on
	// loopback, where people have keys of their own in their environment.
	// Requests must be well signed in form all the same, and known keys are
	// always checked.
	AcceptUnknownKeys bool
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Verifier checks signatures of version 4, in the Authorization header and in
// the query string (presigned URLs). It may be used by many goroutines.
type Verifier struct {
	lookup  func(accessKeyID string) (Credentials, bool)
	options VerifierOptions

	mu   sync.RWMutex
	keys map[signingScope]*signingKey
}

// signingScope names a derived key.
type signingScope struct{ accessKeyID, date, region, service string }

// signingKey is a derived key with hashers ready to use it. The secret tells
// when the credentials behind the scope have been replaced.
type signingKey struct {
	secret string
	macs   sync.Pool // of hash.Hash
}

// NewVerifier returns a verifier that asks lookup for the credentials of an
// access key. lookup may be called by many goroutines.
func NewVerifier(lookup func(accessKeyID string) (Credentials, bool), o VerifierOptions) *Verifier {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Verifier{lookup: lookup, options: o, keys: make(map[signingScope]*signingKey)}
}

// Scope is what a signature must be for. An empty field takes any.
type Scope struct{ Region, Service string }

// Verify is VerifyScope for a service in any region.
func (v *Verifier) Verify(r *http.Request, body []byte, service string) (Identity, error) {
	return v.VerifyScope(r, body, Scope{Service: service})
}

// VerifyScope checks that a request and its whole body were signed for a scope
// (for example the service "execute-api") with credentials that lookup knows.
// The error is an *Error with the code, text and status (403) that API Gateway
// gives.
func (v *Verifier) VerifyScope(r *http.Request, body []byte, want Scope) (Identity, error) {
	sig, err := parseSignature(r)
	if err != nil {
		return Identity{}, err
	}
	if err := sig.check(want, v.options.Now()); err != nil {
		return Identity{}, err
	}
	id := Identity{AccessKeyID: sig.accessKeyID, Region: sig.region, Service: sig.service}
	credentials, known := v.lookup(sig.accessKeyID)
	if !known && v.options.AcceptUnknownKeys {
		return id, nil
	}
	if !known || subtle.ConstantTimeCompare([]byte(sig.token), []byte(credentials.SessionToken)) != 1 {
		return Identity{}, refusal("UnrecognizedClientException", "The security token included in the request is invalid.")
	}
	if err := v.verifySignature(r, body, &sig, credentials.SecretAccessKey); err != nil {
		return Identity{}, err
	}
	return id, nil
}

// Signed reports whether a request carries a signature at all, right or wrong:
// a cheap question to ask before its body is read.
func Signed(r *http.Request) bool {
	return headerValue(r.Header, "Authorization") != "" || isPresigned(r.URL.RawQuery)
}

// MissingToken is the answer to a request that is not Signed.
func MissingToken() *Error {
	return refusal("MissingAuthenticationTokenException", "Missing Authentication Token")
}

// refusal is an error with HTTP status 403, as API Gateway answers whatever is
// wrong with a signature.
func refusal(code, format string, args ...any) *Error {
	e := Errorf(code, format, args...)
	e.Status = http.StatusForbidden
	return e
}

// verifySignature computes the signature and compares. Paths with empty or dot
// segments are signed as they stand by some SDKs (Go) and normalised by others
// (JavaScript, Python), so both forms count.
func (v *Verifier) verifySignature(r *http.Request, body []byte, sig *signature, secret string) error {
	s := scratchPool.Get().(*scratch)
	defer scratchPool.Put(s)
	s.hashPayload(body)
	scope := signingScope{sig.accessKeyID, sig.date, sig.region, sig.service}
	key, cached := v.cachedKey(scope, secret)
	if !cached {
		key = newSigningKey(secret, scope)
	}
	path, query := wireTarget(r)
	match, err := s.matches(r, sig, key, path, query)
	if plain := normalPath(path); err == nil && !match && plain != path {
		match, err = s.matches(r, sig, key, plain, query)
	}
	if err != nil {
		return err
	}
	if !match {
		return s.mismatch()
	}
	if !cached {
		v.rememberKey(scope, key)
	}
	return nil
}

func (v *Verifier) cachedKey(scope signingScope, secret string) (*signingKey, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	key := v.keys[scope]
	return key, key != nil && key.secret == secret
}

// rememberKey keeps a key that has proved right, so that a stranger's requests
// never enter the cache. The scope's strings are copied because they share
// memory with a request.
func (v *Verifier) rememberKey(scope signingScope, key *signingKey) {
	scope = signingScope{strings.Clone(scope.accessKeyID), strings.Clone(scope.date), strings.Clone(scope.region), strings.Clone(scope.service)}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.keys) >= maxSigningKeys {
		clear(v.keys)
	}
	v.keys[scope] = key
}

func newSigningKey(secret string, scope signingScope) *signingKey {
	key := deriveKey(secret, scope.date, scope.region, scope.service)
	return &signingKey{secret: secret, macs: sync.Pool{New: func() any { return hmac.New(sha256.New, key) }}}
}

func deriveKey(secret, date, region, service string) []byte {
	key := []byte("AWS4" + secret)
	for _, part := range []string{date, region, service, sigTerminator} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	return key
}

// scratch is the memory of one verification or signing.
type scratch struct {
	canonical    []byte // the canonical request
	stringToSign []byte
	payload      [2 * sha256.Size]byte // the body's hash in hexadecimal
	mac          [sha256.Size]byte
}

var scratchPool = sync.Pool{New: func() any {
	return &scratch{canonical: make([]byte, 0, 1024), stringToSign: make([]byte, 0, 256)}
}}

// hashPayload sets the payload hash of the canonical request. It is always the
// body's own: what X-Amz-Content-Sha256 claims, UNSIGNED-PAYLOAD for example,
// counts for S3 alone. For API Gateway a signature over the claim is a wrong
// one (https://github.com/aws/aws-sdk-js-v3/issues/308).
func (s *scratch) hashPayload(body []byte) {
	sum := sha256.Sum256(body)
	hex.Encode(s.payload[:], sum[:])
}

// matches computes the signature over one form of the path.
func (s *scratch) matches(r *http.Request, sig *signature, key *signingKey, path, query string) (bool, error) {
	var err error
	s.canonical, err = appendCanonical(s.canonical[:0], r, path, query, sig, s.payload[:])
	if err != nil {
		return false, err
	}
	mac := key.macs.Get().(hash.Hash)
	s.sign(mac, sig.amzDate, sig.scope)
	key.macs.Put(mac)
	return subtle.ConstantTimeCompare(s.mac[:], sig.value[:]) == 1, nil
}

// sign leaves the signature of the canonical request in s.mac.
func (s *scratch) sign(mac hash.Hash, amzDate, scope string) {
	b := append(s.stringToSign[:0], sigAlgorithm+"\n"...)
	b = append(b, amzDate...)
	b = append(b, '\n')
	b = append(b, scope...)
	b = append(b, '\n')
	sum := sha256.Sum256(s.canonical)
	s.stringToSign = hex.AppendEncode(b, sum[:])
	mac.Reset()
	mac.Write(s.stringToSign)
	mac.Sum(s.mac[:0])
}

// mismatch is the error for a wrong signature, with what we computed, so that
// the author of a signer can compare. Neither string holds a secret of ours.
func (s *scratch) mismatch() *Error {
	return refusal("InvalidSignatureException", "The request signature we calculated does not match the signature you provided. "+
		"Check your AWS Secret Access Key and signing method. Consult the service documentation for details.\n\n"+
		"The Canonical String for this request should have been\n'%s'\n\nThe String-to-Sign should have been\n'%s'\n", s.canonical, s.stringToSign)
}

// Sign signs a request in its headers, for now, as the SDKs do: it sets
// X-Amz-Date, X-Amz-Security-Token and Authorization, and signs Host,
// Content-Type and every X-Amz header that is set. body must be the whole
// body. It is for clients: the path is taken from r.URL.
func Sign(r *http.Request, body []byte, c Credentials, region, service string, now time.Time) {
	sig := signature{amzDate: now.UTC().Format(sigTimeFormat)}
	sig.date = sig.amzDate[:8]
	sig.scope = sig.date + "/" + region + "/" + service + "/" + sigTerminator
	r.Header.Set("X-Amz-Date", sig.amzDate)
	if c.SessionToken != "" {
		r.Header.Set("X-Amz-Security-Token", c.SessionToken)
	}
	sig.signedHeaders = headersToSign(r.Header)

	s := scratchPool.Get().(*scratch)
	defer scratchPool.Put(s)
	s.hashPayload(body)
	path, query := splitTarget(r.URL.RequestURI())
	// The headers exist, so only a malformed query can fail: then the request
	// goes out with a signature that no server accepts.
	s.canonical, _ = appendCanonical(s.canonical[:0], r, path, query, &sig, s.payload[:])
	s.sign(hmac.New(sha256.New, deriveKey(c.SecretAccessKey, sig.date, region, service)), sig.amzDate, sig.scope)
	r.Header.Set("Authorization", fmt.Sprintf("%s Credential=%s/%s, SignedHeaders=%s, Signature=%x",
		sigAlgorithm, c.AccessKeyID, sig.scope, sig.signedHeaders, s.mac))
}
