package conn

import "strings"

// maxOffers bounds the extension headers of a handshake that are looked at, in
// bytes. Browsers offer 50.
const maxOffers = 4 << 10

// The names of RFC 7692, section 7.
const (
	deflateName             = "permessage-deflate"
	serverNoContextTakeover = "server_no_context_takeover"
	clientNoContextTakeover = "client_no_context_takeover"
	serverMaxWindowBits     = "server_max_window_bits"
	clientMaxWindowBits     = "client_max_window_bits"
)

// NegotiateDeflate reads what a client offers in its Sec-WebSocket-Extensions
// headers, one value each. ok tells that one of the offers of permessage-deflate
// is acceptable; answer is then the value of the same header in the 101, and the
// connection is to be made with Options.Compress. The first acceptable offer
// counts, for clients name the one that they prefer first (RFC 7692, section 5).
//
// Whatever the client asks, neither side may use one message's window for the
// next: the answer has server_no_context_takeover and client_no_context_takeover,
// both of which a server may add (sections 7.1.1.1 and 7.1.1.2). So an idle
// connection costs no more with compression than without.
//
// An offer is declined as section 7.1 demands: for a parameter that is unknown,
// comes twice, or has a wrong value; and for a server_max_window_bits below 15,
// because compress/flate knows no other window. Headers that are not a list of
// extensions (RFC 6455, section 9.1), or have more than 4 KB, decline all: the
// connection opens without compression.
func NegotiateDeflate(extensions []string) (answer string, ok bool) {
	length := 0
	for _, value := range extensions {
		if length += len(value); length > maxOffers {
			return "", false
		}
	}
	for _, value := range extensions {
		list := extensionList{value}
		for list.more() {
			offer, wellFormed := list.extension()
			if !wellFormed {
				return "", false
			}
			if offer.acceptable() && !ok {
				answer, ok = offer.answer(), true
			}
		}
	}
	return answer, ok
}

// deflateOffer is what one extension of the list amounts to.
type deflateOffer struct {
	name string
	// seen are the parameters that the offer has.
	seen map[string]bool
	// refused: a parameter is none, or has a wrong value, or is there twice.
	refused bool
}

func (o *deflateOffer) acceptable() bool { return o.name == deflateName && !o.refused }

// add judges a parameter. One without "=" has no value.
func (o *deflateOffer) add(name, value string, hasValue bool) {
	if o.seen == nil {
		o.seen = make(map[string]bool)
	}
	if o.seen[name] {
		o.refused = true
	}
	o.seen[name] = true
	switch name {
	case serverNoContextTakeover, clientNoContextTakeover:
		o.refused = o.refused || hasValue
	case serverMaxWindowBits:
		o.refused = o.refused || value != "15"
	case clientMaxWindowBits: // our reader takes them all
		o.refused = o.refused || hasValue && !isWindowBits(value)
	default:
		o.refused = true
	}
}

// isWindowBits tells whether a value is a number of 8 to 15 without a leading
// zero (RFC 7692, section 7.1.2).
func isWindowBits(value string) bool {
	switch value {
	case "8", "9", "10", "11", "12", "13", "14", "15":
		return true
	}
	return false
}

// answer accepts the offer. A server_max_window_bits has to be answered with one
// (RFC 7692, section 7.1.2.1), a client_max_window_bits need not be.
func (o *deflateOffer) answer() string {
	answer := deflateName + "; " + serverNoContextTakeover + "; " + clientNoContextTakeover
	if o.seen[serverMaxWindowBits] {
		answer += "; " + serverMaxWindowBits + "=15"
	}
	return answer
}

// extensionList is the rest of a header's value, of which RFC 6455, section 9.1
// gives the grammar.
type extensionList struct{ rest string }

// more skips to the next extension, over empty elements too (RFC 2616, section
// 2.1), and tells whether there is one.
func (l *extensionList) more() bool {
	l.rest = strings.TrimLeft(l.rest, " \t,")
	return l.rest != ""
}

// extension reads an extension with its parameters, up to the comma or the end
// behind it.
func (l *extensionList) extension() (o deflateOffer, ok bool) {
	if o.name, ok = l.token(); !ok {
		return o, false
	}
	for l.take(';') {
		name, ok := l.token()
		if !ok {
			return o, false
		}
		value, hasValue := "", l.take('=')
		if hasValue {
			if value, ok = l.value(); !ok {
				return o, false
			}
		}
		o.add(name, value, hasValue)
	}
	return o, l.rest == "" || l.rest[0] == ','
}

// take skips a byte, and the space on both sides of it, if it is what follows.
func (l *extensionList) take(b byte) bool {
	l.space()
	if l.rest == "" || l.rest[0] != b {
		return false
	}
	l.rest = l.rest[1:]
	l.space()
	return true
}

func (l *extensionList) space() { l.rest = strings.TrimLeft(l.rest, " \t") }

func (l *extensionList) token() (token string, ok bool) {
	n := 0
	for n < len(l.rest) && isTokenByte(l.rest[n]) {
		n++
	}
	token, l.rest = l.rest[:n], l.rest[n:]
	return token, n > 0
}

// value reads a token, plain or as a quoted string.
func (l *extensionList) value() (value string, ok bool) {
	if !strings.HasPrefix(l.rest, `"`) {
		return l.token()
	}
	var unquoted []byte
	for i := 1; i < len(l.rest); i++ {
		switch b := l.rest[i]; {
		case b == '"':
			l.rest = l.rest[i+1:]
			return string(unquoted), len(unquoted) > 0
		case b == '\\' && i+1 < len(l.rest):
			i++
		}
		if !isTokenByte(l.rest[i]) {
			return "", false
		}
		unquoted = append(unquoted, l.rest[i])
	}
	return "", false
}

// isTokenByte tells whether a token may hold b (RFC 2616, section 2.2).
func isTokenByte(b byte) bool {
	return b > ' ' && b < 0x7f && !strings.ContainsRune(`()<>@,;:\"/[]?={}`, rune(b))
}
