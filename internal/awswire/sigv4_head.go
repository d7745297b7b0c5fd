package awswire

import (
	"iter"
	"net/http"
	"net/url"
)

// Head is the head of a request that net/http has not read, such as a WebSocket
// handshake whose header names must stay as the client wrote them.
type Head struct {
	Method string
	// Target is the request target as it was sent, still encoded.
	Target string
	// Host is the value of the Host header, with its port if it has one.
	Host string
	// Headers yields the header lines in order, Host among them or not. Names
	// are tokens in any case; values have no space around them.
	Headers iter.Seq2[string, string]
}

// VerifyHead is VerifyScope for a request without a body. A browser, which
// cannot set headers on a WebSocket, signs the query; there the session token
// is one of the signed parameters ("Control access to WebSocket APIs with IAM
// authorization" in the API Gateway developer guide). A head that is not signed
// gets MissingToken.
func (v *Verifier) VerifyHead(h Head, want Scope) (Identity, error) {
	return v.VerifyScope(h.request(), nil, want)
}

// request is as much of an http.Request as a signature covers.
func (h *Head) request() *http.Request {
	header := make(http.Header)
	for name, value := range h.Headers {
		header.Add(name, value)
	}
	_, query := splitTarget(h.Target)
	return &http.Request{Method: h.Method, URL: &url.URL{RawQuery: query}, RequestURI: h.Target, Host: h.Host, Header: header}
}
