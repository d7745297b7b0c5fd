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
	algorithm, credential string
	// The parts of credential; scope is all of it but the access key:
	// date/region/service/aws4_request.
	accessKeyID, date, region, service, scope string

	amzDate       string
	signedHeaders string
	token         string
	text          string
	value         [sha256.Size]byte
	// validity is how old the signature may be.
	validity time.Duration
}

// parseSignature reads the header form or the query form. Of parameters that
// are repeated the last one counts in the header and the first one in the
// query.
func parseSignature(r *http.Request) (signature, error) {
	authorization := headerValue(r.Header, "Authorization")
	presigned := isPresigned(r.URL.RawQuery)
	switch {
	case authorization != "" && presigned:
		return signature{}, refusal("InvalidSignatureException", "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.")
	case authorization != "":
		return parseHeaderForm(r.Header, authorization)
	case presigned:
		return parseQueryForm(r.URL.RawQuery)
	}
	return signature{}, MissingToken()
}

func parseHeaderForm(h http.Header, authorization string) (signature, error) {
	sig, err := parseAuthorization(authorization)
	if err != nil {
		return signature{}, err
	}
	sig.amzDate = headerValue(h, "X-Amz-Date")
	if sig.amzDate == "" {
		sig.amzDate = isoDate(headerValue(h, "Date"))
	}
	if missing := sig.missingInHeader(); missing != "" {
		return signature{}, incomplete("%s (Hashed with SHA-256 and encoded with Base64) Authorization=%s", missing, digest(authorization))
	}
	// An SDK signs every X-Amz header. This one says what the request does.
	if headerValue(h, "X-Amz-Target") != "" && !sig.signs("x-amz-target") {
		return signature{}, refusal("InvalidSignatureException", "'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization.")
	}
	sig.token = headerValue(h, "X-Amz-Security-Token")
	sig.validity = clockSkew
	return sig, nil
}

// parseAuthorization splits the header without judging the parts:
//
//	AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…
func parseAuthorization(authorization string) (signature, error) {
	var sig signature
	if len(authorization) > maxAuthorization {
		return sig, incomplete("The Authorization header is longer than %d bytes.", maxAuthorization)
	}
	algorithm, rest, _ := strings.Cut(strings.TrimSpace(authorization), " ")
	sig.algorithm = algorithm
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
			return sig, incomplete("Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with Base64): '%s'.", digest(authorization))
		}
		switch name {
		case "Credential":
			sig.credential = value
		case "SignedHeaders":
			sig.signedHeaders = value
		case "Signature":
			sig.text = value
		}
	}
	return sig, nil
}

// missingInHeader returns AWS's sentences about the parts that are not there,
// or "".
func (sig *signature) missingInHeader() string {
	var sentences []string
	for _, p := range [...]struct{ name, value string }{{"Credential", sig.credential}, {"Signature", sig.text}, {"SignedHeaders", sig.signedHeaders}} {
		if p.value == "" {
			sentences = append(sentences, "Authorization header requires '"+p.name+"' parameter.")
		}
	}
	if sig.amzDate == "" {
		sentences = append(sentences, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
	}
	return strings.Join(sentences, " ")
}

// isPresigned reports whether a query says that it is signed, well or not.
func isPresigned(query string) bool {
	if !strings.Contains(query, "X-Amz-") {
		return false
	}
	for part := range strings.SplitSeq(query, "&") {
		if name, _, _ := strings.Cut(part, "="); name == "X-Amz-Algorithm" || name == "X-Amz-Signature" {
			return true
		}
	}
	return false
}

func parseQueryForm(query string) (signature, error) {
	if len(query) > maxSignedQuery {
		return signature{}, incomplete("The query string is longer than %d bytes.", maxSignedQuery)
	}
	q, err := url.ParseQuery(query)
	if err != nil {
		return signature{}, incomplete("The query string cannot be read.")
	}
	if missing := missingInQuery(q); missing != "" {
		return signature{}, incomplete("%s Re-examine the query-string parameters.", missing)
	}
	validity, err := presignedValidity(q.Get("X-Amz-Expires"))
	return signature{
		algorithm: q.Get("X-Amz-Algorithm"), credential: q.Get("X-Amz-Credential"), signedHeaders: q.Get("X-Amz-SignedHeaders"), text: q.Get("X-Amz-Signature"),
		amzDate: q.Get("X-Amz-Date"), token: q.Get("X-Amz-Security-Token"), validity: validity,
	}, err
}

func missingInQuery(q url.Values) string {
	var sentences []string
	for _, name := range [...]string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date"} {
		if q.Get(name) == "" {
			sentences = append(sentences, "AWS query-string parameters must include '"+name+"'.")
		}
	}
	return strings.Join(sentences, " ")
}

// presignedValidity is X-Amz-Expires, but never more than the five minutes that
// every signature has: S3 alone lets a presigned URL live longer
// (https://github.com/aws/aws-sdk-go/issues/2167).
func presignedValidity(expires string) (time.Duration, error) {
	if expires == "" {
		return clockSkew, nil
	}
	seconds, err := strconv.Atoi(expires)
	if err != nil || seconds < 1 || seconds > maxPresigned {
		return 0, incomplete("X-Amz-Expires must be a number of seconds from 1 to %d.", maxPresigned)
	}
	return min(time.Duration(seconds)*time.Second, clockSkew), nil
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

// check judges the parts in AWS's order: the time, the signed headers, the
// algorithm, the credential and its scope.
func (sig *signature) check(want Scope, now time.Time) error {
	if err := sig.checkTime(now.UTC()); err != nil {
		return err
	}
	if strings.Count(sig.signedHeaders, ";") >= maxSignedHeaders {
		return incomplete("SignedHeaders names more than %d headers.", maxSignedHeaders)
	}
	if !sig.signs("host") && !sig.signs(authority) {
		return refusal("InvalidSignatureException", "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	if sig.algorithm != sigAlgorithm {
		return incomplete("Unsupported AWS 'algorithm': '%s' (only AWS4-HMAC-SHA256 for now). ", clip(sig.algorithm))
	}
	if err := sig.checkScope(want); err != nil {
		return err
	}
	// A signature of the wrong form is simply wrong: it stays zero, and no
	// request has that one.
	if len(sig.text) == hex.EncodedLen(len(sig.value)) {
		if _, err := hex.Decode(sig.value[:], []byte(sig.text)); err != nil {
			clear(sig.value[:])
		}
	}
	return nil
}

func (sig *signature) checkTime(now time.Time) error {
	at, err := time.Parse(sigTimeFormat, sig.amzDate)
	if err != nil || len(sig.amzDate) != len(sigTimeFormat) {
		return incomplete("Date must be in ISO-8601 'basic format'. Got '%s'. See http://en.wikipedia.org/wiki/ISO_8601", clip(sig.amzDate))
	}
	if earliest := now.Add(-sig.validity); at.Before(earliest.Truncate(time.Second)) {
		return refusal("InvalidSignatureException", "Signature expired: %s is now earlier than %s (%s - %s.)",
			sig.amzDate, earliest.Format(sigTimeFormat), now.Format(sigTimeFormat), minutes(sig.validity))
	}
	if latest := now.Add(clockSkew); at.After(latest) {
		return refusal("InvalidSignatureException", "Signature not yet current: %s is still later than %s (%s + %s.)",
			sig.amzDate, latest.Format(sigTimeFormat), now.Format(sigTimeFormat), minutes(clockSkew))
	}
	return nil
}

// checkScope takes the credential apart and compares what the signature is for
// with what it is used for. All that is wrong is told at once, as AWS does
// (https://github.com/Kong/insomnia/issues/713; the sentence about the region
// as of https://github.com/n8n-io/n8n/issues/21337).
func (sig *signature) checkScope(want Scope) error {
	var ok bool
	if sig.accessKeyID, sig.scope, ok = strings.Cut(sig.credential, "/"); !ok || strings.Count(sig.scope, "/") != 3 {
		return incomplete("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '%s'", clip(sig.credential))
	}
	var rest, terminator string
	sig.date, rest, _ = strings.Cut(sig.scope, "/")
	sig.region, rest, _ = strings.Cut(rest, "/")
	sig.service, terminator, _ = strings.Cut(rest, "/")
	wrong := ""
	if want.Service != "" && sig.service != want.Service {
		wrong = "Credential should be scoped to correct service: '" + want.Service + "'. "
	}
	if terminator != sigTerminator {
		wrong += "Credential should be scoped with a valid terminator: 'aws4_request', not '" + clip(terminator) + "'. "
	}
	if day := sig.amzDate[:8]; sig.date != day {
		wrong += "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '" + clip(sig.date) + "' != '" + day + "', from '" + sig.amzDate + "'."
	}
	if want.Region != "" && sig.region != want.Region {
		if wrong != "" {
			wrong = " " + wrong
		}
		wrong = "Credential should be scoped to a valid region." + wrong
	}
	if wrong != "" {
		return &Error{Code: "InvalidSignatureException", Message: wrong, Status: http.StatusForbidden}
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
