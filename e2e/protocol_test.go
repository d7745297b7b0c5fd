package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conformance"
	"github.com/gatepost-dev/gatepost/internal/conn/protocoltest"
	"github.com/gatepost-dev/gatepost/internal/instance"
)

// TestProtocol holds a running gateway with API Gateway's limits to RFC 6455:
// the dialogues that internal/conn has with a bare connection, over TCP and
// through a real handshake, with a two-way route whose function sends every
// message back.
func TestProtocol(t *testing.T) {
	conformance.Covers(t,
		"protocol.mask-required protocol.unmasked-by-server protocol.mask-applied protocol.reserved-bits protocol.reserved-opcodes",
		"protocol.length-forms protocol.length-minimal protocol.length-sign-bit protocol.fragments protocol.fragment-bytes",
		"protocol.continuation-without-start protocol.new-message-inside protocol.control-between-fragments protocol.control-not-fragmented",
		"protocol.control-125 protocol.ping-payload protocol.unsolicited-pong protocol.close-echo protocol.close-empty protocol.close-one-byte",
		"protocol.close-codes-valid protocol.close-codes-invalid protocol.close-codes-registered protocol.close-reason-utf8",
		"protocol.nothing-after-close protocol.utf8-valid protocol.utf8-invalid protocol.utf8-across-fragments protocol.utf8-fail-fast",
		"limit.message-128k limit.frame-32k-1009 lifecycle.pong lifecycle.binary-1003 lifecycle.invalid-utf8-1007")
	at := runEcho(t)
	limits := apigw.DefaultLimits()
	protocoltest.Run(t, protocoltest.Server{
		Dial:     func(t *testing.T) net.Conn { return handshake(t, at) },
		MaxFrame: limits.MaxFrame, MaxMessage: limits.MaxMessage,
	})
}

// runEcho runs `gatepost dev` with the system of testdata/protocol.txtar until
// the test ends, and returns the URL of its API.
func runEcho(t *testing.T) *url.URL {
	t.Helper()
	dir := t.TempDir()
	unpackSystem(t, filepath.Join("testdata", "protocol.txtar"), dir)
	data := filepath.Join(dir, "data")
	env := append(goEnvironment(t), "PATH="+os.Getenv("PATH"), "HOME="+dir, "XDG_RUNTIME_DIR="+dir)
	var log bytes.Buffer
	gatepost := exec.Command(binary, "dev", filepath.Join(dir, "system"), "--data", data,
		"--gateway", "127.0.0.1:0", "--aws", "127.0.0.1:0", "--console", "127.0.0.1:0")
	gatepost.Env, gatepost.Stdout, gatepost.Stderr = env, &log, &log
	if err := gatepost.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		gatepost.Process.Signal(os.Interrupt)
		if err := gatepost.Wait(); err != nil {
			t.Errorf("gatepost ended with %v", err)
		}
		if t.Failed() {
			t.Logf("gatepost said:\n%s", log.String())
		}
	})
	wait := exec.Command(binary, "wait", "--data", data, "--timeout", readyWithin.String())
	wait.Env = env
	if out, err := wait.CombinedOutput(); err != nil {
		t.Fatalf("gatepost wait: %v\n%s", err, out)
	}
	return apiURL(t, data)
}

func unpackSystem(t testing.TB, archive, dir string) {
	t.Helper()
	a, err := txtar.ParseFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range a.Files {
		if !strings.HasPrefix(f.Name, "system/") {
			continue
		}
		path := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, f.Data, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
}

func apiURL(t *testing.T, data string) *url.URL {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(data, "run.json"))
	if err != nil {
		t.Fatal(err)
	}
	var run instance.Run
	if err := json.Unmarshal(text, &run); err != nil {
		t.Fatal(err)
	}
	for _, api := range run.APIs {
		u, err := url.Parse(api.URL)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	t.Fatal("run.json has no API")
	return nil
}

// handshake opens a connection and reads the 101. A gateway lets in only so many
// clients a second; the table may be faster.
func handshake(t *testing.T, at *url.URL) net.Conn {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		nc, err := net.Dial("tcp", at.Host)
		if err != nil {
			t.Fatal(err)
		}
		head, err := upgrade(nc, at)
		switch {
		case err != nil:
			t.Fatal(err)
		case strings.HasPrefix(head, "HTTP/1.1 101 "):
			return nc
		case !strings.HasPrefix(head, "HTTP/1.1 429 ") || time.Now().After(end):
			t.Fatalf("the handshake was answered with %q", head)
		}
		nc.Close()
	}
}

// upgrade asks for a WebSocket and returns the answer's head. It reads not a
// byte more, for a frame may follow.
func upgrade(nc net.Conn, at *url.URL) (string, error) {
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	_, err := io.WriteString(nc, "GET "+at.Path+" HTTP/1.1\r\nHost: "+at.Host+"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	var head []byte
	for b := []byte{0}; err == nil && !bytes.HasSuffix(head, []byte("\r\n\r\n")); {
		if _, err = io.ReadFull(nc, b); err == nil {
			head = append(head, b...)
		}
	}
	return string(head), err
}
