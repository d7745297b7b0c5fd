package e2e

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/rogpeppe/go-internal/testscript"
)

// findChromium looks for the browser by the names that systems give it.
var findChromium = sync.OnceValues(func() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("Chromium is not there: apt-get install chromium")
})

func lacksChromium() string {
	if _, err := findChromium(); err != nil {
		return err.Error()
	}
	return ""
}

// browser is one running Chromium with a page for its tabs to show.
type browser struct {
	allocated context.Context
	cancel    context.CancelFunc
	dir       string
	page      *httptest.Server
}

// startBrowser starts a Chromium that trusts the running instance's certificate
// and reaches this machine alone.
func startBrowser(ts *testscript.TestScript) (*browser, error) {
	path, err := findChromium()
	if err != nil {
		return nil, err
	}
	pin, err := pinOf(ts)
	if err != nil {
		return nil, err
	}
	b := &browser{}
	if b.dir, err = os.MkdirTemp("", "gatepost-chromium-"); err != nil {
		return nil, err
	}
	b.page = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!doctype html><title>peer</title>")
	}))
	b.allocated, b.cancel = chromedp.NewExecAllocator(context.Background(),
		append(chromiumFlags(path, b.dir), chromedp.Flag("ignore-certificate-errors-spki-list", pin))...)
	return b, nil
}

// chromiumFlags start a browser that keeps all it has in a folder and reaches this
// machine alone.
func chromiumFlags(path, dir string) []chromedp.ExecAllocatorOption {
	return []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
		chromedp.UserDataDir(filepath.Join(dir, "profile")),
		chromedp.Env("HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_CACHE_HOME="+dir),
		chromedp.WSURLReadTimeout(talkWithin),
	}
}

func (b *browser) close() {
	b.cancel()
	b.page.Close()
	os.RemoveAll(b.dir)
}

// pinOf returns the hash of the key that the gateway's certificate has, as
// Chromium wants it. The certificate is verified first.
func pinOf(ts *testscript.TestScript) (string, error) {
	c, err := tls.Dial("tcp", ts.Getenv("GATEWAY"), &tls.Config{RootCAs: roots(ts)})
	if err != nil {
		return "", err
	}
	defer c.Close()
	sum := sha256.Sum256(c.ConnectionState().PeerCertificates[0].RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:]), nil
}

// tab is one page of the browser as a peer.
type tab struct {
	ctx    context.Context
	close  context.CancelFunc
	events chan happening

	mu      sync.Mutex
	refused []string // what the network said of handshakes that failed
}

func startChromium(ts *testscript.TestScript) (peer, error) {
	shared := ts.Value(peersKey{}).(*peers)
	if shared.browser == nil {
		var err error
		if shared.browser, err = startBrowser(ts); err != nil {
			return nil, err
		}
		// The first context of a browser lives as long as it does.
		first, _ := chromedp.NewContext(shared.browser.allocated)
		if err := chromedp.Run(first); err != nil {
			return nil, fmt.Errorf("start Chromium: %w", err)
		}
		shared.browser.allocated = first
	}
	program, err := os.ReadFile(filepath.Join(programs, "standard.js"))
	if err != nil {
		return nil, err
	}
	t := &tab{events: make(chan happening, 1024)}
	t.ctx, t.close = chromedp.NewContext(shared.browser.allocated)
	chromedp.ListenTarget(t.ctx, t.hear)
	err = t.run(
		network.Enable(),
		runtime.AddBinding("tellGatepost"),
		chromedp.Navigate(shared.browser.page.URL),
		chromedp.Evaluate(string(program)+"\nglobalThis.act = standardPeer(h => tellGatepost(JSON.stringify(h))); true", nil),
	)
	return t, err
}

func (t *tab) run(actions ...chromedp.Action) error {
	stuck := time.AfterFunc(talkWithin, t.close)
	defer stuck.Stop()
	return chromedp.Run(t.ctx, actions...)
}

// hear takes the browser's events, in their order.
func (t *tab) hear(event any) {
	switch e := event.(type) {
	case *network.EventWebSocketFrameError:
		t.mu.Lock()
		defer t.mu.Unlock()
		t.refused = append(t.refused, e.ErrorMessage)
	case *runtime.EventBindingCalled:
		var h happening
		if err := json.Unmarshal([]byte(e.Payload), &h); err != nil {
			h = happening{Event: "nonsense", Text: e.Payload}
		}
		if h.Event == "failed" {
			go t.failed(h)
			return
		}
		t.events <- h
	}
}

// statusText finds the status in what Chromium says of a refused handshake; 401
// has a sentence of its own.
var statusText = regexp.MustCompile(`Unexpected response code: (\d+)`)

const unauthorizedText = "HTTP Authentication failed"

// failed adds what a page cannot see, and the browser's network panel can, to a
// handshake that failed.
func (t *tab) failed(h happening) {
	for end := time.Now().Add(callWithin); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		t.mu.Lock()
		said := t.refused
		t.refused = nil
		t.mu.Unlock()
		if len(said) == 0 {
			continue
		}
		h.Status, h.Text = 0, said[0]
		if found := statusText.FindStringSubmatch(said[0]); found != nil {
			h.Status, _ = strconv.Atoi(found[1])
		} else if strings.Contains(said[0], unauthorizedText) {
			h.Status = http.StatusUnauthorized
		}
		break
	}
	t.events <- h
}

func (t *tab) tell(o order) error {
	if o.Do == "leave" {
		t.close()
		return nil
	}
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return t.run(chromedp.Evaluate(fmt.Sprintf("act(%s); true", text), nil))
}

func (t *tab) happenings() <-chan happening { return t.events }

func (t *tab) end() { t.close() }
