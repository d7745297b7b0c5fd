package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/template"
	"github.com/gatepost-dev/gatepost/stack"
)

// pairs reads KEY=VALUE arguments.
func pairs(args []string) (map[string]string, error) {
	out := make(map[string]string, len(args))
	for _, a := range args {
		key, value, ok := strings.Cut(a, "=")
		if !ok || key == "" {
			return nil, usageError{fmt.Errorf("%q is not KEY=VALUE", a)}
		}
		out[key] = value
	}
	return out, nil
}

type validateCommand struct {
	source
	JSON bool `name:"json" help:"Print the resolved stack as JSON."`
}

// Help gives the example.
func (validateCommand) Help() string {
	return "Nothing is built and nothing is started.\n\nExample:\n  gatepost validate push/deploy/sam"
}

// Run loads the template and prints what would run.
func (c validateCommand) Run(ctx context.Context, std streams) error {
	if _, err := c.find(std.err, "Checking"); err != nil {
		return err
	}
	s, err := c.load(ctx, std)
	if c.JSON {
		if failed := printJSON(std.out, findingsOf(s, err)); failed != nil {
			return failed
		}
	}
	if err != nil || c.JSON {
		return err
	}
	for _, a := range s.APIs {
		fmt.Fprintf(std.out, "API %s, stage %s, routes chosen by %s\n", a.Name, a.Stage.Name, a.RouteSelectionExpression)
	}
	printParts(std.out, s, nil)
	printOutputs(std.out, s)
	printNotices(std.out, s.Notices, true)
	printWarnings(std.out, warningsOf(s))
	return nil
}

// findings is what validate --json prints.
type findings struct {
	// Valid is true when the template loads; Stack is there only then.
	Valid bool         `json:"valid"`
	Stack *stack.Stack `json:"stack,omitempty"`
	// Notices are what is left out, Warnings what will hardly work, and Errors
	// what keeps the template from loading.
	Notices  []stack.Notice    `json:"notices"`
	Warnings []string          `json:"warnings"`
	Errors   []*template.Error `json:"errors"`
}

func findingsOf(s *stack.Stack, err error) findings {
	found := findings{Notices: []stack.Notice{}, Warnings: []string{}, Errors: []*template.Error{}}
	if err != nil {
		found.Errors = template.Errors(err)
		return found
	}
	shown := s.WithoutSecrets()
	found.Valid, found.Stack = true, shown
	found.Notices = append(found.Notices, s.Notices...)
	found.Warnings = append(found.Warnings, warningsOf(s)...)
	shown.Notices = nil
	listed(&shown.APIs, &shown.Functions, &shown.Queues, &shown.Tables, &shown.Mappings)
	return found
}

// listed makes lists of nothing of those that are not there, as JSON's readers
// expect them.
func listed(apis *[]apigw.API, functions *[]stack.Function, queues *[]stack.Queue, tables *[]stack.Table, mappings *[]stack.EventSourceMapping) {
	*apis, *functions, *queues = append([]apigw.API{}, *apis...), append([]stack.Function{}, *functions...), append([]stack.Queue{}, *queues...)
	*tables, *mappings = append([]stack.Table{}, *tables...), append([]stack.EventSourceMapping{}, *mappings...)
}

// warningsOf are the sentences about what will hardly work.
func warningsOf(s *stack.Stack) []string {
	return append(s.Placeholders(), s.Doubts()...)
}

// printWarnings prints a line a sentence about what will hardly work.
func printWarnings(out io.Writer, sentences []string) {
	if len(sentences) == 0 {
		return
	}
	fmt.Fprintf(out, "\nLook at this:\n  %s\n", strings.Join(sentences, "\n  "))
}

// printParts prints the tables of routes, queues and tables of a stack. state
// tells of a function what the last column says; nil leaves the column out.
func printParts(out io.Writer, s *stack.Stack, state func(function string) string) {
	if state == nil {
		state = func(function string) string { return runtimeOf(s, function) }
	}
	for _, print := range []func(io.Writer, *stack.Stack, func(string) string){printRoutes, printMappings, printSchedules, printFunctions, printQueues, printTopics, printTables, printStreams} {
		w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
		print(w, s, state)
		w.Flush()
	}
}

func runtimeOf(s *stack.Stack, function string) string {
	if f := s.Function(function); f != nil {
		return f.Runtime
	}
	return ""
}

func printRoutes(w io.Writer, s *stack.Stack, state func(string) string) {
	if len(s.APIs) == 0 {
		return
	}
	fmt.Fprintln(w, "\nROUTE\tINTEGRATION\tANSWERS\tCODE")
	for _, a := range s.APIs {
		for _, r := range a.Routes {
			answers, code := "no", ""
			if r.TwoWay {
				answers = "yes"
			}
			if r.Integration != nil && r.Integration.Function != "" {
				code = state(r.Integration.Function)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", guarded(r), backend(r.Integration), answers, code)
		}
	}
}

// guarded is a route's key with what $connect asks of clients.
func guarded(r apigw.Route) string {
	var asks []string
	switch r.Authorization {
	case apigw.AuthorizationIAM:
		asks = append(asks, "signed")
	case apigw.AuthorizationCustom:
		asks = append(asks, "asks "+r.Authorizer.Function)
	}
	if r.APIKeyRequired {
		asks = append(asks, "API key")
	}
	if len(asks) == 0 {
		return r.Key
	}
	return r.Key + " (" + strings.Join(asks, ", ") + ")"
}

// backend says in a few words what an integration reaches.
func backend(in *apigw.Integration) string {
	switch {
	case in == nil:
		return "none"
	case in.Function != "":
		return in.Function
	case in.Type == apigw.AWSService:
		return lastPart(strings.TrimRight(in.URI, "/"))
	case in.URI == "":
		return string(in.Type)
	}
	return in.URI
}

func printMappings(w io.Writer, s *stack.Stack, state func(string) string) {
	subscribed := functionsOfTopics(s)
	if len(s.Mappings)+len(subscribed) == 0 {
		return
	}
	fmt.Fprintln(w, "\nTRIGGER\tFUNCTION\tBATCH\tCODE")
	for _, m := range s.Mappings {
		source := sourceName(s, m.SourceARN)
		if m.Disabled {
			source += " (disabled)"
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", source, m.Function, m.BatchSize, state(m.Function))
	}
	for _, sub := range subscribed {
		name := lastPart(sub.Endpoint)
		fmt.Fprintf(w, "topic %s\t%s\t1\t%s\n", lastPart(sub.TopicARN), name, state(name))
	}
}

// functionsOfTopics are the subscriptions that invoke functions.
func functionsOfTopics(s *stack.Stack) (all []stack.Subscription) {
	for _, sub := range s.Subscriptions {
		if sub.Protocol == "lambda" {
			all = append(all, sub)
		}
	}
	return all
}

// sourceName is the name of a queue, and a stream by its table's.
func sourceName(s *stack.Stack, arn string) string {
	if q := s.QueueByARN(arn); q != nil {
		return q.Name
	}
	if d := s.StreamByARN(arn); d != nil {
		return "stream " + d.Name
	}
	if table, _, ok := strings.Cut(arn, "/stream/"); ok {
		return "stream of " + strings.TrimPrefix(lastPart(table), "table/")
	}
	return arn
}

func printSchedules(w io.Writer, s *stack.Stack, _ func(string) string) {
	if len(s.Schedules) == 0 {
		return
	}
	fmt.Fprintln(w, "\nSCHEDULE\tWHEN\tCALLS")
	for _, c := range s.Schedules {
		when := strings.TrimSpace(c.Expression + " " + c.Timezone)
		if c.Disabled {
			when += " (disabled)"
		}
		var calls []string
		for _, t := range c.Targets {
			calls = append(calls, lastPart(t.ARN))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", c.Name, when, strings.Join(calls, ", "))
	}
}

// printFunctions prints the functions that no route and no trigger names: who
// decides about clients, and who is invoked by name.
func printFunctions(w io.Writer, s *stack.Stack, state func(string) string) {
	named := make(map[string]bool)
	authorizer := make(map[string]bool)
	for _, a := range s.APIs {
		for _, r := range a.Routes {
			if r.Integration != nil {
				named[r.Integration.Function] = true
			}
			if r.Authorization == apigw.AuthorizationCustom {
				authorizer[r.Authorizer.Function] = true
			}
		}
	}
	for _, m := range s.Mappings {
		named[m.Function] = true
	}
	for _, sub := range functionsOfTopics(s) {
		named[lastPart(sub.Endpoint)] = true
	}
	title := "\nFUNCTION\tCALLED BY\tCODE\n"
	for i := range s.Functions {
		name := s.Functions[i].Name
		if named[name] {
			continue
		}
		by := "name"
		if authorizer[name] {
			by = "the gateway, to authorize"
		} else if slices.ContainsFunc(s.Schedules, func(c stack.Schedule) bool { return calls(c, name) }) {
			by = "schedule"
		}
		fmt.Fprintf(w, "%s%s\t%s\t%s\n", title, name, by, state(name))
		title = ""
	}
}

// calls reports whether a schedule calls a function.
func calls(c stack.Schedule, function string) bool {
	return slices.ContainsFunc(c.Targets, func(t stack.ScheduleTarget) bool { return lastPart(t.ARN) == function })
}

func printQueues(w io.Writer, s *stack.Stack, _ func(string) string) {
	if len(s.Queues) == 0 {
		return
	}
	fmt.Fprintln(w, "\nQUEUE\tVISIBILITY\tDEAD LETTERS")
	for _, q := range s.Queues {
		dead := "none"
		if q.Redrive != nil {
			dead = fmt.Sprintf("to %s after %s", queueName(s, q.Redrive.DeadLetterARN), count(q.Redrive.MaxReceiveCount, "receive"))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", q.Name, q.VisibilityTimeout, dead)
	}
}

func printTopics(w io.Writer, s *stack.Stack, _ func(string) string) {
	if len(s.Topics) == 0 {
		return
	}
	fmt.Fprintln(w, "\nTOPIC\tDELIVERS TO")
	for _, t := range s.Topics {
		var to []string
		for _, sub := range s.Subscriptions {
			if sub.TopicARN == t.ARN {
				to = append(to, sub.Protocol+" "+lastPart(sub.Endpoint))
			}
		}
		fmt.Fprintf(w, "%s\t%s\n", t.Name, cmp.Or(strings.Join(to, ", "), "nobody yet"))
	}
}

func queueName(s *stack.Stack, arn string) string {
	if q := s.QueueByARN(arn); q != nil {
		return q.Name
	}
	return arn
}

// count writes a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if stem, ok := strings.CutSuffix(noun, "y"); ok {
		return fmt.Sprintf("%d %sies", n, stem)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func printTables(w io.Writer, s *stack.Stack, _ func(string) string) {
	if len(s.Tables) == 0 {
		return
	}
	fmt.Fprintln(w, "\nTABLE\tKEY\tITEMS END BY")
	for _, t := range s.Tables {
		var key []string
		for _, k := range t.Key {
			key = append(key, k.Attribute)
		}
		ends := t.TTLAttribute
		if ends == "" {
			ends = "never"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", t.Name, strings.Join(key, ", "), ends)
	}
}

func printStreams(w io.Writer, s *stack.Stack, _ func(string) string) {
	if len(s.Streams) == 0 {
		return
	}
	fmt.Fprintln(w, "\nSTREAM\tSHARDS\tRECORDS END AFTER")
	for _, d := range s.Streams {
		shards := "on demand"
		if !d.OnDemand {
			shards = strconv.Itoa(d.Shards)
		}
		fmt.Fprintf(w, "%s\t%s\t%d h\n", d.Name, shards, d.Retention/time.Hour)
	}
}

// printNotices prints a line a notice. Unless all is set, what a local run does
// not need (policies, log groups) is only counted.
func printNotices(out io.Writer, notices []stack.Notice, all bool) {
	inert := 0
	var lines []string
	for _, n := range notices {
		if n.Inert && !all {
			inert++
			continue
		}
		what := n.LogicalID
		if n.Type != "" {
			what += " (" + n.Type + ")"
		}
		if what != "" {
			what += ": "
		}
		lines = append(lines, fmt.Sprintf("  %s:%d: %s%s", n.File, n.Line, what, n.Text))
	}
	if len(lines) > 0 {
		fmt.Fprintf(out, "\nSkipped or different here:\n%s\n", strings.Join(lines, "\n"))
	}
	if inert > 0 {
		fmt.Fprintf(out, "\nNot needed here: %s (gatepost validate lists them).\n", count(inert, "entry"))
	}
}
