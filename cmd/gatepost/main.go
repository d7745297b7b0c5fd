// Command gatepost runs API Gateway WebSocket APIs, with their Lambda
// functions, tables and queues, straight from their templates.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is the release; docs and CHANGELOG.md say what is in it.
const version = "0.1.0"

// The exit codes of every command.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// cli is the command line: one field a command, each in a file of its own.
type cli struct {
	Dev      devCommand      `cmd:"" help:"Run a template's system on this machine."`
	Demo     demoCommand     `cmd:"" help:"Run the push system that is built into Gatepost; no template and no Go needed."`
	Wait     waitCommand     `cmd:"" help:"Return once a running instance is ready (for scripts)."`
	Env      envCommand      `cmd:"" help:"Print export lines that point the AWS CLI and SDKs at the running instance."`
	Connect  connectCommand  `cmd:"" help:"Connect to a WebSocket API: lines in, frames out."`
	Ls       lsCommand       `cmd:"" help:"List the live connections."`
	Post     postCommand     `cmd:"" help:"Send a message to one connection."`
	Kick     kickCommand     `cmd:"" help:"Close one connection."`
	Invoke   invokeCommand   `cmd:"" help:"Run a function with a JSON event."`
	Logs     logsCommand     `cmd:"" help:"Print what the functions have written."`
	Queue    queueCommand    `cmd:"" help:"Work with the queues of the running instance."`
	Topic    topicCommand    `cmd:"" help:"Work with the topics of the running instance."`
	Schedule scheduleCommand `cmd:"" help:"Work with the schedules of the running instance."`
	Reset    resetCommand    `cmd:"" help:"Empty everything between two tests: items, messages, and what calls have made."`
	Keys     keysCommand     `cmd:"" help:"List the API keys of the running instance."`
	Limits   limitsCommand   `cmd:"" help:"List the limits that --limit changes, with their defaults."`
	Validate validateCommand `cmd:"" help:"Load a template and print what would run and what is skipped."`
	Template templateCommand `cmd:"" help:"Print a template as plain CloudFormation, with everything resolved."`
	Version  versionCommand  `cmd:"" help:"Print the version."`
	Function functionCommand `cmd:"" hidden:"" help:"Be one of the built-in Lambda functions."`
}

// streams are the standard streams, so that tests can stand in for them.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// usageError is a mistake in the command line: exit code 2.
type usageError struct{ error }

func main() {
	if len(os.Args) > 1 && (os.Args[1] == "dev" || os.Args[1] == "demo") {
		slacken()
	}
	ctx, stop := interruptible(context.Background())
	defer stop()
	os.Exit(run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}

// interruptible ends the context at the first Ctrl-C or SIGTERM. The second
// ends the process: its functions end with it.
func interruptible(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		<-signals
		os.Exit(exitFailed)
	}()
	return ctx, cancel
}

// run parses and runs one command line and returns the exit code.
func run(ctx context.Context, args []string, std streams) int {
	var c cli
	code := -1
	parser, err := kong.New(&c,
		kong.Name("gatepost"),
		kong.Description("WebSocket APIs for Go backends, anywhere: runs API Gateway WebSocket systems unmodified from their templates.\n\nStart here: gatepost demo"),
		kong.Writers(std.out, std.err),
		kong.Exit(func(n int) { code = n }),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(std),
	)
	if err != nil {
		panic(err) // the struct above is wrong
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	k, err := parser.Parse(args)
	if code >= 0 {
		return code // --help has printed
	}
	if err != nil {
		return report(std, usageError{err})
	}
	return report(std, k.Run())
}

// report prints an error as a sentence and returns its exit code.
func report(std streams, err error) int {
	if err == nil {
		return exitDone
	}
	fmt.Fprintf(std.err, "gatepost: %v\n", err)
	if _, wrong := errors.AsType[usageError](err); wrong {
		fmt.Fprintln(std.err, "See: gatepost --help, or gatepost COMMAND --help")
		return exitUsage
	}
	return exitFailed
}
