package sqs

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"github.com/gatepost-dev/gatepost/internal/bus"
)

// macSize is how much of the HMAC a receipt handle carries, in bytes.
const macSize = 16

// maxHandle is the longest receipt handle that is looked at; ours have about
// 250 characters, AWS's up to 1,024.
const maxHandle = 1024

// seal wraps receipts into handles that cannot be made up: a handle names an
// internal subject of the bus, and whoever could write one freely could delete
// what others received. It is URL-safe base64 of a MAC, the message's sequence
// and the subject; the MAC also covers the queue's id, so that a handle is good
// for its queue only, not even for one of the same name made later.
type seal struct{ key []byte }

func (s seal) wrap(queueID string, r bus.Receipt) string {
	b := make([]byte, macSize, macSize+binary.MaxVarintLen64+len(r.AckSubject))
	b = binary.AppendUvarint(b, r.Sequence)
	b = append(b, r.AckSubject...)
	copy(b, s.mac(queueID, b[macSize:]))
	return base64.RawURLEncoding.EncodeToString(b)
}

func (s seal) unwrap(queueID, handle string) (bus.Receipt, bool) {
	if len(handle) > maxHandle {
		return bus.Receipt{}, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(handle)
	if err != nil || len(b) <= macSize || !hmac.Equal(b[:macSize], s.mac(queueID, b[macSize:])) {
		return bus.Receipt{}, false
	}
	sequence, n := binary.Uvarint(b[macSize:])
	if n <= 0 {
		return bus.Receipt{}, false
	}
	return bus.Receipt{Sequence: sequence, AckSubject: string(b[macSize+n:])}, true
}

func (s seal) mac(queueID string, payload []byte) []byte {
	h := hmac.New(sha256.New, s.key)
	h.Write([]byte(queueID)) // of one length for all queues
	h.Write(payload)
	return h.Sum(nil)[:macSize]
}
