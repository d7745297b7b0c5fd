package integration

import "errors"

// The errors of Call that a caller tells apart; compare with errors.Is.
var (
	// ErrMalformed: a proxy function's answer is not {statusCode, headers,
	// multiValueHeaders, body, isBase64Encoded}.
	ErrMalformed = errors.New("not a proxy answer {statusCode, headers, body}")
	// ErrUnsupportedMediaType: no request template matched, and the
	// PassthroughBehavior does not let the message through. HTTP 415.
	ErrUnsupportedMediaType = errors.New("no request template matches, and PassthroughBehavior does not let the message pass")
	// ErrNoResponse: no integration response matches the backend's answer, and
	// there is no "$default".
	ErrNoResponse = errors.New(`no integration response matches and there is no "$default"`)
)
