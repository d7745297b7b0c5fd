package gatepost

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conn"
	"github.com/gatepost-dev/gatepost/internal/gateway"
	"github.com/gatepost-dev/gatepost/internal/integration"
	"github.com/gatepost-dev/gatepost/internal/intercept"
	"github.com/gatepost-dev/gatepost/internal/management"
	"github.com/gatepost-dev/gatepost/internal/throttle"
)

// api is one API of the stack on its port.
type api struct {
	declared *apigw.API
	listener net.Listener
	hub      *conn.Hub
	gateway  *gateway.Gateway
	http     *management.Server
}

// domain is the events' domainName. localhost, because every SDK accepts the
// local certificate for it and Go's proxy rule leaves it alone.
func (a *api) domain() string { return fmt.Sprintf("localhost:%d", port(a.listener)) }

func (a *api) callback() string { return "https://" + a.domain() + "/" + a.declared.Stage.Name }

// plainCallback is the management endpoint without TLS, for functions whose SDK
// takes an endpoint from its environment.
func (a *api) plainCallback() string {
	return "http://" + reachable(a.listener.Addr()) + "/" + a.declared.Stage.Name
}

func (a *api) url() string {
	return "ws://" + a.listener.Addr().String() + "/" + a.declared.Stage.Name
}

// accountLimit makes a bucket of the account's, which resets fill.
func (h *house) accountLimit(perSecond float64, burst int) *throttle.Bucket {
	b := throttle.NewBucket(perSecond, burst)
	h.accountLimits = append(h.accountLimits, b)
	return b
}

// renewLimits fills all buckets and begins the quotas of API keys anew.
func (h *house) renewLimits() {
	for _, b := range h.accountLimits {
		b.Refill()
	}
	for _, a := range h.apis {
		a.gateway.RenewLimits()
	}
}

// openAPIs makes a gateway, with its hub and its management endpoint, for each
// API.
func (h *house) openAPIs(context.Context) error {
	ids := apigw.NewIDs()
	// The account's limits are for all APIs together. Zero means none.
	var account, connects gateway.Limiter
	if l := h.cfg.Limits; l.Rate > 0 {
		account = h.accountLimit(float64(l.Rate), l.Burst)
	}
	if l := h.cfg.Limits; l.ConnectRate > 0 {
		connects = h.accountLimit(float64(l.ConnectRate), l.ConnectRate)
	}
	for _, a := range h.apis {
		fillKeys(a.declared, h.secrets.HandleKey)
		a.hub = conn.NewHub(h.cfg.Limits)
		a.http = &management.Server{Limits: h.cfg.Limits, Log: h.cfg.Log}
		backends := integration.New(integration.Config{
			Invoker: h.functions, Queue: h.lambda, AWS: "http://" + h.aws.Addr().String(), Credentials: h.secrets.Credentials,
			Region: h.cfg.Stack.Region, Account: h.cfg.Stack.Account, Limits: h.cfg.Limits,
			StageVariables: a.declared.Stage.Variables, Log: h.cfg.Log,
		})
		h.onClose(func() error { backends.Close(); return nil })
		var err error
		a.gateway, err = gateway.New(gateway.Config{
			API: a.declared, Domain: a.domain(), Region: h.cfg.Stack.Region, Account: h.cfg.Stack.Account,
			Limits: h.cfg.Limits, AccountLimit: account, ConnectLimit: connects, IDs: ids, Hub: a.hub,
			Backends: backends, Invoker: h.functions, Verifier: h.strict, HandOver: a.http.Hand, Feed: h.feed, Log: h.cfg.Log,
		})
		if err != nil {
			return err
		}
		a.http.Handler = a.gateway.Plain(&management.Handler{
			API: a.declared, Connections: a.hub, Verifier: h.strict, Limiter: account, Limits: h.cfg.Limits, Feed: h.feed, Log: h.cfg.Log,
		})
	}
	return nil
}

// httpServer bounds what a plain HTTP client may take.
func (h *house) httpServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		Protocols:         intercept.Protocols(),
		ReadHeaderTimeout: h.cfg.Limits.Handshake,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    h.cfg.Limits.MaxHead,
		ErrorLog:          quietly(h.cfg.Log),
	}
}

func (h *house) addresses() []Address {
	var out []Address
	for _, a := range h.apis {
		out = append(out, Address{Name: a.declared.Name, Stage: a.declared.Stage.Name, URL: a.url(), Callback: a.callback()})
	}
	return out
}
