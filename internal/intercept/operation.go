package intercept

import (
	"bufio"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// peekSize is how much of a form is looked at for its Action, in bytes. The SDKs
// write it first.
const peekSize = 4 << 10

// maxOperation bounds what the feed shows of an operation, in bytes.
const maxOperation = 64

// operation names what a request asks for, in AWS's words where it has such a
// form: "PutItem", "SendMessage", "PostToConnection", "Invoke". Other requests
// are told by method and path. It may replace the request's body with one that
// reads the same.
func operation(r *http.Request) string {
	name := r.Method + " " + r.URL.Path
	switch target := r.Header.Get("X-Amz-Target"); {
	case target != "":
		name = target[strings.LastIndexByte(target, '.')+1:]
	case strings.Contains(r.URL.Path, "/@connections/"):
		name = onConnections[r.Method]
	case strings.HasSuffix(r.URL.Path, "/invocations"):
		name = "Invoke"
	case r.URL.Query().Get("Action") != "":
		name = r.URL.Query().Get("Action")
	case strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded"):
		name = formAction(r)
	}
	if name == "" {
		name = r.Method
	}
	return strings.Map(printable, name[:min(len(name), maxOperation)])
}

var onConnections = map[string]string{http.MethodPost: "PostToConnection", http.MethodGet: "GetConnection", http.MethodDelete: "DeleteConnection"}

// formAction finds the Action at the beginning of a form.
func formAction(r *http.Request) string {
	body := bufio.NewReaderSize(r.Body, peekSize)
	begin, _ := body.Peek(peekSize) // what there is; the handler meets the error
	r.Body = struct {
		io.Reader
		io.Closer
	}{body, r.Body}
	for field := range strings.SplitSeq(string(begin), "&") {
		if value, ok := strings.CutPrefix(field, "Action="); ok {
			if name, err := url.QueryUnescape(value); err == nil {
				return name
			}
		}
	}
	return ""
}
