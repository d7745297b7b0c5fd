package gateway

import (
	"net/http"
	"strconv"
	"strings"
)

// Plain answers the HTTP requests of an API's port that are no WebSocket
// handshakes: those for @connections go to their handler, others are told that
// the stage speaks WebSocket only (426), or that there is no such stage (403).
func (g *Gateway) Plain(connections http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.Contains(r.URL.Path, "/@connections"):
			connections.ServeHTTP(w, r)
		case isStage(g.deployed.Load().api, r.Host, r.URL.EscapedPath()):
			w.Header().Set("Upgrade", "websocket")
			w.Header().Set("Connection", "Upgrade")
			g.answer(w, http.StatusUpgradeRequired, "Upgrade Required")
		default:
			g.answer(w, http.StatusForbidden, "Forbidden")
		}
	})
}

func (g *Gateway) answer(w http.ResponseWriter, status int, text string) {
	body := messageBody(text)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("x-amzn-RequestId", g.IDs.Request())
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body)
}
