package push

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// Coalescing says how several messages of one PublishBatch are put into one
// post. API Gateway meters every 32 KB that are begun, so that many small
// messages cost less together. It is off by default, because the client must
// know of it. The messages' bytes stay as they are, and so does their order; a
// frame holds at most MaxFrame bytes, or one message.
type Coalescing int

const (
	// Separately posts each message by itself.
	Separately Coalescing = iota
	// Lines joins messages by "\n": a client splits what it gets at line
	// breaks. A message that has a line break itself is refused with ErrFrame.
	Lines
	// Array makes every post a JSON array of its messages, "[m1,m2]", also when
	// it has only one. A message that is not JSON is refused with ErrFrame.
	Array
)

// ErrFrame says that a message cannot be part of a frame of the Publisher's
// Coalescing.
var ErrFrame = errors.New("push: the message does not fit into a joint frame")

// around is what a mode puts around and between messages.
func (c Coalescing) around() (open, between, end string) {
	switch c {
	case Lines:
		return "", "\n", ""
	case Array:
		return "[", ",", "]"
	}
	return "", "", ""
}

// refuse says why a message cannot be posted in this mode, or nil.
func (c Coalescing) refuse(data []byte) error {
	open, _, end := c.around()
	switch size := len(open) + len(data) + len(end); {
	case size > MaxMessage:
		return tooLarge(size)
	case c == Lines && bytes.IndexByte(data, '\n') >= 0:
		return fmt.Errorf("%w: it has a line break, at which its client would split it", ErrFrame)
	case c == Array && !json.Valid(data):
		return fmt.Errorf("%w: it is not JSON, and cannot stand in a JSON array", ErrFrame)
	}
	return nil
}

// frame is what one post carries.
type frame struct {
	data []byte
	// messages are the indexes of the messages in it, in order.
	messages []int
}

// frames puts the messages that are not refused into frames.
func (c Coalescing) frames(messages [][]byte, refused func(i int) bool) []frame {
	var all []frame
	open, between, end := c.around()
	var now frame
	finish := func() {
		if len(now.messages) > 0 {
			now.data = append(now.data, end...)
			all = append(all, now)
		}
		now = frame{}
	}
	for i, data := range messages {
		if refused(i) {
			continue
		}
		if c == Separately {
			all = append(all, frame{data, []int{i}})
			continue
		}
		if len(now.data)+len(between)+len(data)+len(end) > MaxFrame {
			finish()
		}
		if len(now.messages) == 0 {
			now.data = append(now.data, open...)
		} else {
			now.data = append(now.data, between...)
		}
		now.data = append(now.data, data...)
		now.messages = append(now.messages, i)
	}
	finish()
	return all
}
