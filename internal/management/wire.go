package management

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// source is what a request is read from: bytes that were read before, then the
// connection, and no more of it than left.
type source struct {
	read []byte
	conn net.Conn
	left int
	// ended: the connection gives nothing more.
	ended bool
}

// Read reports the end of the bound as the end of the input.
func (s *source) Read(p []byte) (n int, err error) {
	if s.left <= 0 {
		return 0, errOverBound
	}
	p = p[:min(len(p), s.left)]
	if len(s.read) > 0 {
		n = copy(p, s.read)
		s.read = s.read[n:]
	} else {
		n, err = s.conn.Read(p)
		s.ended = err != nil
	}
	s.left -= n
	return n, err
}

// reader is a bufio.Reader that can tell whether it holds a whole request.
type reader struct{ bufio.Reader }

// holdsRequest reports whether a request with its body is in the buffer. It
// may say no of one that is, for a body without a plain Content-Length.
func (r *reader) holdsRequest() bool {
	buffered, _ := r.Peek(r.Buffered())
	head := bytes.Index(buffered, []byte("\r\n\r\n"))
	if head < 0 {
		return false
	}
	at := bytes.Index(buffered[:head], []byte("\r\nContent-Length: "))
	if at < 0 {
		return bytes.HasPrefix(buffered, []byte("GET ")) || bytes.HasPrefix(buffered, []byte("DELETE "))
	}
	digits := buffered[at+len("\r\nContent-Length: ") : head]
	if end := bytes.IndexByte(digits, '\r'); end >= 0 {
		digits = digits[:end]
	}
	length, err := strconv.Atoi(string(digits))
	return err == nil && length <= len(buffered)-head-4
}

// appendHead writes a status line and headers, with Date and Content-Length.
func appendHead(out []byte, status int, header http.Header, length int, last bool) []byte {
	out = append(out, "HTTP/1.1 "...)
	out = strconv.AppendInt(out, int64(status), 10)
	out = append(out, ' ')
	out = append(out, http.StatusText(status)...)
	out = append(out, "\r\nDate: "...)
	out = time.Now().UTC().AppendFormat(out, http.TimeFormat)
	for name, values := range header {
		if name == "Content-Length" {
			continue
		}
		for _, v := range values {
			out = append(out, "\r\n"...)
			out = append(out, name...)
			out = append(out, ": "...)
			out = append(out, oneLine(v)...)
		}
	}
	if status != http.StatusNoContent {
		out = append(out, "\r\nContent-Length: "...)
		out = strconv.AppendInt(out, int64(length), 10)
	}
	if last {
		out = append(out, "\r\nConnection: close"...)
	}
	return append(out, "\r\n\r\n"...)
}

// oneLine keeps a header's value from ending its line.
func oneLine(v string) string {
	if !strings.ContainsAny(v, "\r\n") {
		return v
	}
	return strings.NewReplacer("\r", " ", "\n", " ").Replace(v)
}
