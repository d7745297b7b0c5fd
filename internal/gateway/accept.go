package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"time"
)

// ServeConn takes a socket that was just accepted, with the bytes that were
// read from it already (valid until ServeConn returns). A WebSocket handshake
// is held until $connect has answered; then the connection lives on in a
// goroutine of its own. Any other request is handed to Config.HandOver.
func (g *Gateway) ServeConn(nc net.Conn, first []byte) {
	if !g.begin() {
		nc.Close()
		return
	}
	defer g.work.Done()
	read, length, err := g.readHead(nc, first)
	if err != nil {
		g.refuseHead(nc, err)
		return
	}
	h, err := parseHead(read[:length])
	switch {
	case err != nil:
		g.refuseHead(nc, err)
	case h.count("Content-Length") > 0 && h.count("Transfer-Encoding") > 0:
		// RFC 9112 section 6.1: two framings are how requests are smuggled.
		g.refuseHead(nc, errHeadMalformed)
	case h.isUpgrade():
		g.handshake(nc, &h, read[length:])
	default:
		if g.HandOver(nc, read) != nil {
			nc.Close()
		}
	}
}

// The ways in which a request head cannot be read.
var (
	errHeadTooLarge  = errors.New("the request head is larger than the limit")
	errHeadMalformed = errors.New("the request head is not HTTP/1.1")
	errTooManyHeads  = errors.New("too many request heads are still to come")
)

// headRead is how much room a read into a head that is incomplete gets, in
// bytes. Nothing larger is held while nothing comes: a socket that is silent
// before it has said anything should cost little.
const headRead = 512

// readHead returns everything read until the blank line that ends a request
// head, and the head's length. The client has Limits.Handshake for the whole of
// it, however slowly it trickles.
func (g *Gateway) readHead(nc net.Conn, first []byte) (read []byte, length int, err error) {
	limit := g.Limits.MaxHead
	if length = headLength(first, 0); length > 0 && length <= limit {
		return first, length, nil
	}
	if !g.await(nc) {
		return nil, 0, errTooManyHeads
	}
	defer g.leave(nc)
	if g.Limits.Handshake > 0 {
		nc.SetReadDeadline(time.Now().Add(g.Limits.Handshake))
	}
	if read, length, err = readHead(nc, slices.Clip(first), limit); err == nil {
		err = nc.SetReadDeadline(time.Time{})
	}
	return read, length, err
}

// readHead reads on until the head is complete or too large. The buffer grows
// with what has come.
func readHead(nc net.Conn, read []byte, limit int) (_ []byte, length int, err error) {
	searched := 0
	for {
		if length = headLength(read, searched); length > 0 {
			break
		}
		if len(read) >= limit {
			return read, 0, errHeadTooLarge
		}
		searched = max(0, len(read)-3)
		if len(read) == cap(read) {
			read = slices.Grow(read, max(headRead, len(read)))
		}
		n, err := nc.Read(read[len(read):cap(read)])
		read = read[:len(read)+n]
		if err != nil && n == 0 {
			return read, 0, err
		}
	}
	if length > limit {
		return read, 0, errHeadTooLarge
	}
	return read, length, nil
}

// headLength returns the length of the head in what was read, its blank line
// included, or 0 when it is not complete. What comes before from was looked at.
func headLength(read []byte, from int) int {
	if i := bytes.Index(read[from:], []byte("\r\n\r\n")); i >= 0 {
		return from + i + 4
	}
	return 0
}

// refuseHead answers a request that could not be read.
func (g *Gateway) refuseHead(nc net.Conn, err error) {
	var no *refusal
	switch {
	case errors.Is(err, errHeadTooLarge):
		no = refuse(http.StatusRequestHeaderFieldsTooLarge, badRequest, fmt.Sprintf("Request header is larger than %d bytes", g.Limits.MaxHead))
	case errors.Is(err, errHeadMalformed):
		no = refuse(http.StatusBadRequest, badRequest, "Bad Request")
	case errors.Is(err, os.ErrDeadlineExceeded):
		no = refuse(http.StatusRequestTimeout, badRequest, "Request Timeout")
	default:
		nc.Close()
		return
	}
	no.write(nc, g.IDs.Request())
}
