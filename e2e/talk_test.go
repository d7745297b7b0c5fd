package e2e

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// talkWithin bounds each step of a conversation. Nothing takes that long; a busy
// machine may.
const talkWithin = 30 * time.Second

// talk is one conversation of a peer with the running instance.
type talk struct {
	ts   *testscript.TestScript
	peer peer
	me   string // what it calls itself in ?who=$ME
	id   string // its connection, once it was asked for

	opened happening
	line   int // of the conversation
	err    error
}

// converse runs conversations: `talk FILE KIND...` has the one in FILE with a
// client of each kind (see kinds) at once, and says so when a kind is missing on
// this machine.
// A line is a step; # begins a comment. $ME is the client's name, which the
// system under clients/ws/system logs with the connection's id, $ID; $WS and
// $GATEWAY are as in scripts. A text in double quotes is a Go string.
//
//	open URL [PROTOCOL,...]         connect
//	refused STATUS URL              hold that the handshake is refused with a status
//	fails URL PROTOCOL,...          hold that the client itself finds the handshake wrong
//	protocol NAME|-                 hold which subprotocol was chosen
//	extensions NAME|-               hold which extensions were accepted
//	offered NAME                    hold that the function saw the extension offered
//	send TEXT, sendfile FILE        send a text message
//	fragments FILE SIZE             send a file as one message in frames of SIZE bytes
//	binary TEXT                     send a binary message
//	expect TEXT, expectfile FILE    hold what the next message is
//	eventually TEXT                 hold that this message comes, after any others
//	match PATTERN                   hold what the next message looks like
//	ping TEXT                       ping, and hold that the pong has the same text
//	routed N                        hold that N messages were routed so far
//	post TEXT                       `gatepost post` to the client
//	queue NAME TEXT                 `gatepost queue send`
//	kick                            `gatepost kick` the client
//	close [CODE [REASON]]           close
//	closed CODE [REASON]            hold with what the connection was closed
//	vanish, leave                   end without a close frame; leave the page
//	goodbye CODE REASON             hold what $disconnect was told
func converse(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: talk FILE KIND...")
	}
	text := ts.ReadFile(args[0])
	talks := startTalks(ts, args[0], args[1:])
	var all sync.WaitGroup
	for _, t := range talks {
		all.Go(func() { t.run(text) })
	}
	all.Wait()
	for _, t := range talks {
		t.peer.end()
	}
	for _, t := range talks {
		if t.err == nil {
			continue
		}
		if c, ok := t.peer.(interface{ complaints() string }); ok {
			ts.Logf("%s says: %s", t.me, c.complaints())
		}
		ts.Fatalf("%s, line %d, with %s: %v", args[0], t.line, t.me, t.err)
	}
}

// startTalks starts a client of each kind that this machine has.
func startTalks(ts *testscript.TestScript, file string, names []string) []*talk {
	shared := ts.Value(peersKey{}).(*peers)
	var talks []*talk
	for _, name := range names {
		kind, known := kinds[name]
		if !known {
			ts.Fatalf("there is no client %s", name)
		}
		if why := kind.lacks(); why != "" {
			ts.Logf("no conversation %s with %s: %s", file, name, why)
			continue
		}
		p, err := kind.start(ts)
		if err != nil {
			ts.Fatalf("start the client %s: %v", name, err)
		}
		shared.count++
		talks = append(talks, &talk{ts: ts, peer: p, me: fmt.Sprintf("%s-%d", name, shared.count)})
	}
	return talks
}

// run has the conversation, up to the first error.
func (t *talk) run(text string) {
	for l := range strings.Lines(text) {
		t.line++
		l = strings.TrimSpace(l)
		if l == "" || strings.HasPrefix(l, "#") {
			continue
		}
		if t.err = t.step(l); t.err != nil {
			t.err = fmt.Errorf("%.200s: %w", l, t.err)
			return
		}
	}
}

func (t *talk) step(line string) error {
	verb, arg, _ := strings.Cut(line, " ")
	do := steps[verb]
	if do == nil {
		return fmt.Errorf("there is no step %q", verb)
	}
	arg, err := t.expand(arg)
	if err != nil {
		return err
	}
	return do(t, arg)
}

// expand fills in the names, and unquotes a text in double quotes.
func (t *talk) expand(text string) (string, error) {
	if strings.Contains(text, "$ID") {
		if err := t.findID(); err != nil {
			return "", err
		}
	}
	text = strings.NewReplacer("$ME", t.me, "$ID", t.id, "$WS", t.ts.Getenv("WS"), "$GATEWAY", t.ts.Getenv("GATEWAY")).Replace(text)
	if strings.HasPrefix(text, `"`) {
		return strconv.Unquote(text)
	}
	return text, nil
}

// steps are the verbs of a conversation.
var steps = map[string]func(t *talk, arg string) error{
	"open":       (*talk).open,
	"refused":    (*talk).refusedWith,
	"fails":      (*talk).fails,
	"protocol":   func(t *talk, arg string) error { return same("the subprotocol", t.opened.Protocol, arg) },
	"extensions": func(t *talk, arg string) error { return same("the extensions", t.opened.Extensions, arg) },
	"offered":    (*talk).offered,
	"send":       func(t *talk, arg string) error { return t.peer.tell(order{Do: "send", Text: arg}) },
	"sendfile":   func(t *talk, arg string) error { return t.peer.tell(order{Do: "send", Text: t.ts.ReadFile(arg)}) },
	"fragments":  (*talk).fragments,
	"binary":     func(t *talk, arg string) error { return t.peer.tell(order{Do: "binary", Text: arg}) },
	"expect":     (*talk).expect,
	"expectfile": func(t *talk, arg string) error { return t.expect(t.ts.ReadFile(arg)) },
	"eventually": (*talk).eventually,
	"match":      (*talk).match,
	"ping":       (*talk).ping,
	"routed":     (*talk).routed,
	"post":       (*talk).post,
	"kick":       (*talk).kick,
	"queue":      (*talk).queue,
	"close":      (*talk).close,
	"closed":     (*talk).closed,
	"vanish":     func(t *talk, arg string) error { return t.peer.tell(order{Do: "vanish"}) },
	"leave":      func(t *talk, arg string) error { return t.peer.tell(order{Do: "leave"}) },
	"goodbye":    (*talk).goodbye,
}

// next returns the next happening, which must be of a sort.
func (t *talk) next(event string) (happening, error) {
	select {
	case h, ok := <-t.peer.happenings():
		switch {
		case !ok:
			return h, fmt.Errorf("the client has ended; want %s", event)
		case h.Event != event:
			return h, fmt.Errorf("got %.400s, want %s", fmt.Sprintf("%+v", h), event)
		}
		return h, nil
	case <-time.After(talkWithin):
		return happening{}, fmt.Errorf("nothing has happened within %s, want %s", talkWithin, event)
	}
}

// dial orders a connection to "URL [PROTOCOL,...]".
func (t *talk) dial(arg string) error {
	url, protocols, _ := strings.Cut(arg, " ")
	o := order{Do: "open", URL: url, CA: onStage(t.ts).run.CA}
	if protocols != "" {
		o.Protocols = strings.Split(protocols, ",")
	}
	return t.peer.tell(o)
}

func (t *talk) open(arg string) (err error) {
	if err := t.dial(arg); err != nil {
		return err
	}
	t.opened, err = t.next("open")
	return err
}

func (t *talk) refusedWith(arg string) error {
	status, arg, _ := strings.Cut(arg, " ")
	want, err := strconv.Atoi(status)
	if err != nil {
		return err
	}
	if err := t.dial(arg); err != nil {
		return err
	}
	h, err := t.next("failed")
	if err == nil && h.Status != want && h.Status != -1 {
		err = fmt.Errorf("refused with %d (%s)", h.Status, h.Text)
	}
	return err
}

func (t *talk) fails(arg string) error {
	if err := t.dial(arg); err != nil {
		return err
	}
	h, err := t.next("failed")
	if err == nil && h.Status > 0 && h.Status != 101 {
		err = fmt.Errorf("the gateway refused with %d (%s)", h.Status, h.Text)
	}
	return err
}

// same compares; "-" stands for nothing.
func same(what, got, want string) error {
	if want == "-" {
		want = ""
	}
	if got != want {
		return fmt.Errorf("%s: got %q, want %q", what, got, want)
	}
	return nil
}

func (t *talk) fragments(arg string) error {
	file, number, _ := strings.Cut(arg, " ")
	size, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	return t.peer.tell(order{Do: "fragments", Text: t.ts.ReadFile(file), Size: size})
}

func (t *talk) expect(want string) error {
	h, err := t.next("message")
	switch {
	case err != nil:
		return err
	case h.Binary:
		return fmt.Errorf("got a binary message")
	case h.Text != want:
		return fmt.Errorf("got %d bytes, %.300q", len(h.Text), h.Text)
	}
	return nil
}

func (t *talk) eventually(want string) error {
	for {
		h, err := t.next("message")
		if err != nil || h.Text == want {
			return err
		}
	}
}

func (t *talk) match(pattern string) error {
	is, err := regexp.Compile(pattern)
	if err != nil {
		return err
	}
	h, err := t.next("message")
	if err == nil && !is.MatchString(h.Text) {
		err = fmt.Errorf("got %.300q", h.Text)
	}
	return err
}

func (t *talk) ping(text string) error {
	if err := t.peer.tell(order{Do: "ping", Text: text}); err != nil {
		return err
	}
	h, err := t.next("pong")
	if err == nil {
		err = same("the pong", h.Text, text)
	}
	return err
}

func (t *talk) close(arg string) (err error) {
	o := order{Do: "close"}
	if code, reason, _ := strings.Cut(arg, " "); code != "" {
		o.Reason = reason
		if o.Code, err = strconv.Atoi(code); err != nil {
			return err
		}
	}
	return t.peer.tell(o)
}

func (t *talk) closed(want string) error {
	h, err := t.next("closed")
	if err == nil {
		err = same("the close", strings.TrimSpace(fmt.Sprint(h.Code, " ", h.Reason)), want)
	}
	return err
}

// gatepost runs a command against the instance. The arguments stand behind "--":
// an id may begin with a hyphen.
func (t *talk) gatepost(command string, args ...string) error {
	line := append(strings.Fields(command), "--data", t.ts.Getenv("DATA"), "--")
	out, err := exec.Command(binary, append(line, args...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("gatepost %s: %w: %s", command, err, out)
	}
	return nil
}

func (t *talk) post(text string) error {
	if err := t.findID(); err != nil {
		return err
	}
	return t.gatepost("post", t.id, text)
}

func (t *talk) kick(string) error {
	if err := t.findID(); err != nil {
		return err
	}
	return t.gatepost("kick", t.id)
}

func (t *talk) queue(arg string) error {
	name, text, _ := strings.Cut(arg, " ")
	return t.gatepost("queue send", name, text)
}

// logged waits for a line of the function or of gatepost itself, and returns
// what the pattern's groups have found.
func (t *talk) logged(pattern string) ([]string, error) {
	is := regexp.MustCompile(pattern)
	for end := time.Now().Add(talkWithin); ; time.Sleep(5 * time.Millisecond) {
		log := t.ts.ReadFile("gatepost.out")
		if found := is.FindStringSubmatch(log); found != nil {
			return found, nil
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("the log has no %s:\n%s", pattern, log)
		}
	}
}

// findID learns the connection's id from what the function logs at $connect.
func (t *talk) findID() error {
	if t.id != "" {
		return nil
	}
	found, err := t.logged(`hello ` + regexp.QuoteMeta(t.me) + ` (\S+) `)
	if err == nil {
		t.id = found[1]
	}
	return err
}

func (t *talk) offered(extension string) error {
	_, err := t.logged(`hello ` + regexp.QuoteMeta(t.me) + ` \S+ offers "[^\n]*` + regexp.QuoteMeta(extension))
	return err
}

func (t *talk) goodbye(arg string) error {
	if err := t.findID(); err != nil {
		return err
	}
	found, err := t.logged(`goodbye ` + regexp.QuoteMeta(t.id) + ` (\d+) (".*")\n`)
	if err != nil {
		return err
	}
	reason, err := strconv.Unquote(found[2])
	if err != nil {
		return err
	}
	return same("$disconnect", strings.TrimSpace(found[1]+" "+reason), arg)
}

func (t *talk) routed(arg string) error {
	if err := t.findID(); err != nil {
		return err
	}
	want, err := strconv.Atoi(arg)
	if err != nil {
		return err
	}
	line := ` ` + regexp.QuoteMeta(t.id) + ` -> `
	if want > 0 {
		if _, err := t.logged(`(?s)` + strings.Repeat(line+`.*?`, want)); err != nil {
			return err
		}
	}
	if got := strings.Count(t.ts.ReadFile("gatepost.out"), " "+t.id+" -> "); got != want {
		return fmt.Errorf("%d messages were routed", got)
	}
	return nil
}
