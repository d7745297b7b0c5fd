package gateway

import (
	"errors"
	"io"
	"net"
	"reflect"
	"strings"
	"testing"

	"github.com/gatepost-dev/gatepost/apigw"
)

func TestParseHead(t *testing.T) {
	h, err := parseHead([]byte("GET /main?a=1 HTTP/1.1\r\nHost: localhost:3001\r\nsec-WebSocket-KEY:  k \r\nX-Empty:\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []apigw.Header{{Name: "Host", Value: "localhost:3001"}, {Name: "sec-WebSocket-KEY", Value: "k"}, {Name: "X-Empty"}, {Name: "Connection", Value: "keep-alive, Upgrade"}, {Name: "Upgrade", Value: "WebSocket"}}
	if h.method != "GET" || h.target != "/main?a=1" || h.proto != "HTTP/1.1" || !reflect.DeepEqual(h.headers, want) {
		t.Errorf("got %+v", h)
	}
	if !h.isUpgrade() || h.get("Sec-WebSocket-Key") != "k" {
		t.Errorf("isUpgrade %v, key %q", h.isUpgrade(), h.get("Sec-WebSocket-Key"))
	}
	if path, query := h.splitTarget(); path != "/main" || query != "a=1" {
		t.Errorf("path %q, query %q", path, query)
	}
	if h, err := parseHead([]byte("GET / HTTP/1.1\r\n\r\n")); err != nil || len(h.headers) != 0 {
		t.Errorf("no headers: %v, %v", h, err)
	}
}

func TestMalformedHeads(t *testing.T) {
	for _, raw := range []string{
		"", "GET", "GET /", "GET / HTTP/2.0", "G(T / HTTP/1.1", " / HTTP/1.1", "GET  HTTP/1.1", "hello there", "GET /a\nb HTTP/1.1", "GET /a\rb HTTP/1.1", "GET /a\tb HTTP/1.1", "GET /a\x00b HTTP/1.1", "GET /a\x7f HTTP/1.1",
		"GET / HTTP/1.1\r\nno colon", "GET / HTTP/1.1\r\n: no name", "GET / HTTP/1.1\r\nspace : x",
		"GET / HTTP/1.1\r\n folded: x", "GET / HTTP/1.1\r\nA: b\nc", "GET / HTTP/1.1\r\nA: b\x00",
	} {
		if _, err := parseHead([]byte(raw + "\r\n\r\n")); !errors.Is(err, errHeadMalformed) {
			t.Errorf("%q: %v, want errHeadMalformed", raw, err)
		}
	}
}

func TestReadHead(t *testing.T) {
	const text = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	for _, tt := range []struct {
		name, first, later string
		limit, length      int
		err                error
	}{
		{"all at once", text + "rest", "", 1000, len(text), nil},
		{"in two parts", text[:9], text[9:], 1000, len(text), nil},
		{"the blank line in two parts", text[:len(text)-2], text[len(text)-2:], 1000, len(text), nil},
		{"larger than the buffer", "GET / HTTP/1.1\r\nA: " + strings.Repeat("x", 5000), "\r\n\r\n", 6000, 5023, nil},
		{"over the limit", text, "", 20, 0, errHeadTooLarge},
		{"over the limit without an end", strings.Repeat("x", 100), strings.Repeat("x", 100), 150, 0, errHeadTooLarge},
		{"ends early", text[:9], "", 1000, 0, io.EOF},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client, server := net.Pipe()
			go func() {
				io.WriteString(client, tt.later)
				client.Close()
			}()
			read, length, err := readHead(server, []byte(tt.first), tt.limit)
			server.Close()
			if length != tt.length || !errors.Is(err, tt.err) {
				t.Errorf("length %d, %v; want %d, %v", length, err, tt.length, tt.err)
			}
			if err == nil && !strings.HasPrefix(tt.first+tt.later, string(read)) {
				t.Errorf("read %q", read)
			}
		})
	}
}

func TestParameters(t *testing.T) {
	single, multi := parameters("a=1&a=2&b=%C3%A9+x&c&=d&bad=%zz&&")
	if want := map[string]string{"a": "2", "b": "é x", "c": "", "": "d", "bad": "%zz"}; !reflect.DeepEqual(single, want) {
		t.Errorf("single %v, want %v", single, want)
	}
	if want := map[string][]string{"a": {"1", "2"}, "b": {"é x"}, "c": {""}, "": {"d"}, "bad": {"%zz"}}; !reflect.DeepEqual(multi, want) {
		t.Errorf("multi %v, want %v", multi, want)
	}
	if single, multi := parameters(""); single != nil || multi != nil {
		t.Errorf("no query gave %v, %v", single, multi)
	}
}

// FuzzHead holds that a head which parses can be written again and parses to
// the same.
func FuzzHead(f *testing.F) {
	f.Add([]byte("GET /main?a=1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"))
	f.Add([]byte("\r\n\r\n"))
	f.Add([]byte("A / HTTP/1.\r\n:\r\n\r\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		h, err := parseHead(raw)
		if err != nil {
			return
		}
		h.isUpgrade()
		_, query := h.splitTarget()
		parameters(query)
		text := h.method + " " + h.target + " " + h.proto
		for _, l := range h.headers {
			text += "\r\n" + l.Name + ": " + l.Value
		}
		again, err := parseHead([]byte(text + "\r\n\r\n"))
		if err != nil || len(again.headers) != len(h.headers) {
			t.Fatalf("%q became %+v, %v", raw, again, err)
		}
	})
}
