// Package intercept owns what leads unmodified code here: the local
// certificate authority, the listener that speaks TLS and plain on one port, the
// HTTPS proxy that answers for AWS's hosts, and the environment variables that
// point a function's SDK at them. Nothing outside a function's process changes.
package intercept

import "time"

// handshakeTimeout bounds the silence before a connection has said what it is,
// and a TLS handshake. It is the default of apigw.Limits.Handshake.
const handshakeTimeout = 10 * time.Second
