package awswire

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Bounds of a signature's parts, in bytes and in names. Real ones are far
// smaller.
const (
	maxAuthorization = 4 << 10
	maxSignedHeaders = 64
	maxSignedQuery   = 16 << 10
	// maxPresigned is how long a presigned URL may be valid: seven days.
	maxPresigned = 7 * 24 * 60 * 60
)

// signature is what a request says of its own signature. Its strings share
// memory with the request.
type signature struct {
	accessKeyID, date, region, service string
	// scope is the credential without the access key: date/region/service/aws4_request.
	scope         string
	amzDate       string
	signedHeaders string
	token         string
	value         [sha256.Size]byte
	presigned     bool
	// expires is the validity of a presigned URL in seconds.
	expires int
}

// signatureText is the parts as they were written.
type signatureText struct{ algorithm, credential, signedHeaders, value string }

// parseSignature reads the header form, else the query form.
func parseSignature(r *http.Request) (signature, error) {
	if authorization := headerValue(r.Header, "Authorization"); authorization != "" {
		return parseHeaderForm(r.Header, authorization)
	}
	if isPresigned(r) {
		return parseQueryForm(r)
	}
	return signature{}, MissingToken()
}

func parseHeaderForm(h http.Header, authorization string) (signature, error) {
	text, err := parseAuthorization(authorization)
	if err != nil {
		return signature{}, err
	}
	amzDate := headerValue(h, "X-Amz-Date")
	if amzDate == "" {
		amzDate = isoDate(headerValue(h, "Date"))
	}
	if missing := text.missing("Authorization header", "'X-Amz-Date' or a 'Date' header", amzDate); missing != "" {
		return signature{}, incomplete("%s (Hashed with SHA-256 and encoded with Base64) Authorization=%s", missing, digest(authorization))
	}
	sig := signature{amzDate: amzDate, token: headerValue(h, "X-Amz-Security-Token")}
	if err := sig.fill(text); err != nil {
		return signature{}, err
	}
	// An SDK signs every X-Amz header. This one says what the request does.
	if headerValue(h, "X-Amz-Target") != "" && !sig.signs("x-amz-target") {
		return signature{}, refusal("InvalidSignatureException", "'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization.")
	}
	return sig, nil
}

// parseAuthorization splits the header without judging the parts:
//
//	AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…
func parseAuthorization(authorization string) (signatureText, error) {
	var t signatureText
	if len(authorization) > maxAuthorization {
		return t, incomplete("The Authorization header is longer than %d bytes.", maxAuthorization)
	}
	algorithm, rest, _ := strings.Cut(strings.TrimSpace(authorization), " ")
	t.algorithm = algorithm
	for rest != "" {
		end := strings.IndexAny(rest, ", \t")
		part := rest
		rest = ""
		if end >= 0 {
			part, rest = part[:end], part[end+1:]
		}
		if part == "" {
			continue
		}
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			return t, incomplete("Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with Base64): '%s'.", digest(authorization))
		}
		t.set(name, value)
	}
	return t, nil
}

func (t *signatureText) set(name, value string) {
	switch name {
	case "Credential":
		t.credential = value
	case "SignedHeaders":
		t.signedHeaders = value
	case "Signature":
		t.value = value
	}
}

// missing returns AWS's sentences about the parts that are not there, or "".
func (t *signatureText) missing(where, dates, amzDate string) string {
	if t.credential != "" && t.value != "" && t.signedHeaders != "" && amzDate != "" {
		return ""
	}
	var sentences []string
	for _, p := range [...]struct{ name, value string }{{"Credential", t.credential}, {"Signature", t.value}, {"SignedHeaders", t.signedHeaders}} {
		if p.value == "" {
			sentences = append(sentences, where+" requires '"+p.name+"' parameter.")
		}
	}
	if amzDate == "" {
		sentences = append(sentences, where+" requires existence of either a "+dates+".")
	}
	return strings.Join(sentences, " ")
}

func isPresigned(r *http.Request) bool {
	return strings.Contains(r.URL.RawQuery, "X-Amz-Signature=") || strings.Contains(r.URL.RawQuery, "X-Amz-Algorithm=")
}

func parseQueryForm(r *http.Request) (signature, error) {
	if len(r.URL.RawQuery) > maxSignedQuery {
		return signature{}, incomplete("The query string is longer than %d bytes.", maxSignedQuery)
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return signature{}, incomplete("The query string cannot be read.")
	}
	text := signatureText{q.Get("X-Amz-Algorithm"), q.Get("X-Amz-Credential"), q.Get("X-Amz-SignedHeaders"), q.Get("X-Amz-Signature")}
	sig := signature{amzDate: q.Get("X-Amz-Date"), token: q.Get("X-Amz-Security-Token"), presigned: true, expires: int(clockSkew / time.Second)}
	if missing := text.missing("AWS query-string parameters", "'X-Amz-Date' parameter", sig.amzDate); missing != "" {
		return signature{}, incomplete("%s Re-examine the query-string parameters.", missing)
	}
	if e := q.Get("X-Amz-Expires"); e != "" {
		if sig.expires, err = strconv.Atoi(e); err != nil || sig.expires < 1 || sig.expires > maxPresigned {
			return signature{}, incomplete("X-Amz-Expires must be a number of seconds from 1 to %d.", maxPresigned)
		}
	}
	return sig, sig.fill(text)
}

// fill judges the parts and takes them apart.
func (sig *signature) fill(t signatureText) error {
	var ok bool
	if sig.accessKeyID, sig.scope, ok = strings.Cut(t.credential, "/"); !ok || strings.Count(sig.scope, "/") != 3 {
		return incomplete("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '%s'", clip(t.credential))
	}
	var rest string
	sig.date, rest, _ = strings.Cut(sig.scope, "/")
	sig.region, rest, _ = strings.Cut(rest, "/")
	sig.service, _, _ = strings.Cut(rest, "/")
	if sig.signedHeaders = t.signedHeaders; strings.Count(sig.signedHeaders, ";") >= maxSignedHeaders {
		return incomplete("SignedHeaders names more than %d headers.", maxSignedHeaders)
	}
	if !sig.signs("host") {
		return refusal("InvalidSignatureException", "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	if t.algorithm != sigAlgorithm {
		return incomplete("Unsupported AWS 'algorithm': '%s' (only AWS4-HMAC-SHA256 for now). ", clip(t.algorithm))
	}
	// A signature of the wrong form is simply wrong: it stays zero, and no
	// request has that one.
	if len(t.value) == hex.EncodedLen(len(sig.value)) {
		if _, err := hex.Decode(sig.value[:], []byte(t.value)); err != nil {
			clear(sig.value[:])
		}
	}
	return nil
}

// signs reports whether a header is among the signed ones. name is lower case.
func (sig *signature) signs(name string) bool {
	for list := sig.signedHeaders; list != ""; {
		var one string
		if one, list, _ = strings.Cut(list, ";"); one == name {
			return true
		}
	}
	return false
}

// checkScope compares what the signature is for with what it is used for.
func (sig *signature) checkScope(service string, now time.Time) error {
	if !strings.HasSuffix(sig.scope, "/"+sigTerminator) {
		return refusal("InvalidSignatureException", "Credential should be scoped with a valid terminator: 'aws4_request', not '%s'. ", clip(sig.scope[strings.LastIndexByte(sig.scope, '/')+1:]))
	}
	if service != "" && sig.service != service {
		return refusal("InvalidSignatureException", "Credential should be scoped to correct service: '%s'. ", service)
	}
	at, err := time.Parse(sigTimeFormat, sig.amzDate)
	if err != nil {
		return incomplete("Date must be in ISO-8601 'basic format'. Got '%s'. See http://en.wikipedia.org/wiki/ISO_8601", clip(sig.amzDate))
	}
	if sig.date != sig.amzDate[:8] {
		return refusal("InvalidSignatureException", "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s', from '%s'.", clip(sig.date), sig.amzDate[:8], sig.amzDate)
	}
	return sig.checkTime(at, now.UTC())
}

func (sig *signature) checkTime(at, now time.Time) error {
	validity := clockSkew
	if sig.presigned {
		validity = time.Duration(sig.expires) * time.Second
	}
	if earliest := now.Add(-validity); at.Before(earliest.Truncate(time.Second)) {
		return refusal("InvalidSignatureException", "Signature expired: %s is now earlier than %s (%s - %s.)",
			sig.amzDate, earliest.Format(sigTimeFormat), now.Format(sigTimeFormat), minutes(validity))
	}
	if latest := now.Add(clockSkew); at.After(latest) {
		return refusal("InvalidSignatureException", "Signature not yet current: %s is still later than %s (%s + %s.)",
			sig.amzDate, latest.Format(sigTimeFormat), now.Format(sigTimeFormat), minutes(clockSkew))
	}
	return nil
}

func minutes(d time.Duration) string {
	if d%time.Minute == 0 {
		return strconv.Itoa(int(d/time.Minute)) + " min"
	}
	return strconv.Itoa(int(d/time.Second)) + " sec"
}

func incomplete(format string, args ...any) *Error {
	return refusal("IncompleteSignatureException", format, args...)
}

// digest stands for a header in an answer, as AWS does, so that no credential
// lands in a log.
func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// isoDate turns a Date header into the form of X-Amz-Date. What is no HTTP
// date is returned as it is.
func isoDate(date string) string {
	if t, err := http.ParseTime(date); err == nil {
		return t.UTC().Format(sigTimeFormat)
	}
	return date
}
