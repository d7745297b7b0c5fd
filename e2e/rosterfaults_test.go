package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/push"
	"github.com/gatepost-dev/gatepost/push/rostertest"
)

// throttled is Gatepost's DynamoDB endpoint, some of whose answers say that the
// table has no capacity, before or after the call was done: then its answer is
// lost.
func throttled(t *testing.T, before, after int) *awsdynamodb.Client {
	t.Helper()
	service, err := dynamodb.Open(dynamodb.Config{Region: "us-east-1", Account: "000000000000"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { service.Close() })
	endpoint := &awswire.Endpoint{}
	endpoint.Register(service)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		if operation == "CreateTable" {
			endpoint.ServeHTTP(w, r)
			return
		}
		switch n := rand.IntN(100); {
		case n < before && operation == "TransactWriteItems":
			refuse(w, "TransactionCanceledException", `,"CancellationReasons":[{"Code":"None"},{"Code":"ThrottlingError","Message":"m"}]`)
		case n < before:
			refuse(w, "ProvisionedThroughputExceededException", "")
		case n < before+after:
			endpoint.ServeHTTP(httptest.NewRecorder(), r)
			w.WriteHeader(http.StatusInternalServerError)
		default:
			endpoint.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return clientOf(server.URL, func(o *awsdynamodb.Options) {
		o.DisableValidateResponseChecksum = true
		o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts, o.RateLimiter = 20, ratelimit.None
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return time.Millisecond, nil })
		})
	})
}

func refuse(w http.ResponseWriter, kind, more string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(http.StatusBadRequest)
	io.WriteString(w, `{"__type":"com.amazonaws.dynamodb.v20120810#`+kind+`","message":"throttled"`+more+`}`)
}

// TestRosterWhileThrottled: the roster keeps its contract on a table that is
// throttled a quarter of the time and loses some of its answers.
func TestRosterWhileThrottled(t *testing.T) {
	client := throttled(t, 25, 5)
	var n atomic.Int32
	rostertest.Run(t, func(t *testing.T) push.Roster {
		table := fmt.Sprintf("roster-%d", n.Add(1))
		if _, err := client.CreateTable(t.Context(), push.DynamoDBTable(table)); err != nil {
			t.Fatal(err)
		}
		return push.NewDynamoDB(client, table, push.DynamoDBOptions{PageSize: 20})
	})
}

// TestRosterWithoutCapacity: a table that is throttled for good gives errors
// that say so, and its publish reports that nobody was read.
func TestRosterWithoutCapacity(t *testing.T) {
	client := throttled(t, 100, 0)
	r := push.NewDynamoDB(client, "roster", push.DynamoDBOptions{})
	_, count := r.Count(t.Context())
	_, prune := r.Prune(t.Context(), 1)
	for name, err := range map[string]error{
		"Add":               r.Add(t.Context(), push.Connection{ID: "a"}),
		"Add with a group":  r.Add(t.Context(), push.Connection{ID: "a", Groups: []string{"g"}}),
		"Remove":            r.Remove(t.Context(), "a"),
		"Join":              r.Join(t.Context(), "a", "g"),
		"Touch":             r.Touch(t.Context(), "a", time.Now().Add(time.Hour)),
		"Count":             count,
		"Prune":             prune,
		"Remove of nothing": r.Remove(t.Context(), "b"),
	} {
		if err == nil || !strings.Contains(err.Error(), "table roster") || !strings.Contains(err.Error(), "hrottl") && !strings.Contains(err.Error(), "Throughput") {
			t.Errorf("%s gave %v", name, err)
		}
	}
	p := &push.Publisher{Roster: r, Poster: push.NewPoster(nil, 0)}
	if report, err := p.Publish(t.Context(), push.Everyone, []byte("m")); err == nil || !report.Unread || report.Complete() {
		t.Errorf("publish: %+v, %v", report, err)
	}
}

// killable is a client that fails its deletes while it is told to, as a function
// that is killed in the middle of a Remove does.
type killable struct {
	*awsdynamodb.Client
	killed bool
}

func (k *killable) DeleteItem(ctx context.Context, in *awsdynamodb.DeleteItemInput, o ...func(*awsdynamodb.Options)) (*awsdynamodb.DeleteItemOutput, error) {
	if k.killed {
		return nil, errors.New("killed")
	}
	return k.Client.DeleteItem(ctx, in, o...)
}

// TestRosterRemoveInterrupted: a Remove that ended half way has ended the
// connection, and the next one takes the memberships.
func TestRosterRemoveInterrupted(t *testing.T) {
	_, client := tables(t)
	if _, err := client.CreateTable(t.Context(), push.DynamoDBTable("roster")); err != nil {
		t.Fatal(err)
	}
	for id, age := range map[string]time.Duration{"new": 0, "old": time.Hour} {
		t.Run(id, func(t *testing.T) {
			k := &killable{Client: client}
			r := push.NewDynamoDB(k, "roster", push.DynamoDBOptions{})
			if err := r.Add(t.Context(), push.Connection{ID: id, User: "u", Groups: []string{"g", "h"}, ConnectedAt: time.Now().Add(-age)}); err != nil {
				t.Fatal(err)
			}
			k.killed = true
			if err := r.Remove(t.Context(), id); err == nil {
				t.Fatal("a Remove that was killed gave no error")
			}
			if _, err := r.Get(t.Context(), id); !errors.Is(err, push.ErrUnknown) {
				t.Errorf("Get gave %v, want ErrUnknown", err)
			}
			if err := r.Join(t.Context(), id, "i"); !errors.Is(err, push.ErrUnknown) {
				t.Errorf("Join gave %v, want ErrUnknown", err)
			}
			wantLiving(t, r)
			k.killed = false
			if err := r.Remove(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			for _, group := range []string{"g", "h", "i"} {
				for c, err := range r.ByGroup(t.Context(), group) {
					t.Errorf("%s still has %s (%v)", group, c.ID, err)
				}
			}
			if err := r.Add(t.Context(), push.Connection{ID: id}); id == "new" && !errors.Is(err, push.ErrExists) {
				t.Errorf("a late Add gave %v, want ErrExists", err)
			}
			if err := r.Remove(t.Context(), id); err != nil {
				t.Error(err)
			}
		})
	}
}
