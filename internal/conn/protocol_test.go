package conn

import (
	"net"
	"testing"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conformance"
	"github.com/gatepost-dev/gatepost/internal/conn/protocoltest"
)

// noLimits are without a bound on frames and messages.
func noLimits() apigw.Limits {
	limits := apigw.DefaultLimits()
	limits.MaxFrame, limits.MaxMessage = 0, 0
	return limits
}

// TestProtocol holds a bare connection to RFC 6455: without limits over a pipe,
// where every write of the client is a read of its own, and over a socket, and
// with API Gateway's limits; and to RFC 7692 where compression is on.
func TestProtocol(t *testing.T) {
	conformance.Covers(t,
		"protocol.mask-required protocol.unmasked-by-server protocol.mask-applied protocol.reserved-bits protocol.reserved-opcodes",
		"protocol.length-forms protocol.length-minimal protocol.length-sign-bit protocol.fragments protocol.fragment-bytes",
		"protocol.continuation-without-start protocol.new-message-inside protocol.control-between-fragments protocol.control-not-fragmented",
		"protocol.control-125 protocol.ping-payload protocol.unsolicited-pong protocol.close-echo protocol.close-empty protocol.close-one-byte",
		"protocol.close-codes-valid protocol.close-codes-invalid protocol.close-codes-registered protocol.close-reason-utf8",
		"protocol.nothing-after-close protocol.utf8-valid protocol.utf8-invalid protocol.utf8-across-fragments protocol.utf8-fail-fast",
		"protocol.limits-off limit.message-128k limit.frame-32k-1009 protocol.binary-before-size")
	tests := []struct {
		name   string
		pair   func(testing.TB) (server, client net.Conn)
		limits apigw.Limits
		// compress: permessage-deflate was negotiated.
		compress bool
	}{
		{"pipe without limits", transports["pipe"], noLimits(), false},
		{"TCP without limits", tcpPair, noLimits(), false},
		{"TCP with limits", tcpPair, apigw.DefaultLimits(), false},
		{"pipe without limits, with compression", transports["pipe"], noLimits(), true},
		{"TCP with limits and compression", tcpPair, apigw.DefaultLimits(), true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			protocoltest.Run(t, protocoltest.Server{
				MaxFrame: test.limits.MaxFrame, MaxMessage: test.limits.MaxMessage, Deflate: test.compress,
				Dial: func(t *testing.T) net.Conn {
					server, client := test.pair(t)
					serve(t, server, Options{ID: id(1), Handler: echo{newRecorder()}, Limits: test.limits, Compress: test.compress}, nil)
					return client
				},
			})
		})
	}
}
