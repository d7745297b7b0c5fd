package gateway

import (
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/management"
)

// refusal is a handshake's HTTP answer other than 101.
type refusal struct {
	status int
	// kind is x-amzn-ErrorType; empty where the $connect integration decided.
	kind string
	body []byte
	// header is a further header line, with its CRLF.
	header string
	// why is for the feed.
	why string
}

// The error types of refusals: those of REST APIs ("Gateway response types" in
// the developer guide), since none is documented for WebSocket APIs.
const (
	badRequest          = "BadRequestException"
	unauthorized        = "UnauthorizedException"
	forbidden           = "ForbiddenException"
	accessDenied        = "AccessDeniedException"
	tooManyRequests     = "TooManyRequestsException"
	limitExceeded       = "LimitExceededException"
	unsupportedMedia    = "UnsupportedMediaTypeException"
	authorizerFailed    = "AuthorizerFailureException"
	authorizerMalformed = "AuthorizerConfigurationException"
	internalError       = "InternalServerErrorException"
)

// refuse makes a refusal whose body is {"message":"TEXT"}.
func refuse(status int, kind, text string) *refusal {
	return &refusal{status: status, kind: kind, body: messageBody(text), why: text}
}

// because says in the feed why a client was refused.
func (no *refusal) because(format string, args ...any) *refusal {
	no.why = fmt.Sprintf(format, args...)
	return no
}

func messageBody(text string) []byte {
	return awswire.MarshalJSON(struct {
		Message string `json:"message"`
	}{text})
}

// refuseWrite bounds how long a refused client may take to read its answer.
const refuseWrite = 5 * time.Second

// write answers a handshake with an HTTP status and closes the socket. 304 has
// no body (RFC 9110 section 15.4.5).
func (no *refusal) write(nc net.Conn, requestID string) {
	text := http.StatusText(no.status)
	if text == "" {
		text = "Status"
	}
	kind, body := "", no.body
	if no.kind != "" {
		kind = "x-amzn-ErrorType: " + no.kind + "\r\n"
	}
	if no.status == http.StatusNotModified {
		body = nil
	}
	out := fmt.Appendf(nil, "HTTP/1.1 %d %s\r\n%sContent-Type: application/json\r\nx-amzn-RequestId: %s\r\nx-amz-apigw-id: %s\r\n%sDate: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n",
		no.status, text, no.header, requestID, requestID, kind, time.Now().UTC().Format(http.TimeFormat), len(body))
	out = append(out, body...)
	nc.SetDeadline(time.Now().Add(refuseWrite))
	nc.Write(out)
	management.CloseGently(nc)
}
