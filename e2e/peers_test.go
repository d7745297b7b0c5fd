package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// A peer is a WebSocket client that is not ours, or runs beside this process.
// All kinds take the same orders and tell the same happenings, so that one
// conversation (see talk) is had with each of them.
type peer interface {
	// tell hands an order over. What comes of it is a happening.
	tell(order) error
	// happenings is closed when the peer has ended.
	happenings() <-chan happening
	// end ends the peer and waits for it.
	end()
}

// order is what a peer is told to do: open, send, binary, fragments, ping,
// close, vanish (end without a close frame) or leave (the page or tab is left).
type order struct {
	Do        string   `json:"do"`
	URL       string   `json:"url,omitempty"`
	Protocols []string `json:"protocols,omitempty"`
	CA        string   `json:"ca,omitempty"` // the file with the certificate authority
	Text      string   `json:"text"`
	Size      int      `json:"size,omitempty"` // of a fragment, in bytes
	Code      int      `json:"code,omitempty"` // 0 for a close without a status
	Reason    string   `json:"reason,omitempty"`
}

// happening is what a peer tells: open, failed (the handshake), message, pong or
// closed.
type happening struct {
	Event      string
	Protocol   string
	Extensions string
	Status     int // of a handshake that failed; 0 when there is none, -1 when the client cannot see it
	Text       string
	Binary     bool
	Code       int
	Reason     string
}

// kinds are the clients that conversations are had with.
var kinds = map[string]struct {
	// lacks is a sentence about what is missing on this machine, or empty.
	lacks func() string
	start func(ts *testscript.TestScript) (peer, error)
}{
	"go":       {func() string { return "" }, startGo},
	"node":     {lacksNode, startNode},
	"builtin":  {lacksBuiltin, startBuiltin},
	"python":   {lacksPython, startPython},
	"chromium": {lacksChromium, startChromium},
}

// TestIndependentClients says which clients the conversations of testdata have
// no partner for on this machine.
func TestIndependentClients(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			if why := kind.lacks(); why != "" {
				t.Skip(why)
			}
		})
	}
}

// peersKey finds what the peers of a script share.
type peersKey struct{}

// peers is what the peers of one script share.
type peers struct {
	count   int // of conversations
	browser *browser
}

func (p *peers) close() {
	if p.browser != nil {
		p.browser.close()
	}
}

// programs is where the client programs are.
const programs = "clients/ws"

// processPeer is a program that reads orders and writes happenings, a JSON line
// each.
type processPeer struct {
	cmd    *exec.Cmd
	orders io.WriteCloser
	events chan happening
	said   bytes.Buffer // on its error output
}

func startProcess(cmd *exec.Cmd) (peer, error) {
	p := &processPeer{cmd: cmd, events: make(chan happening, 1024)}
	cmd.Stderr = &p.said
	var err error
	if p.orders, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go p.read(out)
	return p, nil
}

func (p *processPeer) read(out io.Reader) {
	defer close(p.events)
	for lines := bufio.NewReader(out); ; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var h happening
		if err := json.Unmarshal(line, &h); err != nil {
			h = happening{Event: "nonsense", Text: string(line)}
		}
		p.events <- h
	}
}

func (p *processPeer) tell(o order) error {
	line, err := json.Marshal(o)
	if err != nil {
		return err
	}
	_, err = p.orders.Write(append(line, '\n'))
	return err
}

func (p *processPeer) happenings() <-chan happening { return p.events }

func (p *processPeer) end() {
	p.orders.Close()
	stop := time.AfterFunc(callWithin, func() { p.cmd.Process.Kill() })
	defer stop.Stop()
	for range p.events {
	}
	p.cmd.Wait()
}

// complaints is what the program said on its error output, once it has ended.
func (p *processPeer) complaints() string { return p.said.String() }

// debianPython is the interpreter that Debian's packages are for.
const debianPython = "/usr/bin/python3"

var lacksPython = sync.OnceValue(func() string {
	if err := exec.Command(debianPython, "-c", "import websockets.legacy.client").Run(); err != nil {
		return "Python's websockets is not there: apt-get install python3-websockets"
	}
	return ""
})

func startPython(*testscript.TestScript) (peer, error) {
	// -B: no __pycache__ in the checkout.
	return startProcess(exec.Command(debianPython, "-B", "-W", "ignore", filepath.Join(programs, "client.py")))
}

var lacksNode = sync.OnceValue(func() string {
	if _, err := wsModules(); err != nil {
		return err.Error()
	}
	return ""
})

var lacksBuiltin = sync.OnceValue(func() string {
	if err := exec.Command("node", "--experimental-websocket", "-e", "WebSocket").Run(); err != nil {
		return "Node with a WebSocket of its own is not there: install Node 20.10 or newer"
	}
	return ""
})

func startNode(*testscript.TestScript) (peer, error) {
	modules, err := wsModules()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("node", filepath.Join(programs, "client.js"))
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
	return startProcess(cmd)
}

func startBuiltin(ts *testscript.TestScript) (peer, error) {
	cmd := exec.Command("node", "--no-warnings", "--experimental-websocket", filepath.Join(programs, "builtin.js"))
	cmd.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+onStage(ts).run.CA)
	return startProcess(cmd)
}

// wsModules installs what clients/ws/package-lock.json pins, once for each
// content of that file and outside the checkout, and returns the folder of the
// modules. The error is a sentence about what is missing.
var wsModules = sync.OnceValues(func() (string, error) {
	if _, err := exec.LookPath("node"); err != nil {
		return "", errors.New("Node is not there: install Node 20 with npm")
	}
	lock, err := os.ReadFile(filepath.Join(programs, "package-lock.json"))
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("there is no place for Node's ws: %w", err)
	}
	sum := sha256.Sum256(lock)
	dir := filepath.Join(cache, "gatepost-test-npm", "ws-"+hex.EncodeToString(sum[:8]))
	modules := filepath.Join(dir, "node_modules")
	if _, err := os.Stat(filepath.Join(modules, "ws", "package.json")); err == nil {
		return modules, nil
	}
	return modules, installModules(programs, dir)
})

// installModules runs npm ci for the package.json of a folder in a folder beside
// dir and moves it there when all is well, so that nobody finds it half done.
func installModules(from, dir string) error {
	if _, err := exec.LookPath("npm"); err != nil {
		return fmt.Errorf("the packages of e2e/%s are not there: install Node.js 20 or newer with npm", from)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return err
	}
	fresh, err := os.MkdirTemp(filepath.Dir(dir), "fresh-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(fresh)
	for _, name := range []string{"package.json", "package-lock.json"} {
		text, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(fresh, name), text, 0o600); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	npm.Dir = fresh
	// Its output may name the registry, so it is not repeated.
	if err := npm.Run(); err != nil {
		return fmt.Errorf("the packages of e2e/%s are not there: `npm ci` in that folder ended with %v", from, err)
	}
	if err := os.Rename(fresh, dir); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("keep the packages of e2e/%s: %w", from, err)
	}
	return nil
}
