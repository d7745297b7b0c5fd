package sns

import (
	"net/http"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/awswire"
)

// certificatePath begins the path of the certificate that signatures are
// checked with.
const certificatePath = "/SimpleNotificationService-"

// Links serves the links in messages (to confirm, to unsubscribe, to the
// certificate), which people and programs follow without a signature, and hands
// every other request on. Put it around the AWS endpoint, so that an endpoint
// that wants signatures is not asked about these. A confirmation carries its
// token; an unsubscription is refused when its subscription asks for signatures.
func (s *Service) Links(next http.Handler) http.Handler {
	unsigned := &awswire.Endpoint{Log: s.config.Log}
	unsigned.Register(s)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, certificatePath):
			s.serveCertificate(w, r)
		case isLink(r):
			unsigned.ServeHTTP(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// isLink reports whether a request is one that links in messages make: a GET
// without a body and without a signature, which a form cannot overrule.
func isLink(r *http.Request) bool {
	query := r.URL.Query()
	if r.Method != http.MethodGet || r.URL.Path != "/" || r.ContentLength != 0 || query.Get("Version") != apiVersion ||
		r.Header.Get("Authorization") != "" || query.Has("X-Amz-Credential") || len(query["Action"]) != 1 {
		return false
	}
	action := query.Get("Action")
	return action == "ConfirmSubscription" || action == "Unsubscribe"
}

func (s *Service) serveCertificate(w http.ResponseWriter, r *http.Request) {
	i, err := s.signer.ready()
	if err != nil {
		s.config.Log.Error("no certificate for messages", "error", err)
		http.Error(w, "The certificate could not be made.", http.StatusInternalServerError)
		return
	}
	if r.URL.Path != certificatePath+i.name+".pem" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/x-pem-file")
	w.Write(i.pem)
}
