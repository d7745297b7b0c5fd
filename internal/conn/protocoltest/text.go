package protocoltest

import (
	"fmt"
	"strings"
)

// sample is a text with its name.
type sample struct{ name, text string }

// validTexts are UTF-8 (RFC 3629; Autobahn 6.2, 6.5 to 6.7, 6.9, 6.11, 6.22 and 6.23).
func validTexts() []sample {
	list := []sample{
		{"ASCII", "Hello"},
		{"every ASCII control character", "\x00\x01\x02\x03\x04\x05\x06\x07\x08\t\n\x0b\x0c\r\x0e\x0f\x10\x1b\x1f\x7f"},
		{"Greek", "κόσμε"},
		{"Greek and others in one text", "Hello-µ@ßöäüàá-UTF-8!! Zażółć 日本語 🜂🀄"},
		{"a byte order mark", "\ufeff"},
		{"a byte order mark before a text", "\ufeffHello"},
		{"a replacement character", "\ufffd"},
		{"combining characters", "e\u0301o\u0308\u200d"},
		{"text from right to left", "\u202eשלום\u202c"},
		{"the first of one byte", "\x00"}, {"the first of two bytes", "\u0080"},
		{"the first of three bytes", "\u0800"}, {"the first of four bytes", "\U00010000"},
		{"the last of one byte", "\x7f"}, {"the last of two bytes", "\u07ff"},
		{"the last of three bytes", "\uffff"}, {"the last of four bytes", "\U0010ffff"},
		{"the last before the surrogates", "\ud7ff"}, {"the first behind the surrogates", "\ue000"},
		{"the last private use", "\uf8ff"}, {"specials", "\ufff9\ufffa\ufffb\ufffc\ufffd"},
	}
	for plane := range rune(17) {
		name := fmt.Sprintf("the noncharacters U+%04X and U+%04X", plane<<16|0xfffe, plane<<16|0xffff)
		list = append(list, sample{name, string([]rune{plane<<16 | 0xfffe, plane<<16 | 0xffff})})
	}
	var block strings.Builder
	for r := rune(0xfdd0); r <= 0xfdef; r++ {
		block.WriteRune(r)
	}
	return append(list, sample{"the noncharacters U+FDD0 to U+FDEF", block.String()})
}

// invalidTexts are not (Autobahn 6.3, 6.8, 6.10 to 6.21).
func invalidTexts() []sample {
	list := []sample{
		{"a text with a surrogate in it", "κόσμε\xed\xa0\x80edited"},
		{"five bytes", "\xf8\x88\x80\x80\x80"}, {"six bytes", "\xfc\x84\x80\x80\x80\x80"},
		{"the last of five bytes", "\xfb\xbf\xbf\xbf\xbf"}, {"the last of six bytes", "\xfd\xbf\xbf\xbf\xbf\xbf"},
		{"the first past U+10FFFF", "\xf4\x90\x80\x80"}, {"far past U+10FFFF", "\xf7\xbf\xbf\xbf"}, {"the lead byte F5", "\xf5\x80\x80\x80"},
		{"a continuation byte alone", "\x80"}, {"the last continuation byte alone", "\xbf"},
		{"two continuation bytes", "\x80\xbf"}, {"seven continuation bytes", "\x80\xbf\x80\xbf\x80\xbf\x80"},
		{"every continuation byte", allBytes(0x80, 0xbf)},
		{"every lead byte of two with a space", spaced(0xc0, 0xdf)}, {"every lead byte of three with a space", spaced(0xe0, 0xef)},
		{"every lead byte of four with a space", spaced(0xf0, 0xf7)}, {"every lead byte of five with a space", spaced(0xf8, 0xfb)},
		{"every lead byte of six with a space", spaced(0xfc, 0xfd)},
		{"two bytes without the last", "\xc2"}, {"three bytes without the last", "\xe0\xa0"}, {"four bytes without the last", "\xf0\x90\x80"},
		{"U+07FF without its last byte", "\xdf"}, {"U+FFFF without its last byte", "\xef\xbf"}, {"U+10FFFF without its last byte", "\xf4\x8f\xbf"},
		{"characters without their last bytes, one behind the other", "\xc2\xe0\xa0\xf0\x90\x80\xdf\xef\xbf\xf4\x8f\xbf"},
		{"a character that another interrupts", "\xe2\x82x\xac"},
		{"FE", "\xfe"}, {"FF", "\xff"}, {"FE FE FF FF", "\xfe\xfe\xff\xff"},
		{"a slash in two bytes", "\xc0\xaf"}, {"a slash in three bytes", "\xe0\x80\xaf"}, {"a slash in four bytes", "\xf0\x80\x80\xaf"},
		{"a slash in five bytes", "\xf8\x80\x80\x80\xaf"}, {"a slash in six bytes", "\xfc\x80\x80\x80\x80\xaf"},
		{"the longest too long form of two bytes", "\xc1\xbf"}, {"the longest too long form of three bytes", "\xe0\x9f\xbf"},
		{"the longest too long form of four bytes", "\xf0\x8f\xbf\xbf"},
		{"NUL in two bytes", "\xc0\x80"}, {"NUL in three bytes", "\xe0\x80\x80"}, {"NUL in four bytes", "\xf0\x80\x80\x80"},
		{"UTF-16 with a byte order mark", "\xff\xfeH\x00i\x00"}, {"Latin-1", "Gr\xfc\xdfe"}, {"a wrong byte at the end", "Hello\xff"},
		{"a wrong byte at the beginning", "\xffHello"},
		{"a pair of surrogates", "\xed\xa0\x80\xed\xb0\x80"}, {"the last pair of surrogates", "\xed\xaf\xbf\xed\xbf\xbf"},
	}
	for _, r := range []int{0xd800, 0xdb7f, 0xdb80, 0xdbff, 0xdc00, 0xdf80, 0xdfff} {
		list = append(list, sample{fmt.Sprintf("the surrogate U+%04X", r), string([]byte{0xe0 | byte(r>>12), 0x80 | byte(r>>6&0x3f), 0x80 | byte(r&0x3f)})})
	}
	return list
}

func allBytes(from, to byte) string {
	var b []byte
	for c := from; c <= to; c++ {
		b = append(b, c)
	}
	return string(b)
}

func spaced(from, to byte) string {
	var b []byte
	for c := from; c <= to; c++ {
		b = append(b, c, ' ')
	}
	return string(b)
}

// inBytes returns a text in fragments of one byte.
func inBytes(s string) []frame {
	_, frames := split(len(s), 1)
	for i := range frames {
		frames[i].payload = s[i : i+1]
	}
	return frames
}

// utf8Texts: whole messages (section 8.1).
func utf8Texts() []Dialogue {
	long := strings.Repeat("ü", 5000) // longer than what a server may read at once
	var list []Dialogue
	for _, s := range validTexts() {
		list = append(list,
			echoed("valid: "+s.name+" (8.1)", s.text, text(s.text)),
			echoed("valid: "+s.name+", each byte a fragment (8.1)", s.text, inBytes(s.text)...),
			echoed("valid: "+s.name+" within a long text (8.1)", long+s.text+long, text(long+s.text+long)))
	}
	for _, s := range invalidTexts() {
		list = append(list,
			ended("invalid: "+s.name+" (8.1)", 1007, text(s.text)),
			ended("invalid: "+s.name+", each byte a fragment (8.1)", 1007, inBytes(s.text)...),
			ended("invalid: "+s.name+" at the end of a long text (8.1)", 1007, text(long+s.text)),
			ended("invalid: "+s.name+" behind a message (8.1)", 1007, text(s.text), text("unheard")).after("κόσμε"))
	}
	return list
}

// utf8Fragments: characters that are cut between fragments, and when a server
// fails (Autobahn 6.4). Section 8.1 lets it fail at the wrong byte or at the end
// of the message.
func utf8Fragments() []Dialogue {
	const all = "a\u00e9\u20ac\U0001f600z"
	var list []Dialogue
	for at := range len(all) + 1 {
		list = append(list,
			echoed(fmt.Sprintf("a text cut behind byte %d (8.1)", at), all, begin(all[:at]), last(all[at:])),
			answered(fmt.Sprintf("a text cut behind byte %d, with a ping in between (8.1)", at), []frame{pong("p"), text(all)},
				begin(all[:at]), ping("p"), last(all[at:])),
			echoed(fmt.Sprintf("a text cut behind byte %d by an empty fragment (8.1)", at), all, begin(all[:at]), next(""), last(all[at:])))
	}
	early := func(name string, before []turn, f frame) {
		list = append(list, Dialogue{Name: name + " (8.1; choice: fails with the fragment, not at the end)", turns: append(before, turn{send: f.wire()}), code: 1007})
	}
	begun := []turn{{wires(begin("κόσμ\xce"), ping("p")), []frame{pong("p")}}}
	early("a wrong byte in the first fragment", nil, begin("Hello\xff"))
	early("a wrong byte in a later fragment", begun[:1:1], next("\xb5\xff"))
	early("a begun character that does not go on", begun[:1:1], next("x"))
	early("a surrogate's first two bytes", nil, begin("\xed\xa0"))
	early("a too long form's first two bytes", nil, begin("\xe0\x80"))
	early("the first two bytes past U+10FFFF", nil, begin("\xf4\x90"))
	early("a byte that never occurs", nil, begin("\xf8"))
	return append(list,
		ended("a begun character at the end of the last fragment (8.1)", 1007, begin("a"), last("\xe2\x82")),
		ended("a begun character and an empty last fragment (8.1)", 1007, begin("\xe2\x82"), last("")),
		Dialogue{Name: "a begun character does not go on in the next message (8.1)", code: 1007,
			turns: []turn{{text("a").wire(), []frame{text("a")}}, {send: text("\xc3").wire()}}},
		answered("a ping need not be text (5.5.2)", []frame{pong("\xff\xc3")}, ping("\xff\xc3")))
}
