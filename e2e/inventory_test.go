package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/gatepost-dev/gatepost/internal/instance"
	push "github.com/gatepost-dev/gatepost/push/client/go"
)

// inventory is the running example.
type inventory struct {
	demo
	page string
}

// startInventory runs the example as its README says, on free ports.
func startInventory(t *testing.T) *inventory {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "inventory")
	if out, err := exec.Command("go", append(buildFlags, "-o", program, "../examples/inventory")...).CombinedOutput(); err != nil {
		t.Fatalf("build the example: %v\n%s", err, out)
	}
	s := &inventory{demo: demo{t: t, data: filepath.Join(dir, "data"), out: new(bytes.Buffer)}}
	s.cmd = exec.Command(program, "-template", "../examples/inventory/template.yaml", "-page", "127.0.0.1:0",
		"-gateway", "127.0.0.1:0", "-aws", "127.0.0.1:0", "-console", "127.0.0.1:0", "-data", s.data)
	s.cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+dir)
	said, err := os.Create(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	s.cmd.Stdout, s.cmd.Stderr = said, said
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.interrupt()
		if t.Failed() {
			text, _ := os.ReadFile(said.Name())
			t.Logf("the example said:\n%s", text)
		}
	})
	s.page = s.await(said.Name(), `The shop is open: (\S+)`)
	if s.run, err = instance.Find(s.data); err != nil {
		t.Fatal(err)
	}
	return s
}

// await waits for what the program says.
func (s *inventory) await(file, pattern string) string {
	s.t.Helper()
	for end := time.Now().Add(readyWithin); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		text, _ := os.ReadFile(file)
		if found := regexp.MustCompile(pattern).FindSubmatch(text); found != nil {
			return string(found[1])
		}
	}
	s.t.Fatalf("it has not said %s within %s", pattern, readyWithin)
	return ""
}

// interrupt ends it with Ctrl-C, functions and all.
func (s *inventory) interrupt() {
	s.cmd.Process.Signal(os.Interrupt)
	stuck := time.AfterFunc(callWithin, func() { s.cmd.Process.Kill() })
	defer stuck.Stop()
	if err := s.cmd.Wait(); err != nil {
		s.t.Errorf("the example ended with %v", err)
	}
}

// restock has a delivery.
func (s *inventory) restock(sku, name string, cents, left int) {
	s.t.Helper()
	s.gatepost("invoke restock", fmt.Sprintf(`{"items":[{"sku":%q,"name":%q,"cents":%d,"left":%d}]}`, sku, name, cents, left))
}

// TestInventory orders in the example's shop with two browser tabs. The picture of
// its README is made by
//
//	GATEPOST_PICTURE=$PWD/examples/inventory/picture.png go test ./e2e -run 'TestInventory$'
func TestInventory(t *testing.T) {
	t.Parallel()
	if why := lacksChromium(); why != "" {
		if os.Getenv("CI") != "" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	s := startInventory(t)
	browser := launchChromium(t)
	ann, bob := s.visit(browser), s.visit(browser)

	// An order in one tab is seen in both.
	ann.shows("mug", "25 left")
	bob.shows("mug", "25 left")
	ann.click("mug")
	ann.shows("mug", "24 left")
	bob.shows("mug", "24 left")
	ann.orders("Stoneware mug: placed")
	bob.orders()

	// The race for the last item: one has it, the other one is told.
	var both sync.WaitGroup
	for _, tab := range []*shopTab{ann, bob} {
		both.Go(func() { tab.click("print") })
	}
	both.Wait()
	ann.shows("print", "sold out")
	bob.shows("print", "sold out")
	ann.awaits("its answer", `!document.querySelector("#orders").textContent.includes("sending")`)
	bob.awaits("its answer", `!document.querySelector("#orders").textContent.includes("sending")`)
	won := "Signed print: placed"
	if ann.has(won) == bob.has(won) {
		t.Errorf("both or neither have the last print: %q, %q", ann.list(), bob.list())
	}
	if lost := "Signed print: sold out"; ann.has(lost) == bob.has(lost) {
		t.Errorf("both or neither were told that it is sold out: %q, %q", ann.list(), bob.list())
	}
	ann.awaits("a button without function", `document.querySelector('[data-sku=print] button').disabled`)

	// A delivery is seen at once; so are a new item and one that runs short.
	s.restock("print", "Signed print", 12000, 2)
	ann.shows("print", "2 left")
	bob.shows("print", "2 left")
	if path := os.Getenv("GATEPOST_PICTURE"); path != "" {
		ann.picture(path)
	}
	s.restock("chair", "Oak chair", 19900, 7)
	bob.shows("chair", "7 left")

	// A page that was cut off is back, with what it has missed.
	for _, id := range s.connections() {
		s.gatepost("kick", "--", id)
	}
	s.restock("lamp", "Desk lamp", 7900, 9)
	bob.awaits("the line to be open", `document.querySelector("#line").dataset.state === "open"`)
	bob.shows("lamp", "9 left")
	bob.click("lamp")
	bob.shows("lamp", "8 left")
	ann.shows("lamp", "8 left")
}

// TestInventoryRace has many customers order more than there is, each order twice.
func TestInventoryRace(t *testing.T) {
	t.Parallel()
	s := startInventory(t)
	const customers, left = 20, 7
	s.restock("lamp", "Desk lamp", 7900, left)
	outcomes := make(chan string, 4*customers)
	var all sync.WaitGroup
	for i := range customers {
		all.Go(func() { s.order(fmt.Sprint("order-", i), outcomes) })
	}
	all.Wait()
	close(outcomes)
	count := make(map[string]int)
	for o := range outcomes {
		count[o]++
	}
	if count["placed"] != left || count["sold out"] != customers-left {
		t.Errorf("%d of %d lamps: %v", customers, left, count)
	}
}

// order orders a lamp, twice with the same id, and tells the last answer's outcome.
func (s *inventory) order(id string, outcomes chan<- string) {
	text := fmt.Sprintf(`{"action":"order","id":%q,"sku":"lamp","quantity":1}`, id)
	answers := make(chan string, 16)
	c, err := push.New(push.At(s.url("")), push.Options{Handlers: push.Handlers{Message: func(data []byte) {
		var a struct{ ID, Outcome string }
		if json.Unmarshal(data, &a) == nil && a.ID == id {
			answers <- a.Outcome
		}
	}}})
	if err != nil {
		s.t.Error(err)
		return
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Run(context.Background()) }()
	defer func() { c.Close(); <-ended }()
	var got [2]string
	for i := range got {
		if err := c.Send(text); err != nil {
			s.t.Error(err)
		}
		select {
		case got[i] = <-answers:
		case <-time.After(talkWithin):
			s.t.Errorf("no answer for %s within %s", id, talkWithin)
		}
	}
	if got[0] != got[1] {
		s.t.Errorf("%s was %q and then %q", id, got[0], got[1])
	}
	outcomes <- got[1]
}

// shopTab is a browser tab with the shop's page.
type shopTab struct {
	t   *testing.T
	ctx context.Context
}

// visit opens a tab; an error that the page or its console has fails the test.
func (s *inventory) visit(browser context.Context) *shopTab {
	s.t.Helper()
	tab := &shopTab{t: s.t}
	var end context.CancelFunc
	tab.ctx, end = newTab(s.t, browser)
	chromedp.ListenTarget(tab.ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			s.t.Errorf("the page threw: %s", e.ExceptionDetails.Error())
		case *log.EventEntryAdded:
			if e.Entry.Level == log.LevelError {
				s.t.Errorf("the browser says: %s %s", e.Entry.Text, e.Entry.URL)
			}
		}
	})
	// A tab ends with the context of its first Run, so this one has no deadline.
	stuck := time.AfterFunc(talkWithin, end)
	defer stuck.Stop()
	if err := chromedp.Run(tab.ctx); err != nil {
		s.t.Fatalf("open a tab: %v", err)
	}
	tab.run(log.Enable(), chromedp.EmulateViewport(1000, 640), chromedp.Navigate(s.page))
	return tab
}

func (s *shopTab) run(actions ...chromedp.Action) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, talkWithin)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		s.t.Errorf("in the page: %v", err)
	}
}

// awaits waits until an expression is true in the page.
func (s *shopTab) awaits(what, expression string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, talkWithin)
	defer cancel()
	if err := chromedp.Run(ctx, chromedp.Poll(expression, nil, chromedp.WithPollingInterval(20*time.Millisecond), chromedp.WithPollingTimeout(talkWithin))); err != nil {
		var text string
		chromedp.Run(s.ctx, chromedp.Evaluate(`document.body.innerText`, &text))
		s.t.Fatalf("the page does not have %s: %v\n%s", what, err, text)
	}
}

func (s *shopTab) shows(sku, left string) {
	s.t.Helper()
	s.awaits(fmt.Sprintf("%s of %s", left, sku), fmt.Sprintf(`document.querySelector("[data-sku=%s] .left")?.textContent === %q`, sku, left))
}

func (s *shopTab) click(sku string) {
	s.t.Helper()
	s.run(chromedp.Evaluate(fmt.Sprintf(`document.querySelector("[data-sku=%s] button").click()`, sku), nil))
}

// list is the orders as the page shows them, the newest first.
func (s *shopTab) list() (list []string) {
	s.t.Helper()
	s.run(chromedp.Evaluate(`[...document.querySelectorAll("#orders li")].map(li => li.firstChild.textContent + ": " + li.querySelector("b").textContent)`, &list))
	return list
}

func (s *shopTab) has(order string) bool {
	s.t.Helper()
	return strings.Contains(strings.Join(s.list(), "\n"), order)
}

// orders waits until the page shows these orders and no others.
func (s *shopTab) orders(want ...string) {
	s.t.Helper()
	for end := time.Now().Add(talkWithin); ; time.Sleep(20 * time.Millisecond) {
		got := strings.Join(s.list(), "\n")
		if got == strings.Join(want, "\n") {
			return
		}
		if time.Now().After(end) {
			s.t.Fatalf("the page shows the orders %q, want %q", got, want)
		}
	}
}

// picture writes what the tab shows.
func (s *shopTab) picture(path string) {
	s.t.Helper()
	var png []byte
	s.run(chromedp.Sleep(2*time.Second), chromedp.CaptureScreenshot(&png)) // the flash is over
	if err := os.WriteFile(path, png, 0o644); err != nil {
		s.t.Error(err)
	}
}
