package intercept

import (
	"crypto/tls"
	"net/http"
)

// Protocols are what a server of AWS calls must speak. HTTP/2 is for the clients
// that speak nothing else, such as that of Kinesis in the AWS SDK for
// JavaScript v3: it begins with HTTP/2 also where there is no TLS ("prior
// knowledge", RFC 9113 3.3).
func Protocols() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetHTTP2(true)
	p.SetUnencryptedHTTP2(true)
	return p
}

// OfferHTTP2 makes a server's configuration offer HTTP/2 after what it has: a
// client that knows both gets HTTP/1.1, as from most of AWS.
func OfferHTTP2(conf *tls.Config) *tls.Config {
	conf.NextProtos = append(conf.NextProtos, "h2")
	return conf
}
