package management

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi/types"
	"github.com/aws/smithy-go"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/awswire"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func newClient(server *httptest.Server, base string, key awswire.Credentials) *apigatewaymanagementapi.Client {
	return apigatewaymanagementapi.New(apigatewaymanagementapi.Options{
		BaseEndpoint: aws.String(server.URL + base),
		Region:       "eu-west-1",
		HTTPClient:   server.Client(),
		Credentials:  credentials.NewStaticCredentialsProvider(key.AccessKeyID, key.SecretAccessKey, key.SessionToken),
		Retryer:      retry.NewStandard(func(o *retry.StandardOptions) { o.Backoff = retry.BackoffDelayerFunc(noDelay) }),
	})
}

func noDelay(int, error) (time.Duration, error) { return 0, nil }

// TestSDK runs the real client against plain and TLS servers, with the
// endpoints that applications build.
func TestSDK(t *testing.T) {
	for name, start := range map[string]func(http.Handler) *httptest.Server{"plain": httptest.NewServer, "TLS": httptest.NewTLSServer} {
		for _, base := range []string{"/main", "/main/", ""} {
			t.Run(name+" "+base, func(t *testing.T) { testSDK(t, start, base) })
		}
	}
}

func testSDK(t *testing.T, start func(http.Handler) *httptest.Server, base string) {
	open := testIDs.Connection()
	connectedAt := time.Date(2025, 2, 3, 1, 46, 33, 523e6, time.UTC)
	var sent []byte
	var deleted bool
	backlog := 0
	find := func(id apigw.ConnectionID) error {
		if id != open || deleted {
			return apigw.ErrGone
		}
		return nil
	}
	server := start(newHandler(connections{
		send: func(id apigw.ConnectionID, data []byte) error {
			if backlog > 0 {
				backlog--
				return apigw.ErrBacklog
			}
			sent = data
			return find(id)
		},
		info: func(id apigw.ConnectionID) (apigw.ConnectionInfo, error) {
			return apigw.ConnectionInfo{ID: id, ConnectedAt: connectedAt, LastActiveAt: connectedAt, Identity: apigw.Identity{SourceIP: "::1"}}, find(id)
		},
		delete: func(id apigw.ConnectionID) error {
			err := find(id)
			deleted = true
			return err
		},
	}))
	defer server.Close()
	client := newClient(server, base, testKey)
	ctx, id := t.Context(), aws.String(open.String())
	post := func(data []byte) error {
		_, err := client.PostToConnection(ctx, &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: id, Data: data})
		return err
	}

	body := []byte("h\u00e9llo \x00\xff")
	if err := post(body); err != nil || !bytes.Equal(sent, body) {
		t.Fatalf("PostToConnection: %v, sent %q", err, sent)
	}
	backlog = 2
	if err := post([]byte("retried")); err != nil || string(sent) != "retried" {
		t.Errorf("PostToConnection after two times 429: %v, sent %q", err, sent)
	}
	backlog = 3
	if _, ok := errors.AsType[*types.LimitExceededException](post([]byte("x"))); !ok {
		t.Error("429 is not a LimitExceededException")
	}
	if _, ok := errors.AsType[*types.PayloadTooLargeException](post(make([]byte, 128<<10+1))); !ok {
		t.Error("413 is not a PayloadTooLargeException")
	}
	got, err := client.GetConnection(ctx, &apigatewaymanagementapi.GetConnectionInput{ConnectionId: id})
	if err != nil || !got.ConnectedAt.Equal(connectedAt) || *got.Identity.SourceIp != "::1" || got.Identity.UserAgent != nil {
		t.Errorf("GetConnection = %+v, %v", got, err)
	}
	if _, err := client.DeleteConnection(ctx, &apigatewaymanagementapi.DeleteConnectionInput{ConnectionId: id}); err != nil {
		t.Errorf("DeleteConnection: %v", err)
	}
	if gone, ok := errors.AsType[*types.GoneException](post(body)); !ok || gone.ErrorMessage() != "" {
		t.Errorf("410 is not a GoneException without a message: %v", gone)
	}
	if _, err := client.GetConnection(ctx, &apigatewaymanagementapi.GetConnectionInput{ConnectionId: id}); !isGone(err) {
		t.Errorf("GetConnection of a closed connection: %v", err)
	}
}

func isGone(err error) bool {
	_, ok := errors.AsType[*types.GoneException](err)
	return ok
}

func TestSDKRefused(t *testing.T) {
	var attempts atomic.Int32
	h := newHandler(connections{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		attempts.Add(1)
		h.ServeHTTP(w, r)
	}))
	defer server.Close()
	wrong := testKey
	wrong.SecretAccessKey += "x"
	for _, test := range []struct {
		base, code string
		key        awswire.Credentials
	}{
		{"/main", "InvalidSignatureException", wrong},
		{"/main", "UnrecognizedClientException", awswire.Credentials{AccessKeyID: "AKIA0", SecretAccessKey: "x"}},
		{"/prod", "ForbiddenException", testKey},
		{"/main/main", "NotFoundException", testKey},
	} {
		attempts.Store(0)
		_, err := newClient(server, test.base, test.key).PostToConnection(t.Context(), &apigatewaymanagementapi.PostToConnectionInput{
			ConnectionId: aws.String(testIDs.Connection().String()), Data: []byte("x")})
		if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != test.code {
			t.Errorf("endpoint %s: %v, want %s", test.base, err, test.code)
		}
		if n := attempts.Load(); n != 1 {
			t.Errorf("endpoint %s: %d attempts, want 1", test.base, n)
		}
	}
}

// accept is the connections of a benchmark.
type accept struct{ connections }

func (accept) Send(context.Context, apigw.ConnectionID, []byte) error { return nil }

func BenchmarkPost(b *testing.B) {
	h := newHandler(accept{})
	path := "/main/@connections/" + testIDs.Connection().String()
	body := bytes.Repeat([]byte("x"), 128)
	b.Run("ServeHTTP", func(b *testing.B) {
		r := httptest.NewRequest("POST", path, nil)
		r.ContentLength = int64(len(body))
		awswire.Sign(r, body, testKey, "us-east-1", SigningName, time.Now())
		reader := bytes.NewReader(body)
		r.Body = io.NopCloser(reader)
		w := &answer{header: http.Header{}}
		b.ReportAllocs()
		for b.Loop() {
			reader.Reset(body)
			clear(w.header)
			h.ServeHTTP(w, r)
		}
		if w.status != 0 {
			b.Fatalf("status %d", w.status)
		}
	})
	b.Run("loopback", func(b *testing.B) {
		server := httptest.NewServer(h)
		defer server.Close()
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for pb.Next() {
				r, _ := http.NewRequest("POST", server.URL+path, bytes.NewReader(body))
				awswire.Sign(r, body, testKey, "us-east-1", SigningName, time.Now())
				response, err := client.Do(r)
				if err != nil || response.StatusCode != 200 {
					b.Errorf("POST: %v %v", response, err)
					return
				}
				response.Body.Close()
			}
		})
	})
}

// answer is a ResponseWriter that costs nothing.
type answer struct {
	header http.Header
	status int
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) Write(p []byte) (int, error) { return len(p), nil }
func (a *answer) WriteHeader(status int)      { a.status = status }
