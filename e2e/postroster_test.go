package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/gatepost-dev/gatepost/push"
	"github.com/gatepost-dev/gatepost/push/postroster"
	"github.com/gatepost-dev/gatepost/push/rostertest"
)

// keyed creates a table with the two key attributes of these names.
func keyed(t *testing.T, client *awsdynamodb.Client, table, hash, sort string, sortType types.ScalarAttributeType) {
	t.Helper()
	_, err := client.CreateTable(t.Context(), &awsdynamodb.CreateTableInput{
		TableName: &table, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: &hash, AttributeType: types.ScalarAttributeTypeS}, {AttributeName: &sort, AttributeType: sortType}},
		KeySchema: []types.KeySchemaElement{
			{AttributeName: &hash, KeyType: types.KeyTypeHash}, {AttributeName: &sort, KeyType: types.KeyTypeRange}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func connIDTable(t *testing.T, client *awsdynamodb.Client, table string) {
	keyed(t, client, table, "PK", "SK", types.ScalarAttributeTypeS)
}

func bySecondTable(t *testing.T, client *awsdynamodb.Client, table string) {
	keyed(t, client, table, "pk", "sk", types.ScalarAttributeTypeN)
}

// TestPostRosters holds the layouts of the published examples to the roster's
// contract.
func TestPostRosters(t *testing.T) {
	_, client := tables(t)
	var n atomic.Int32
	t.Run("ConnID", func(t *testing.T) {
		rostertest.Run(t, func(t *testing.T) push.Roster {
			table := fmt.Sprintf("roster-%d", n.Add(1))
			connIDTable(t, client, table)
			return postroster.ConnID(client, table, 0)
		}, rostertest.Forgetful)
	})
	for _, unit := range []time.Duration{time.Second, time.Millisecond} {
		t.Run("BySecond/"+unit.String(), func(t *testing.T) {
			rostertest.Run(t, func(t *testing.T) push.Roster {
				table := fmt.Sprintf("roster-%d", n.Add(1))
				bySecondTable(t, client, table)
				return postroster.BySecond(client, table, postroster.BySecondOptions{Unit: unit})
			}, rostertest.Forgetful)
		})
	}
}

// TestBySecondCrowded: connections of a second whose key, and those of many
// seconds after it, are taken find one of their own.
func TestBySecondCrowded(t *testing.T) {
	_, client := tables(t)
	bySecondTable(t, client, "crowded")
	began := time.Now().Truncate(time.Second)
	const taken, more = 1000, 40
	for i := range taken {
		putRow(t, client, "crowded", map[string]types.AttributeValue{
			"pk": &types.AttributeValueMemberS{Value: "connectionId"},
			"sk": &types.AttributeValueMemberN{Value: strconv.FormatInt(began.Unix()+int64(i), 10)},
			"id": &types.AttributeValueMemberS{Value: fmt.Sprint("taken-", i)},
		})
	}
	r := postroster.BySecond(client, "crowded", postroster.BySecondOptions{})
	for i := range more {
		if err := r.Add(t.Context(), push.Connection{ID: fmt.Sprint("more-", i), ConnectedAt: began}); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := r.Count(t.Context()); n != taken+more || err != nil {
		t.Errorf("%d connections, %v; want %d", n, err, taken+more)
	}
}

// exampleRow is a row as the first example's functions write and read it.
type exampleRow struct {
	PK           string    `dynamodbav:"PK"`
	SK           string    `dynamodbav:"SK"`
	ConnectionID string    `dynamodbav:"ConnectionId"`
	Established  time.Time `dynamodbav:"EstablishedTime"`
}

// putExample writes rows as the first example's functions do.
func putExample(t *testing.T, client *awsdynamodb.Client, table string, age time.Duration, ids ...string) {
	t.Helper()
	for _, id := range ids {
		it, err := attributevalue.MarshalMap(exampleRow{"CONN#" + id, "CONN#" + id, id, time.Now().Add(-age)})
		if err != nil {
			t.Fatal(err)
		}
		putRow(t, client, table, it)
	}
}

func putRow(t *testing.T, client *awsdynamodb.Client, table string, it map[string]types.AttributeValue) {
	t.Helper()
	if _, err := client.PutItem(t.Context(), &awsdynamodb.PutItemInput{TableName: &table, Item: it}); err != nil {
		t.Fatal(err)
	}
}

// TestConnIDBesideTheExample: the example's functions and the library share a
// table.
func TestConnIDBesideTheExample(t *testing.T) {
	_, client := tables(t)
	connIDTable(t, client, "SocketRoster")
	putExample(t, client, "SocketRoster", time.Minute, "a=", "b=")
	putExample(t, client, "SocketRoster", 3*time.Hour, "ended long ago")
	r := postroster.ConnID(client, "SocketRoster", 0)
	wantLiving(t, r, "a=", "b=")
	if err := r.Join(t.Context(), "a=", "g"); err != nil {
		t.Fatal(err)
	}
	if err := r.Add(t.Context(), push.Connection{ID: "c=", User: "u", Groups: []string{"g"}}); err != nil {
		t.Fatal(err)
	}
	if err := r.Remove(t.Context(), "b="); err != nil {
		t.Fatal(err)
	}
	if n, err := r.Prune(t.Context(), 10); n != 1 || err != nil {
		t.Errorf("pruned %d, %v; want the one that ended long ago", n, err)
	}
	out, err := client.Scan(t.Context(), &awsdynamodb.ScanInput{TableName: aws.String("SocketRoster")})
	if err != nil {
		t.Fatal(err)
	}
	var rows []exampleRow
	if err := attributevalue.UnmarshalListOfMaps(out.Items, &rows); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, row := range rows {
		ids = append(ids, row.ConnectionID)
		if row.PK != "CONN#"+row.ConnectionID || row.SK != row.PK || time.Since(row.Established) > time.Hour {
			t.Errorf("the example reads %+v", row)
		}
	}
	if slices.Sort(ids); !slices.Equal(ids, []string{"a=", "c="}) {
		t.Errorf("the example reads the connections %q", ids)
	}
}

// secondRow is a row as the second example's functions write it.
func secondRow(id string, began time.Time) map[string]types.AttributeValue {
	number := func(at time.Time) types.AttributeValue {
		return &types.AttributeValueMemberN{Value: strconv.FormatInt(at.Unix(), 10)}
	}
	return map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: "connectionId"}, "sk": number(began),
		"id": &types.AttributeValueMemberS{Value: id}, "ttl": number(began.Add(20 * time.Minute))}
}

func wantLiving(t *testing.T, r push.Roster, want ...string) {
	t.Helper()
	var got []string
	for c, err := range r.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, c.ID)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the roster has %q, want %q", got, want)
	}
}

// TestMigrate copies the examples' tables with the program of push/cmd/migrate.
func TestMigrate(t *testing.T) {
	_, client := tables(t)
	program := filepath.Join(t.TempDir(), "migrate")
	if out, err := exec.Command("go", "build", "-o", program, "../push/cmd/migrate").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	connIDTable(t, client, "SocketRoster")
	var ids []string
	for i := range 40 {
		ids = append(ids, fmt.Sprintf("id-%02d=", i))
	}
	putExample(t, client, "SocketRoster", time.Minute, ids...)
	putExample(t, client, "SocketRoster", 3*time.Hour, "ended")
	old := postroster.ConnID(client, "SocketRoster", 0)
	if err := old.Add(t.Context(), push.Connection{ID: "id-99=", User: "ann", Groups: []string{"g"}, Attributes: map[string]string{"k": "v"}}); err != nil {
		t.Fatal(err)
	}
	ids = append(ids, "id-99=")
	bySecondTable(t, client, "second")
	putRow(t, client, "second", secondRow("second-1", time.Now().Add(-5*time.Minute)))
	putRow(t, client, "second", secondRow("second-2", time.Now().Add(-time.Minute)))
	putRow(t, client, "second", secondRow("ended", time.Now().Add(-time.Hour)))
	for _, table := range []string{"new", "other"} {
		if _, err := client.CreateTable(t.Context(), push.DynamoDBTable(table)); err != nil {
			t.Fatal(err)
		}
	}
	endpoint := *client.Options().BaseEndpoint
	migrate := func(args ...string) (string, error) {
		cmd := exec.Command(program, args...)
		cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+endpoint, "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=AKID", "AWS_SECRET_ACCESS_KEY=SECRET", "AWS_SESSION_TOKEN=")
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		err := cmd.Run()
		return out.String(), err
	}
	to := push.NewDynamoDB(client, "new", push.DynamoDBOptions{})
	for _, step := range []struct {
		args []string
		say  string
		want []string
	}{
		{[]string{"-from", "SocketRoster", "-to", "new", "-dry-run"}, "dry run, nothing was written: 41 connections read, 0 copied", nil},
		{[]string{"-from", "SocketRoster", "-to", "new"}, "done: 41 connections read, 41 copied, 0 ended meanwhile, 0 failed", ids},
		{[]string{"-from", "SocketRoster", "-to", "new"}, "done: 41 connections read, 41 copied", ids},
		{[]string{"-from", "second", "-layout", "by-second", "-to", "new"}, "done: 2 connections read, 2 copied", append(slices.Clone(ids), "second-1", "second-2")},
	} {
		out, err := migrate(step.args...)
		if err != nil || !strings.Contains(out, step.say) {
			t.Errorf("migrate %q: %v\n%swant %q", step.args, err, out, step.say)
		}
		wantLiving(t, to, step.want...)
	}
	for c, err := range to.ByGroup(t.Context(), "g") {
		if err != nil || c.ID != "id-99=" || c.User != "ann" || c.Attributes["k"] != "v" {
			t.Errorf("in the group after the migration: %+v, %v", c, err)
		}
	}
	// One that ended after it was copied is not brought back.
	if err := to.Remove(t.Context(), "id-99="); err != nil {
		t.Fatal(err)
	}
	if out, err := migrate("-from", "SocketRoster", "-to", "new"); err != nil || !strings.Contains(out, "40 copied, 1 ended meanwhile") {
		t.Errorf("migrate again: %v\n%s", err, out)
	}
	for _, wrong := range []struct {
		args []string
		say  string
	}{
		{nil, "name the tables with -from and -to"},
		{[]string{"-from", "a", "-to", "a"}, "the same table"},
		{[]string{"-from", "a", "-to", "b", "more"}, `"more" is too much`},
		{[]string{"-from", "a", "-to", "b", "-layout", "x"}, "it must be push, conn-id or by-second"},
		{[]string{"-from", "a", "-to", "b", "-unit", "1h"}, "it must be 1s or 1ms"},
		{[]string{"-from", "nowhere", "-to", "new"}, "nowhere"},
		{[]string{"-help"}, "The old table is only read."},
	} {
		if out, err := migrate(wrong.args...); err == nil || !strings.Contains(out, wrong.say) {
			t.Errorf("migrate %q: %v\n%swant %q", wrong.args, err, out, wrong.say)
		}
	}
}

// TestMigrateFails: what cannot be written is counted, and said.
func TestMigrateFails(t *testing.T) {
	from, to := push.NewMemory(push.MemoryOptions{}), push.NewMemory(push.MemoryOptions{})
	for _, id := range []string{"a", "b"} {
		if err := from.Add(t.Context(), push.Connection{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	done, err := push.Migrate(t.Context(), from, refusing{to, "b"}, push.MigrateOptions{})
	if err == nil || !strings.Contains(err.Error(), "1 of 2 connections were not written, the first is b") || done.Copied != 1 || done.Read != 2 || len(done.Failed) != 1 {
		t.Errorf("%+v, %v", done, err)
	}
}

// refusing does not take a connection.
type refusing struct {
	push.Roster
	id string
}

func (r refusing) Add(ctx context.Context, c push.Connection) error {
	if c.ID == r.id {
		return context.DeadlineExceeded
	}
	return r.Roster.Add(ctx, c)
}
