package function

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"testing"
)

// FuzzRequests reads a connection's bytes as requests. Whatever both we and
// net/http take for a request must be the same request to both.
func FuzzRequests(f *testing.F) {
	for _, seed := range []string{
		"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: 127.0.0.1:1\r\nUser-Agent: aws-lambda-go/go1.26\r\n\r\n",
		"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /y HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n5;a=b\r\nhello\r\n0\r\nLambda-Runtime-Function-Error-Type: T\r\n\r\n",
		"\r\nGET / HTTP/1.0\r\n\r\n",
		"GET / HTTP/1.1\nA: b\nExpect: 100-continue\nConnection: Close\n\n",
		"POST / HTTP/1.1\r\nContent-Length: 999999999999999\r\n\r\n",
		"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
		"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		const limit = 100
		r := newRequestReader(bytes.NewReader(data))
		theirs := bufio.NewReader(bytes.NewReader(data))
		for {
			req, err := r.head()
			if err != nil {
				checkError(t, err)
				return
			}
			if len(req.method)+len(req.path) > readBuffer {
				t.Fatalf("a head of %d bytes", len(req.method)+len(req.path))
			}
			method, path := string(req.method), string(req.path)
			body, err := r.body(limit)
			if err == errEndless {
				return
			}
			if err != nil && err != errTooLarge {
				checkError(t, err)
				return
			}
			if len(body) > limit {
				t.Fatalf("a body of %d bytes", len(body))
			}
			if theirs == nil {
				continue
			}
			if their, theirErr := http.ReadRequest(theirs); theirErr != nil {
				theirs = nil
			} else {
				theirs = compare(t, theirs, their, method, path, body, err == errTooLarge)
			}
		}
	})
}

// compare returns the reader for the next request, or nil when net/http does
// not read on.
func compare(t *testing.T, in *bufio.Reader, their *http.Request, method, path string, body []byte, tooLarge bool) *bufio.Reader {
	theirBody, err := io.ReadAll(their.Body)
	if err != nil {
		return nil
	}
	uri, _, _ := bytes.Cut([]byte(their.RequestURI), []byte("?"))
	if their.Method != method || string(uri) != path {
		t.Fatalf("we read %s %s, net/http %s %s", method, path, their.Method, uri)
	}
	if !tooLarge && !bytes.Equal(theirBody, body) {
		t.Fatalf("we read the body %q, net/http %q", body, theirBody)
	}
	return in
}

func checkError(t *testing.T, err error) {
	e, ok := errors.AsType[*protocolError](err)
	if err != io.EOF && (!ok || e.status < 400 || e.kind == "" || e.message == "") {
		t.Fatalf("the error is %#v", err)
	}
}

func TestBodyLimit(t *testing.T) {
	tests := []struct {
		request string
		body    string
		err     error
	}{
		{"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", "hello", nil},
		{"POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\nhello!", "", errTooLarge},
		{"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", "hello", nil},
		{"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhell\r\n2\r\no!\r\n1\r\n!\r\n0\r\n\r\n", "", errTooLarge},
	}
	for _, tt := range tests {
		r := newRequestReader(bytes.NewReader([]byte(tt.request + "GET /next HTTP/1.1\r\n\r\n")))
		if _, err := r.head(); err != nil {
			t.Fatal(err)
		}
		body, err := r.body(5)
		if string(body) != tt.body || err != tt.err {
			t.Errorf("%q: got %q, %v", tt.request, body, err)
		}
		if req, err := r.head(); err != nil || string(req.path) != "/next" {
			t.Errorf("%q: the request after it: %v", tt.request, err)
		}
	}
}
