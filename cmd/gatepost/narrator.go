package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/gatepost-dev/gatepost"
	"github.com/gatepost-dev/gatepost/internal/function"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
	"github.com/gatepost-dev/gatepost/stack"
)

// narrator tells on the terminal what is built, what runs where, and what
// happens. Its methods may be called together.
type narrator struct {
	quiet     bool
	ephemeral bool
	mu        sync.Mutex // keeps the lines of out whole
	out       io.Writer
}

func (n *narrator) printf(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	fmt.Fprintf(n.out, format, args...)
}

// kept says what the data folder keeps, if that is not everything.
func (n *narrator) kept() string {
	if n.ephemeral {
		return "   (tables, queues and topics end with this run)"
	}
	return ""
}

// built tells of one build as it ends.
func (n *narrator) built(b gatepost.Build) {
	took := b.Duration.Round(time.Millisecond)
	switch {
	case b.Err != nil && b.Before:
		n.printf("build %s: failed after %s, the last good code goes on\n%v\n", b.Function, took, b.Err)
	case b.Err != nil:
		n.printf("build %s: failed\n%v\n", b.Function, b.Err)
	case b.Replaced:
		n.printf("build %s: %s, replaced\n", b.Function, took)
	case b.Before:
		n.printf("build %s: %s, nothing new\n", b.Function, took)
	case b.Duration > 0:
		n.printf("build %s: %s\n", b.Function, took)
	}
}

// ready prints what runs and where, and what to type next.
func (n *narrator) ready(server *gatepost.Server, s *stack.Stack, from string, took time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	fmt.Fprintf(n.out, "\nGatepost %s runs %s, ready after %s.\n\n", version, from, took.Round(time.Millisecond))
	for _, a := range server.Addresses() {
		fmt.Fprintf(n.out, "  %-11s %s   (API %s)\n", "WebSocket", a.URL, a.Name)
		fmt.Fprintf(n.out, "  %-11s %s/@connections/ID\n", "Callback", a.Callback)
	}
	fmt.Fprintf(n.out, "  %-11s %s   (DynamoDB, SQS, SNS, Kinesis, Lambda; region %s)\n", "AWS", server.AWS(), s.Region)
	fmt.Fprintf(n.out, "  %-11s %s\n", "Admin API", server.Console())
	fmt.Fprintf(n.out, "  %-11s %s%s\n", "Data", server.Data(), n.kept())
	states := functionStates(server)
	printParts(n.out, s, func(function string) string { return states[function] })
	printDebuggers(n.out, server.Functions())
	printOutputs(n.out, s)
	printNotices(n.out, s.Notices, false)
	printWarnings(n.out, append(server.Warnings(), s.Doubts()...))
	n.nextSteps(server, s)
}

func functionStates(server *gatepost.Server) map[string]string {
	states := make(map[string]string)
	for _, f := range server.Functions() {
		states[f.Name] = how(f)
	}
	return states
}

// how says how a function came to its code.
func how(f function.Status) string {
	switch {
	case f.State == function.Failed:
		return "could not be built"
	case f.How == "command":
		return "built in"
	case f.Build > 0:
		return fmt.Sprintf("%s, %s", f.How, f.Build.Round(time.Millisecond))
	}
	return f.How
}

// printOutputs prints the template's outputs.
func printOutputs(out io.Writer, s *stack.Stack) {
	if len(s.Outputs) == 0 {
		return
	}
	fmt.Fprintln(out, "\nOutputs, as they would be on AWS:")
	w := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	for _, o := range s.Outputs {
		fmt.Fprintf(w, "  %s\t= %s\n", o.Name, o.Value)
	}
	w.Flush()
}

// nextSteps are the lines that a user types next.
func (n *narrator) nextSteps(server *gatepost.Server, s *stack.Stack) {
	fmt.Fprintf(n.out, "\nNext, in other terminals:\n")
	for _, a := range server.Addresses() {
		api := ""
		if len(server.Addresses()) > 1 {
			api = " --api " + a.Name
		}
		fmt.Fprintf(n.out, "  gatepost connect%s\n", api)
	}
	for _, m := range s.Mappings {
		if q := s.QueueByARN(m.SourceARN); q != nil {
			fmt.Fprintf(n.out, "  gatepost queue send %s 'hello, everyone'\n", q.Name)
		}
	}
	fmt.Fprintf(n.out, "  gatepost ls\n\nCtrl-C ends everything.\n\n")
}

// news prints what a template that was read again has that will not run and that
// it did not have before; unchanged says that nothing of what runs has changed.
func (n *narrator) news(before, now []stack.Notice, unchanged bool) {
	known := make(map[string]bool, len(before))
	for _, notice := range before {
		known[notice.LogicalID+"\x00"+notice.Text] = true
	}
	fresh := slices.DeleteFunc(slices.Clone(now), func(notice stack.Notice) bool {
		return notice.Inert || known[notice.LogicalID+"\x00"+notice.Text]
	})
	n.mu.Lock()
	defer n.mu.Unlock()
	if unchanged && len(fresh) == 0 {
		fmt.Fprintln(n.out, "The template declares nothing new.")
	}
	printNotices(n.out, fresh, false)
}

// events is who is to be told of what happens: nobody, where no line is wanted,
// because even a watcher that does nothing wakes a thread for each event.
func (n *narrator) events() func(gatepost.Event) {
	if n.quiet {
		return nil
	}
	return n.event
}

// event prints one thing that happened.
func (n *narrator) event(e gatepost.Event) {
	mark := " "
	if e.Failed {
		mark = "!"
	}
	// One event is one line: errors of validators and stack traces have several.
	n.printf("%s %s %s\n", e.Time.Format("15:04:05.000"), mark, strings.ReplaceAll(sentence(e), "\n", " "))
}

// sentence says what an event tells.
func sentence(e gatepost.Event) string {
	took := e.Duration.Round(100 * time.Microsecond)
	switch e.Kind {
	case telemetry.Connected:
		return fmt.Sprintf("%s connected from %s (%s)", e.ConnectionID, e.Text, took)
	case telemetry.Refused:
		return fmt.Sprintf("a client was refused: %s (%s)", e.Text, took)
	case telemetry.MessageIn:
		return join(fmt.Sprintf("%s -> %s, %d bytes (%s)", e.ConnectionID, strings.TrimSpace(e.RouteKey+" "+e.Function), e.Bytes, took), e.Text)
	case telemetry.Posted:
		return join(fmt.Sprintf("%s <- post, %d bytes", e.ConnectionID, e.Bytes), e.Text)
	case telemetry.Disconnected:
		return fmt.Sprintf("%s disconnected: %s", e.ConnectionID, e.Text)
	case telemetry.Invoked:
		return join(fmt.Sprintf("%s %sran (%s%s)", e.Function, short(e.RequestID), took, memory(e.Report)), e.Text)
	case telemetry.LogLine:
		return fmt.Sprintf("%s %s| %s", e.Function, short(e.RequestID), e.Text)
	case telemetry.Delivered:
		if e.Function == "" { // a topic's: the text says where to
			return join(lastPart(e.Source), e.Text)
		}
		return fmt.Sprintf("%s -> %s: %s (%s)", shortSource(e.Source), e.Function, e.Text, took)
	case telemetry.DeadLettered:
		if strings.Contains(e.Source, "/stream/") { // a record about records, which stay where they are
			return fmt.Sprintf("%s -> %s: %s", shortSource(e.Source), e.Function, e.Text)
		}
		return join(fmt.Sprintf("%s: a message went to the dead-letter queue", shortSource(e.Source)), e.Text)
	case telemetry.Intercepted:
		if e.Operation == "" {
			return join(e.Function+" called another host", e.Text)
		}
		return join(e.Function+" called AWS by its own name", e.Text)
	}
	return join(string(e.Kind), e.Text)
}

// memory says how much of its memory a function has used, if that is known.
func memory(r *telemetry.Report) string {
	if r == nil || r.MaxMemoryMB == 0 {
		return ""
	}
	return fmt.Sprintf(", %d of %d MB", r.MaxMemoryMB, r.MemoryMB)
}

func join(a, b string) string {
	if b == "" {
		return a
	}
	return a + ": " + b
}

// short is the beginning of a request id, enough to tell invocations apart,
// with a space behind it; empty during a function's init.
func short(requestID string) string {
	if requestID == "" {
		return ""
	}
	id, _, _ := strings.Cut(requestID, "-")
	return id + " "
}

func lastPart(arn string) string { return arn[strings.LastIndexByte(arn, ':')+1:] }

// shortSource names what a batch came from: a queue, or the stream of a table.
func shortSource(arn string) string {
	if table, _, ok := strings.Cut(arn, "/stream/"); ok {
		return lastPart(table) + "/stream"
	}
	return lastPart(arn)
}
