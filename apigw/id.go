package apigw

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"sync/atomic"
)

// idLength is the number of raw bytes in a connection, message or request id.
const idLength = 11

// ConnectionID names one connection. It has AWS's form, 11 bytes that print as
// 15 characters of URL-safe base64 and "=", and holds what finds the connection
// without a look-up: random bits, a counter, and the node that owns it.
//
//	bytes 0–3  random, so that an id cannot be guessed from another
//	bytes 4–6  the node's counter, so that a node never gives an id twice
//	byte  7    node, high byte
//	byte  8    0x02, as in AWS's connection and message ids
//	bytes 9–10 node, low bytes
type ConnectionID [idLength]byte

// NodeID is a 24-bit number that a node draws when it starts. A restarted node
// is a new node, so the ids that it gave out before are gone at once.
type NodeID uint32

// ParseConnectionID reads the printed form. Anything else is an error that
// wraps ErrInvalidConnectionID.
func ParseConnectionID(s string) (ConnectionID, error) {
	var id ConnectionID
	if len(s) != base64.URLEncoding.EncodedLen(idLength) {
		return id, fmt.Errorf("%w: %q", ErrInvalidConnectionID, clip(s))
	}
	var raw [12]byte
	n, err := base64.URLEncoding.Strict().Decode(raw[:], []byte(s))
	if err != nil || n != idLength {
		return id, fmt.Errorf("%w: %q", ErrInvalidConnectionID, clip(s))
	}
	copy(id[:], raw[:])
	return id, nil
}

// clip keeps a hostile id from filling a log line.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}

// String returns the 16-character form that events, SDKs and tables carry.
func (id ConnectionID) String() string {
	return base64.URLEncoding.EncodeToString(id[:])
}

// Node returns the node that gave the id out.
func (id ConnectionID) Node() NodeID {
	return NodeID(uint32(id[7])<<16 | uint32(id[9])<<8 | uint32(id[10]))
}

// MarshalText makes the printed form the JSON form.
func (id ConnectionID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText is ParseConnectionID.
func (id *ConnectionID) UnmarshalText(text []byte) error {
	parsed, err := ParseConnectionID(string(text))
	if err == nil {
		*id = parsed
	}
	return err
}

// IDs gives out the ids of one node. It is safe for use by many goroutines.
type IDs struct {
	node    NodeID
	counter atomic.Uint32
}

// NewIDs returns a source of ids for a node with a random number.
func NewIDs() *IDs {
	var b [4]byte
	rand.Read(b[:])
	return &IDs{node: NodeID(binary.BigEndian.Uint32(b[:]) & 0xffffff)}
}

// Node returns the node's number, which every ConnectionID from here carries.
func (s *IDs) Node() NodeID { return s.node }

// Connection returns a new connection id.
func (s *IDs) Connection() ConnectionID { return s.next(0x02) }

// Message returns a new message id. It ends in the same bytes as the ids of
// the node's connections, as AWS's do.
func (s *IDs) Message() string { return s.next(0x02).String() }

// Request returns a new request id.
func (s *IDs) Request() string { return s.next(0x05).String() }

func (s *IDs) next(kind byte) ConnectionID {
	var id ConnectionID
	rand.Read(id[:4])
	if id[0]>>2 == 62 {
		// That would be printed as "-", with which command lines begin a flag.
		id[0] &= 0x7f
	}
	n := s.counter.Add(1)
	id[4], id[5], id[6] = byte(n>>16), byte(n>>8), byte(n)
	id[7], id[8], id[9], id[10] = byte(s.node>>16), kind, byte(s.node>>8), byte(s.node)
	return id
}
