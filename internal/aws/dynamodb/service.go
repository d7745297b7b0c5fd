// Package dynamodb owns the DynamoDB API: tables with their items, indexes and
// times to live, in one bbolt file, served as awswire.Service.
package dynamodb

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/attribute"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
	"github.com/gatepost-dev/gatepost/stack"
)

// Expired is the kind of the event that tells of items deleted by a table's
// time to live. Its Source is the table's name.
const Expired telemetry.Kind = "expired"

// Config says where and how tables are kept.
type Config struct {
	// Path is the bbolt file, made when missing; one process may have it open.
	// Empty means a temporary file that nobody else can see and that goes with
	// Close.
	Path string
	// Sync true means that an answer to a write is sent after the data is on
	// the disk. False means that the disk follows every 200 ms: a crash of
	// Gatepost loses nothing, but a loss of power may lose the file.
	Sync bool
	// Region is the region of calls that name none and of EnsureTable; empty
	// means us-east-1. Each region has tables of its own.
	Region string
	// Account is the account of calls whose access key is not an account's
	// twelve digits, and of EnsureTable; empty means 000000000000. Each
	// account has tables of its own.
	Account string
	// TTLDelay is how long after its time an expired item is still there. Zero
	// means that it goes within a second or two; AWS takes up to some days.
	TTLDelay time.Duration
	// Feed gets Expired events; nil drops them.
	Feed *telemetry.Feed
	// Log gets failures of background work; nil means slog.Default().
	Log *slog.Logger
}

// Service is the DynamoDB API. Its methods may be called together.
type Service struct {
	cfg   Config
	store *store
	// stop ends the sweeper.
	stop    context.CancelFunc
	workers sync.WaitGroup

	mu      sync.RWMutex // guards what follows; held by the committer only to change it
	tables  map[tableID]*table
	streams map[uint64]*stream // by number
	// declared are the tables that EnsureTable has set up, for Reset.
	declared map[tableID]stack.Table
}

var _ awswire.Service = (*Service)(nil)

// Open opens the tables' file and loads what tables there are.
func Open(cfg Config) (*Service, error) {
	if cfg.Region == "" {
		cfg.Region = "us-east-1"
	}
	if cfg.Account == "" {
		cfg.Account = "000000000000"
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	st, err := openStore(cfg.Path, cfg.Sync, cfg.Log)
	if err != nil {
		return nil, err
	}
	s := &Service{cfg: cfg, store: st, declared: make(map[tableID]stack.Table)}
	if err := s.load(); err != nil {
		st.close()
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.workers.Go(func() { s.sweepLoop(ctx) })
	return s, nil
}

func (s *Service) load() (err error) {
	if s.tables, err = loadTables(s.store); err != nil {
		return err
	}
	s.streams, err = loadStreams(s.store)
	return err
}

// Close finishes the writes under way and closes the file. Calls that come
// later fail, a second Close too.
func (s *Service) Close() error {
	s.stop()
	s.workers.Wait()
	return s.store.close()
}

// TargetPrefix is DynamoDB's.
func (*Service) TargetPrefix() string { return "DynamoDB_20120810" }

// QueryVersion is empty: DynamoDB has no query protocol.
func (*Service) QueryVersion() string { return "" }

type operation func(*Service, context.Context, *awswire.Call) (any, error)

var operations = map[string]operation{
	"BatchGetItem":       (*Service).batchGetItem,
	"BatchWriteItem":     (*Service).batchWriteItem,
	"CreateTable":        (*Service).createTable,
	"DeleteItem":         (*Service).deleteItem,
	"DeleteTable":        (*Service).deleteTable,
	"DescribeEndpoints":  (*Service).describeEndpoints,
	"DescribeLimits":     (*Service).describeLimits,
	"DescribeTable":      (*Service).describeTable,
	"DescribeTimeToLive": (*Service).describeTimeToLive,
	"GetItem":            (*Service).getItem,
	"ListTables":         (*Service).listTables,
	"ListTagsOfResource": (*Service).listTagsOfResource,
	"PutItem":            (*Service).putItem,
	"Query":              (*Service).query,
	"Scan":               (*Service).scan,
	"TagResource":        (*Service).tagResource,
	"TransactGetItems":   (*Service).transactGetItems,
	"TransactWriteItems": (*Service).transactWriteItems,
	"UntagResource":      (*Service).untagResource,
	"UpdateItem":         (*Service).updateItem,
	"UpdateTable":        (*Service).updateTable,
	"UpdateTimeToLive":   (*Service).updateTimeToLive,
}

// Do runs one call. Its errors are *awswire.Error, but for internal ones and
// those of ctx.
func (s *Service) Do(ctx context.Context, call *awswire.Call) (any, error) {
	return s.do(ctx, call, operations)
}

func (s *Service) do(ctx context.Context, call *awswire.Call, known map[string]operation) (any, error) {
	call.RequestID = requestID()
	run, ok := known[call.Operation]
	if !ok {
		return nil, wireError(unknownOperation(call.Operation))
	}
	out, err := run(s, ctx, call)
	return out, wireError(err)
}

// requestID is the id of an answer in DynamoDB's form: 52 digits and letters.
func requestID() string {
	var random [32]byte
	rand.Read(random[:])
	return base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(random[:])
}

// unknownOperation refuses an operation by its name.
func unknownOperation(name string) error {
	if refused[name] {
		return awswire.Errorf("UnknownOperationException", "Gatepost does not have DynamoDB's %s.", name)
	}
	return awswire.Errorf("UnknownOperationException", "DynamoDB has no operation %.60q.", name)
}

// decode reads the request.
func decode(call *awswire.Call, in any) error {
	if len(call.Body) == 0 {
		return &awswire.Error{Code: "SerializationException"}
	}
	err := json.Unmarshal(call.Body, in)
	if err == nil {
		return nil
	}
	if err := explain(call.Body, in); err != nil {
		return err
	}
	if e, ok := errors.AsType[*attribute.FormError](err); ok {
		return awswire.Errorf("SerializationException", "%s", e.Message)
	}
	return call.Decode(in) // fails in the words that all services share
}

// region returns the region whose tables a call means.
func (s *Service) region(call *awswire.Call) string {
	if call.Region != "" {
		return call.Region
	}
	return s.cfg.Region
}
