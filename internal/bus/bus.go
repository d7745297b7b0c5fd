// Package bus owns NATS: the embedded server, its one connection and the names
// of its streams. Everything durable that waits for somebody (queues now, topics
// and the nodes' traffic later) rides on it, and no other package imports NATS.
package bus

import (
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// MaxPayload is the largest message that the bus carries, in bytes, the sender's
// own framing included.
const MaxPayload = 4 << 20

// DefaultMaxStore is how much the bus keeps on disk when Config says nothing.
const DefaultMaxStore = 64 << 30

// maxMemory bounds the streams of a bus without a folder, in bytes.
const maxMemory = 1 << 30

// syncInterval is how often files are synced without Config.Sync.
const syncInterval = 200 * time.Millisecond

// requestTimeout bounds a request to the server whose context has no end.
const requestTimeout = 5 * time.Second

// Config says how a Bus keeps its data. The zero value keeps everything in
// memory and forgets it on Close.
type Config struct {
	// Dir is the folder of the file store; "" keeps messages in memory. One
	// process at a time may use a folder: its owner keeps others out.
	Dir string
	// Sync answers a publish only after fsync, so that an acknowledged message
	// outlives a power failure. Messages that come together share one; a lone
	// caller waits for the disk each time.
	// Without it a message is with the kernel when it is acknowledged, so it
	// outlives the process (kill -9 too), and the disk has it 200 ms later.
	Sync bool
	// MaxStore bounds the file store in bytes; past it publishing fails with
	// ErrFull and nothing old is dropped. Zero means DefaultMaxStore.
	MaxStore int64
	// Log gets the server's lines: warnings and errors at their level, all
	// else at debug. Nil means slog.Default().
	Log *slog.Logger
}

// Bus is an embedded NATS server and the connection to it. All methods may be
// called together.
type Bus struct {
	server  *server.Server
	conn    *nats.Conn
	js      jetstream.JetStream
	storage jetstream.StorageType
	log     *slog.Logger
	sync    bool
	// scratch is the folder that a bus without Config.Dir removes on Close.
	scratch string
	// done is closed when Close begins, to end waiting fetches.
	done  chan struct{}
	close func() error
}

// Open starts the server and connects to it. The server opens no port: only
// this process can reach it.
func Open(cfg Config) (*Bus, error) {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	b := &Bus{log: cfg.Log, storage: jetstream.FileStorage, sync: cfg.Sync, done: make(chan struct{})}
	b.close = sync.OnceValue(b.shutdown)
	if cfg.Dir == "" {
		if err := b.useMemory(&cfg); err != nil {
			return nil, err
		}
	}
	if err := b.start(cfg); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// useMemory points the store at an empty folder: JetStream wants one even when
// all of its streams live in memory.
func (b *Bus) useMemory(cfg *Config) error {
	dir, err := os.MkdirTemp("", "gatepost-bus-*")
	if err != nil {
		return fmt.Errorf("make folder for the bus: %w", err)
	}
	b.scratch, b.storage, b.sync, cfg.Dir = dir, jetstream.MemoryStorage, false, dir
	return nil
}

func (b *Bus) start(cfg Config) error {
	srv, err := server.NewServer(serverOptions(cfg))
	if err != nil {
		return fmt.Errorf("configure bus: %w", err)
	}
	b.server = srv
	var fatal string // what Start could not do; it has no other way to say so
	srv.SetLoggerV2(serverLog{cfg.Log, func(line string) { fatal = line }}, false, false, false)
	srv.Start()
	if fatal != "" || !srv.ReadyForConnections(10*time.Second) || !srv.JetStreamEnabled() {
		return fmt.Errorf("start bus in %s: the server did not start (%s)", cfg.Dir, fatal)
	}
	return b.connect()
}

// serverOptions describes a lone server. DontListen keeps it off the network
// altogether; it deadlocks together with a cluster, so a clustered node will
// need Host 127.0.0.1, Port -1 and a random token instead.
func serverOptions(cfg Config) *server.Options {
	if cfg.MaxStore == 0 {
		cfg.MaxStore = DefaultMaxStore
	}
	return &server.Options{
		ServerName:             "gatepost",
		DontListen:             true,
		NoSigs:                 true,
		MaxPayload:             MaxPayload,
		JetStream:              true,
		StoreDir:               cfg.Dir,
		JetStreamMaxMemory:     maxMemory,
		JetStreamMaxStore:      cfg.MaxStore,
		DisableJetStreamBanner: true,
		SyncAlways:             cfg.Sync,
		SyncInterval:           syncInterval,
	}
}

func (b *Bus) connect() (err error) {
	b.conn, err = nats.Connect("", nats.InProcessServer(b.server), nats.Name("gatepost"),
		nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			b.log.Warn("bus connection", "error", err)
		}))
	if err != nil {
		return fmt.Errorf("connect to the embedded bus: %w", err)
	}
	b.js, err = jetstream.New(b.conn, jetstream.WithDefaultTimeout(requestTimeout))
	if err != nil {
		return fmt.Errorf("open the bus's streams: %w", err)
	}
	return nil
}

// Close ends waiting fetches with ErrClosed, stops the server and waits for it;
// what was acknowledged is in the store. It may be called twice.
func (b *Bus) Close() error { return b.close() }

func (b *Bus) shutdown() error {
	close(b.done)
	if b.conn != nil {
		b.conn.FlushTimeout(time.Second)
		b.conn.Close()
	}
	if b.server != nil {
		b.server.Shutdown()
		b.server.WaitForShutdown()
	}
	if b.scratch == "" {
		return nil
	}
	if err := os.RemoveAll(b.scratch); err != nil {
		return fmt.Errorf("remove the bus's folder: %w", err)
	}
	return nil
}
