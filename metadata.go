package gatepost

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
)

// metadataPath is what Lambda's metadata endpoint serves ("Lambda metadata
// endpoint" in the developer guide).
const metadataPath = "/2026-01-15/metadata/execution-environment"

// metadata is Lambda's metadata endpoint: it tells a function in which
// availability zone it runs. It is a part of the AWS endpoint's port.
type metadata struct {
	region string
	secret []byte // the tokens are made from it
}

func newMetadata(region string) *metadata {
	return &metadata{region: region, secret: []byte(rand.Text())}
}

// token is what a function has to show.
func (m *metadata) token(function string) string {
	sum := hmac.New(sha256.New, m.secret)
	sum.Write([]byte(function))
	return function + "-" + hex.EncodeToString(sum.Sum(nil)[:16])
}

// before answers what is asked of the metadata endpoint and hands all else to
// next.
func (m *metadata) before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != metadataPath {
			next.ServeHTTP(w, r)
			return
		}
		m.serve(w, r)
	})
}

func (m *metadata) serve(w http.ResponseWriter, r *http.Request) {
	given, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	function, _, _ := cutLast(given, "-")
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, `{"message":"The metadata endpoint answers GET."}`, http.StatusMethodNotAllowed)
	case subtle.ConstantTimeCompare([]byte(given), []byte(m.token(function))) != 1:
		http.Error(w, `{"message":"The token is not AWS_LAMBDA_METADATA_TOKEN of a function here."}`, http.StatusForbidden)
	default:
		w.Header().Set("Cache-Control", "private, max-age=43200, immutable")
		text, _ := json.Marshal(zoneID(m.region)) // a text is always encoded
		w.Write([]byte(`{"AvailabilityZoneID": ` + string(text) + "}"))
	}
}

func cutLast(s, separator string) (before, after string, found bool) {
	if i := strings.LastIndex(s, separator); i >= 0 {
		return s[:i], s[i+len(separator):], true
	}
	return s, "", false
}

// directions are how AWS shortens the words of a region's name; other words
// are shortened to their first letter.
var directions = map[string]string{"southeast": "se", "southwest": "sw", "northeast": "ne", "northwest": "nw", "gov": "g"}

// zoneID is the id of a region's first availability zone: "use1-az1" for
// us-east-1.
func zoneID(region string) string {
	parts := strings.Split(region, "-")
	id := parts[0]
	for _, part := range parts[1:] {
		switch short := directions[part]; {
		case short != "":
			id += short
		case part != "":
			id += part[:1]
		}
	}
	return id + "-az1"
}
