// Command bench measures Gatepost against a floor and a peer on this machine,
// in one run, and says which goals of docs/performance.md are met.
//
//	go -C bench run . [-quick] [-only fanout,memory] [-rounds 5]
//
// # Adding a section
//
// A section is one file and one line in the list below. Its run function gets
// an *options and returns rows; a row is one line of the table. Keep to these
// rules, so that figures from different machines and days can be compared:
//
//   - Measure the floor in the same run: the least that the kernel (or the other
//     side) costs for the same work, with no library at all.
//   - Count CPU of the serving process per operation, not wall time. start runs a
//     child process on a core of its own with GOMAXPROCS=1; the load runs in
//     another child on the other core.
//   - Interleave: in every round measure each variant once. Give all figures of
//     the rounds to a row; it prints their median and range, and the ratio to
//     the floor round by round.
//   - A goal is a number in the row, never in prose.
//   - Stay under half a minute; -quick under ten seconds.
//
// A new kind of child process is a function in the children map of proc.go.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
)

// sections in the order in which they run and print.
var sections = []section{
	{"fanout", "one message to every connection", runFanout},
	{"queued", "ten messages to every connection, one right behind the other", runQueued},
	{"latency", "until the last connection has its message", runLatency},
	{"memory", "user memory of an idle connection", runMemory},
	{"handshake", "an upgrade, no function on $connect", runHandshake},
	{"post", "a signed POST @connections, read by its client", runPost},
	{"invoke", "a function of aws-lambda-go through its Runtime API, all cores", runInvoke},
	{"roundtrip", "from a client's frame through a function of aws-lambda-go to the client, the whole program, all cores, load included", runRoundtrip},
	{"freeze", "a function that is frozen between its events, beside one that is not; a cold start", runFreeze},
	{"tables", "calls of DynamoDB through HTTP, 64 clients, all cores, load included", runTables},
	{"queues", "confirmed sends: through HTTP, 64 clients, all cores, load included; and in one process, many under way", runQueues},
	{"events", "from a call to the function that it triggers, the whole program", runEvents},
	{"start", "the whole program: gatepost demo", runStart},
}

type section struct {
	name  string
	about string
	run   func(*options) ([]row, error)
}

// options are the command line's.
type options struct {
	quick  bool
	rounds int
	only   []string
}

// scale returns n, or less of it for a quick run.
func (o *options) scale(n int) int {
	if o.quick {
		return max(n/10, 1)
	}
	return n
}

func main() {
	if runChild() {
		return
	}
	opts, err := parseFlags()
	if err == nil {
		err = run(opts)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parseFlags() (*options, error) {
	o := &options{}
	only := flag.String("only", "", "comma-separated sections: "+strings.Join(sectionNames(), ", "))
	flag.BoolVar(&o.quick, "quick", false, "a tenth of the connections and fewer rounds")
	flag.IntVar(&o.rounds, "rounds", 7, "rounds per metric")
	flag.Parse()
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	for _, name := range o.only {
		if !slices.Contains(sectionNames(), name) {
			return nil, fmt.Errorf("no section %q; there are %s", name, strings.Join(sectionNames(), ", "))
		}
	}
	if o.quick {
		o.rounds = min(o.rounds, 3)
	}
	if o.rounds < 1 {
		return nil, fmt.Errorf("-rounds %d: at least one round is needed", o.rounds)
	}
	return o, nil
}

func sectionNames() []string {
	names := make([]string, len(sections))
	for i, s := range sections {
		names[i] = s.name
	}
	return names
}

func run(o *options) error {
	if err := raiseFileLimit(); err != nil {
		return err
	}
	printMachine(os.Stdout)
	t := newTable(os.Stdout)
	for _, s := range sections {
		if len(o.only) > 0 && !slices.Contains(o.only, s.name) {
			continue
		}
		rows, err := s.run(o)
		if err != nil {
			return fmt.Errorf("section %s: %w", s.name, err)
		}
		t.print(s, rows)
	}
	return nil
}
