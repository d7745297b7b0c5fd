package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gatepost-dev/gatepost"
	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/instance"
	"github.com/gatepost-dev/gatepost/stack"
)

// places are the flags of every command that runs a system.
type places struct {
	Gateway   string   `default:"127.0.0.1:3001" placeholder:"HOST:PORT" help:"Where clients connect; a second API takes the next port, port 0 a free one."`
	AWS       string   `name:"aws" default:"127.0.0.1:4566" placeholder:"HOST:PORT" help:"The AWS endpoint (DynamoDB, SQS, SNS, Kinesis, Lambda)."`
	Console   string   `default:"127.0.0.1:4400" placeholder:"HOST:PORT" help:"The admin API."`
	Data      string   `placeholder:"DIR" help:"Folder for everything kept on disk; by default .gatepost beside the template."`
	Ephemeral bool     `help:"Keep tables, queues and topics for this run only, in memory; what the data folder has stays as it is."`
	Sync      bool     `help:"Answer a write when it is on the disk: what was acknowledged survives a power cut too, not only kill -9."`
	Env       []string `sep:"none" placeholder:"FUNCTION.NAME=VALUE" help:"Set a variable of one function, over the template's, or with NAME=VALUE of all; may be repeated."`
	EnvFile   []string `name:"env-file" sep:"none" placeholder:"FILE" help:"Set variables from a file: the JSON of 'sam local --env-vars', or lines of NAME=value and FUNCTION.NAME=value; may be repeated."`
	Offline   bool     `help:"Refuse the functions' HTTPS calls that would leave this machine."`
	Limit     []string `sep:"none" placeholder:"NAME=VALUE" help:"Change a limit, for example idle=30s, frame=64KB or rate=off; may be repeated. 'gatepost limits' lists them."`
	Ordered   []string `sep:"none" placeholder:"ROUTEKEY" help:"Handle each connection's messages of this route one after the other, which AWS does not; may be repeated."`
	Endpoint  []string `sep:"none" placeholder:"SERVICE=URL" help:"Use a service (dynamodb, kinesis, sqs, sns, lambda) that runs elsewhere, for example dynamodb=http://127.0.0.1:8000, or AWS's own with SERVICE=aws; may be repeated."`
	// AWS takes up to some days, which nobody waits for at a desk.
	TTLDelay time.Duration `name:"ttl-delay" default:"0s" placeholder:"TIME" help:"How long an item of a table stays after its time to live, for example 48h to be as lazy as AWS; 0s: it goes within seconds."`
	// Lambda waits one and two minutes, which nobody does at a desk.
	AsyncRetries []time.Duration `default:"1s,2s" placeholder:"WAIT,WAIT" help:"How long to wait before an asynchronous invocation that failed is tried again; Lambda waits 1m,2m."`
	Quiet        bool            `short:"q" help:"Print the addresses only, not what happens."`
	Reset        string          `enum:"on,off" default:"on" placeholder:"on|off" help:"Whether 'gatepost reset' and POST /_gatepost/reset on the AWS endpoint empty everything that is kept."`
	Verbose      bool            `short:"v" help:"Print Gatepost's own log too."`
	// Only memory has a switch: a build for another machine may need much more.
	MemoryLimit string `enum:"on,off" default:"on" placeholder:"on|off" help:"Kill a function that uses more memory than its MemorySize, as Lambda does (on Linux), or not."`
	// As on Lambda, where what goes on after the answer stands still.
	Freeze []string `sep:"none" placeholder:"on|off|FUNCTION=on|off" help:"Whether processes of functions are stopped between their events, as on Lambda: of all (by default on) or of one function, over the template's; may be repeated."`
}

type devCommand struct {
	source
	places
	debugging
	NoWatch bool `help:"Do not watch the code and the template; nothing is replaced while it runs."`
}

// Help gives the examples.
func (devCommand) Help() string {
	return `Builds the functions, starts everything that the template declares, and prints where it is. What is not supported is listed. What is saved while it runs is built and replaced, and connections stay open. Ctrl-C ends everything.

Any AWS credentials are accepted on the AWS endpoint, from this machine only; calls signed with those that Gatepost gave out are verified, and the management endpoint takes no others.

Examples:
  gatepost dev
  gatepost dev push/deploy/sam --parameter MaxReceiveCount=1
  gatepost dev --gateway 127.0.0.1:0 --env publish.PARALLELISM=8
  gatepost dev --env-file local.json --offline
  gatepost dev --limit idle=30s --limit connect-rate=off
  gatepost dev --freeze publish=off
  gatepost dev --no-watch
  gatepost dev --debug publish`
}

// Run loads the template and runs it until ctx ends.
func (c devCommand) Run(ctx context.Context, std streams) error {
	begun := time.Now()
	folder, err := c.find(std.out, "Running")
	if err != nil {
		return err
	}
	declared, err := c.declaration(std)
	if err != nil {
		return err
	}
	s, err := declared.load(ctx)
	if err != nil {
		return err
	}
	data := c.Data
	if data == "" {
		data = filepath.Join(folder, instance.Folder)
	}
	debug, err := c.asked(s)
	if err != nil {
		return err
	}
	r := running{places: c.places, from: c.Path, data: data, debug: debug, begun: begun}
	if declared.maker != nil {
		r.begun = time.Now() // what the maker has written is no news
	}
	if !c.NoWatch {
		r.declared = declared
	}
	return r.serve(ctx, std, s)
}

// folderOf is the folder that a template's path means.
func folderOf(path string) string {
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		return filepath.Dir(path)
	}
	return path
}

// running is a system that a command runs.
type running struct {
	places
	from, data string // where the template is from, and the data folder
	debug      map[string]gatepost.Debug
	begun      time.Time    // before anything of it was read
	declared   *declaration // what is watched, to read it again; nil for nothing
}

// serve runs a stack until ctx ends and tells what happens.
func (r running) serve(ctx context.Context, std streams, s *stack.Stack) error {
	p := r.places
	variables, err := p.variables(s)
	if err != nil {
		return err
	}
	if err := p.order(s); err != nil {
		return err
	}
	keepRunning, err := p.freeze(s)
	if err != nil {
		return err
	}
	limits, err := p.limits()
	if err != nil {
		return err
	}
	endpoints, err := p.endpoints()
	if err != nil {
		return err
	}
	if p.Ephemeral && p.Sync {
		return usageError{errors.New("--ephemeral keeps nothing, so --sync means nothing with it: give one of them")}
	}
	started := time.Now()
	show := &narrator{out: std.out, quiet: p.Quiet, ephemeral: p.Ephemeral}
	cfg := gatepost.Config{
		Stack: s, Data: r.data, Gateway: p.Gateway, AWS: p.AWS, Console: p.Console, TTLDelay: p.TTLDelay,
		Override: variables, Offline: p.Offline, Limits: limits, Endpoints: endpoints, AsyncRetries: p.AsyncRetries, Log: p.logger(std), Built: show.built, Watch: show.events(),
		NoMemoryLimit: p.MemoryLimit == "off",
		Ephemeral:     p.Ephemeral, SyncEveryWrite: p.Sync,
		KeepRunning: keepRunning,
		AllowReset:  p.Reset == "on",
		Debug:       r.debug,
	}
	server, err := gatepost.New(cfg)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	select {
	case err := <-ended:
		return err
	case <-server.Ready():
		show.ready(server, s, r.from, time.Since(started))
	}
	following, stop := context.WithCancel(ctx)
	var looping sync.WaitGroup
	if r.declared != nil {
		looping.Go(func() { (&loop{running: r, server: server, show: show, stack: s}).run(following) })
	}
	err = <-ended
	stop()
	looping.Wait()
	if err == nil {
		fmt.Fprintln(std.out, "Everything has ended.")
	}
	return err
}

func (p places) logger(std streams) *slog.Logger {
	level := slog.LevelWarn
	if p.Verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(std.err, &slog.HandlerOptions{Level: level}))
}

// limits applies --limit to the defaults.
func (p places) limits() (apigw.Limits, error) {
	limits := apigw.DefaultLimits()
	for _, arg := range p.Limit {
		name, value, ok := strings.Cut(arg, "=")
		if !ok {
			return limits, usageError{fmt.Errorf("--limit %q is not NAME=VALUE", arg)}
		}
		if err := limits.Set(name, value); err != nil {
			return limits, usageError{fmt.Errorf("--limit %s: %w", arg, err)}
		}
	}
	return limits, nil
}

// endpoints reads --endpoint.
func (p places) endpoints() (map[string]string, error) {
	all := make(map[string]string)
	for _, arg := range p.Endpoint {
		service, at, ok := strings.Cut(arg, "=")
		if !ok || all[service] != "" {
			return nil, usageError{fmt.Errorf("--endpoint %q is not SERVICE=URL, each service once", arg)}
		}
		all[service] = at
	}
	return all, nil
}

// order applies --ordered.
func (p places) order(s *stack.Stack) error {
	for _, key := range p.Ordered {
		found := false
		for i := range s.APIs {
			if route := s.APIs[i].Route(key); route != nil {
				route.Ordered, found = true, true
			}
		}
		if !found {
			return fmt.Errorf("--ordered %s: the template declares no route with this key", key)
		}
	}
	return nil
}

// freeze applies --freeze: to all functions, over the template's settings, then
// to those that are named. It reports whether the others are kept running.
func (p places) freeze(s *stack.Stack) (keepRunning bool, err error) {
	own := make(map[*stack.Function]*bool)
	for _, arg := range p.Freeze {
		name, word, named := strings.Cut(arg, "=")
		if !named {
			name, word = "", arg
		}
		if word != "on" && word != "off" {
			return false, usageError{fmt.Errorf("--freeze %q is not on, off, FUNCTION=on or FUNCTION=off", arg)}
		}
		on := word == "on"
		if !named {
			keepRunning = !on
			for i := range s.Functions {
				s.Functions[i].Freeze = nil
			}
			continue
		}
		f := s.Function(name)
		if f == nil {
			return false, fmt.Errorf("--freeze %s: the template declares no function %q; it declares %s", arg, name, functionNames(s))
		}
		own[f] = &on
	}
	for f, on := range own {
		f.Freeze = on
	}
	return keepRunning, nil
}
