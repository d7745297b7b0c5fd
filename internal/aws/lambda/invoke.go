package lambda

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/awswire"
)

// The invocation types of Invoke.
const (
	kindSync   = "RequestResponse"
	kindEvent  = "Event"
	kindDryRun = "DryRun"
)

// maxClientContext is the largest client context, in bytes of base64.
const maxClientContext = 3583

// invoke is the operation Invoke ("Invoke" in the API reference).
func (s *Service) invoke(ctx context.Context, c *request) (*awswire.RESTAnswer, error) {
	kind, err := oneOf(c.Header.Get("X-Amz-Invocation-Type"), "invocationType", kindSync, kindEvent, kindDryRun)
	if err != nil {
		return nil, err
	}
	logs, err := oneOf(c.Header.Get("X-Amz-Log-Type"), "logType", "None", "Tail")
	if err != nil {
		return nil, err
	}
	f, ref, err := s.function(c, "InvokeFunction")
	if err != nil {
		return nil, err
	}
	in := Invocation{RequestID: c.RequestID}
	if in.ClientContext, err = clientContext(c.Header.Get("X-Amz-Client-Context")); err != nil {
		return nil, err
	}
	if in.Event, err = s.parseEvent(c.Body, kind); err != nil {
		return nil, err
	}
	switch kind {
	case kindDryRun:
		return &awswire.RESTAnswer{Status: http.StatusNoContent}, nil
	case kindEvent:
		if err := s.accept(ctx, f, ref, in, 0); err != nil {
			return nil, err
		}
		return &awswire.RESTAnswer{Status: http.StatusAccepted}, nil
	}
	return s.invokeNow(ctx, f, in, logs == "Tail")
}

// oneOf reads a header that has one of a few values, the first when it is not
// there.
func oneOf(value, member string, values ...string) (string, error) {
	if value == "" {
		return values[0], nil
	}
	list := ""
	for i, v := range values {
		if v == value {
			return v, nil
		}
		if i > 0 {
			list += ", "
		}
		list += v
	}
	return "", invalidMember(value, member, "Member must satisfy enum value set: ["+list+"]")
}

// clientContext reads the header X-Amz-Client-Context: a JSON object in base64.
// It goes into a header again, so it comes back in one line.
func clientContext(header string) ([]byte, error) {
	if header == "" {
		return nil, nil
	}
	var out bytes.Buffer
	text, err := base64.StdEncoding.DecodeString(header)
	if err == nil {
		err = json.Compact(&out, text)
	}
	if err != nil || len(header) > maxClientContext || !utf8.Valid(text) || out.Bytes()[0] != '{' {
		e := userError(http.StatusBadRequest, "InvalidRequestContentException", "Client context must be a valid Base64-encoded JSON object.")
		e.Fields["Type"] = nil // as Lambda answers
		return nil, e
	}
	return bytes.ReplaceAll(out.Bytes(), []byte("\x7f"), []byte(`\u007f`)), nil
}

// parseEvent checks the body of an invocation. No body is an empty object, as
// Lambda has it.
func (s *Service) parseEvent(body []byte, kind string) ([]byte, error) {
	limit := s.config.MaxSync
	if kind == kindEvent {
		limit = s.config.MaxAsync
	}
	if len(body) > limit {
		return nil, tooLarge(len(body), kind, limit)
	}
	if len(body) == 0 {
		return []byte("{}"), nil
	}
	if !utf8.Valid(body) {
		return nil, invalidContent("Could not parse request body into json: Could not parse payload into json: Invalid UTF-8")
	}
	var document json.RawMessage
	if err := json.Unmarshal(body, &document); err != nil {
		line, column := 1, 1
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			line, column = position(body, syntax.Offset)
		}
		return nil, invalidContent("Could not parse request body into json: Could not parse payload into json: %v\n at [Source: (byte[]); line: %d, column: %d]", err, line, column)
	}
	return body, nil
}

// position counts lines and columns from one.
func position(text []byte, offset int64) (line, column int) {
	before := text[:min(max(offset-1, 0), int64(len(text)))]
	return bytes.Count(before, []byte("\n")) + 1, len(before) - bytes.LastIndexByte(before, '\n')
}

// invokeNow waits for the function and answers what it answers. A function that
// fails is an answer, too.
func (s *Service) invokeNow(ctx context.Context, f Function, in Invocation, tail bool) (*awswire.RESTAnswer, error) {
	begun := time.Now()
	response, err := s.config.Functions.Invoke(ctx, f.Name, in)
	took := time.Since(begun)
	out := &awswire.RESTAnswer{Header: http.Header{"X-Amz-Executed-Version": {latest}}, Body: response}
	if err != nil {
		payload, failed := functionError(err)
		if !failed {
			return nil, err
		}
		out.Body = payload
		out.Header.Set("X-Amz-Function-Error", "Unhandled")
	}
	if tail {
		out.Header.Set("X-Amz-Log-Result", base64.StdEncoding.EncodeToString(s.tail(f, in.RequestID, took)))
	}
	return out, nil
}

// functionError returns the JSON document of a function's failure; false means
// that the error is another one.
func functionError(err error) ([]byte, bool) {
	with, ok := errors.AsType[interface {
		error
		ErrorPayload() []byte
	}](err)
	if ok {
		return with.ErrorPayload(), true
	}
	if !errors.Is(err, apigw.ErrFunction) {
		return nil, false
	}
	return awswire.MarshalJSON(map[string]string{"errorMessage": err.Error()}), true
}

// invokeAsync is the operation InvokeAsync, which Invoke with the type Event has
// replaced.
func (s *Service) invokeAsync(ctx context.Context, c *request) (*awswire.RESTAnswer, error) {
	f, ref, err := s.function(c, "InvokeAsync")
	if err != nil {
		return nil, err
	}
	in := Invocation{RequestID: c.RequestID}
	if in.Event, err = s.parseEvent(c.Body, kindEvent); err != nil {
		return nil, err
	}
	if err := s.accept(ctx, f, ref, in, 0); err != nil {
		return nil, err
	}
	return &awswire.RESTAnswer{Status: http.StatusAccepted}, nil
}
