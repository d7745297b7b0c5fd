package fallback

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
)

func TestHandle(t *testing.T) {
	for _, tt := range []struct{ name, body, want string }{
		{"unknown", `{"action":"x"}`, `{"message":"unknown action \"x\"; known: echo, send"}`},
		{"empty action", `{"action":""}`, `{"message":"unknown action \"\"; known: echo, send"}`},
		{"quotes", `{"action":"a\"b\n"}`, `{"message":"unknown action \"a\\\"b\\n\"; known: echo, send"}`},
		{"no action", `{"data":1}`, `{"message":"the message has no \"action\"; known: echo, send"}`},
		{"number", `{"action":1}`, `{"message":"the message's \"action\" is not a string; known: echo, send"}`},
		{"array", `[1]`, `{"message":"the message is not a JSON object with an \"action\"; known: echo, send"}`},
		{"text", `hello`, `{"message":"the message is not a JSON object with an \"action\"; known: echo, send"}`},
		{"nothing", ``, `{"message":"the message is not a JSON object with an \"action\"; known: echo, send"}`},
		{"null", `null`, `{"message":"the message has no \"action\"; known: echo, send"}`},
		{"long", `{"action":"` + strings.Repeat("é", 40) + `"}`, `{"message":"unknown action \"` + strings.Repeat("é", 32) + `…\"; known: echo, send"}`},
		{"long, cut in a character", `{"action":"x` + strings.Repeat("é", 40) + `"}`, `{"message":"unknown action \"x` + strings.Repeat("é", 31) + `…\"; known: echo, send"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			h := New([]string{"echo", "send"}, slog.New(slog.NewJSONHandler(&log, nil)))
			in := events.APIGatewayWebsocketProxyRequest{Body: tt.body}
			in.RequestContext.ConnectionID = "c="
			out, err := h.Handle(t.Context(), in)
			if err != nil || out.StatusCode != 200 {
				t.Fatalf("answered %d, %v", out.StatusCode, err)
			}
			if strings.TrimSpace(out.Body) != tt.want {
				t.Errorf("answered %s, want %s", out.Body, tt.want)
			}
			if text := log.String(); !strings.Contains(text, `"connectionId":"c="`) || strings.Contains(text, "xé") {
				t.Errorf("logged %s", text)
			}
		})
	}
}

func FuzzHandle(f *testing.F) {
	f.Add(`{"action":"x"}`)
	f.Add(`{"action":"` + strings.Repeat("\xff", 100) + `"}`)
	f.Fuzz(func(t *testing.T, body string) {
		out, err := New([]string{"echo"}, slog.New(slog.DiscardHandler)).Handle(t.Context(), events.APIGatewayWebsocketProxyRequest{Body: body})
		var answer struct{ Message string }
		if err != nil || json.Unmarshal([]byte(out.Body), &answer) != nil || answer.Message == "" || len(out.Body) > 1000 {
			t.Errorf("answered %q, %v", out.Body, err)
		}
	})
}
