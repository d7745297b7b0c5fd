package push_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/gatepost-dev/gatepost/push"
)

func TestCoalescing(t *testing.T) {
	for _, tt := range []struct {
		name     string
		mode     push.Coalescing
		messages []string
		posts    []string
		refused  []int
	}{
		{"separately", push.Separately, []string{"a", "b\nc", ""}, []string{"a", "b\nc", ""}, nil},
		{"lines", push.Lines, []string{"a", "", `{"n":1}`}, []string{"a\n\n" + `{"n":1}`}, nil},
		{"one line", push.Lines, []string{"a"}, []string{"a"}, nil},
		{"a line break", push.Lines, []string{"a", "b\nc", "d"}, []string{"a\nd"}, []int{1}},
		{"array", push.Array, []string{`{"n": 1}`, `"x"`, "2"}, []string{`[{"n": 1},"x",2]`}, nil},
		{"array of one", push.Array, []string{"1"}, []string{"[1]"}, nil},
		{"no JSON", push.Array, []string{"a", "1", "", "2 3"}, []string{"[1]"}, []int{0, 2, 3}},
		{"no message fits", push.Array, []string{"a"}, nil, []int{0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var clients inbox
			p := publisherOf(roster(t, "ann", "bob"), &clients)
			p.Coalescing = tt.mode
			for i, r := range p.PublishBatch(t.Context(), push.Everyone, bytesOf(tt.messages)) {
				refused := slices.Contains(tt.refused, i)
				if errors.Is(r.Err, push.ErrFrame) != refused || !refused && r.Sent != 2 {
					t.Errorf("message %d: %+v", i, r)
				}
			}
			for _, id := range []string{"ann", "bob"} {
				if !slices.Equal(clients.got[id], tt.posts) {
					t.Errorf("%s got %q, want %q", id, clients.got[id], tt.posts)
				}
			}
		})
	}
}

func publisherOf(rows push.Roster, clients *inbox) *push.Publisher {
	return &push.Publisher{Roster: rows, Log: quiet(), Poster: posterFunc(func(_ context.Context, id string, data []byte) error {
		clients.put(id, data)
		return nil
	})}
}

func bytesOf(messages []string) (out [][]byte) {
	for _, m := range messages {
		out = append(out, []byte(m))
	}
	return out
}

// Whatever the messages, a client finds them again in the frames, in order and
// byte for byte, and no frame of several is larger than MaxFrame.
func TestCoalescingKeepsMessages(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		mode := rapid.SampledFrom([]push.Coalescing{push.Lines, push.Array}).Draw(rt, "mode")
		var messages []string
		for range rapid.IntRange(1, 12).Draw(rt, "messages") {
			size := rapid.SampledFrom([]int{0, 1, 1000, 20_000, push.MaxFrame - 2, push.MaxFrame, push.MaxMessage - 4}).Draw(rt, "size")
			messages = append(messages, `"`+strings.Repeat("x", size)+`"`)
		}
		var clients inbox
		p := publisherOf(roster(t, "ann"), &clients)
		p.Coalescing = mode
		for i, r := range p.PublishBatch(t.Context(), push.Everyone, bytesOf(messages)) {
			if r.Sent != 1 {
				rt.Fatalf("message %d: %+v", i, r)
			}
		}
		var got []string
		for _, post := range clients.got["ann"] {
			here := strings.Split(post, "\n")
			if mode == push.Array {
				here = arrayOf(rt, post)
			}
			if len(post) > push.MaxFrame && len(here) > 1 {
				rt.Fatalf("a frame of %d messages has %d bytes", len(here), len(post))
			}
			got = append(got, here...)
		}
		if !slices.Equal(got, messages) {
			rt.Fatalf("got %d messages, want %d, or they differ", len(got), len(messages))
		}
	})
}

func arrayOf(rt *rapid.T, post string) (out []string) {
	var all []json.RawMessage
	if err := json.Unmarshal([]byte(post), &all); err != nil {
		rt.Fatal(err)
	}
	for _, m := range all {
		out = append(out, string(m))
	}
	return out
}

// In an array a message of exactly 128 KB has no room for the brackets.
func TestCoalescingTooLarge(t *testing.T) {
	var clients inbox
	p := publisherOf(roster(t, "ann"), &clients)
	p.Coalescing = push.Array
	message := []byte(`"` + strings.Repeat("x", push.MaxMessage-2) + `"`)
	if _, err := p.Publish(t.Context(), push.Everyone, message); !errors.Is(err, push.ErrTooLarge) || len(clients.got) != 0 {
		t.Errorf("error %v, %d posts", err, len(clients.got))
	}
}
