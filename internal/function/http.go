package function

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
)

// Bounds of a request to the Runtime API.
const (
	// readBuffer is the size of a connection's buffer, and so the longest line
	// of a head that is kept.
	readBuffer = 8 << 10
	// maxHead bounds a head in bytes, without the header in which aws-lambda-go
	// repeats an error and its stack trace for X-Ray: that one is up to 1 MB
	// long and is read over.
	maxHead  = 16 << 10
	maxCause = 1<<20 + readBuffer
	// maxTrailers bounds the lines after a chunked body.
	maxTrailers = 1 << 20
	// maxDiscard is how much of a body past its limit is read so that the
	// refusal reaches the client; past it the connection is closed.
	maxDiscard = 32 << 20
)

// protocolError is a request that HTTP/1.1 (RFC 9112) or the Runtime API does
// not allow. The connection is closed after the answer.
type protocolError struct {
	status        int
	kind, message string
}

func (e *protocolError) Error() string { return e.kind + ": " + e.message }

func malformed(format string, args ...any) error {
	return &protocolError{http.StatusBadRequest, "InvalidRequest", fmt.Sprintf(format, args...)}
}

// errTruncated is a body that ended too early.
var errTruncated = &protocolError{http.StatusBadRequest, "TruncatedHTTPRequest", "HTTP request detected as truncated"}

// request is the head of one request and, after body, its trailers. It is
// valid until the next head is read from the same reader.
type request struct {
	method, path []byte
	length       int64 // of the body in bytes; meaningless when chunked
	chunked      bool
	close        bool // the client wants the connection closed
	expects      bool // "Expect: 100-continue"
	hasLength    bool
	http10       bool

	// errorType and errorBody are Lambda-Runtime-Function-Error-Type (header or
	// trailer) and -Error-Body (trailer, base64).
	errorType, errorBody []byte
	// mode is Lambda-Runtime-Function-Response-Mode; extension and extensionID
	// are Lambda-Extension-Name and -Identifier.
	mode, extension, extensionID []byte
}

// requestReader reads the requests of one connection, one after the other.
type requestReader struct {
	in  *bufio.Reader
	req request
}

func newRequestReader(in io.Reader) *requestReader {
	return &requestReader{in: bufio.NewReaderSize(in, readBuffer)}
}

// head reads the next head. It returns io.EOF when the connection ended
// between two requests.
func (r *requestReader) head() (*request, error) {
	q := &r.req
	*q = request{method: q.method[:0], path: q.path[:0], errorType: q.errorType[:0], errorBody: q.errorBody[:0],
		mode: q.mode[:0], extension: q.extension[:0], extensionID: q.extensionID[:0]}
	line, err := r.line()
	if err == nil && len(line) == 0 { // RFC 9112, 2.2: ignore an empty line before a request
		line, err = r.line()
	}
	if err == errLongLine {
		return nil, tooLong()
	}
	if err != nil {
		return nil, err
	}
	if err := q.requestLine(line); err != nil {
		return nil, err
	}
	if err := r.fields(maxHead-len(line), q.header); err != nil {
		return nil, err
	}
	if q.chunked && q.hasLength {
		return nil, malformed("a request has either Content-Length or Transfer-Encoding")
	}
	return q, nil
}

// errLongLine comes with the beginning of a line that is longer than the
// reader's buffer. The rest of the line is still to be read.
var errLongLine = errors.New("line is too long")

// line reads a line without its end. It is valid until the next read.
func (r *requestReader) line() ([]byte, error) {
	line, err := r.in.ReadSlice('\n')
	switch {
	case err == bufio.ErrBufferFull:
		return line, errLongLine
	case err == io.EOF && len(line) > 0:
		return nil, errTruncated
	case err != nil:
		return nil, err
	}
	return bytes.TrimSuffix(line[:len(line)-1], []byte("\r")), nil
}

// fields reads header or trailer lines up to the empty line, at most limit
// bytes, and gives each to set.
func (r *requestReader) fields(limit int, set func(name, value []byte) error) error {
	for skipped := false; ; {
		line, err := r.line()
		if err == errLongLine && !skipped {
			skipped = true
			if err := r.skipCause(line); err != nil {
				return err
			}
			continue
		}
		if err == errLongLine {
			return tooLong()
		}
		if err == io.EOF {
			return errTruncated
		}
		if err != nil || len(line) == 0 {
			return err
		}
		if limit -= len(line); limit < 0 {
			return tooLong()
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || len(name) == 0 || bytes.ContainsAny(name, " \t\r") {
			return malformed("%q is not a header line", clip(line))
		}
		if err := set(name, bytes.Trim(value, " \t")); err != nil {
			return err
		}
	}
}

func tooLong() error {
	return &protocolError{http.StatusRequestHeaderFieldsTooLarge, "RequestHeaderFieldsTooLarge",
		fmt.Sprintf("the request's head is longer than %d bytes", maxHead)}
}

// skipCause reads over the one kind of line that may be longer than the
// buffer. begin is what has been read of it.
func (r *requestReader) skipCause(begin []byte) error {
	name, _, ok := bytes.Cut(begin, []byte(":"))
	if !ok || !(is(name, "lambda-runtime-function-xray-error-cause") || is(name, "lambda-runtime-function-error-body")) {
		return tooLong()
	}
	for n := len(begin); n < maxCause; {
		rest, err := r.in.ReadSlice('\n')
		n += len(rest)
		switch {
		case err == nil:
			return nil
		case err == io.EOF:
			return errTruncated
		case err != bufio.ErrBufferFull:
			return err
		}
	}
	return tooLong()
}

// requestLine reads "METHOD target HTTP/1.x". The target's query is dropped.
func (q *request) requestLine(line []byte) error {
	method, rest, ok1 := bytes.Cut(line, []byte(" "))
	target, version, ok2 := bytes.Cut(rest, []byte(" "))
	if !ok1 || !ok2 || len(method) == 0 || len(target) == 0 || target[0] != '/' {
		return malformed("%q is not a request line", clip(line))
	}
	switch string(version) {
	case "HTTP/1.1":
	case "HTTP/1.0":
		q.http10, q.close = true, true
	default:
		return malformed("%q is not HTTP/1.1", clip(version))
	}
	target, _, _ = bytes.Cut(target, []byte("?"))
	q.method = append(q.method, method...)
	q.path = append(q.path, target...)
	return nil
}

// header takes the headers that matter here and ignores the others.
func (q *request) header(name, value []byte) error {
	switch {
	case is(name, "content-length"):
		return q.contentLength(value)
	case is(name, "transfer-encoding"):
		if q.chunked || q.http10 || !is(value, "chunked") {
			return malformed("transfer encoding %q is not supported", clip(value))
		}
		q.chunked = true
	case is(name, "connection"):
		q.close = q.close || is(value, "close")
	case is(name, "expect"):
		q.expects = is(value, "100-continue")
	case is(name, "lambda-runtime-function-response-mode"):
		q.mode = append(q.mode[:0], value...)
	case is(name, "lambda-extension-name"):
		q.extension = append(q.extension[:0], value...)
	case is(name, "lambda-extension-identifier"):
		q.extensionID = append(q.extensionID[:0], value...)
	default:
		return q.trailer(name, value)
	}
	return nil
}

// trailer takes the fields that may come after a streamed body.
func (q *request) trailer(name, value []byte) error {
	switch {
	case is(name, "lambda-runtime-function-error-type"):
		q.errorType = append(q.errorType[:0], value...)
	case is(name, "lambda-runtime-function-error-body"):
		q.errorBody = append(q.errorBody[:0], value...)
	}
	return nil
}

func (q *request) contentLength(value []byte) error {
	n, err := parseSize(value, 10)
	if err != nil || q.hasLength && q.length != n {
		return malformed("%q is not a content length", clip(value))
	}
	q.length, q.hasLength = n, true
	return nil
}

// parseSize reads digits of base 10 or 16 without sign, at most 15 of them.
func parseSize(digits []byte, base int64) (n int64, err error) {
	if len(digits) == 0 || len(digits) > 15 {
		return 0, errors.New("not a size")
	}
	for _, c := range digits {
		d := int64(16)
		switch {
		case '0' <= c && c <= '9':
			d = int64(c - '0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			d = int64(c|0x20-'a') + 10
		}
		if d >= base {
			return 0, errors.New("not a size")
		}
		n = n*base + d
	}
	return n, nil
}

// errTooLarge is a body over its limit that has been read to its end,
// errEndless one that is so large that its end is not waited for.
var (
	errTooLarge = errors.New("body is too large")
	errEndless  = errors.New("body is far too large")
)

// body reads the body of the request whose head was read last, and its
// trailers. The bytes belong to the caller.
func (r *requestReader) body(limit int) ([]byte, error) {
	b := bodyReader{in: r.in, limit: limit}
	err := r.readBody(&b)
	switch {
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return nil, errTruncated
	case err != nil:
		return nil, err
	case b.tooLarge():
		return nil, errTooLarge
	}
	return b.bytes, nil
}

func (r *requestReader) readBody(b *bodyReader) error {
	if !r.req.chunked {
		return b.read(r.req.length)
	}
	for {
		n, err := r.chunkSize()
		if err != nil {
			return err
		}
		if n == 0 {
			return r.fields(maxTrailers, r.req.trailer)
		}
		if err := b.read(n); err != nil {
			return err
		}
		if end, err := r.line(); err != nil || len(end) > 0 {
			return orMalformed(err, "a chunk does not end where it should")
		}
	}
}

// chunkSize reads the line before a chunk. Extensions are ignored.
func (r *requestReader) chunkSize() (int64, error) {
	line, err := r.line()
	if err != nil {
		return 0, orMalformed(err, "the line before a chunk is too long")
	}
	digits, _, _ := bytes.Cut(line, []byte(";"))
	n, err := parseSize(bytes.TrimRight(digits, " \t"), 16)
	if err != nil {
		return 0, malformed("%q is not the size of a chunk", clip(line))
	}
	return n, nil
}

// orMalformed returns the error of a read, or a malformed request when the
// read itself succeeded or met a line that is too long.
func orMalformed(err error, message string) error {
	if err == nil || err == errLongLine {
		return malformed("%s", message)
	}
	return err
}

// bodyReader collects a body up to a limit and counts what is beyond it.
type bodyReader struct {
	in     *bufio.Reader
	limit  int
	bytes  []byte
	beyond int64
}

func (b *bodyReader) tooLarge() bool { return b.beyond > 0 }

// read takes the next n bytes of the body.
func (b *bodyReader) read(n int64) error {
	keep := min(n, int64(b.limit-len(b.bytes)))
	if b.tooLarge() {
		keep = 0
	}
	if b.beyond += n - keep; b.beyond > maxDiscard {
		return errEndless
	}
	if err := b.keep(int(keep)); err != nil {
		return err
	}
	return b.discard(n - keep)
}

// keep appends n bytes. Memory grows with what has arrived, not with what a
// length promises.
func (b *bodyReader) keep(n int) error {
	for n > 0 {
		have := len(b.bytes)
		step := min(n, max(64<<10, have))
		if have == 0 && step == n {
			b.bytes = make([]byte, n)
		} else {
			b.bytes = slices.Grow(b.bytes, step)[:have+step]
		}
		if _, err := io.ReadFull(b.in, b.bytes[have:]); err != nil {
			return err
		}
		n -= step
	}
	return nil
}

func (b *bodyReader) discard(n int64) error {
	for n > 0 {
		step, err := b.in.Discard(int(min(n, 1<<20)))
		if err != nil {
			return err
		}
		n -= int64(step)
	}
	return nil
}

// is compares a header's name or token with a lower-case ASCII word.
func is(got []byte, want string) bool {
	if len(got) != len(want) {
		return false
	}
	for i, c := range got {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != want[i] {
			return false
		}
	}
	return true
}

// clip keeps hostile input from filling an error message.
func clip(b []byte) []byte { return b[:min(len(b), 64)] }
