package sqs

import (
	"bytes"
	"encoding/base64"
	"reflect"
	"strings"
	"testing"

	"github.com/gatepost-dev/gatepost/internal/bus"
)

func text(s string) *string { return &s }

// TestMD5OfAttributes: the first digest is one that other implementations of the
// algorithm test against, the last follows its description byte by byte.
func TestMD5OfAttributes(t *testing.T) {
	one := map[string]MessageAttribute{"timestamp": {DataType: "Number", StringValue: text("1493147359900")}}
	if got := md5OfAttributes(one); got != "235c5c510d26fb653d073faed50ae77c" {
		t.Errorf("digest %s", got)
	}
	if got := md5OfAttributes(nil); got != "" {
		t.Errorf("digest of nothing %s", got)
	}
	two := map[string]MessageAttribute{"b": {DataType: "Binary", BinaryValue: []byte{7}}, "a": {DataType: "String.x", StringValue: text("é")}}
	layout := "\x00\x00\x00\x01a\x00\x00\x00\x08String.x\x01\x00\x00\x00\x02é" + "\x00\x00\x00\x01b\x00\x00\x00\x06Binary\x02\x00\x00\x00\x01\x07"
	if got := md5OfAttributes(two); got != md5Hex([]byte(layout)) {
		t.Errorf("digest %s", got)
	}
}

func TestEnvelope(t *testing.T) {
	e := &envelope{ID: "id", Sent: 1, Sender: "s", Trace: "t", Group: "g", Source: "a", body: "line\nline\x00\xff",
		Attributes: map[string]MessageAttribute{"n": {DataType: "String", StringValue: text("<\n>")}}}
	got, err := openEnvelope(e.seal())
	if err != nil || !reflect.DeepEqual(got, e) {
		t.Errorf("read back %+v, %v", got, err)
	}
	for _, bad := range []string{"", "{}", "x\nbody"} {
		if _, err := openEnvelope([]byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

// TestEnvelopeFits: the largest message, of the characters that take the most
// room, fits the bus.
func TestEnvelopeFits(t *testing.T) {
	for _, c := range []string{"\"", "<", "\u2028", "\n"} {
		in := outgoing{MessageBody: "x", MessageAttributes: map[string]MessageAttribute{
			"n": {DataType: "String", StringValue: text(strings.Repeat(c, (MaxMessageSize-100)/len(c)))}}}
		if err := in.check(&settings{MaxMessageSize: MaxMessageSize}); err != nil {
			t.Fatal(err)
		}
		e := &envelope{Attributes: in.MessageAttributes, body: in.MessageBody}
		if n := len(e.seal()); n > bus.MaxPayload-1024 {
			t.Errorf("a message full of %q takes %d bytes", c, n)
		}
	}
}

func TestValidNumber(t *testing.T) {
	for text, want := range map[string]bool{"0": true, "-1.5": true, "+1e10": true, "1E-5": true, ".5": true, strings.Repeat("9", 38): true,
		"": false, "-": false, "1.": false, "e5": false, "1e": false, "1e+": false, "0x1": false, "1.2.3": false, "NaN": false, strings.Repeat("9", 39): false} {
		if got := validNumber(text); got != want {
			t.Errorf("validNumber(%q) = %v", text, got)
		}
	}
}

func TestValidText(t *testing.T) {
	for text, want := range map[string]bool{"a\t\r\n\u0020\uD7FF\uE000\uFFFD\U0010FFFF": true,
		"\x00": false, "\x1f": false, "\uFFFE": false, "\uFFFF": false, "\xff": false, "\xed\xa0\x80": false} {
		if got := validText(text); got != want {
			t.Errorf("validText(%q) = %v", text, got)
		}
	}
}

func TestStreamNames(t *testing.T) {
	seen := make(map[string]address)
	for _, a := range []address{{"r", "1", "jobs"}, {"r", "1", "Jobs"}, {"r", "2", "jobs"}, {"s", "1", "jobs"}, {"r", "1", "jobs_"}, {"r", "1", strings.Repeat("x", 80)}} {
		name := strings.ToLower(a.stream())
		if other, taken := seen[name]; taken {
			t.Errorf("%v and %v share %s", a, other, name)
		}
		seen[name] = a
	}
}

func TestSeal(t *testing.T) {
	s := seal{key: testKey}
	receipt := bus.Receipt{Sequence: 1 << 40, AckSubject: "$JS.ACK.SQS-jobs-0123456789.work.1.2.3.4.5"}
	handle := s.wrap("queue-01", receipt)
	if got, ok := s.unwrap("queue-01", handle); !ok || got != receipt {
		t.Fatalf("unwrapped %+v, %v", got, ok)
	}
	if _, ok := s.unwrap("queue-02", handle); ok {
		t.Error("a handle is good for another queue")
	}
	if _, ok := (seal{key: []byte("another")}).unwrap("queue-01", handle); ok {
		t.Error("a handle is good under another key")
	}
	raw, _ := base64.RawURLEncoding.DecodeString(handle)
	for i := range raw {
		forged := bytes.Clone(raw)
		forged[i] ^= 1
		if _, ok := s.unwrap("queue-01", base64.RawURLEncoding.EncodeToString(forged)); ok {
			t.Errorf("a handle with byte %d changed is good", i)
		}
	}
}

// FuzzUnwrap: only handles that were given out are good.
func FuzzUnwrap(f *testing.F) {
	s := seal{key: testKey}
	good := s.wrap("queue-01", bus.Receipt{Sequence: 7, AckSubject: "$JS.ACK.x"})
	for _, seed := range []string{"", "x", good, good[:30], good + "A", strings.Repeat("A", 2000), base64.RawURLEncoding.EncodeToString(s.mac("queue-01", nil))} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, handle string) {
		if r, ok := s.unwrap("queue-01", handle); ok && s.wrap("queue-01", r) != handle {
			t.Errorf("%q was taken for a handle", handle)
		}
	})
}
