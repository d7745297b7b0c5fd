package conn

import (
	"regexp"
	"strings"
	"testing"
)

// accepted is the answer to every offer but those with server_max_window_bits.
const accepted = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

// TestNegotiateDeflate: RFC 7692, section 7.1, and the grammar of RFC 6455,
// section 9.1. An empty answer is none.
func TestNegotiateDeflate(t *testing.T) {
	const windowed = accepted + "; server_max_window_bits=15"
	tests := []struct {
		name, offer, answer string
	}{
		{"no header", "", ""},
		{"the simplest offer (7.1.3)", "permessage-deflate", accepted},
		{"an offer and one to fall back to (7.1.3)", "permessage-deflate; client_max_window_bits; server_max_window_bits=10, permessage-deflate; client_max_window_bits", accepted},
		{"a browser's offer", "permessage-deflate; client_max_window_bits", accepted},
		{"no takeover by the server (7.1.1.1)", "permessage-deflate; server_no_context_takeover", accepted},
		{"no takeover by the client (7.1.1.2)", "permessage-deflate; client_no_context_takeover", accepted},
		{"all that there is", "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=15; client_max_window_bits=15", windowed},
		{"a value where there is none (7.1.1.1)", "permessage-deflate; server_no_context_takeover=1", ""},
		{"a value where there is none (7.1.1.2)", `permessage-deflate; client_no_context_takeover="true"`, ""},
		{"the server's largest window is answered (7.1.2.1)", "permessage-deflate; server_max_window_bits=15", windowed},
		{"a smaller window of the server is declined (7.1.2.1)", "permessage-deflate; server_max_window_bits=14", ""},
		{"the smallest window of the server is declined (7.1.2.1)", "permessage-deflate; server_max_window_bits=8", ""},
		{"a window of the server without a value (7.1.2.1)", "permessage-deflate; server_max_window_bits", ""},
		{"a window of the server that is none (7.1.2.1)", "permessage-deflate; server_max_window_bits=16", ""},
		{"a window of the server with a leading zero (7.1.2.1)", "permessage-deflate; server_max_window_bits=015", ""},
		{"any window of the client (7.1.2.2)", "permessage-deflate; client_max_window_bits=8", accepted},
		{"any window of the client (7.1.2.2)", "permessage-deflate; client_max_window_bits=12", accepted},
		{"a window of the client that is none (7.1.2.2)", "permessage-deflate; client_max_window_bits=7", ""},
		{"a window of the client that is none (7.1.2.2)", "permessage-deflate; client_max_window_bits=16", ""},
		{"a window of the client with a leading zero (7.1.2.2)", "permessage-deflate; client_max_window_bits=08", ""},
		{"a window of the client that is no number (7.1.2.2)", "permessage-deflate; client_max_window_bits=ten", ""},
		{"a window of the client with a sign (7.1.2.2)", "permessage-deflate; client_max_window_bits=+9", ""},
		{"a quoted value", `permessage-deflate; client_max_window_bits="10"`, accepted},
		{"a quoted value with an escape", `permessage-deflate; server_max_window_bits="1\5"`, windowed},
		{"a quoted value that is wrong", `permessage-deflate; client_max_window_bits="1 0"`, ""},
		{"an empty quoted value", `permessage-deflate; client_max_window_bits=""`, ""},
		{"a quoted value without an end", `permessage-deflate; client_max_window_bits="10`, ""},
		{"a quoted value that ends in an escape", `permessage-deflate; client_max_window_bits="10\`, ""},
		{"something behind a quoted value", `permessage-deflate; client_max_window_bits="10"0`, ""},
		{"an unknown parameter (7.1)", "permessage-deflate; level=9", ""},
		{"an unknown parameter, then an offer without", "permessage-deflate; level=9, permessage-deflate", accepted},
		{"a parameter twice (7.1)", "permessage-deflate; client_max_window_bits; client_max_window_bits", ""},
		{"a parameter twice with different values (7.1)", "permessage-deflate; client_max_window_bits; client_max_window_bits=10", ""},
		{"a parameter twice, then an offer without", "permessage-deflate; server_no_context_takeover; server_no_context_takeover, permessage-deflate; server_max_window_bits=15", windowed},
		{"the first acceptable offer counts (5)", "permessage-deflate; server_max_window_bits=15, permessage-deflate", windowed},
		{"the first acceptable offer counts (5)", "permessage-deflate, permessage-deflate; server_max_window_bits=15", accepted},
		{"other extensions", "permessage-bzip2; level=9, x-webkit-deflate-frame", ""},
		{"behind other extensions", `x-a; b="c", permessage-deflate`, accepted},
		{"in a second header", "x-a\npermessage-deflate", accepted},
		{"offers in two headers", "permessage-deflate; server_max_window_bits=9\npermessage-deflate; client_max_window_bits", accepted},
		{"no space", "x-a;b=c,permessage-deflate;client_max_window_bits=9", accepted},
		{"much space", " \tpermessage-deflate \t; \tclient_max_window_bits = \t9 ", accepted},
		{"empty elements", ", ,permessage-deflate,,", accepted},
		{"a longer name", "permessage-deflate2", ""},
		{"a name in capitals", "Permessage-Deflate", ""},
		{"only a semicolon behind the name", "permessage-deflate;", ""},
		{"an empty parameter", "permessage-deflate; ; client_max_window_bits", ""},
		{"a parameter without its value", "permessage-deflate; client_max_window_bits=", ""},
		{"no name", "; client_max_window_bits", ""},
		{"no comma between two", "permessage-deflate permessage-deflate", ""},
		{"what is no list declines all", "permessage-deflate, x-a; b=@", ""},
		{"what is no list in another header declines all", "permessage-deflate\n=", ""},
		{"bytes past ASCII", "permessage-deflate; \xff", ""},
		{"control characters", "permessage-deflate\x00", ""},
		{"4 KB", "permessage-deflate, " + strings.Repeat("x", maxOffers-20), accepted},
		{"more than 4 KB", "permessage-deflate, " + strings.Repeat("x", maxOffers-19), ""},
		{"more than 4 KB in all", "permessage-deflate, " + strings.Repeat("x", maxOffers-20) + "\nx", ""},
		{"4 KB of parameters", "permessage-deflate, x" + strings.Repeat(";y", 2000), accepted},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			answer, ok := NegotiateDeflate(strings.Split(test.offer, "\n"))
			want(t, "answer", answer, test.answer)
			want(t, "ok", ok, test.answer != "")
		})
	}
	if answer, ok := NegotiateDeflate(nil); ok || answer != "" {
		t.Errorf("without headers: %q, %v", answer, ok)
	}
}

// FuzzNegotiateDeflate compares with a second reading, by regular expressions.
// Two headers are read as one with a comma in between.
func FuzzNegotiateDeflate(f *testing.F) {
	f.Add("permessage-deflate; client_max_window_bits", "permessage-deflate")
	f.Add(`permessage-deflate; server_max_window_bits="1\5"`, ", ,")
	f.Add("x-a;b=c,permessage-deflate;server_max_window_bits=9", "permessage-deflate ;client_max_window_bits= 9")
	f.Add("permessage-deflate; client_no_context_takeover; client_no_context_takeover", "a;")
	f.Add("permessage-deflate;server_no_context_takeover=1", `a; b="`)
	f.Fuzz(func(t *testing.T, first, second string) {
		answer, ok := NegotiateDeflate([]string{first, second})
		if len(first)+len(second) > maxOffers-2 {
			return
		}
		wanted := renegotiate(first + ", " + second)
		want(t, "answer", answer, wanted)
		want(t, "ok", ok, wanted != "")
	})
}

const (
	tokenPattern = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
	valuePattern = `(?:` + tokenPattern + `|"(?:\\?[!#$%&'*+.^_` + "`" + `|~0-9A-Za-z-])+")`
	paramPattern = `[ \t]*;[ \t]*(` + tokenPattern + `)(?:[ \t]*(=)[ \t]*(` + valuePattern + `))?`
	offerPattern = tokenPattern + `(?:` + paramPattern + `)*`
)

var (
	listPattern = regexp.MustCompile(`\A[ \t,]*(?:` + offerPattern + `(?:[ \t]*,[ \t,]*` + offerPattern + `)*)?[ \t,]*\z`)
	offers      = regexp.MustCompile(offerPattern)
	params      = regexp.MustCompile(paramPattern)
)

func renegotiate(list string) string {
	if !listPattern.MatchString(list) {
		return ""
	}
offering:
	for _, offer := range offers.FindAllString(list, -1) {
		name := regexp.MustCompile(`\A` + tokenPattern).FindString(offer)
		seen, answer := map[string]bool{}, accepted
		for _, p := range params.FindAllStringSubmatch(offer[len(name):], -1) {
			value := strings.NewReplacer(`"`, "", `\`, "").Replace(p[3])
			if seen[p[1]] {
				continue offering
			}
			seen[p[1]] = true
			switch p[1] + p[2] {
			case "server_no_context_takeover", "client_no_context_takeover", "client_max_window_bits":
			case "client_max_window_bits=":
				if !regexp.MustCompile(`\A([89]|1[0-5])\z`).MatchString(value) {
					continue offering
				}
			case "server_max_window_bits=":
				if value != "15" {
					continue offering
				}
				answer += "; server_max_window_bits=15"
			default:
				continue offering
			}
		}
		if name == "permessage-deflate" {
			return answer
		}
	}
	return ""
}
