package function

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

func TestPrepare(t *testing.T) {
	for _, tt := range []struct {
		name  string
		vars  map[string]string
		err   error
		print string
	}{
		{"fine", map[string]string{"A": "1", "B": "2"}, nil, ""},
		{"two problems", nil, nil, "A is not set: it must hold a.\nB is not set: it must hold b.\n"},
		{"an error", map[string]string{"A": "1", "B": "2"}, errors.New("no configuration"), "no configuration\n"},
		{"both", map[string]string{"A": "1"}, errors.New("no configuration"), "B is not set: it must hold b.\nno configuration\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			build := func(_ context.Context, env *Environment) (Handler[string, string], error) {
				env.Text("A", "a")
				env.Text("B", "b")
				return func(_ context.Context, in string) (string, error) { return in + "!", nil }, tt.err
			}
			handler, ok := prepare(t.Context(), environment(tt.vars), build, &out)
			if ok != (tt.print == "") || out.String() != tt.print {
				t.Fatalf("ok is %v, printed %q, want %q", ok, out.String(), tt.print)
			}
			if got, err := handler(t.Context(), "x"); err != nil || got != "x!" {
				t.Errorf("the handler answered %q, %v", got, err)
			}
		})
	}
}

func TestWithRequest(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, nil))
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "req-1"})
	WithRequest(ctx, log).Info("x")
	WithRequest(t.Context(), log).Info("y")
	if lines := strings.Split(out.String(), "\n"); !strings.Contains(lines[0], `"requestId":"req-1"`) || strings.Contains(lines[1], "requestId") {
		t.Errorf("logged %q", lines)
	}
}

func TestDeadline(t *testing.T) {
	for timeout, want := range map[time.Duration]time.Duration{
		5 * time.Second: 4500 * time.Millisecond,
		time.Second:     750 * time.Millisecond,
		-time.Second:    -time.Second,
	} {
		synctest.Test(t, func(t *testing.T) {
			invocation, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			ctx, cancel := Deadline(invocation)
			defer cancel()
			if end, ok := ctx.Deadline(); !ok || time.Until(end) != want {
				t.Errorf("%v leaves %v, want %v", timeout, time.Until(end), want)
			}
		})
	}
	ctx, cancel := Deadline(t.Context())
	defer cancel()
	if _, ok := ctx.Deadline(); ok || ctx.Err() != nil {
		t.Error("without a deadline there is one, or an error")
	}
}
