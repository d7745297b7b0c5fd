package client

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// MaxChunks is the most chunks of one message.
	MaxChunks = 1024

	maxChunkID = 64 // characters
)

// ErrChunk says that a message cannot be split, or that a chunk cannot be one of
// its message.
var ErrChunk = errors.New("client: wrong chunk")

// Split says how a message is split; the zero value is fine.
type Split struct {
	// Action is the action of each chunk, which chooses its route; "chunk".
	Action string
	// ID is what the message is known by, at most 64 characters; random.
	ID string
	// MaxFrame bounds a frame and MaxMessage the message, in bytes; the
	// constants of those names.
	MaxFrame, MaxMessage int
}

// chunk is a frame with a part of a message.
type chunk struct {
	Action string    `json:"action"`
	Chunk  chunkPart `json:"chunk"`
	Data   string    `json:"data"`
}

type chunkPart struct {
	ID    string `json:"id"`
	Index int    `json:"index"`
	Count int    `json:"count"`
}

// frame is the chunk's JSON, without the escapes that only HTML needs.
func (c chunk) frame() string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(c); err != nil {
		panic(err) // strings and numbers always encode
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// Frames splits a message into frames of at most MaxFrame bytes, to be sent one
// after the other. One that fits is returned as it is. What is not UTF-8 is
// replaced by U+FFFD. Its errors are ErrChunk and ErrTooLarge.
func (s Split) Frames(text string) ([]string, error) {
	s.Action, s.ID = orElse(s.Action, "chunk"), orElse(s.ID, rand.Text())
	s.MaxFrame, s.MaxMessage = orElse(s.MaxFrame, MaxFrame), orElse(s.MaxMessage, MaxMessage)
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) > s.MaxMessage {
		return nil, fmt.Errorf("%w: it has %d bytes, more than %d", ErrTooLarge, len(text), s.MaxMessage)
	}
	if utf8.RuneCountInString(s.ID) > maxChunkID {
		return nil, fmt.Errorf("%w: the id of a message has 1 to %d characters", ErrChunk, maxChunkID)
	}
	if len(text) <= s.MaxFrame {
		return []string{text}, nil
	}
	room := s.MaxFrame - len(chunk{s.Action, chunkPart{s.ID, MaxChunks, MaxChunks}, ""}.frame())
	if room < 6 {
		return nil, fmt.Errorf("%w: a frame of %d bytes has no room for one", ErrChunk, s.MaxFrame)
	}
	pieces := cut(text, room)
	if len(pieces) > MaxChunks {
		return nil, fmt.Errorf("%w: the message takes %d, more than %d", ErrChunk, len(pieces), MaxChunks)
	}
	frames := make([]string, len(pieces))
	for i, piece := range pieces {
		frames[i] = chunk{s.Action, chunkPart{s.ID, i, len(pieces)}, piece}.frame()
	}
	return frames, nil
}

// cut cuts between characters so that each piece takes at most room bytes in
// JSON.
func cut(text string, room int) []string {
	var pieces []string
	begin, used := 0, 0
	for at, character := range text {
		size := bytesInJSON(character)
		if used+size > room {
			pieces = append(pieces, text[begin:at])
			begin, used = at, 0
		}
		used += size
	}
	return append(pieces, text[begin:])
}

// bytesInJSON is what a character takes in a JSON string at most.
func bytesInJSON(c rune) int {
	switch {
	case c < 0x20, c == 0x7f, c == '\u2028', c == '\u2029':
		return 6
	case c == '"', c == '\\':
		return 2
	}
	return utf8.RuneLen(c)
}

// Joiner joins what Split, or the client for browsers, has made of messages.
// Chunks may come in any order, more than once, and between those of other
// messages. Use one for each connection that is heard, or for each sender. Its
// zero value is ready. It is not for use by several goroutines at once.
type Joiner struct {
	// MaxMessage bounds a joined message, in bytes; the constant of that name.
	MaxMessage int
	// MaxMessages are joined at once; past it the oldest is dropped; 16.
	MaxMessages int
	// MaxAge is how long a message may take from its first chunk, or else it is
	// dropped; a minute.
	MaxAge time.Duration

	messages []*partial // the oldest first
}

// partial is a message of which chunks are missing.
type partial struct {
	id      string
	begun   time.Time
	pieces  []string
	there   []bool
	missing int
	bytes   int
}

// Add takes a frame and returns the message that it completes, with true. A
// frame that is no chunk is returned as it is. A chunk that cannot be one of its
// message gives ErrChunk or ErrTooLarge, and the message is dropped as a whole.
func (j *Joiner) Add(frame string) (string, bool, error) {
	part, data, ok, err := parseChunk(frame)
	if !ok || err != nil {
		return frame, err == nil, err
	}
	j.forgetOld()
	m := j.find(part)
	if err := m.put(part, data, orElse(j.MaxMessage, MaxMessage)); err != nil {
		j.forget(m)
		return "", false, err
	}
	if m.missing > 0 {
		return "", false, nil
	}
	j.forget(m)
	return strings.Join(m.pieces, ""), true, nil
}

// find is the message of a chunk, begun if need be.
func (j *Joiner) find(part chunkPart) *partial {
	for _, m := range j.messages {
		if m.id == part.ID {
			return m
		}
	}
	if len(j.messages) >= orElse(j.MaxMessages, 16) {
		j.forget(j.messages[0])
	}
	m := &partial{id: part.ID, begun: time.Now(), pieces: make([]string, part.Count), there: make([]bool, part.Count), missing: part.Count}
	j.messages = append(j.messages, m)
	return m
}

func (j *Joiner) forget(m *partial) {
	for i, other := range j.messages {
		if other == m {
			j.messages = append(j.messages[:i:i], j.messages[i+1:]...)
			return
		}
	}
}

func (j *Joiner) forgetOld() {
	for len(j.messages) > 0 && time.Since(j.messages[0].begun) > orElse(j.MaxAge, time.Minute) {
		j.forget(j.messages[0])
	}
}

func (m *partial) put(part chunkPart, data string, most int) error {
	if part.Count != len(m.pieces) || part.Index >= part.Count {
		return fmt.Errorf("%w: number %d of %d does not belong to the message %q of %d", ErrChunk, part.Index, part.Count, m.id, len(m.pieces))
	}
	if m.there[part.Index] {
		return nil // it has come before
	}
	if m.bytes += len(data); m.bytes > most {
		return fmt.Errorf("%w: the message %q has more than %d bytes", ErrTooLarge, m.id, most)
	}
	m.pieces[part.Index], m.there[part.Index] = data, true
	m.missing--
	return nil
}

// parseChunk finds the chunk in a frame; false for any other message. Names
// count in their own case, as in every other language.
func parseChunk(frame string) (part chunkPart, data string, ok bool, err error) {
	if !strings.Contains(frame, `"chunk"`) {
		return part, "", false, nil
	}
	var whole, inner map[string]json.RawMessage
	var index, count float64
	if !is(json.RawMessage(frame), &whole) || !is(whole["chunk"], &inner) || !is(whole["data"], &data) ||
		!is(inner["id"], &part.ID) || !is(inner["index"], &index) || !is(inner["count"], &count) {
		return part, "", false, nil
	}
	if math.Trunc(index) != index || math.Trunc(count) != count {
		return part, "", false, nil
	}
	if part.ID == "" || utf8.RuneCountInString(part.ID) > maxChunkID || index < 0 || count < 1 || count > MaxChunks || index > MaxChunks {
		return part, "", true, fmt.Errorf("%w: a message has an id of 1 to %d characters and 1 to %d chunks", ErrChunk, maxChunkID, MaxChunks)
	}
	part.Index, part.Count = int(index), int(count)
	return part, data, true, nil
}

// is decodes a value, and says whether it is there and of the sort.
func is(text json.RawMessage, to any) bool {
	return len(text) > 0 && string(text) != "null" && json.Unmarshal(text, to) == nil
}
