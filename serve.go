package gatepost

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/gatepost-dev/gatepost/internal/console"
	"github.com/gatepost-dev/gatepost/internal/instance"
	"github.com/gatepost-dev/gatepost/internal/intercept"
)

// serve starts everything that serves and writes run.json.
func (h *house) serve() error {
	openFiles()
	ctx, stop := context.WithCancel(context.Background())
	h.stopServing = stop
	h.watch(ctx)
	for _, a := range h.apis {
		h.serveAPI(ctx, a)
	}
	h.running.Go(func() {
		if err := h.proxy.Serve(ctx, h.proxyAt); err != nil && ctx.Err() == nil {
			h.fail(fmt.Errorf("serve the functions' proxy: %w", err))
		}
	})
	h.serveHTTP(ctx, h.aws, h.httpServer(h.metadata.before(h.beforeReset(h.awsHandler()))))
	h.serveHTTP(ctx, h.admin, h.httpServer(console.Handler(h, h.secrets.AdminToken)))
	if err := h.pollSources(); err != nil {
		stop()
		return err
	}
	h.topics.Start()
	h.lambda.Start()
	return h.dir.Announce(h.run())
}

// fail ends the server because a part of it cannot go on.
func (h *house) fail(err error) {
	select {
	case h.failed <- err:
	default: // an earlier failure is being dealt with
	}
}

// serveAPI serves an API's port: WebSocket and HTTP, plain and with TLS.
func (h *house) serveAPI(ctx context.Context, a *api) {
	h.running.Go(func() { a.hub.Run(ctx) })
	h.running.Go(func() {
		port := &intercept.Port{TLS: h.ca.TLSConfig(), Handle: a.gateway.ServeConn, Handshake: h.cfg.Limits.Handshake, Log: h.cfg.Log}
		err := port.Serve(ctx, a.listener)
		if err != nil && ctx.Err() == nil {
			h.fail(fmt.Errorf("accept clients of %s: %w", a.declared.Name, err))
		}
	})
}

// serveHTTP serves plain HTTP and HTTPS on one port.
func (h *house) serveHTTP(ctx context.Context, ln net.Listener, server *http.Server) {
	plain := intercept.NewHTTPListener(ln.Addr())
	h.running.Go(func() {
		if err := server.Serve(plain); err != nil && !errors.Is(err, http.ErrServerClosed) {
			h.fail(fmt.Errorf("serve %s: %w", ln.Addr(), err))
		}
	})
	h.running.Go(func() {
		err := intercept.Serve(ctx, ln, intercept.OfferHTTP2(h.ca.TLSConfig()), func(c net.Conn, first []byte) {
			if plain.Hand(c, first) != nil {
				c.Close()
			}
		})
		if err != nil && ctx.Err() == nil {
			h.fail(fmt.Errorf("accept on %s: %w", ln.Addr(), err))
		}
	})
	h.running.Go(func() {
		<-ctx.Done()
		server.Close()
	})
}

// watch hands the feed's events to Config.Watch.
func (h *house) watch(ctx context.Context) {
	if h.cfg.Watch == nil {
		return
	}
	h.running.Go(func() {
		<-ctx.Done()
		h.unwatch()
	})
	h.running.Go(func() {
		for e := range h.watched {
			h.cfg.Watch(e)
		}
	})
}

// run is the content of run.json.
func (h *house) run() instance.Run {
	r := instance.Run{
		APIs: make(map[string]instance.API), AWS: "http://" + h.aws.Addr().String(), Console: "http://" + h.admin.Addr().String(),
		CA: h.ca.CertFile(), Bundle: h.ca.BundleFile(), Region: h.cfg.Stack.Region,
	}
	for _, a := range h.apis {
		r.APIs[a.declared.Name] = instance.API{ID: a.declared.ID, Stage: a.declared.Stage.Name, URL: a.url(), Callback: a.callback(), Keys: keysOf(h.declared(a))}
	}
	return r
}

// drain ends the work in order: no new clients and no new batches, then the
// clients with their $disconnect, then the endpoints that the functions used.
func (h *house) drain() error {
	ctx, cancel := context.WithTimeout(context.Background(), drainWithin)
	defer cancel()
	h.noMoreTurns(ctx)
	h.tasks.end()
	h.polling.Go(func() { h.lambda.Pause(ctx) })
	var errs []error
	for _, a := range h.apis {
		a.listener.Close()
		err := a.gateway.Shutdown(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			// As on AWS, where nobody waits for a slow function either.
			h.cfg.Log.Warn("functions were still running at the end and were cut off", "api", a.declared.Name)
			err = nil
		}
		errs = append(errs, err)
	}
	if !ended(ctx, h.polling.Wait) {
		h.cfg.Log.Warn("a batch was still with its function at the end; its messages come again")
	}
	for _, a := range h.apis {
		a.http.Close()
	}
	h.stopServing()
	ended(ctx, h.running.Wait)
	return errors.Join(errs...)
}

// lastMoment is what a stage of the shutdown gets when the time is over: what
// has been cut off returns within it.
const lastMoment = 50 * time.Millisecond

// ended waits for f until ctx ends, and a last moment, and reports whether f
// has returned.
func ended(ctx context.Context, f func()) bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
		return true
	case <-ctx.Done():
	}
	select {
	case <-done:
		return true
	case <-time.After(lastMoment):
		return false
	}
}

// quietly turns net/http's complaints about clients into debug lines.
func quietly(to *slog.Logger) *log.Logger { return slog.NewLogLogger(to.Handler(), slog.LevelDebug) }
