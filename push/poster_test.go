package push_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/gatepost-dev/gatepost/push"
)

// config is an AWS configuration with made-up credentials.
func config() aws.Config {
	return aws.Config{Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("AKID", "SECRET", "")}
}

// poster posts to a handler over real HTTP.
func poster(t testing.TB, handler http.HandlerFunc, o push.PosterOptions) *push.ManagementPoster {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	p, err := push.PosterForEndpoint(config(), server.URL+"/main", o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// answer writes the Management API's wire answers.
func answer(status int, errorType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if errorType != "" {
			w.Header().Set("X-Amzn-ErrorType", errorType)
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func TestPostRequest(t *testing.T) {
	payload := "{\"a\":\"\\u00e9\"}\n\x00\xff not UTF-8"
	var got *http.Request
	var body []byte
	p := poster(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
	}, push.PosterOptions{})
	if err := p.Post(t.Context(), "R1k-_c2VNjMCFIA=", []byte(payload)); err != nil {
		t.Fatal(err)
	}
	if got.Method != "POST" || got.URL.EscapedPath() != "/main/@connections/R1k-_c2VNjMCFIA%3D" {
		t.Errorf("got %s %s", got.Method, got.URL.EscapedPath())
	}
	if string(body) != payload {
		t.Errorf("the body arrived as %q", body)
	}
	if auth := got.Header.Get("Authorization"); !strings.Contains(auth, "/eu-west-1/execute-api/aws4_request") {
		t.Errorf("signed as %q", auth)
	}
	if got.ProtoMajor != 1 {
		t.Errorf("protocol %s, want HTTP/1.1", got.Proto)
	}
	if err := p.Post(t.Context(), "x", nil); err != nil || len(body) != 0 {
		t.Errorf("an empty message: error %v, body %q", err, body)
	}
}

func TestPostErrors(t *testing.T) {
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
		want    error // nil: none of the sentinels
	}{
		{"410 as AWS sends it", answer(410, "GoneException", ""), push.ErrGone},
		{"410 with a body", answer(410, "GoneException", `{"message":"Gone"}`), push.ErrGone},
		{"410 of 2019, without a type", answer(410, "", ""), push.ErrGone},
		{"429", answer(429, "LimitExceededException", `{"message":"Too many requests"}`), push.ErrLimited},
		{"429 without a type", answer(429, "", ""), push.ErrLimited},
		{"413", answer(413, "PayloadTooLargeException", ""), push.ErrTooLarge},
		{"500", answer(500, "InternalServerErrorException", `{"message":"Internal server error"}`), push.ErrUnavailable},
		{"503 from a proxy", answer(503, "", "<html>"), push.ErrUnavailable},
		{"403 other stage", answer(403, "ForbiddenException", `{"message":"Forbidden"}`), nil},
		{"403 no permission", answer(403, "AccessDeniedException", `{"Message":"User: x is not authorized"}`), nil},
		{"400 bad id", answer(400, "BadRequestException", `{"message":"Invalid connectionId: x"}`), nil},
		{"the connection breaks", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, push.ErrUnavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var posts atomic.Int32
			p := poster(t, func(w http.ResponseWriter, r *http.Request) { posts.Add(1); tt.handler(w, r) }, push.PosterOptions{})
			err := p.Post(t.Context(), "id=", []byte("m"))
			if err == nil {
				t.Fatal("no error")
			}
			for _, sentinel := range []error{push.ErrGone, push.ErrLimited, push.ErrTooLarge, push.ErrUnavailable, push.ErrNoAnswer} {
				if errors.Is(err, sentinel) != (sentinel == tt.want) {
					t.Errorf("errors.Is(%v, %v) is %v", err, sentinel, errors.Is(err, sentinel))
				}
			}
			if n := posts.Load(); n != 1 {
				t.Errorf("%d posts, want 1: the Publisher retries, not the SDK", n)
			}
		})
	}
}

func TestPostRetryAfter(t *testing.T) {
	for header, want := range map[string]time.Duration{"": 0, "3": 3 * time.Second, "-1": 0, "soon": 0, "99999999999": 0} {
		p := poster(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", header)
			answer(429, "LimitExceededException", "")(w, r)
		}, push.PosterOptions{})
		limited, ok := errors.AsType[*push.LimitedError](p.Post(t.Context(), "id=", nil))
		if !ok || limited.RetryAfter != want {
			t.Errorf("Retry-After %q gave %+v, want %v", header, limited, want)
		}
	}
}

func TestPostNoAnswer(t *testing.T) {
	release := make(chan struct{})
	p := poster(t, func(w http.ResponseWriter, r *http.Request) { <-release }, push.PosterOptions{Timeout: 20 * time.Millisecond})
	t.Cleanup(func() { close(release) }) // before the server closes, which waits for the handler
	if err := p.Post(t.Context(), "id=", []byte("m")); !errors.Is(err, push.ErrNoAnswer) {
		t.Errorf("a post that is not answered gave %v, want ErrNoAnswer", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := p.Post(ctx, "id=", []byte("m")); errors.Is(err, push.ErrNoAnswer) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the caller's own deadline gave %v, want context.DeadlineExceeded alone", err)
	}
}

func TestPostNobodyListens(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	p, err := push.PosterForEndpoint(config(), "http://"+listener.Addr().String(), push.PosterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Post(t.Context(), "id=", []byte("m")); !errors.Is(err, push.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
}

func TestPosterForEndpoint(t *testing.T) {
	for endpoint, want := range map[string]string{
		"https://abc.execute-api.eu-west-1.amazonaws.com/main":  "",
		"https://abc.execute-api.eu-west-1.amazonaws.com/main/": "",
		"http://127.0.0.1:3001/main":                            "",
		"https://ws.example.com":                                "",
		"wss://abc.execute-api.eu-west-1.amazonaws.com/main":    "write https://abc.execute-api.eu-west-1.amazonaws.com/main instead",
		"ws://127.0.0.1:3001/main":                              "write http://127.0.0.1:3001/main instead",
		"abc.execute-api.eu-west-1.amazonaws.com/main":          "not of the form https://HOST/STAGE",
		"<insert endpoint>":                                     "not of the form https://HOST/STAGE",
		"":                                                      "not of the form https://HOST/STAGE",
		"https://":                                              "not of the form https://HOST/STAGE",
		"https://h/main/@connections":                           "must end with the stage",
		"https://h/\x7f":                                        "cannot be read",
	} {
		_, err := push.PosterForEndpoint(config(), endpoint, push.PosterOptions{})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q gave the error %v, want %q", endpoint, err, want)
		}
	}
}

// A pool smaller than the parallelism would open and close a TCP connection
// for nearly every post.
func TestPosterKeepsItsConnections(t *testing.T) {
	const parallel, rounds = 16, 20
	var mu sync.Mutex
	opened := 0
	server := httptest.NewUnstartedServer(answer(200, "", ""))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		mu.Lock()
		defer mu.Unlock()
		if state == http.StateNew {
			opened++
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	p, err := push.PosterForEndpoint(config(), server.URL+"/main", push.PosterOptions{Parallelism: parallel})
	if err != nil {
		t.Fatal(err)
	}
	publisher := &push.Publisher{Roster: push.NewMemory(push.MemoryOptions{}), Poster: p, Parallelism: parallel}
	for range rounds {
		if r, err := publisher.Publish(t.Context(), push.Only(ids(50)...), []byte("m")); err != nil || r.Sent != 50 {
			t.Fatalf("report %+v, error %v", r, err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	// A dial that another connection's return makes needless is used later, so
	// there may be a few more than posts at once.
	if opened > 2*parallel {
		t.Errorf("%d TCP connections for %d posts, %d at once", opened, 50*rounds, parallel)
	}
}
