package management

import (
	"errors"
	"io"
	"net/http"

	"github.com/gatepost-dev/gatepost/apigw"
)

// errOverBound: a request is larger than its bound.
var errOverBound = errors.New("request is larger than its bound")

// maxDrain is how much of a body that is too large is read and dropped, in
// bytes, so that the client has written it all and reads our answer instead of
// a reset connection.
const maxDrain = 1 << 20

// readBody reads the whole body into memory of its own. A body that ends early
// or is over the limit is an error, and then nothing of it is used.
func (h *Handler) readBody(r *http.Request) ([]byte, error) {
	limit := int64(h.maxMessage())
	if r.ContentLength > limit {
		// A client that waits to be asked for the body is not asked.
		if r.Header.Get("Expect") == "" {
			io.CopyN(io.Discard, r.Body, maxDrain)
		}
		return nil, apigw.ErrTooLarge
	}
	if r.ContentLength >= 0 {
		body := make([]byte, r.ContentLength)
		if _, err := io.ReadFull(r.Body, body); err != nil {
			return nil, errTruncated
		}
		return body, nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return nil, errTruncated
	}
	if int64(len(body)) > limit {
		io.CopyN(io.Discard, r.Body, maxDrain)
		return nil, apigw.ErrTooLarge
	}
	return body, nil
}

func (h *Handler) maxMessage() int {
	if h.Limits.MaxMessage > 0 {
		return h.Limits.MaxMessage
	}
	return apigw.DefaultLimits().MaxMessage
}
