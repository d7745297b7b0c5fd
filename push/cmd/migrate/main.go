// Command migrate copies the live connections of one table to another: from a
// table of the posts' layouts to one of push.DynamoDB, for example.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/gatepost-dev/gatepost/push"
	"github.com/gatepost-dev/gatepost/push/postroster"
)

const usage = `migrate copies the live connections of one DynamoDB table to another.

  migrate -from TABLE -layout LAYOUT -to TABLE [-dry-run]

The old table is only read. Both may be in use meanwhile: let $connect enter new
connections in the new table first, then migrate, then publish from the new one.
It may be run again: what is there already stays as it is. Region, credentials
and endpoint are the AWS SDK's own (AWS_REGION, AWS_PROFILE, AWS_ENDPOINT_URL).

Layouts of the old and of the new table:
  push      the push library's own, as in push/deploy
  conn-id   PK and SK are CONN#<id>, with ConnectionId and EstablishedTime
  by-second pk is the same for all, sk the second of the connection's begin, with id and ttl

Flags:
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "migrate:", err)
		}
		os.Exit(1)
	}
}

// settings are the command line's.
type settings struct {
	from, to, layout, toLayout, partition string
	unit, ttl                             time.Duration
	shards                                int
	dryRun                                bool
}

func run(ctx context.Context, args []string, out, errs io.Writer) error {
	s, err := parse(args, errs)
	if err != nil {
		return err
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return fmt.Errorf("load the AWS configuration: %w", err)
	}
	client := dynamodb.NewFromConfig(cfg)
	from, err := s.roster(client, "-layout", s.layout, s.from)
	if err != nil {
		return err
	}
	to, err := s.roster(client, "-to-layout", s.toLayout, s.to)
	if err != nil {
		return err
	}
	done, err := push.Migrate(ctx, from, to, push.MigrateOptions{DryRun: s.dryRun, Progress: func(m push.Migration) { report(errs, "so far", m) }})
	what := "done"
	if s.dryRun {
		what = "dry run, nothing was written"
	}
	report(out, what, done)
	return err
}

func report(w io.Writer, what string, m push.Migration) {
	fmt.Fprintf(w, "%s: %d connections read, %d copied, %d ended meanwhile, %d failed\n", what, m.Read, m.Copied, m.Refused, len(m.Failed))
}

func parse(args []string, errs io.Writer) (*settings, error) {
	s := &settings{}
	flags := flag.NewFlagSet("migrate", flag.ContinueOnError)
	flags.SetOutput(errs)
	flags.Usage = func() { fmt.Fprint(errs, usage); flags.PrintDefaults() }
	flags.StringVar(&s.from, "from", "", "the old table's `name`")
	flags.StringVar(&s.to, "to", "", "the new table's `name`")
	flags.StringVar(&s.layout, "layout", "conn-id", "the old table's `layout`")
	flags.StringVar(&s.toLayout, "to-layout", "push", "the new table's `layout`")
	flags.StringVar(&s.partition, "partition", "connectionId", "by-second: the `value` of pk")
	flags.DurationVar(&s.unit, "unit", time.Second, "by-second: what sk counts, 1s or 1ms")
	flags.DurationVar(&s.ttl, "ttl", push.DefaultTTL, "how long a connection without an end is believed in")
	flags.IntVar(&s.shards, "shards", push.DefaultShards, "push: the `number` of shards of the index Recent")
	flags.BoolVar(&s.dryRun, "dry-run", false, "read and count, write nothing")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	switch {
	case flags.NArg() > 0:
		return nil, fmt.Errorf("%q is too much: name the tables with -from and -to", flags.Arg(0))
	case s.from == "" || s.to == "":
		return nil, errors.New("name the tables with -from and -to; -help says more")
	case s.from == s.to:
		return nil, errors.New("-from and -to are the same table: migrate into a new one")
	case s.unit != time.Second && s.unit != time.Millisecond:
		return nil, fmt.Errorf("-unit is %v: it must be 1s or 1ms", s.unit)
	case s.shards < 1 || s.shards > 256:
		return nil, fmt.Errorf("-shards is %d: it must be 1 to 256", s.shards)
	}
	return s, nil
}

func (s *settings) roster(client *dynamodb.Client, flag, layout, table string) (push.Roster, error) {
	switch layout {
	case "push":
		return push.NewDynamoDB(client, table, push.DynamoDBOptions{TTL: s.ttl, Shards: s.shards}), nil
	case "conn-id":
		return postroster.ConnID(client, table, s.ttl), nil
	case "by-second":
		return postroster.BySecond(client, table, postroster.BySecondOptions{Partition: s.partition, Unit: s.unit, TTL: s.ttl}), nil
	}
	return nil, fmt.Errorf("%s is %q: it must be push, conn-id or by-second", flag, layout)
}
