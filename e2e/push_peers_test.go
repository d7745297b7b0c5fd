package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	push "github.com/gatepost-dev/gatepost/push/client/go"
	"github.com/gatepost-dev/gatepost/push/client/js"
)

// pushOptions are the settings of a client of push/client, in milliseconds; what
// is zero is off.
type pushOptions struct {
	Base    int    `json:"base"`
	Max     int    `json:"max"`
	Every   int    `json:"every"`
	Message string `json:"message"`
	Renew   int    `json:"renew"`
	Overlap int    `json:"overlap"`
}

// pushKinds are the clients of push/client, wherever they run. Their orders are
// start, send and close, their happenings open, message, lost, wait and close.
var pushKinds = map[string]struct {
	lacks func() string
	start func(t *testing.T) peer
}{
	"go":       {func() string { return "" }, func(*testing.T) peer { return &pushGo{events: make(chan happening, 4096)} }},
	"node":     {lacksNode, startPushNode},
	"builtin":  {lacksBuiltin, startPushBuiltin},
	"chromium": {lacksChromium, startPushChromium},
}

// pushPeers has a client of each kind that this machine has.
func pushPeers(t *testing.T) []*pushPeer {
	var peers []*pushPeer
	for name := range pushKinds {
		if p := newPushPeer(t, name); p != nil {
			peers = append(peers, p)
		}
	}
	return peers
}

// newPushPeer prepares a client; nil when this machine lacks what it needs. On one
// that builds for others (CI is set) that is an error.
func newPushPeer(t *testing.T, name string) *pushPeer {
	kind := pushKinds[name]
	if why := kind.lacks(); why != "" {
		if os.Getenv("CI") != "" {
			t.Fatal(why)
		}
		t.Log(why)
		return nil
	}
	p := kind.start(t)
	t.Cleanup(p.end)
	return &pushPeer{t: t, name: name, peer: p}
}

// pushPeer is a client as a test uses it.
type pushPeer struct {
	t    *testing.T
	name string
	peer
}

// startAll starts a client of each kind.
func startAll(t *testing.T, o pushOptions, urls ...string) []*pushPeer {
	t.Helper()
	peers := pushPeers(t)
	for _, p := range peers {
		p.start(o, urls...)
	}
	return peers
}

// start starts the client; the addresses are given to it one after the other, the
// last one again and again.
func (p *pushPeer) start(o pushOptions, urls ...string) {
	p.t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		p.t.Fatal(err)
	}
	p.order(order{Do: "start", URL: strings.Join(urls, " "), Text: string(text)})
}

func (p *pushPeer) order(o order) {
	p.t.Helper()
	if err := p.tell(o); err != nil {
		p.t.Fatal(err)
	}
}

// until waits for a happening of a sort and returns it with those before it.
func (p *pushPeer) until(event string) []happening {
	p.t.Helper()
	var all []happening
	for end := time.After(talkWithin); ; {
		select {
		case h, ok := <-p.happenings():
			if !ok {
				p.t.Fatalf("%s has ended without %s", p.name, event)
			}
			if all = append(all, h); h.Event == event {
				return all
			}
		case <-end:
			p.t.Fatalf("%s has told no %s within %s, but %d others, at last %+v", p.name, event, talkWithin, len(all), all[max(0, len(all)-3):])
		}
	}
}

// untilLost returns what a lost connection's happening says, after any others.
func (p *pushPeer) untilLost() happening {
	p.t.Helper()
	all := p.until("lost")
	return all[len(all)-1]
}

// echo sends a message and waits until it comes back.
func (p *pushPeer) echo(text string) {
	p.t.Helper()
	p.order(order{Do: "send", Text: `{"action":"echo","data":"` + text + `"}`})
	p.untilMessage(text)
}

func (p *pushPeer) untilMessage(text string) []happening {
	p.t.Helper()
	var all []happening
	for {
		all = append(all, p.until("message")...)
		if strings.Contains(all[len(all)-1].Text, text) {
			return all
		}
	}
}

// pushGo is the Go client in this process.
type pushGo struct {
	events chan happening
	client *push.Client
	ended  sync.WaitGroup
}

func (g *pushGo) tell(o order) (err error) {
	switch o.Do {
	case "start":
		return g.start(o)
	case "send":
		return g.client.Send(o.Text)
	}
	g.client.Close()
	return nil
}

func (g *pushGo) start(o order) error {
	var settings pushOptions
	if err := json.Unmarshal([]byte(o.Text), &settings); err != nil {
		return err
	}
	milliseconds := func(n int) time.Duration {
		if n == 0 {
			return -1
		}
		return time.Duration(n) * time.Millisecond
	}
	urls, calls := strings.Fields(o.URL), 0
	address := func(context.Context) (push.Target, error) {
		calls++
		return push.Target{URL: urls[min(calls, len(urls))-1]}, nil
	}
	c, err := push.New(address, push.Options{
		Handlers:  g.handlers(),
		Backoff:   push.Backoff{Base: milliseconds(settings.Base), Max: milliseconds(settings.Max)},
		KeepAlive: push.KeepAlive{Every: milliseconds(settings.Every), Message: settings.Message},
		Renew:     push.Renew{After: milliseconds(settings.Renew), Overlap: max(0, milliseconds(settings.Overlap))},
	})
	if err != nil {
		return err
	}
	g.client = c
	g.ended.Go(func() {
		c.Run(context.Background())
		g.events <- happening{Event: "close"}
		close(g.events)
	})
	return nil
}

func (g *pushGo) handlers() push.Handlers {
	word := func(is bool, word string) string {
		if is {
			return word
		}
		return ""
	}
	return push.Handlers{
		Open:    func(renewed bool) { g.events <- happening{Event: "open", Text: word(renewed, "renewed")} },
		Message: func(data []byte) { g.events <- happening{Event: "message", Text: string(data)} },
		Lost:    func(l push.Loss) { g.events <- happening{Event: "lost", Code: l.Code, Reason: l.Reason} },
		Wait:    func(p push.Pause) { g.events <- happening{Event: "wait", Text: word(p.Renewing, "renewing")} },
	}
}

func (g *pushGo) happenings() <-chan happening { return g.events }

func (g *pushGo) end() {
	if g.client != nil {
		g.client.Close()
		g.ended.Wait()
	}
}

const pushPrograms = "clients/push/"

func startPushNode(t *testing.T) peer {
	modules, err := wsModules()
	if err != nil {
		t.Fatal(err)
	}
	return startPushProcess(t, exec.Command("node", pushPrograms+"node.mjs"), "WS_MODULES="+modules)
}

func startPushBuiltin(t *testing.T) peer {
	return startPushProcess(t, exec.Command("node", "--no-warnings", "--experimental-websocket", pushPrograms+"node.mjs"))
}

func startPushProcess(t *testing.T, cmd *exec.Cmd, env ...string) peer {
	cmd.Env = append(os.Environ(), env...)
	p, err := startProcess(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the client says: %s", p.(*processPeer).complaints())
		}
	})
	return p
}

// startPushChromium opens a page that has the client in a Chromium of its own.
func startPushChromium(t *testing.T) peer {
	mux := http.NewServeMux()
	mux.Handle("/push/", http.StripPrefix("/push/", http.FileServerFS(js.Files)))
	mux.Handle("/drive.mjs", http.FileServer(http.Dir(pushPrograms)))
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Write([]byte(`<!doctype html><title>push</title><script type="module">
			import { Client } from "/push/client.js";
			import { drive } from "/drive.mjs";
			globalThis.act = drive(Client, WebSocket, (h) => tellGatepost(JSON.stringify(h)));
		</script>`))
	})
	page := httptest.NewServer(mux)
	t.Cleanup(page.Close)
	c := &tab{events: make(chan happening, 4096)}
	c.ctx, c.close = newTab(t, launchChromium(t))
	chromedp.ListenTarget(c.ctx, c.hear)
	if err := c.run(runtime.AddBinding("tellGatepost"), chromedp.Navigate(page.URL), chromedp.Poll(`!!globalThis.act`, nil)); err != nil {
		t.Fatal(err)
	}
	return c
}

// launchChromium starts a browser that reaches this machine alone, and ends with
// the test.
func launchChromium(t *testing.T) context.Context {
	path, err := findChromium()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "gatepost-chromium-")
	if err != nil {
		t.Fatal(err)
	}
	allocated, end := chromedp.NewExecAllocator(context.Background(), chromiumFlags(path, dir)...)
	t.Cleanup(func() { end(); os.RemoveAll(dir) })
	first, _ := chromedp.NewContext(allocated)
	if err := chromedp.Run(first); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	return first
}

func newTab(t *testing.T, browser context.Context) (context.Context, context.CancelFunc) {
	ctx, end := chromedp.NewContext(browser)
	t.Cleanup(end)
	return ctx, end
}
