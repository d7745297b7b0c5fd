package gatepost

import (
	"crypto/subtle"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/gatepost-dev/gatepost/internal/console"
)

// resetPath is where the AWS endpoint's port takes resets.
const resetPath = "/_gatepost/reset"

// beforeReset answers POST /_gatepost/reset and hands all else to next.
//
// Who may call it: a program on this machine, when the port is bound to loopback,
// and whoever has the admin token. A browser may not, whatever page it shows: it
// sends Origin or Sec-Fetch-Site with every POST, also with those that need no
// leave of ours, and a name of the page's own that resolves to 127.0.0.1 stands in
// Host.
func (h *house) beforeReset(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != resetPath {
			next.ServeHTTP(w, r)
			return
		}
		if status, why := h.refuseReset(r); status != 0 {
			if status == http.StatusMethodNotAllowed {
				w.Header().Set("Allow", http.MethodPost)
			}
			refuse(w, status, why)
			return
		}
		o, err := resetOptions(r.URL.Query())
		if err != "" {
			refuse(w, http.StatusBadRequest, err)
			return
		}
		report, failed := h.reset(r.Context(), o)
		if failed != nil {
			h.cfg.Log.Error("a reset failed", "error", failed)
			refuse(w, http.StatusInternalServerError, "Not everything could be emptied: "+failed.Error())
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(report)
	})
}

// refuseReset says why a request may not reset anything; status 0 is that it may.
func (h *house) refuseReset(r *http.Request) (status int, why string) {
	given, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	hasToken := subtle.ConstantTimeCompare([]byte(given), []byte(h.secrets.AdminToken)) == 1
	switch {
	case r.Method != http.MethodPost:
		return http.StatusMethodNotAllowed, "A reset is a POST."
	case !h.cfg.AllowReset:
		return http.StatusForbidden, "Resets are switched off here: --reset on, or Config.AllowReset, switches them on."
	case fromBrowser(r):
		return http.StatusForbidden, "A web page may not reset anything; call from a program."
	case hasToken:
		return 0, ""
	case !isLoopback(h.aws.Addr()) || !console.IsLoopback(r.Host):
		return http.StatusUnauthorized, "On an address that is not loopback a reset needs the token of the data folder's credentials.json: Authorization: Bearer TOKEN."
	}
	return 0, ""
}

// fromBrowser tells a browser by headers that pages cannot take away.
func fromBrowser(r *http.Request) bool {
	for name := range r.Header {
		if name == "Origin" || strings.HasPrefix(name, "Sec-Fetch-") {
			return true
		}
	}
	return false
}

func isLoopback(at net.Addr) bool {
	tcp, ok := at.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// resetOptions reads ?connections=close|keep&functions=renew|keep. A misspelt
// parameter must not empty more than was meant, or less.
func resetOptions(query url.Values) (o ResetOptions, wrong string) {
	for name, values := range query {
		switch name + "=" + strings.Join(values, ",") {
		case "connections=close":
			o.CloseConnections = true
		case "functions=keep":
			o.KeepFunctions = true
		case "connections=keep", "functions=renew":
		default:
			return o, "The parameters are connections=keep or close, and functions=renew or keep."
		}
	}
	return o, ""
}

func refuse(w http.ResponseWriter, status int, why string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"message": why})
}

// turnstile counts the AWS calls under way, and holds new ones while a reset
// empties what they are about.
type turnstile struct {
	mu     sync.Mutex
	inside int
	held   chan struct{} // closed when it opens; nil while it is open
	empty  chan struct{} // closed when inside is 0; nil when nobody waits for that
}

// before lets requests through to next.
func (t *turnstile) before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leave := t.enter(r)
		if leave == nil {
			return // its caller has gone
		}
		defer leave()
		next.ServeHTTP(w, r)
	})
}

// enter waits until the turnstile is open. Nobody need wait for the end of calls
// that may take long by their nature and change nothing while they wait.
func (t *turnstile) enter(r *http.Request) (leave func()) {
	counts := r.Header.Get("X-Amz-Target") != "AmazonSQS.ReceiveMessage" && !strings.HasPrefix(r.URL.Path, "/2015-03-31/functions/")
	for {
		t.mu.Lock()
		held := t.held
		if held == nil && counts {
			t.inside++
		}
		t.mu.Unlock()
		switch {
		case held == nil && counts:
			return t.leave
		case held == nil:
			return func() {}
		}
		select {
		case <-held:
		case <-r.Context().Done():
			return nil
		}
	}
}

func (t *turnstile) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.inside--; t.inside == 0 && t.empty != nil {
		close(t.empty)
		t.empty = nil
	}
}

// hold lets nobody in until open is called, and returns when those inside have
// left, or the time is over. One hold at a time.
func (t *turnstile) hold(within time.Duration) (open func()) {
	t.mu.Lock()
	held := make(chan struct{})
	t.held = held
	empty := make(chan struct{})
	if t.inside == 0 {
		close(empty)
	} else {
		t.empty = empty
	}
	t.mu.Unlock()
	over := time.NewTimer(within)
	defer over.Stop()
	select {
	case <-empty:
	case <-over.C:
	}
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.held, t.empty = nil, nil
		close(held)
	}
}
