package protocoltest

import (
	"fmt"
	"strings"
)

// closing: sections 5.5.1 and 7 (Autobahn 7.1, 7.3 and 7.5).
func closing() []Dialogue {
	longest := strings.Repeat("r", 123)
	junk := strings.Repeat("j", 20_000)
	list := []Dialogue{
		ended("an empty close frame (5.5.1)", 0, closeFrame("")),
		ended("a close frame of one byte (5.5.1)", 1002, closeFrame("\x03")),
		ended("a close frame with a status (5.5.1)", 1000, status(1000, "")),
		ended("a close frame with a status and a reason (5.5.1)", 1000, status(1000, "goodbye")),
		ended("a close frame with a reason in Greek (5.5.1)", 1000, status(1000, "κόσμε")),
		ended("a close frame with a reason of 123 bytes (5.5.1)", 1000, status(1000, longest)),
		ended("a close frame with a reason of 124 bytes (5.5)", 1002, status(1000, longest+"r")),
		ended("a close frame of 65536 bytes (5.5)", 1002, status(1000, strings.Repeat("r", 65534))),
		ended("a close frame behind a message (5.5.1)", 1000, status(1000, "")).after("Hello"),
		ended("a close frame and a text: the text is ignored (5.5.1)", 1000, status(1000, ""), text("late")),
		ended("a close frame and a ping: the ping is ignored (5.5.1)", 1000, status(1000, ""), ping("late")),
		ended("a close frame and another: the first counts (5.5.1)", 1000, status(1000, ""), status(1001, "")),
		ended("a close frame and a breach: the breach is ignored (5.5.1)", 1000, status(1000, ""), frame{op: 3, rsv: 7, bare: true}),
		ended("a close frame and 20,000 bytes: they are ignored (5.5.1)", 1000, status(1000, ""), text(junk)),
		ended("a ping, then a close frame within a fragmented message (5.5.1)", 1000, status(1000, "")).behind([]frame{pong("p")}, begin("a"), ping("p")),
		ended("a breach and then a close frame: the breach counts (7.1.7)", 1002, frame{op: 3}, status(1000, "")),
		ended("two breaches: the first counts (7.1.7)", 1002, frame{op: 3}, text("\xff")),
		ended("a breach and 20,000 bytes behind it (7.1.7)", 1002, frame{op: 3}, text(junk), ping("unheard")),
		ended("text that is not UTF-8, and then a breach: the first counts (7.1.7)", 1007, text("\xff"), frame{op: 3}),
	}
	for _, s := range invalidTexts() {
		if len(s.text) <= 123 {
			list = append(list, ended("a close reason that is invalid: "+s.name+" (8.1)", 1007, status(1000, s.text)))
		}
	}
	return list
}

// closeCodes: section 7.4 and the IANA registry, which has added 1012 to 1014
// (Autobahn 7.7, 7.9 and 7.13).
func closeCodes() []Dialogue {
	var list []Dialogue
	for _, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999} {
		name := fmt.Sprintf("the client closes with %d", code)
		list = append(list,
			ended(name+" (7.4)", code, status(code, "")),
			ended(name+" and a reason: answered with the status alone (5.5.1)", code, status(code, "reason")))
	}
	for _, code := range []int{0, 1, 500, 999, 1004, 1005, 1006, 1015, 1016, 1017, 1100, 1999, 2000, 2999, 5000, 5999, 32768, 65535} {
		name := fmt.Sprintf("the client closes with %d, which may not be sent", code)
		list = append(list,
			ended(name+" (7.4)", 1002, status(code, "")),
			ended(name+", and a reason (7.4)", 1002, status(code, "reason")))
	}
	return list
}
