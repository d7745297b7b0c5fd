package function

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/stack"
)

func TestReplaceEndsEventsInTheOldProgram(t *testing.T) {
	gate := newGate(t)
	before := acting("f", "gate", map[string]string{"GATE": gate.path})
	before.MaxConcurrency = 2
	h := newTestHost(t, nil, before)
	answers := make(chan string, 3)
	for range 2 {
		go func() {
			response, err := h.Invoke(context.Background(), "f", []byte("{}"))
			answers <- fmt.Sprintf("%s %v", response, err)
		}()
	}
	old := gate.arrived(2)
	if err := h.Replace(t.Context(), acting("f", "pid", nil), nil); err != nil {
		t.Fatal(err)
	}
	pid := h.invoke("f", "{}")
	if pid == strconv.Itoa(old[0]) || pid == strconv.Itoa(old[1]) {
		t.Error("an event went to the old program")
	}
	gate.open()
	for range 2 {
		if got := <-answers; got != fmt.Sprintf("%d <nil>", old[0]) && got != fmt.Sprintf("%d <nil>", old[1]) {
			t.Errorf("an event that was running ended with %s", got)
		}
	}
	eventually(t, "the old processes have ended", func() bool { return h.leaving[0].pool.left() })
	if s := h.Functions(); len(s) != 1 || s[0].Sandboxes != 1 {
		t.Errorf("%+v", s)
	}
}

func TestReplaceServesWhatWaits(t *testing.T) {
	gate := newGate(t)
	h := newTestHost(t, func(h *Host) { h.config.MaxSandboxes = 1 }, acting("f", "gate", map[string]string{"GATE": gate.path}))
	answers := make(chan string, 3)
	for range 3 {
		go func() {
			response, err := h.Invoke(context.Background(), "f", []byte("{}"))
			answers <- fmt.Sprintf("%s %v", response, err)
		}()
	}
	old := gate.arrived(1)
	pool := h.functions["f"].pool
	pool.awaitQueue(t, 2)
	if err := h.Replace(t.Context(), acting("f", "pid", nil), nil); err != nil {
		t.Fatal(err)
	}
	gate.open()
	for range 3 {
		if got := <-answers; got != fmt.Sprintf("%d <nil>", old[0]) {
			t.Errorf("an event that waited ended with %s", got)
		}
	}
	eventually(t, "the old process has ended", pool.left)
}

func TestReplaceOfSettingsBuildsNothing(t *testing.T) {
	code := files(t, t.TempDir(), map[string]string{"bootstrap": bootstrap})
	spec := fromCode("f", code)
	spec.Timeout, spec.Environment = 10*time.Second, map[string]string{"REAL": os.Args[0], behaviourVariable: "environ"}
	h := newTestHost(t, nil, spec)
	if err := h.Build(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	h.invoke("f", "{}")
	spec.Environment = map[string]string{"REAL": os.Args[0], behaviourVariable: "environ", "GREETING": "hello"}
	if err := h.Replace(t.Context(), spec, func(r BuildResult) { t.Errorf("built %+v", r) }); err != nil {
		t.Fatal(err)
	}
	if got := h.invoke("f", "{}"); !strings.Contains(got, "GREETING=hello") {
		t.Errorf("the environment is %s", got)
	}
	if s := h.Functions()[0]; s.Invocations != 2 || s.State != Ready {
		t.Errorf("%+v", s)
	}
}

func TestReplaceWithCodeThatDoesNotBuild(t *testing.T) {
	module := goFunction(t)
	good := fromCode("f", module+"/cmd/f")
	h := newTestHost(t, nil, good)
	if err := h.Build(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	other := files(t, t.TempDir(), map[string]string{"go.mod": "module x\n", "main.go": "package main\n\nfunc main() { undefined() }\n"})
	var results []BuildResult
	progress := func(r BuildResult) { results = append(results, r) }
	if err := h.Replace(t.Context(), fromCode("f", other), progress); err == nil || !strings.Contains(err.Error(), "undefined: undefined") {
		t.Errorf("got %v", err)
	}
	if got := h.invoke("f", "{}"); got != `"one"` || len(results) != 1 || !results[0].Before {
		t.Errorf("answered %s, reported %+v", got, results)
	}
	// Its sources are to be watched, and once it can be built it takes its place.
	found := false
	for _, s := range h.Sources(t.Context())["f"] {
		found = found || s.Path == other
	}
	if !found {
		t.Error("what could not be built is not among the sources")
	}
	files(t, other, map[string]string{"main.go": source, "answer.go": answer, "answer.txt": `"other"`})
	if err := h.Rebuild(t.Context(), progress, "f"); err != nil {
		t.Fatal(err)
	}
	if got := h.invoke("f", "{}"); got != `"other"` || len(results) != 2 || !results[1].Replaced {
		t.Errorf("answered %s, reported %+v", got, results)
	}
}

func TestRemove(t *testing.T) {
	h := newTestHost(t, nil, acting("f", "echo", nil), acting("g", "echo", nil))
	h.invoke("f", "{}")
	if err := h.Remove("f"); err != nil {
		t.Fatal(err)
	}
	if e := h.invokeError("f", "{}"); !strings.Contains(e.Message, "there is no such function") {
		t.Error(e)
	}
	if got := h.invoke("g", "{}"); got != "{}" || len(h.Functions()) != 1 {
		t.Errorf("g answered %s, of %d functions", got, len(h.Functions()))
	}
	if err := h.Remove("f"); err == nil {
		t.Error("it was removed twice")
	}
	if err := h.Add(acting("f", "pid", nil)); err != nil {
		t.Errorf("it cannot be added again: %v", err)
	}
	h.invoke("f", "{}")
}

func TestReplaceHandler(t *testing.T) {
	h := newTestHost(t, nil)
	spec := stack.Function{Name: "f", Timeout: time.Minute}
	release, begun := make(chan struct{}), make(chan struct{})
	first := NewHandler(func() (string, error) { close(begun); <-release; return "first", nil })
	if err := h.AddHandler(spec, first); err != nil {
		t.Fatal(err)
	}
	answer := make(chan string)
	go func() { answer <- h.invoke("f", "{}") }()
	<-begun
	if err := h.ReplaceHandler(spec, NewHandler(func() (string, error) { return "second", nil })); err != nil {
		t.Fatal(err)
	}
	if got := h.invoke("f", "{}"); got != `"second"` {
		t.Errorf("answered %s", got)
	}
	close(release)
	if got := <-answer; got != `"first"` {
		t.Errorf("the event that was running ended with %s", got)
	}
}
