package disconnect

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/gatepost-dev/gatepost/push"
)

const event = `{"headers":{"Host":"abcdefghij.execute-api.eu-west-1.amazonaws.com","x-api-key":"","X-Forwarded-For":"","x-restapi":""},
 "multiValueHeaders":{"Host":["abcdefghij.execute-api.eu-west-1.amazonaws.com"],"x-api-key":[""],"X-Forwarded-For":[""],"x-restapi":[""]},
 "requestContext":{"routeKey":"$disconnect","disconnectStatusCode":1005,"eventType":"DISCONNECT","extendedRequestId":"RYG0LEicPHcFo_A=",
   "requestTime":"30/Apr/2022:04:16:26 +0000","messageDirection":"IN","disconnectReason":"Client-side close frame status not set",
   "stage":"dev","connectedAt":1651292179479,"requestTimeEpoch":1651292186555,
   "identity":{"userAgent":"...","sourceIp":"203.0.113.7"},"requestId":"RYG0LEicPHcFo_A=",
   "domainName":"abcdefghij.execute-api.eu-west-1.amazonaws.com","connectionId":"RYGzEcSNvHcCH8A=","apiId":"abcdefghij"},
 "isBase64Encoded":false}`

func read(t *testing.T) events.APIGatewayWebsocketProxyRequest {
	t.Helper()
	var in events.APIGatewayWebsocketProxyRequest
	if err := json.Unmarshal([]byte(event), &in); err != nil {
		t.Fatal(err)
	}
	return in
}

func TestHandle(t *testing.T) {
	rows := push.NewMemory(push.MemoryOptions{})
	for _, id := range []string{"RYGzEcSNvHcCH8A=", "other="} {
		if err := rows.Add(t.Context(), push.Connection{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	h := New(rows, slog.New(slog.DiscardHandler))
	for range 2 { // the second finds nothing to do
		out, err := h.Handle(t.Context(), read(t))
		if err != nil || out.StatusCode != 200 {
			t.Errorf("answered %d, %v", out.StatusCode, err)
		}
		var left []string
		for c := range rows.All(t.Context()) {
			left = append(left, c.ID)
		}
		if len(left) != 1 || left[0] != "other=" {
			t.Errorf("left are %q", left)
		}
	}
}

type broken struct{ *push.Memory }

func (broken) Remove(context.Context, string) error { return errors.New("throughput exceeded") }

func TestHandleFails(t *testing.T) {
	_, err := New(broken{}, slog.New(slog.DiscardHandler)).Handle(t.Context(), read(t))
	if err == nil || !strings.Contains(err.Error(), "throughput exceeded") || !strings.Contains(err.Error(), "RYGzEcSNvHcCH8A=") {
		t.Errorf("the error is %v", err)
	}
}
