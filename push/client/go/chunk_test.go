package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"
)

// join is all that comes out of a joiner.
func join(j *Joiner, frames []string) (joined []string, err error) {
	for _, frame := range frames {
		text, whole, err := j.Add(frame)
		if err != nil {
			return joined, err
		}
		if whole {
			joined = append(joined, text)
		}
	}
	return joined, nil
}

// The client for browsers is held to the same cases.
func TestJoined(t *testing.T) {
	text, err := os.ReadFile("../testdata/chunks.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name       string
		MaxMessage int
		Frames     []string
		Joined     []string
		Fails      bool
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			joined, err := join(&Joiner{MaxMessage: c.MaxMessage}, c.Frames)
			if c.Fails != (err != nil) || !c.Fails && !reflect.DeepEqual(joined, c.Joined) {
				t.Errorf("got %q, %v", joined, err)
			}
			if err != nil && !errors.Is(err, ErrChunk) && !errors.Is(err, ErrTooLarge) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

var parts = []string{"plain ", `"\`, "\x01\n\x7f", "é", "€", "😀", "\u2028", "<&>", "plenty\xff", "日本語"}

func TestEveryFrameKeepsToItsSize(t *testing.T) {
	for _, part := range parts {
		text := strings.Repeat(part, 100_000/len(part))
		frames, err := Split{Action: "say"}.Frames(text)
		if err != nil || len(frames) < 4 {
			t.Fatalf("%q: %d frames, %v", part, len(frames), err)
		}
		for _, frame := range frames {
			if len(frame) > MaxFrame || !strings.HasPrefix(frame, `{"action":"say","chunk":{"id":"`) {
				t.Errorf("%q: %d bytes, %.50s", part, len(frame), frame)
			}
		}
		joined, err := join(&Joiner{}, frames)
		if want := strings.ToValidUTF8(text, "\uFFFD"); err != nil || len(joined) != 1 || joined[0] != want {
			t.Errorf("%q: joined to %d messages, %v", part, len(joined), err)
		}
	}
}

func TestWhatFitsIsLeftAsItIsAndWhatCannotBeSplitIsRefused(t *testing.T) {
	text := strings.Repeat("x", MaxFrame)
	frames, err := Split{}.Frames(text)
	same(t, frames, []string{text})
	same(t, err, nil)
	for name, c := range map[string]struct {
		split Split
		size  int
		want  error
	}{
		"too large":       {Split{}, MaxMessage + 1, ErrTooLarge},
		"no room":         {Split{MaxFrame: 20}, 400, ErrChunk},
		"too long an id":  {Split{ID: strings.Repeat("y", 65)}, MaxMessage, ErrChunk},
		"too many chunks": {Split{ID: "y", MaxFrame: 80}, 20 * MaxChunks, ErrChunk},
	} {
		if _, err := c.split.Frames(strings.Repeat("x", c.size)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheJoinerIsBoundedInMessagesAndInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		half := func(id string, index int) string {
			return chunk{"x", chunkPart{id, index, 2}, id}.frame()
		}
		j := &Joiner{MaxMessages: 2}
		joined, err := join(j, []string{half("a", 0), half("b", 0), half("c", 0), half("b", 1), half("c", 1), half("a", 1)})
		same(t, joined, []string{"bb", "cc"})
		same(t, err, nil)
		time.Sleep(time.Minute + 1)
		joined, _ = join(j, []string{half("a", 0), half("a", 1)})
		same(t, joined, []string{"aa"})
	})
}

// What the client for browsers splits is joined here.
func TestSplitInJavaScript(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("Node is not there: install Node 20 or newer")
		}
		t.Skip("Node is not there: install Node 20 or newer")
	}
	program := `import { readFileSync } from "node:fs";
		import { split } from "../js/chunks.js";
		for (const text of JSON.parse(readFileSync(0))) console.log(JSON.stringify(split(text)));`
	var texts []string
	for _, part := range parts {
		texts = append(texts, strings.Repeat(strings.ToValidUTF8(part, ""), 6_000))
	}
	given, _ := json.Marshal(texts)
	cmd := exec.CommandContext(t.Context(), "node", "--input-type=module", "-e", program)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(given), t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	same(t, len(lines), len(texts))
	for i, line := range lines {
		var frames []string
		if err := json.Unmarshal([]byte(line), &frames); err != nil {
			t.Fatal(err)
		}
		joined, err := join(&Joiner{}, frames)
		if err != nil || len(joined) != 1 || joined[0] != texts[i] {
			t.Errorf("%q: joined to %d messages, %v", parts[i], len(joined), err)
		}
	}
}

func FuzzJoiner(f *testing.F) {
	f.Add(`{"chunk":{"id":"m","index":0,"count":2},"data":"a"}`, `{"chunk":{"id":"m","index":1,"count":2},"data":"b"}`)
	f.Add(`{"chunk":{"id":"m","index":1e9,"count":1}}`, "")
	f.Fuzz(func(t *testing.T, a, b string) {
		j := &Joiner{MaxMessage: 100}
		for _, frame := range []string{a, b, a} {
			text, whole, err := j.Add(frame)
			if err == nil && whole && text != frame && len(text) > 100 {
				t.Errorf("joined %d bytes", len(text))
			}
		}
		if len(j.messages) > 3 {
			t.Errorf("%d messages are kept", len(j.messages))
		}
	})
}

func FuzzSplit(f *testing.F) {
	f.Add("hello", 120)
	f.Add(strings.Join(parts, ""), 130)
	f.Fuzz(func(t *testing.T, text string, most int) {
		if most <= 0 || most > 1000 {
			return
		}
		frames, err := Split{ID: "m", MaxFrame: most}.Frames(text)
		if err != nil {
			return
		}
		for _, frame := range frames {
			if len(frame) > most {
				t.Fatalf("a frame of %d bytes, more than %d", len(frame), most)
			}
		}
		if len(frames) == 1 {
			return
		}
		joined, err := join(&Joiner{}, frames)
		if err != nil || len(joined) != 1 || utf8.ValidString(text) && joined[0] != text {
			t.Fatalf("joined to %q, %v", joined, err)
		}
	})
}
