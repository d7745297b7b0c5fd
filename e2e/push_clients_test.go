package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/internal/instance"
)

// demo is one life of `gatepost demo`.
type demo struct {
	t    *testing.T
	cmd  *exec.Cmd
	data string
	run  *instance.Run
	out  *bytes.Buffer
}

// startDemo starts the push system and waits until it is ready.
func startDemo(t *testing.T, data, gateway string, args ...string) *demo {
	t.Helper()
	d := &demo{t: t, data: data, out: new(bytes.Buffer)}
	args = append([]string{"demo", "--gateway", gateway, "--aws", "127.0.0.1:0", "--console", "127.0.0.1:0", "--data", data}, args...)
	d.cmd = exec.Command(binary, args...)
	d.cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+filepath.Dir(data))
	d.cmd.Stdout, d.cmd.Stderr = d.out, d.out
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.kill)
	d.gatepost("wait", "--timeout", readyWithin.String())
	run, err := instance.Find(data)
	if err != nil {
		t.Fatal(err)
	}
	d.run = run
	return d
}

// kill ends it at once; what it has said is shown if the test has failed.
func (d *demo) kill() {
	if d.cmd.ProcessState != nil {
		return
	}
	d.cmd.Process.Signal(syscall.SIGKILL)
	d.cmd.Wait()
	if d.t.Failed() {
		d.t.Logf("gatepost said:\n%s", d.out)
	}
}

// gatepost runs a command against it, and returns what that prints.
func (d *demo) gatepost(command string, args ...string) []byte {
	d.t.Helper()
	line := append(strings.Fields(command), "--data", d.data)
	ctx, cancel := context.WithTimeout(context.Background(), readyWithin+callWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, append(line, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		d.t.Fatalf("gatepost %s: %v: %s", command, err, out)
	}
	return out
}

// url is where clients connect, as a user.
func (d *demo) url(user string) string {
	for _, api := range d.run.APIs {
		return api.URL + "?user=" + url.QueryEscape(user)
	}
	d.t.Fatal("there is no API")
	return ""
}

// connections are the ids of all live connections.
func (d *demo) connections() []string {
	d.t.Helper()
	var list []struct{ ConnectionID string }
	if err := json.Unmarshal(d.gatepost("ls", "--json"), &list); err != nil {
		d.t.Fatal(err)
	}
	var ids []string
	for _, c := range list {
		ids = append(ids, c.ConnectionID)
	}
	return ids
}

// quick are settings with which a client is back soon.
var quick = pushOptions{Base: 50, Max: 400}

// Clients come back from a close by the management API, and from the end of the
// gateway: they wait for it, keep what is sent meanwhile, and send it once they are
// back.
func TestPushClientsComeBack(t *testing.T) {
	t.Parallel()
	gateway, data := freeAddress(t), filepath.Join(t.TempDir(), "data")
	first := startDemo(t, data, gateway)
	peers := pushPeers(t)
	known := make(map[string]bool)
	for _, p := range peers {
		p.start(quick, first.url("x"))
		p.echo("before")
		id := first.newConnection(known)
		first.gatepost("kick", "--", id)
		if lost := p.untilLost(); lost.Code != 1000 || lost.Reason != "Connection Closed Normally" {
			t.Errorf("%s was closed with %d %s", p.name, lost.Code, lost.Reason)
		}
		p.echo("after the kick")
		first.newConnection(known)
	}
	first.kill()
	for _, p := range peers {
		if lost := p.untilLost(); lost.Code != 1006 {
			t.Errorf("%s lost a gateway that was killed with %d", p.name, lost.Code)
		}
		p.until("wait")
		p.order(order{Do: "send", Text: `{"action":"echo","data":"meanwhile"}`})
	}
	startDemo(t, data, gateway)
	for _, p := range peers {
		p.untilMessage("meanwhile")
		p.echo("after the restart")
		p.order(order{Do: "close"})
		p.until("close")
	}
}

// freeAddress is one that a gateway can have again after its end.
func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// newConnection waits for the id of a connection that was not there before.
func (d *demo) newConnection(known map[string]bool) string {
	d.t.Helper()
	for end := time.Now().Add(talkWithin); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		for _, id := range d.connections() {
			if !known[id] {
				known[id] = true
				return id
			}
		}
	}
	d.t.Fatalf("no new connection within %s", talkWithin)
	return ""
}

const idle = 5 * time.Second

func TestPushClients(t *testing.T) {
	t.Parallel()
	start := func() *demo {
		return startDemo(t, filepath.Join(t.TempDir(), "data"), "127.0.0.1:0", "--limit", "idle="+idle.String())
	}
	d, alone := start(), start()
	for name, test := range map[string]func(t *testing.T, d *demo){
		"refused": refusedClients, "keep-alive": keptAlive, "silence": silent, "renewal": renewed,
	} {
		if name == "silence" { // the others' messages would break it
			t.Run(name, func(t *testing.T) { t.Parallel(); test(t, alone) })
			continue
		}
		t.Run(name, func(t *testing.T) { t.Parallel(); test(t, d) })
	}
}

// A refused handshake is tried again, with the address that there is then.
func refusedClients(t *testing.T, d *demo) {
	refused := d.url(strings.Repeat("x", 300)) // by the function connect, with 400
	for _, p := range startAll(t, quick, refused, refused, d.url("x")) {
		waits := 0
		for _, h := range p.until("open") {
			if h.Event == "wait" {
				waits++
			}
		}
		if waits != 2 {
			t.Errorf("%s has waited %d times", p.name, waits)
		}
		p.echo("in")
	}
}

// Nothing passes but the keep-alive, for longer than the gateway allows.
func keptAlive(t *testing.T, d *demo) {
	o := quick
	o.Every, o.Message = int(idle.Milliseconds()/10), `{"action":"echo","data":"alive"}`
	for _, p := range startAll(t, o, d.url("x")) {
		for range 13 {
			for _, h := range p.until("message") {
				if h.Event == "lost" {
					t.Fatalf("%s was closed with %d %s", p.name, h.Code, h.Reason)
				}
			}
		}
	}
}

// Nothing passes at all: the gateway closes, and the client is back.
func silent(t *testing.T, d *demo) {
	for _, p := range startAll(t, quick, d.url("x")) {
		if lost := p.untilLost(); lost.Code != 1001 {
			t.Errorf("%s was closed with %d %s", p.name, lost.Code, lost.Reason)
		}
		p.until("open")
	}
}

// Messages are published all the time while connections are replaced several times:
// each message arrives at each client, and no connection is lost.
func renewed(t *testing.T, d *demo) {
	o := quick
	o.Renew, o.Overlap = 1500, 5000
	peers := startAll(t, o, d.url("x"))
	for _, p := range peers {
		p.until("open")
	}
	const messages = 20
	for i := range messages {
		d.gatepost("queue send", "socket-queue", published(i))
		time.Sleep(250 * time.Millisecond) // so that it takes longer than a few renewals
	}
	for _, p := range peers {
		p.untilRenewed(3, messages)
	}
}

// untilRenewed waits until the connection was replaced often enough and each message
// is there.
func (p *pushPeer) untilRenewed(times, messages int) {
	p.t.Helper()
	missing := make(map[string]bool)
	for i := range messages {
		missing[published(i)] = true
	}
	for end := time.After(talkWithin); len(missing) > 0 || times > 0; {
		select {
		case h := <-p.happenings():
			switch {
			case h.Event == "message":
				delete(missing, h.Text)
			case h.Event == "open" && h.Text == "renewed":
				times--
			default:
				p.t.Fatalf("%s told %+v", p.name, h)
			}
		case <-end:
			p.t.Fatalf("after %s %s has not got %v, and there are %d renewals to come", talkWithin, p.name, missing, times)
		}
	}
}

// published is the message that a client waits for under a number.
func published(i int) string { return fmt.Sprintf("message %d", i) }
