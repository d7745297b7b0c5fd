package authorizer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatepost-dev/gatepost/push/function"
)

// errNoKeys says that the issuer's keys cannot be had.
var errNoKeys = errors.New("the issuer's keys cannot be had")

// Bounds of what is fetched from an issuer.
const (
	fetchWithin = 3 * time.Second
	maxKeySet   = 1 << 20 // bytes
	maxKeys     = 100
	// refetchAfter is the least time between two requests, however many tokens
	// name keys that nobody knows.
	refetchAfter = 10 * time.Second
)

// minSecret is the least length of a shared secret, in bytes: that of its hash
// (RFC 7518, 3.2).
const minSecret = 32

// Keys verify signatures.
type Keys interface {
	// Algorithms are those that a token may be signed with.
	Algorithms() []jose.SignatureAlgorithm
	// Find returns the keys that may have signed a token that names a key; its
	// error is an errNoKeys when that cannot be known.
	Find(ctx context.Context, keyID string) ([]any, error)
}

// symmetric and asymmetric are the algorithms to choose from. A set of keys and
// a secret never share one: else a public key could serve as the secret.
var (
	symmetric  = []jose.SignatureAlgorithm{jose.HS256, jose.HS384, jose.HS512}
	asymmetric = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA}
)

// keysOf reads the variables about keys, or tells what is wrong with them.
func keysOf(env *function.Environment) Keys {
	address, secret := env.Optional("JWKS_URL"), env.Optional("JWT_SECRET")
	ttl := env.Duration("JWKS_TTL", time.Hour, time.Minute, 24*time.Hour)
	switch {
	case (address == "") == (secret == ""):
		env.Problem("Set one of JWKS_URL, the address of the issuer's keys, and JWT_SECRET, the secret that it shares.")
	case secret != "" && len(secret) < minSecret:
		env.Problem("JWT_SECRET has %d bytes: it must have at least %d.", len(secret), minSecret)
	case secret != "":
		return &Secret{Value: []byte(secret), Pinned: algorithms(env, symmetric, jose.HS256)}
	case !safe(address):
		env.Problem("JWKS_URL is %q: it must be an https address; http is for this machine alone.", address)
	default:
		return &KeySet{URL: address, TTL: ttl, Pinned: algorithms(env, asymmetric, jose.RS256, jose.ES256)}
	}
	return nil
}

// safe reports whether keys from an address can be trusted.
func safe(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return false
	}
	local := slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && local
}

// algorithms reads JWT_ALGORITHMS.
func algorithms(env *function.Environment, allowed []jose.SignatureAlgorithm, fallback ...jose.SignatureAlgorithm) []jose.SignatureAlgorithm {
	var pinned []jose.SignatureAlgorithm
	for _, name := range env.List("JWT_ALGORITHMS") {
		if !slices.Contains(allowed, jose.SignatureAlgorithm(name)) {
			env.Problem("JWT_ALGORITHMS has %q: it must hold some of %s.", name, strings.Trim(fmt.Sprint(allowed), "[]"))
			return fallback
		}
		pinned = append(pinned, jose.SignatureAlgorithm(name))
	}
	if len(pinned) == 0 {
		return fallback
	}
	return pinned
}

// Secret is a key that the issuer shares.
type Secret struct {
	Value  []byte
	Pinned []jose.SignatureAlgorithm
}

// Algorithms returns Pinned.
func (s *Secret) Algorithms() []jose.SignatureAlgorithm { return s.Pinned }

// Find returns the secret, whatever the key is called.
func (s *Secret) Find(context.Context, string) ([]any, error) { return []any{s.Value}, nil }

// KeySet are the keys that an issuer publishes (RFC 7517). They are fetched when
// they are first needed, again when they are older than TTL, and when a token
// names one that is not among them, at most every ten seconds. When an issuer
// that was there is not, its old keys count for one more TTL.
type KeySet struct {
	// URL is where they are.
	URL string
	// TTL is how long they are believed in.
	TTL time.Duration
	// Pinned are the algorithms that count.
	Pinned []jose.SignatureAlgorithm
	// Client fetches; nil means a client of its own.
	Client *http.Client

	mu      sync.Mutex // held while fetching: others wait for the same keys
	keys    []jose.JSONWebKey
	fetched time.Time // when keys were
	tried   time.Time // when a fetch began last
	failed  error     // of the last fetch
}

// Algorithms returns Pinned.
func (s *KeySet) Algorithms() []jose.SignatureAlgorithm { return s.Pinned }

// Find returns the issuer's keys with an id, or all of them for a token that
// names none.
func (s *KeySet) Find(ctx context.Context, keyID string) ([]any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.named(keyID)
	stale := time.Since(s.fetched) > s.TTL
	if (stale || len(found) == 0) && time.Since(s.tried) > refetchAfter {
		s.refetch(ctx)
		found = s.named(keyID)
	}
	if time.Since(s.fetched) > 2*s.TTL {
		return nil, fmt.Errorf("%w: %w", errNoKeys, s.failed)
	}
	return found, nil
}

func (s *KeySet) named(keyID string) []any {
	var found []any
	for _, k := range s.keys {
		if keyID == "" || k.KeyID == keyID {
			found = append(found, k.Key)
		}
	}
	return found
}

func (s *KeySet) refetch(ctx context.Context) {
	s.tried = time.Now()
	keys, err := s.fetch(ctx)
	s.failed = err
	if err == nil {
		s.keys, s.fetched = keys, s.tried
	}
}

// fetch gets the keys that are for signatures and whose algorithm is pinned.
func (s *KeySet) fetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchWithin)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
	if err != nil {
		return nil, err
	}
	client := s.Client
	if client == nil {
		client = &http.Client{CheckRedirect: noRedirect}
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", s.URL, response.Status)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxKeySet+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxKeySet {
		return nil, fmt.Errorf("%s has more than %d bytes", s.URL, maxKeySet)
	}
	return parseKeys(body, s.Pinned)
}

// noRedirect keeps the keys those of the address that was set.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// parseKeys reads a key set. Keys of kinds that are not known are passed over,
// as RFC 7517, 5 wants, and so are private keys and shared ones.
func parseKeys(body []byte, pinned []jose.SignatureAlgorithm) ([]jose.JSONWebKey, error) {
	var set struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, errors.New("what is there is no key set")
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("the key set has %d keys; it may have %d", len(set.Keys), maxKeys)
	}
	var keys []jose.JSONWebKey
	for _, raw := range set.Keys {
		var k jose.JSONWebKey
		if json.Unmarshal(raw, &k) != nil || !k.Valid() || !k.IsPublic() || k.Use != "" && k.Use != "sig" {
			continue
		}
		if k.Algorithm == "" || slices.Contains(pinned, jose.SignatureAlgorithm(k.Algorithm)) {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("the key set has no key for signatures")
	}
	return keys, nil
}
