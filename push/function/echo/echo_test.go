package echo

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
)

func TestHandle(t *testing.T) {
	for body, want := range map[string]string{
		`{"action":"echo","data":"hi \"there\"\n"}`:      "hi \"there\"\n",
		`{"action":"echo","data":{"b" : 1.0, "a":[ 2]}}`: `{"b" : 1.0, "a":[ 2]}`,
		`{"action":"echo","data":12345678901234567890}`:  `12345678901234567890`,
		`{"action":"echo","data":null}`:                  `null`,
		`{"action":"echo","data":""}`:                    ``,
		`{"action":"echo","Data":"other"}`:               `{"action":"echo","Data":"other"}`,
		`{"action":"echo"}`:                              `{"action":"echo"}`,
		`[1]`:                                            `[1]`,
		`not JSON`:                                       `not JSON`,
		``:                                               ``,
	} {
		var log bytes.Buffer
		out, err := New(slog.New(slog.NewJSONHandler(&log, nil))).Handle(t.Context(), events.APIGatewayWebsocketProxyRequest{Body: body})
		if err != nil || out.StatusCode != 200 || out.Body != want {
			t.Errorf("%s answered %d %q, %v; want %q", body, out.StatusCode, out.Body, err, want)
		}
		if strings.Contains(log.String(), "there") {
			t.Errorf("logged the payload: %s", log.String())
		}
	}
}
