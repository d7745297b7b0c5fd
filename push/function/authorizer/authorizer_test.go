package authorizer

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/gatepost-dev/gatepost/push/function"
)

const (
	issuer, audience = "https://id.example", "sockets"
	secret           = "0123456789abcdef0123456789abcdef"
	arn              = "arn:aws:execute-api:eu-west-1:123456789012:abcdefghij/main/$connect"
)

// claimsOf are the claims of a good token, with changes; nil removes one.
func claimsOf(changes map[string]any) map[string]any {
	all := map[string]any{"iss": issuer, "aud": audience, "sub": "ann", "exp": time.Now().Add(time.Minute).Unix(), "groups": []string{"staff", "news"}}
	for name, value := range changes {
		if all[name] = value; value == nil {
			delete(all, name)
		}
	}
	return all
}

func sign(t *testing.T, alg jose.SignatureAlgorithm, key any, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func handler(keys Keys) (*Handler, *bytes.Buffer) {
	var log bytes.Buffer
	return New(Options{Issuer: issuer, Audience: audience, Leeway: 30 * time.Second, UserClaim: "sub", GroupsClaim: "groups", Parameter: "token", Keys: keys},
		slog.New(slog.NewJSONHandler(&log, nil))), &log
}

func shared() Keys { return &Secret{[]byte(secret), []jose.SignatureAlgorithm{jose.HS256}} }

func TestWhoIsLetIn(t *testing.T) {
	hour := time.Hour.Seconds()
	now := float64(time.Now().Unix())
	unsigned := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"ann"}`)) + "."
	for _, tt := range []struct {
		name   string
		token  string
		groups string // "" for a client that is refused
		reason string
	}{
		{name: "a good token", token: sign(t, jose.HS256, []byte(secret), claimsOf(nil)), groups: "staff,news"},
		{name: "groups as words", token: sign(t, jose.HS256, []byte(secret), claimsOf(map[string]any{"groups": "a b,c"})), groups: "a,b,c"},
		{name: "one of several audiences", token: sign(t, jose.HS256, []byte(secret), claimsOf(map[string]any{"aud": []string{"x", audience}})), groups: "staff,news"},
		{name: "just expired", token: sign(t, jose.HS256, []byte(secret), claimsOf(map[string]any{"exp": now - 5})), groups: "staff,news"},
		{name: "no token", reason: "there is no token"},
		{name: "expired", token: sign(t, jose.HS256, []byte(secret), claimsOf(map[string]any{"exp": now - hour})), reason: "expired"},
		{name: "it never expires", token: sign(t, jose.HS256, []byte(secret), claimsOf(map[string]any{"exp": nil})), reason: "it has no exp"},
		{name: "not yet valid", token: sign(t, jose.HS256, []byte(secret), claimsOf(map[string]any{"nbf": now + hour})), reason: "nbf"},
		{name: "from the future", token: sign(t, jose.HS256, []byte(secret), claimsOf(map[string]any{"iat": now + hour})), reason: "iat"},
		{name: "of another issuer", token: sign(t, jose.HS256, []byte(secret), claimsOf(map[string]any{"iss": "https://evil.example"})), reason: "iss"},
		{name: "of no issuer", token: sign(t, jose.HS256, []byte(secret), claimsOf(map[string]any{"iss": nil})), reason: "iss"},
		{name: "for others", token: sign(t, jose.HS256, []byte(secret), claimsOf(map[string]any{"aud": "shop"})), reason: "aud"},
		{name: "for nobody", token: sign(t, jose.HS256, []byte(secret), claimsOf(map[string]any{"aud": nil})), reason: "aud"},
		{name: "without a user", token: sign(t, jose.HS256, []byte(secret), claimsOf(map[string]any{"sub": nil})), reason: "claim sub"},
		{name: "with a number for a user", token: sign(t, jose.HS256, []byte(secret), claimsOf(map[string]any{"sub": 7})), reason: "iss, sub, aud"},
		{name: "with a comma in the user", token: sign(t, jose.HS256, []byte(secret), claimsOf(map[string]any{"sub": "a,b"})), reason: "claim sub"},
		{name: "with a comma in a group", token: sign(t, jose.HS256, []byte(secret), claimsOf(map[string]any{"groups": []string{"a,staff"}})), reason: "claim groups"},
		{name: "with too many groups", token: sign(t, jose.HS256, []byte(secret), claimsOf(map[string]any{"groups": strings.Repeat("group ", 800)})), reason: "claim groups"},
		{name: "with a number for groups", token: sign(t, jose.HS256, []byte(secret), claimsOf(map[string]any{"groups": 7})), reason: "claim groups"},
		{name: "signed with another secret", token: sign(t, jose.HS256, []byte(strings.ToUpper(secret)), claimsOf(nil)), reason: "signature"},
		{name: "signed with an algorithm that is not pinned", token: sign(t, jose.HS384, []byte(secret+secret), claimsOf(nil)), reason: "allowed algorithm"},
		{name: "not signed", token: unsigned, reason: "allowed algorithm"},
		{name: "nonsense", token: "x.y.z", reason: "malformed"},
		{name: "too long", token: strings.Repeat("x", maxToken+1), reason: "8193 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, log := handler(shared())
			out, err := h.Handle(t.Context(), Request{MethodArn: arn, QueryStringParameters: map[string]string{"token": tt.token}})
			if tt.token != "" && strings.Contains(log.String(), tt.token) {
				t.Error("the token is logged")
			}
			if tt.groups == "" {
				if err == nil || err.Error() != "Unauthorized" || !strings.Contains(log.String(), tt.reason) {
					t.Errorf("let in %+v, %v; logged %s; want %s", out, err, log, tt.reason)
				}
				return
			}
			if err != nil {
				t.Fatalf("%v: %s", err, log)
			}
			s := out.PolicyDocument.Statement
			if out.PrincipalID != "ann" || out.Context["user"] != "ann" || out.Context["groups"] != tt.groups || len(s) != 1 || s[0].Effect != "Allow" || !slices.Equal(s[0].Resource, []string{arn}) {
				t.Errorf("answered %+v", out)
			}
		})
	}
}

func TestTokenInASubprotocol(t *testing.T) {
	h, _ := handler(shared())
	token := sign(t, jose.HS256, []byte(secret), claimsOf(nil))
	if _, err := h.Handle(t.Context(), Request{MethodArn: arn, Headers: map[string]string{"sec-websocket-protocol": "chat, bearer." + token}}); err != nil {
		t.Error(err)
	}
}

// issuing is an issuer's address with its keys.
type issuing struct {
	*httptest.Server
	asked atomic.Int32
	body  atomic.Value
}

func newIssuer(t *testing.T, keys ...jose.JSONWebKey) *issuing {
	t.Helper()
	i := &issuing{}
	i.publish(t, keys...)
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		i.asked.Add(1)
		_, _ = w.Write(i.body.Load().([]byte))
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *issuing) publish(t *testing.T, keys ...jose.JSONWebKey) {
	t.Helper()
	body, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	i.body.Store(body)
}

func newKey(t *testing.T, id string) (*ecdsa.PrivateKey, jose.JSONWebKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key, jose.JSONWebKey{Key: key.Public(), KeyID: id, Algorithm: "ES256", Use: "sig"}
}

func signedBy(t *testing.T, key *ecdsa.PrivateKey, id string) Request {
	t.Helper()
	return Request{MethodArn: arn, QueryStringParameters: map[string]string{"token": sign(t, jose.ES256, jose.JSONWebKey{Key: key, KeyID: id}, claimsOf(nil))}}
}

// Keys are fetched once, and again for a key that nobody knows, but not for
// each such token.
func TestKeySet(t *testing.T) {
	first, public := newKey(t, "k1")
	i := newIssuer(t, public)
	keys := &KeySet{URL: i.URL, TTL: time.Hour, Pinned: []jose.SignatureAlgorithm{jose.ES256}}
	h, log := handler(keys)
	for range 3 {
		if _, err := h.Handle(t.Context(), signedBy(t, first, "k1")); err != nil {
			t.Fatalf("%v: %s", err, log)
		}
	}
	if n := i.asked.Load(); n != 1 {
		t.Errorf("asked %d times, want once", n)
	}
	second, other := newKey(t, "k2")
	i.publish(t, public, other)
	if _, err := h.Handle(t.Context(), signedBy(t, second, "k2")); !errors.Is(err, errUnauthorized) {
		t.Errorf("%v within ten seconds", err)
	}
	keys.tried = time.Now().Add(-time.Minute)
	if _, err := h.Handle(t.Context(), signedBy(t, second, "k2")); err != nil {
		t.Errorf("a new key: %v", err)
	}
	// What a client signs with the issuer's public key as a secret is no token.
	der, err := x509.MarshalPKIXPublicKey(first.Public())
	if err != nil {
		t.Fatal(err)
	}
	forged := sign(t, jose.HS256, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), claimsOf(nil))
	if _, err := h.Handle(t.Context(), Request{QueryStringParameters: map[string]string{"token": forged}}); !errors.Is(err, errUnauthorized) {
		t.Errorf("a forged token: %v", err)
	}
	i.Close()
	keys.tried, keys.fetched = time.Time{}, time.Now().Add(-90*time.Minute)
	if _, err := h.Handle(t.Context(), signedBy(t, first, "k1")); err != nil {
		t.Errorf("with keys of an issuer that is away: %v", err)
	}
	keys.fetched = time.Now().Add(-3 * time.Hour)
	if _, err := h.Handle(t.Context(), signedBy(t, first, "k1")); !errors.Is(err, errNoKeys) {
		t.Errorf("with keys that are too old: %v", err)
	}
}

func TestKeySetRefuses(t *testing.T) {
	key, public := newKey(t, "k1")
	encryption := public
	encryption.Use = "enc"
	for name, set := range map[string]jose.JSONWebKey{
		"a private key":        {Key: key, KeyID: "k1", Use: "sig"},
		"a shared key":         {Key: []byte(secret), KeyID: "k1"},
		"a key for encryption": encryption,
	} {
		keys := &KeySet{URL: newIssuer(t, set).URL, TTL: time.Hour, Pinned: []jose.SignatureAlgorithm{jose.ES256}}
		h, _ := handler(keys)
		if _, err := h.Handle(t.Context(), signedBy(t, key, "k1")); !errors.Is(err, errNoKeys) {
			t.Errorf("%s: %v", name, err)
		}
	}
	big := &issuing{}
	big.body.Store(bytes.Repeat([]byte(" "), maxKeySet+1))
	moved := httptest.NewServer(http.RedirectHandler(newIssuer(t, public).URL, http.StatusFound))
	defer moved.Close()
	large := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(big.body.Load().([]byte)) }))
	defer large.Close()
	for _, address := range []string{moved.URL, large.URL} {
		if _, err := (&KeySet{URL: address, TTL: time.Hour}).Find(t.Context(), "k1"); !errors.Is(err, errNoKeys) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestSettings(t *testing.T) {
	good := map[string]string{"JWT_ISSUER": issuer, "JWT_AUDIENCE": audience, "JWT_SECRET": secret}
	for _, tt := range []struct {
		name    string
		changes map[string]string
		want    string
	}{
		{"a secret", nil, ""},
		{"keys", map[string]string{"JWT_SECRET": "", "JWKS_URL": "https://id.example/keys"}, ""},
		{"keys of this machine", map[string]string{"JWT_SECRET": "", "JWKS_URL": "http://127.0.0.1:1/keys"}, ""},
		{"no issuer", map[string]string{"JWT_ISSUER": ""}, "JWT_ISSUER is not set"},
		{"no audience", map[string]string{"JWT_AUDIENCE": ""}, "JWT_AUDIENCE is not set"},
		{"neither keys nor a secret", map[string]string{"JWT_SECRET": ""}, "Set one of JWKS_URL"},
		{"both", map[string]string{"JWKS_URL": "https://id.example/keys"}, "Set one of JWKS_URL"},
		{"a short secret", map[string]string{"JWT_SECRET": "hello"}, "JWT_SECRET has 5 bytes: it must have at least 32."},
		{"keys over http", map[string]string{"JWT_SECRET": "", "JWKS_URL": "http://id.example/keys"}, "it must be an https address"},
		{"no algorithm", map[string]string{"JWT_ALGORITHMS": "none"}, `JWT_ALGORITHMS has "none"`},
		{"a secret for keys", map[string]string{"JWT_SECRET": "", "JWKS_URL": "https://id.example/keys", "JWT_ALGORITHMS": "HS256"}, `JWT_ALGORITHMS has "HS256"`},
		{"keys for a secret", map[string]string{"JWT_ALGORITHMS": "RS256"}, `JWT_ALGORITHMS has "RS256"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env := function.NewEnvironment(func(name string) (string, bool) {
				if v, changed := tt.changes[name]; changed {
					return v, true
				}
				return good[name], true
			})
			if _, err := build(t.Context(), env); err != nil {
				t.Fatal(err)
			}
			problems := strings.Join(env.Problems(), "\n")
			if (problems == "") != (tt.want == "") || !strings.Contains(problems, tt.want) || strings.Contains(problems, secret) {
				t.Errorf("problems %q, want %q", problems, tt.want)
			}
		})
	}
}

// An issuer that does not answer holds nobody up for long, and lets nobody in.
func TestIssuerHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})}
		keys := &KeySet{URL: "https://id.example/keys", TTL: time.Hour, Client: hangs}
		start := time.Now()
		if _, err := keys.Find(t.Context(), "k1"); !errors.Is(err, errNoKeys) || time.Since(start) != fetchWithin {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func FuzzHandle(f *testing.F) {
	f.Add("a.b.c", `{"keys":[]}`)
	f.Add("eyJhbGciOiJIUzI1NiJ9.e30.", `{"keys":[{"kty":"EC"}]}`)
	f.Fuzz(func(t *testing.T, token, set string) {
		h, _ := handler(shared())
		if _, err := h.Handle(t.Context(), Request{QueryStringParameters: map[string]string{"token": token}}); !errors.Is(err, errUnauthorized) {
			t.Errorf("%q is let in: %v", token, err)
		}
		if keys, err := parseKeys([]byte(set), asymmetric); (len(keys) > 0) == (err != nil) {
			t.Errorf("%d keys and %v", len(keys), err)
		}
	})
}
