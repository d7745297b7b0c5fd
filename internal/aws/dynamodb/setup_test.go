package dynamodb

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/stack"
)

// open opens a service that is closed when the test ends.
func open(t testing.TB, cfg Config) *Service {
	t.Helper()
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// file returns the path of a table file that does not exist yet.
func file(t testing.TB) string { return filepath.Join(t.TempDir(), "tables.db") }

// client serves s over HTTP and returns the SDK's client for it.
func client(t testing.TB, s *Service) *sdk.Client {
	t.Helper()
	e := &awswire.Endpoint{}
	e.Register(s)
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	return sdk.New(sdk.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(server.URL), Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
	})
}

// do runs a call and returns its answer, or its error as text.
func do(t testing.TB, s *Service, operation, body string) string {
	t.Helper()
	return doCall(s, &awswire.Call{Operation: operation, Body: []byte(body), Region: "us-east-1"})
}

func doCall(s *Service, call *awswire.Call) string {
	out, err := s.Do(context.Background(), call)
	if err != nil {
		return err.Error()
	}
	return string(awswire.MarshalJSON(out))
}

// step is one call and the answer that is wanted.
type step struct{ operation, body, want string }

// steps runs calls one after the other against the same service.
func steps(t *testing.T, s *Service, list ...step) {
	t.Helper()
	for _, st := range list {
		if got := do(t, s, st.operation, st.body); got != st.want {
			t.Errorf("%s %s\n got %s\nwant %s", st.operation, clip(st.body), clip(got), clip(st.want))
		}
	}
}

// roster is the posts' table, events one with a sort key and indexes.
var (
	roster = stack.Table{
		Name:       "SocketRoster",
		Key:        []stack.KeyElement{{Attribute: "PK", Type: "HASH"}, {Attribute: "SK", Type: "RANGE"}},
		Attributes: []stack.Attribute{{Name: "PK", Type: "S"}, {Name: "SK", Type: "S"}},
	}
	events = stack.Table{
		Name:       "events",
		Key:        []stack.KeyElement{{Attribute: "p", Type: "HASH"}, {Attribute: "n", Type: "RANGE"}},
		Attributes: []stack.Attribute{{Name: "p", Type: "S"}, {Name: "n", Type: "N"}, {Name: "user", Type: "S"}, {Name: "at", Type: "N"}},
		Indexes: []stack.TableIndex{
			{Name: "byUser", Key: []stack.KeyElement{{Attribute: "user", Type: "HASH"}, {Attribute: "at", Type: "RANGE"}}, Projection: "ALL"},
			{Name: "keys", Key: []stack.KeyElement{{Attribute: "user", Type: "HASH"}}, Projection: "KEYS_ONLY"},
			{Name: "some", Key: []stack.KeyElement{{Attribute: "user", Type: "HASH"}}, Projection: "INCLUDE", NonKey: []string{"x"}},
			{Name: "local", Key: []stack.KeyElement{{Attribute: "p", Type: "HASH"}, {Attribute: "at", Type: "RANGE"}}, Projection: "KEYS_ONLY", Local: true},
		},
	}
)

// with opens a service in memory with the tables.
func with(t testing.TB, tables ...stack.Table) *Service {
	t.Helper()
	s := open(t, Config{})
	for _, table := range tables {
		if err := s.EnsureTable(table); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// field returns a member of a JSON answer as JSON text.
func field(t testing.TB, text, name string) string {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("%s: %v", clip(text), err)
	}
	return string(m[name])
}

// quoted makes JSON easier to write: it turns ' into ".
func quoted(s string) string { return strings.ReplaceAll(s, "'", `"`) }
